#!/bin/sh
# /// fleet
# kind = "check"
# title = "The logs of the Azure Linux agent that support asks for are there"
# about = "Names and sizes of its log, its XML files and the extensions' logs, and the last errors of its log. Private keys are not looked at."
# severity = "info"
# timeout = 60
# needs = ["root"]
#
# [params.max_lines]
# type = "int"
# default = 20
# minimum = 0
# maximum = 200
# about = "How many of the last error lines are shown"
#
# [returns.files]
# type = "list"
# about = "Size in bytes and path of each file, at most 200"
#
# [returns.missing]
# type = "list"
# about = "What is not there"
#
# [returns.last_errors]
# type = "list"
# about = "The last lines with ERROR among the newest megabyte of the agent's log, each cut at 300 bytes"
# ///
: "${max_lines:?}"

require_root
most=200

sizes() { # of the files named on stdin, without the guest's root before them
    head -n "$most" | while IFS= read -r path; do
        bytes=$(wc -c <"$path") || continue
        printf '%s %s\n' "$((bytes))" "${path#"$root"}"
    done
}

listed() { # KEY LINES
    if [ -n "$2" ]; then
        data_list "$1" <<TEXT
$2
TEXT
    else
        data_list "$1" </dev/null
    fi
}

agent=$(find "$root/var/lib/waagent" -maxdepth 1 -type f -name '*.xml' 2>/dev/null | sort | sizes)
extensions=$(find "$root/var/log/azure" -type f 2>/dev/null | sort | sizes)
log=
[ ! -f "$waagent_log" ] || log=$(printf '%s\n' "$waagent_log" | sizes)

files=$(printf '%s\n' "$log" "$agent" "$extensions" | sed '/^$/d' | head -n "$most")
listed files "$files"
missing=
[ -n "$log" ] || missing="${missing}the agent's own log waagent.log
"
[ -n "$agent" ] || missing="${missing}XML files of the goal state
"
[ -n "$extensions" ] || missing="${missing}logs of extensions
"
listed missing "${missing%?}"
errors=
if [ -n "$log" ] && [ "$max_lines" -gt 0 ]; then
    errors=$(tail -c 1048576 "$waagent_log" | grep ' ERROR ' | tail -n "$max_lines" | cut -c 1-300) || :
fi
listed last_errors "$errors"
[ -n "$log" ] || fail "there is no waagent.log in the log folder; is the Azure Linux agent installed?"
count=$(printf '%s\n' "$files" | wc -l)
ok "$((count)) files are there${missing:+, but $(printf '%s' "$missing" | sed 's/^/no /' | tr '\n' ';' | sed 's/;$//; s/;/, /g')}"
