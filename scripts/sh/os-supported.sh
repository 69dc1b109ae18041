#!/bin/sh
# /// fleet
# kind = "check"
# title = "The system is one that the operator's list allows"
# about = "Which systems are supported changes with the agent, so the list is the operator's: take it from the support matrix of the backup."
# severity = "warning"
# idempotent = "yes"
# timeout = 30
#
# [params.supported]
# type = "list"
# default = []
# pattern = '[0-9A-Za-z ._()/-]{1,80}'
# about = "Beginnings of names: Debian GNU/Linux 12, Ubuntu 22.04, Windows Server 2019; capitals do not matter"
#
# [returns.os]
# type = "str"
# about = "Name of the system"
#
# [returns.os_version]
# type = "str"
# about = "Its version or kernel"
# ///
: "${supported?}"

# Values of os-release may be quoted either way, or not at all (os-release(5)).
os=$(sed -n 's/^PRETTY_NAME=//p' "$root/etc/os-release" "$root/usr/lib/os-release" 2>/dev/null | sed -n 1p | tr -d "\"'")
kernel=$(uname -r 2>/dev/null) || kernel=
data os "$os"
data os_version "$kernel"
[ -n "$supported" ] || skip "no list was given: -p supported='Debian GNU/Linux 12,Ubuntu 22.04'; this is ${os:-unknown}"
[ -n "$os" ] || fail "/etc/os-release does not say what system this is"

listed=$(printf '%s\n' "$supported" | awk -v os="$os" '
    $0 != "" && index(tolower(os), tolower($0)) == 1 { print; exit 0 }
')
[ -n "$listed" ] || fail "$os is not on the list of supported systems"
ok "$os is supported"
