#!/bin/sh
# /// fleet
# kind = "check"
# title = "No disk is offline"
# about = "Windows: by the storage API, with the reason as a number, of which 4 means that another disk has the same signature, as on the machine that was backed up. Linux: the state of each SCSI disk in /sys. Nothing is brought online: that can destroy volumes of the source machine."
# severity = "warning"
# idempotent = "yes"
# timeout = 60
#
# [returns.disks]
# type = "list"
# about = "Each disk that is offline, with what is known of the reason"
# [returns.policy]
# type = "int"
# about = "Windows: what becomes of new disks (SanPolicy): 1 online, 2 offline on shared buses, 3 offline, 4 internal ones offline; null where it is not set"
# ///

[ -d "$root/sys/block" ] || skip "there is no /sys/block here"
count=0
offline=
for state in "$root"/sys/block/*/device/state; do
    [ -r "$state" ] || continue
    count=$((count + 1))
    disk=${state#"$root/sys/block/"}
    word=$(cat "$state") || word=unknown
    # words of the kernel: SCSI disks are "running", NVMe controllers "live"
    case $word in
        running | live) ;;
        *) offline=$offline${offline:+"
"}"${disk%%/*}: $word" ;;
    esac
done
data_int policy none
if [ -z "$offline" ]; then
    data_list disks </dev/null
    ok "$count disks, none offline"
else
    data_list disks <<DISKS
$offline
DISKS
    fail "offline: $(printf '%s\n' "$offline" | awk '{ printf "%s%s", (NR > 1 ? "; " : ""), $0 }')"
fi
