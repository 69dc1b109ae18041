#!/bin/sh
# /// fleet
# kind = "check"
# title = "No freeze of the file systems by the backup extension hangs"
# about = "A freeze that the extension's log begins and never ends, a freezer that runs too long, a lock held too long. Only reads. The kernel shows nowhere which file system is frozen, so that is not known: the data name those the freeze was for. A person thaws them (fsfreeze -u MOUNT) or restarts the machine in a maintenance window. A lock file that nobody holds is told and stops nothing."
# severity = "error"
# idempotent = "yes"
# timeout = 60
# needs = ["root"]
#
# [params.freeze_seconds]
# type = "int"
# default = 300
# minimum = 60
# maximum = 86400
# about = "How long a freeze may take. The extension waits 34 s for its lock, 66 s for the freeze, 60 s for the snapshot and 30 s for the thaw, unless vmbackup.conf says otherwise"
#
# [returns.state]
# type = "str"
# about = "What the log says of the newest freeze: none, ended, under way, hangs, or restarted: it did not end, but the machine was started since"
#
# [returns.began]
# type = "str"
# about = "When the newest freeze began, as the log writes it; empty where there is none"
#
# [returns.age]
# type = "int"
# about = "Seconds since it began; null where there is none"
#
# [returns.lines_after]
# type = "int"
# about = "Lines with a time that the log has after it; where it goes on, the file system of the log is not frozen"
#
# [returns.mounts]
# type = "list"
# about = "Mount points that this freeze was for, at most 100"
#
# [returns.freezers]
# type = "list"
# about = "Running safefreeze, at most 20: process id, age in seconds (? where that can't be told), command line"
#
# [returns.lock]
# type = "str"
# about = "The freezer's lock file: none, held, or left behind"
#
# [returns.waiting]
# type = "int"
# about = "Processes that the kernel lets wait as before a write to a frozen file system"
# ///
: "${freeze_seconds:?}"

# Facts from Azure/azure-linux-extensions, VMBackup/main: fsfreezer.py, backuplogger.py, safefreeze.c. No here-document
# stands here: older bash keeps those in a file, and a write waits for ever where the file system is frozen.

require_root
for tool in tail date; do
    command -v "$tool" >/dev/null 2>&1 || fail "$tool is missing here, and without it the log can't be read"
done
log=$root/var/log/azure/Microsoft.Azure.RecoveryServices.VMSnapshotLinux/extension.log
lock_file=$root/etc/azure/MicrosoftRecoverySvcsSafeFreezeLock/SafeFreezeLockFile
most=1048576
newline='
'
now=$(date +%s)

written() { # when a file was, in seconds since 1970
    date -r "$1" +%s 2>/dev/null || printf '%s' "$now"
}

lines_data() { # KEY LINES [ITEM ...]: adds the items and the lines as one list
    lines_key=$1 lines_left=$2
    shift 2
    if [ -n "$lines_left" ]; then
        lines_item=${lines_left%%"$newline"*}
        lines_left=${lines_left#"$lines_item"}
        lines_data "$lines_key" "${lines_left#"$newline"}" "$@" "$lines_item"
    elif [ $# -gt 0 ]; then
        data_list "$lines_key" "$@"
    else
        data_list "$lines_key" </dev/null
    fi
}

# The newest rotation that is no archive; where the log has a megabyte of its own, none is needed.
rotated=
if [ ! -f "$log" ] || [ "$(wc -c <"$log")" -lt "$most" ]; then
    for file in "$log".* "$log"-*; do
        case $file in *.gz | *.bz2 | *.xz | *.zst) continue ;; esac
        [ -f "$file" ] || continue
        if [ -z "$rotated" ] || [ "$(written "$file")" -gt "$(written "$rotated")" ]; then rotated=$file; fi
    done
fi
newest=$log
[ -f "$log" ] || newest=$rotated

# While it freezes the extension keeps its log in memory, so of a freeze that hangs nothing follows the line
# with which it begins. Prints open or ended, the seconds from there to the log's last time, the number of lines
# after it and its time; then its mount points. All by the log's own times, whose zone is not known.
newest_freeze() {
    for file in "$rotated" "$log"; do
        [ ! -f "$file" ] || { tail -c "$most" "$file" && printf '\n'; }
    done | awk '
        function seconds(text,  part, y, m) {
            split(text, part, /[^0-9]/)
            y = part[1]; m = part[2] - 3
            if (m < 0) { y--; m += 12 }
            return ((365 * y + int(y / 4) - int(y / 100) + int(y / 400) + int((153 * m + 2) / 5) + part[3]) * 24 \
                + part[4]) * 3600 + part[5] * 60 + part[6]
        }
        /^[0-9][0-9][0-9][0-9][-\/][0-9][0-9][-\/][0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9]/ {
            last = substr($0, 1, 19); after++
        }
        at = index($0, "/safefreeze\047, ") { words = substr($0, at + 14) }
        index($0, "proceeded for accepting signals") {
            found = 1; ended = 0; after = 0; began = last; arguments = words; words = ""
        }
        index($0, "Logs during Freeze End") || index($0, "Binary output traces end") ||
            index($0, "binary child terminated") { ended = 1 }
        END {
            if (!found) exit
            span = seconds(last) - seconds(began)
            printf "%s %d %d %s\n", (ended ? "ended" : "open"), (span > 0 ? span : 0), after, began
            sub(/\047\].*/, "", arguments)
            count = split(arguments, mount, /\047, u?\047/)
            for (i = 2; i <= count && i <= 101; i++) print substr(mount[i], 1, 300)
        }
    '
}

