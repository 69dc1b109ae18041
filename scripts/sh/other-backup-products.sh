#!/bin/sh
# /// fleet
# kind = "check"
# title = "No other backup product is at work in the machine"
# about = "Running services and processes of other products, by the names their makers gave them. On Windows also a backup of Windows Server Backup under way, and the VSS providers that are registered."
# severity = "warning"
# idempotent = "yes"
# timeout = 60
#
# [returns.found]
# type = "list"
# about = "What runs: names of services or processes"
# [returns.providers]
# type = "list"
# about = "Windows: VSS providers beside those of Windows, id and name"
# ///

[ -d "$root/proc" ] || skip "there is no /proc here"
# Names of programs of Veeam, Commvault, NetBackup, Bacula, Bareos, Acronis, Arcserve and Veritas, or of their folders.
found=$(
    for word in '[v]eeam' '[c]ommvault' '[n]etbackup' '[b]acula' '[b]areos' '[a]cronis' '[a]rcserve' '[v]eritas'; do
        processes "$word" | awk -v word="$word" '{ gsub(/[][]/, "", word) } index($2, word) { print $2 " (process " $1 ")" }'
    done
)
data_list providers </dev/null
if [ -z "$found" ]; then
    data_list found </dev/null
    ok "no other backup product is at work"
else
    data_list found <<FOUND
$found
FOUND
    fail "at work here: $(printf '%s\n' "$found" | awk '{ printf "%s%s", (NR > 1 ? "; " : ""), $0 }')"
fi
