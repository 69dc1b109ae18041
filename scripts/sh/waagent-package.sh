#!/bin/sh
# /// fleet
# kind = "check"
# title = "The Azure Linux agent is installed as a package, and there is none newer"
# about = "Asks the package manager of the distribution. With apt what was fetched last counts; nothing is fetched."
# severity = "error"
# timeout = 300
#
# [params.newest]
# type = "bool"
# default = false
# about = "Fail too where the repositories have a newer one"
#
# [returns.package]
# type = "str"
# about = "Name of the package here"
#
# [returns.manager]
# type = "str"
# about = "apt, dnf, yum or zypper"
#
# [returns.version]
# type = "str"
# about = "Version that is installed"
#
# [returns.newer]
# type = "str"
# about = "Newer version in the repositories; empty where there is none"
# ///
: "${newest:?}"

waagent_package || skip "there is no apt-get, dnf, yum or zypper here"
data package "$package"
data manager "$package_manager"
data version "$package_version"
if [ -z "$package_version" ]; then
    found=
    ! command -v waagent >/dev/null 2>&1 || found=", although there is a program waagent, from elsewhere"
    fail "the package $package is not installed$found"
fi

newer=$(waagent_newer) || {
    [ "$newest" = 0 ] || fail "$package_manager can't say what the repositories have; are they reachable?"
    note "$package_manager can't say what the repositories have"
    newer=
}
data newer "$newer"
if [ -z "$newer" ]; then
    ok "$package $package_version is installed, and $package_manager knows of none newer"
elif [ "$newest" = 1 ]; then
    fail "$package $package_version is installed; the repositories have $newer"
else
    ok "$package $package_version is installed; the repositories have $newer"
fi
