#!/bin/sh
# /// fleet
# kind = "check"
# title = "The proxies that the agent is told to use answer"
# about = "Tries a connection to each. Windows: those of WinHTTP, of the SYSTEM account and of the environment of services. Linux: that of waagent.conf, and the environment of the running agent. A script or a login of a proxy is not tried."
# severity = "error"
# idempotent = "yes"
# timeout = 120
# needs = ["root", "admin"]
#
# [params.connect_seconds]
# type = "int"
# default = 5
# minimum = 1
# maximum = 20
# about = "How long a connection may take"
#
# [returns.proxies]
# type = "list"
# about = "Each as HOST:PORT, followed by where it is set; never with a login"
#
# [returns.unreached]
# type = "list"
# about = "Those of them that do not answer"
# ///
: "${connect_seconds:?}"

require_root
waagent_look 0

# HOST PORT WHERE of what is written as host, host:port or an address with a login and a path, one a line.
parse() {
    sed -n -e 's|^[A-Za-z0-9]*://||' -e 's|^.*@||' -e 's|/.*$||' -e '/^\[[0-9A-Fa-f:.]*\]$/s/$/:80/' -e '/^[^:]\{1,\}$/s/$/:80/' \
        -e 's/^\[*\([0-9A-Za-z._:-]*[0-9A-Za-z]\)\]*:\([0-9]\{1,5\}\)$/\1 \2 '"$1"'/p'
}

settings() {
    if [ -r "$waagent_conf" ]; then
        host=$(waagent_setting HttpProxy.Host)
        port=$(waagent_setting HttpProxy.Port)
        printf '%s\n' "${host:+$host:${port:-80}}" | parse waagent.conf
    fi
    for pid in $waagent_pids; do
        for name in http_proxy https_proxy HTTPS_PROXY; do
            cat "$root/proc/$pid/environ" 2>/dev/null | tr '\000' '\n' | sed -n "s/^$name=//p" | parse "$name"
        done
    done
}

# Keeps a list of lines: as data, and joined in $joined.
tell() {
    joined=
    if [ -z "$2" ]; then
        data_list "$1" </dev/null
        return
    fi
    joined=$(printf '%s' "$2" | awk '{ printf "%s%s", sep, $0; sep = ", " }')
    data_list "$1" <<EOF
$2
EOF
}

lines=$(settings | sort -u)
all='' down='' newline='
'
while read -r host port where; do
    [ -n "$host" ] || continue
    each="$host:$port ($where)"
    all=$all${all:+$newline}$each
    case $(tcp_answers "$host" "$port" "$connect_seconds" </dev/null) in
        yes) ;;
        no) down=$down${down:+$newline}$each ;;
        *) skip "no connection can be tried here: python3, curl and bash are missing" ;;
    esac
done <<EOF
$lines
EOF

tell proxies "$all"
told=$joined
tell unreached "$down"
[ -z "$down" ] || fail "a proxy is set that does not answer: $joined"
if [ -n "$all" ]; then ok "the proxies answer: $told"; else ok "no proxy is set"; fi
