#!/bin/sh
# /// fleet
# kind = "check"
# title = "No flag of an earlier snapshot keeps the extension at its limit"
# about = "isanysnapshotfailed in /etc/azure/vmbackup.conf, which matters only where Azure Site Recovery protects the machine too. The file exists on Linux only; the limit itself is seen from outside."
# severity = "info"
# idempotent = "yes"
# timeout = 30
#
# [returns.value]
# type = "str"
# about = "What the flag is; empty where there is none"
# ///

file=$root/etc/azure/vmbackup.conf
[ -e "$file" ] || skip "there is no /etc/azure/vmbackup.conf: the extension works with its defaults"
[ -r "$file" ] || fail "/etc/azure/vmbackup.conf can't be read"
# Names have no case, and spaces stand where they like; the last line counts.
value=$(awk -F = '
    tolower($1) ~ /^[ \t]*isanysnapshotfailed[ \t]*$/ { gsub(/[ \t\r]/, "", $2); found = $2 }
    END { print found }
' "$file")
data value "$value"
case $value in
    [Tt][Rr][Uu][Ee]) fail "isanysnapshotfailed = $value in /etc/azure/vmbackup.conf" ;;
esac
ok "isanysnapshotfailed is ${value:-not there}"
