#!/bin/sh
# /// fleet
# kind = "check"
# title = "The backup extension is whole, enabled, and has an agent that works"
# about = "Looks at the newest version on the machine: its program or manifest, and the state in which the agent keeps it. Only an agent that works installs, updates and removes it, so that is looked at, too. Where there is no extension all is well: the next backup installs it."
# severity = "error"
# idempotent = "yes"
# timeout = 60
# needs = ["root", "admin"]
#
# [returns.version]
# type = "str"
# about = "The newest version on the machine or in the agent's records; empty where there is none"
#
# [returns.state]
# type = "str"
# about = "The state in which the agent keeps that version, as it writes it; empty where it keeps none"
#
# [returns.versions]
# type = "list"
# about = "All versions of which there is a folder"
# ///

require_root
folders=$root/var/lib/waagent/Microsoft.Azure.RecoveryServices.VMSnapshotLinux

versions=$(
    for folder in "$folders"-*; do
        [ ! -d "$folder" ] || printf '%s\n' "${folder##*VMSnapshotLinux-}"
    done | grep -E '^[0-9]+(\.[0-9]+){0,3}$' | sort -t . -k 1,1n -k 2,2n -k 3,3n -k 4,4n
) || :
version=$(printf '%s\n' "$versions" | tail -n 1)

# What the agent keeps of a version (azurelinuxagent/ga/exthandlers.py): HandlerState is a word, HandlerStatus JSON.
state='' status=''
if [ -n "$version" ]; then
    state=$(sed -n '1{s/[^A-Za-z]//g;p;}' "$folders-$version/config/HandlerState" 2>/dev/null) || :
    status=$(tr -d '\n' <"$folders-$version/config/HandlerStatus" 2>/dev/null | sed -n 's/.*"status" *: *"\([A-Za-z]*\)".*/\1/p') || :
fi
# shellcheck disable=SC2086 # one version a line, numbers and points only
if [ -n "$versions" ]; then data_list versions $versions; else data_list versions </dev/null; fi
data version "$version"
data state "$state"

found=
add() {
    found=${found:+$found; }$*
}

waagent_look 7200
[ -z "$waagent_fault" ] || add "the guest agent does not work: it $waagent_fault"
if [ -n "$version" ]; then
    [ -s "$folders-$version/HandlerManifest.json" ] || add "$version has lost its manifest HandlerManifest.json"
    if [ -z "$state" ]; then
        add "the folder of $version is there, but the agent does not know of it"
    elif [ "$state" != Enabled ]; then
        add "the agent keeps $version as $state, not Enabled"
    elif [ "$status" = NotReady ]; then
        add "the agent says that $version is not ready"
    fi
fi
[ -z "$found" ] || fail "$found"
[ -n "$version" ] || { ok "there is no backup extension here, and the agent works: the next backup installs it"; exit 0; }
ok "the backup extension $version is whole and enabled"
