#!/bin/sh
# /// fleet
# kind = "check"
# title = "The VMSnapshot extension for Linux is not older than it should be"
# about = "The newest version folder below /var/lib/waagent, compared number by number."
# severity = "warning"
# timeout = 30
# needs = ["root"]
#
# [params.minimum]
# type = "str"
# default = "1.0.91.0"
# pattern = '[0-9]{1,9}(\.[0-9]{1,9}){0,3}'
# about = "The least version; the default is the newest of 2017, the least that a document names"
#
# [returns.version]
# type = "str"
# about = "The newest version that is installed"
# ///
: "${minimum:?}"

require_root
version=$(
    for folder in "$root"/var/lib/waagent/Microsoft.Azure.RecoveryServices.VMSnapshotLinux-*; do
        [ ! -d "$folder" ] || printf '%s\n' "${folder##*VMSnapshotLinux-}"
    done | grep -E '^[0-9]+(\.[0-9]+){0,3}$' | sort -t . -k 1,1n -k 2,2n -k 3,3n -k 4,4n | tail -n 1
)
data version "$version"
[ -n "$version" ] || skip "the VMSnapshot extension is not installed; the first backup installs it"
oldest=$(printf '%s\n' "$version" "$minimum" | sort -t . -k 1,1n -k 2,2n -k 3,3n -k 4,4n | sed 1q)
[ "$oldest" = "$minimum" ] || fail "the VMSnapshot extension is $version; $minimum is the least"
ok "the VMSnapshot extension is $version"
