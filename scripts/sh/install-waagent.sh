#!/bin/sh
# /// fleet
# kind = "remedy"
# title = "Install or update the Azure Linux agent from the distribution's repositories"
# about = "Nothing but its package and what that needs; configuration files stay. The agent restarts, so it waits for a running backup."
# risk = "service-interruption"
# idempotent = "yes"
# timeout = 1500
# needs = ["root"]
# undo_note = "Package managers do not go back by themselves; data.before has the version that was installed."
#
# [returns.package]
# type = "str"
# about = "Name of the package here"
#
# [returns.before]
# type = "str"
# about = "Version that was installed; empty where none was"
#
# [returns.version]
# type = "str"
# about = "Version that is installed now"
#
# [returns.held]
# type = "list"
# about = "What has to end first"
# ///

require_root
waagent_package || fail "there is no apt-get, dnf, yum or zypper here"
before=$package_version
data package "$package"
data before "$before"
newer=
if [ -n "$before" ]; then
    newer=$(waagent_newer) || fail "$package_manager can't say what the repositories have; are they reachable?"
    if [ -z "$newer" ]; then
        data version "$before"
        ok "nothing to do: $package $before is installed, and $package_manager knows of none newer"
        exit 0
    fi
fi
what="$package${newer:+ from $before to $newer}"

sign=$(waagent_backup)
if [ -n "$sign" ]; then
    data_list held "a backup is being taken: $sign"
    skip "a backup is being taken: $sign. Nothing was done"
fi
if [ "$check" = 1 ]; then
    if [ -n "$before" ]; then changed "would update $what"; else changed "would install $what"; fi
    exit 0
fi

case $package_manager in
    apt)
        run_native 300 apt-get -q update || note "apt-get update failed; what was fetched before is used"
        run_native 900 env DEBIAN_FRONTEND=noninteractive apt-get -y -q -o DPkg::Lock::Timeout=60 \
            -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold install "$package"
        ;;
    zypper) run_native 900 zypper -n install "$package" ;;
    *) if [ -n "$before" ]; then
        run_native 900 "$package_manager" -y -q upgrade "$package"
    else
        run_native 900 "$package_manager" -y -q install "$package"
    fi ;;
esac || fail "$package_manager could not install $package; its words are in the log"

waagent_package || :
data version "$package_version"
[ -n "$package_version" ] || fail "$package_manager says it is done, but $package is not installed"
[ "$package_version" != "$before" ] || fail "$package_manager says it is done, but $package is still $before"
changed "installed $package $package_version${before:+, was $before}"
waagent_look 0
[ -z "$waagent_fault" ] || changed "the agent $waagent_fault: fleet fix agent-linux-not-running"