problems=
problem() {
    problems=${problems:+$problems; }$1
}

look_at_log() {
    state=none began='' age='' lines_after='' mounts=''
    [ -n "$newest" ] || return 0
    freeze=$(newest_freeze)
    [ -n "$freeze" ] || return 0
    began=${freeze%%"$newline"*}
    state=${began%% *} began=${began#* }
    span=${began%% *} began=${began#* }
    lines_after=${began%% *} began=${began#* }
    age=$((now - $(written "$newest") + span))
    mounts=$(printf '%s\n' "$freeze" | sed 1d)
    [ "$state" = open ] || return 0
    boot=$(sed -n 's/^btime //p' "$root/proc/stat" 2>/dev/null) || boot=
    if [ "$((now - age))" -lt "${boot:-0}" ]; then
        state=restarted
    elif [ "$age" -le "$freeze_seconds" ]; then
        state='under way'
    else
        state=hangs
        problem "by the extension's log a freeze began $age s ago ($began) and was never ended"
    fi
}

look_at_freezers() {
    freezers=
    found=$(processes '[s]afefreeze' | awk '$2 ~ /(^|\/)safefreeze$/ && count++ < 20') || :
    for pid in $(printf '%s\n' "$found" | cut -d ' ' -f 1); do
        started=$(process_started "$pid")
        seconds='?'
        [ -z "$started" ] || seconds=$((now - started))
        freezers="$freezers$pid $seconds $(printf '%s\n' "$found" | sed -n "s/^$pid //p" | cut -c 1-300)
"
        [ -n "$started" ] && [ "$seconds" -gt "$freeze_seconds" ] || continue
        problem "safefreeze has been running for $seconds s (pid $pid)"
    done
}

look_at_lock() {
    lock=none
    [ -e "$lock_file" ] || return 0
    lock='left behind'
    inode=$(ls -i "$lock_file")
    grep -qs ":${inode%% *} " "$root/proc/locks" || return 0
    lock=held
    held=$((now - $(written "$lock_file")))
    [ "$held" -le "$freeze_seconds" ] || problem "the freezer has held its lock for $held s"
}

# Where the kernel waits for a thaw (fs/super.c and kernel/locking/percpu-rwsem.c, by its version); other
# things wait there too, so this only goes with what else was seen.
waiting() {
    (cd "$root/proc" && grep -lsxE '__sb_start_write|(__)?percpu_down_read|percpu_rwsem_wait' [0-9]*/wchan) | grep -c . || :
}

look_at_log
look_at_freezers
look_at_lock
waiting=$(waiting)
data state "$state"
data began "$began"
data_int age "$age"
data_int lines_after "$lines_after"
lines_data mounts "$mounts"
lines_data freezers "$freezers"
data lock "$lock"
data_int waiting "$waiting"

[ -n "$newest$freezers" ] || [ "$lock" != none ] || skip "the backup extension has left no log here, and no freezer runs"
[ -z "$problems" ] || fail "file systems may still be frozen: $problems. A person thaws them (fsfreeze -u MOUNT), or restarts the machine in a maintenance window"
case $state in
    none) said="the log knows of no freeze" ;;
    restarted) said="the newest freeze of the log was never ended, but the machine was started since then" ;;
    'under way') said="a freeze has been under way for $age s, and may take $freeze_seconds s" ;;
    *) said="the newest freeze of the log has ended" ;;
esac
[ -z "$freezers" ] || [ "$state" = 'under way' ] || said="$said; a freezer runs"
[ "$lock" != 'left behind' ] || said="$said; its lock file was left behind, which stops nothing"
ok "$said"
