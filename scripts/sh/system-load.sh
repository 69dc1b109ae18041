#!/bin/sh
# /// fleet
# kind = "check"
# title = "Processor and memory have room for a snapshot"
# about = "Above 90 percent a snapshot waits until its time is over. The average of some seconds; a load of a moment is none."
# severity = "warning"
# idempotent = "yes"
# timeout = 180
#
# [params.max_load]
# type = "int"
# default = 90
# minimum = 1
# maximum = 100
# about = "Percent that may be in use, of each"
#
# [params.load_seconds]
# type = "int"
# default = 10
# minimum = 1
# maximum = 120
# about = "How long to look"
#
# [returns.processor]
# type = "int"
# about = "Percent of processor time in use"
#
# [returns.memory]
# type = "int"
# about = "Percent of memory in use"
# ///
: "${max_load:?}" "${load_seconds:?}"

[ -r "$root/proc/stat" ] && [ -r "$root/proc/meminfo" ] || skip "there is no /proc/stat and /proc/meminfo here"

# All ticks so far and those that were idle or waited for a disk (proc(5)).
ticks() {
    cat "$root/proc/stat" | awk '$1 == "cpu" { for (i = 2; i <= 9; i++) all += $i; print all, $5 + $6 }'
}

before=$(ticks)
sleep "$load_seconds"
after=$(ticks)
processor=$(printf '%s %s\n' "$before" "$after" |
    awk 'NF == 4 && $3 > $1 { printf "%d", 100 * ($3 - $1 - $4 + $2) / ($3 - $1) }')
memory=$(awk '
    $1 == "MemTotal:" { total = $2 }
    $1 == "MemFree:" || $1 == "Buffers:" || $1 == "Cached:" { free += $2 }
    $1 == "MemAvailable:" { available = $2; known = 1 } # since Linux 3.14
    END { if (total) printf "%d", 100 * (total - (known ? available : free)) / total }
' "$root/proc/meminfo")
data_int processor "$processor"
data_int memory "$memory"

used="processor ${processor:-?} percent over $load_seconds s, memory ${memory:-?} percent"
[ "${processor:-0}" -le "$max_load" ] && [ "${memory:-0}" -le "$max_load" ] ||
    fail "too busy for a snapshot: $used; $max_load is the limit"
ok "$used"
