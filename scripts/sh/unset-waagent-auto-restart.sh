#!/bin/sh
# /// fleet
# kind = "remedy"
# title = "Take back that systemd starts the Azure Linux agent again after a crash"
# about = "Removes the drop-in that set-waagent-auto-restart wrote; refuses where somebody has changed it since."
# risk = "safe"
# idempotent = "yes"
# timeout = 120
# needs = ["root"]
# undo_note = "It is an undo itself; set-waagent-auto-restart writes the drop-in again."
#
# [params.service]
# type = "str"
# required = true
# choices = ["walinuxagent", "waagent"]
# about = "Name of the agent's service (data.undo.service)"
# ///
: "${service:?}"

require_root
drop_in=$(waagent_drop_in "$service")
shown=${drop_in#"$root"}
if [ ! -e "$drop_in" ]; then
    ok "nothing to do: there is no $shown"
    exit 0
fi
waagent_drop_in_text | cmp -s - "$drop_in" ||
    fail "$shown is not as fleet wrote it; nothing was done. Remove it by hand if it should go"
if [ "$check" = 1 ]; then
    changed "would remove $shown"
    exit 0
fi
rm -f "$drop_in" || fail "$shown could not be removed"
rmdir "${drop_in%/*}" 2>/dev/null || : # others may have drop-ins there
changed "removed $shown"
run_native 60 systemctl daemon-reload || fail "systemd did not notice: systemctl daemon-reload failed"
