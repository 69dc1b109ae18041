#!/bin/sh
# /// fleet
# kind = "check"
# title = "The clock is right"
# about = "Linux: what chrony or systemd says of it. Windows: measured against a time server; where none answers only the zone is looked at."
# severity = "warning"
# idempotent = "yes"
# timeout = 60
#
# [params.max_offset]
# type = "int"
# default = 300
# minimum = 1
# maximum = 86400
# about = "Seconds that it may be off"
#
# [params.time_zone]
# type = "str"
# default = ""
# pattern = '[0-9A-Za-z ./_+()-]{0,80}'
# about = "Zone it has to be in, as the system names it (Europe/Rome, W. Europe Standard Time); empty: any"
#
# [params.time_server]
# type = "str"
# default = "time.windows.com"
# pattern = '[0-9A-Za-z.:-]{1,253}'
# about = "Windows: what to measure against"
#
# [params.only_with]
# type = "str"
# default = ""
# pattern = '[0-9A-Za-z_.-]{0,80}'
# about = "The service without which nothing is looked at, such as obengine; empty: it is always"
#
# [returns.zone]
# type = "str"
# about = "Time zone"
#
# [returns.offset]
# type = "int"
# about = "Milliseconds that the clock is off; null where that is not known"
#
# [returns.synchronised]
# type = "bool"
# about = "Linux: whether it is kept right; null where nothing says so"
# ///
: "${max_offset:?}" "${time_zone?}" "${time_server:?}" "${only_with?}"

[ -z "$only_with" ] || service_find "$only_with" || skip "there is no service $only_with"
zone=$(readlink "$root/etc/localtime" 2>/dev/null) || zone=$(cat "$root/etc/timezone" 2>/dev/null) || zone=UTC
zone=${zone##*/zoneinfo/}
data zone "$zone"

# chronyc -c: seconds off in field 5, in field 14 the leap status, in English everywhere (chronyc(1)).
offset='' synchronised=unknown
if command -v chronyc >/dev/null 2>&1; then
    tracking=$(run_native 10 chronyc -c tracking 2>/dev/null) || tracking=
    offset=$(printf '%s\n' "$tracking" | awk -F , 'NF >= 14 && $5 ~ /^[-+0-9.e]+$/ { printf "%d", 1000 * $5 }')
    case $(printf '%s\n' "$tracking" | cut -d , -f 14) in
        'Not synchronised') synchronised=no ;;
        ?*) synchronised=yes ;;
    esac
fi
if [ "$synchronised" = unknown ] && command -v timedatectl >/dev/null 2>&1; then
    synchronised=$(run_native 10 timedatectl show -p NTPSynchronized 2>/dev/null | sed -n 's/^NTPSynchronized=//p') || :
fi
data_bool synchronised "${synchronised:-unknown}"
data_int offset "$offset"

if [ -n "$time_zone" ] && [ "$time_zone" != "$zone" ]; then
    fail "the time zone is $zone, not $time_zone"
fi
if [ -n "$offset" ] && [ "${offset#-}" -gt "$((1000 * max_offset))" ]; then
    fail "the clock is off by $((offset / 1000)) s; $max_offset s is the limit"
fi
[ "$synchronised" != no ] || fail "nothing keeps the clock right: it is not synchronised"
[ "$synchronised" = yes ] || skip "neither chrony nor systemd says whether the clock is right; $time_server was not asked"
ok "the clock is kept right${offset:+, off by $offset ms}; the zone is $zone"
