#!/bin/sh
# /// fleet
# kind = "remedy"
# title = "Have systemd start the Azure Linux agent again after a crash"
# about = "Adds a drop-in with Restart=always to its unit; neither the unit nor the running agent is touched."
# risk = "safe"
# idempotent = "yes"
# timeout = 120
# needs = ["root"]
# undo = "unset-waagent-auto-restart"
#
# [returns.before]
# type = "str"
# about = "Restart of the unit, as systemd had it in force"
#
# [returns.undo]
# type = "dict"
# about = "Parameters of unset-waagent-auto-restart; only where the drop-in was written"
# ///

require_root
service_find walinuxagent waagent ||
    fail "the Azure Linux agent is not installed here: there is no service walinuxagent or waagent"
[ "$manager" = systemd ] || fail "$service is managed by $manager, which starts nothing again by itself"

before=$(waagent_restart_policy) || fail "systemctl does not say what it does when $service ends"
data before "$before"
case $before in
    always | on-failure)
        ok "nothing to do: Restart=$before is in force for $service"
        exit 0
        ;;
esac

drop_in=$(waagent_drop_in "$service")
shown=${drop_in#"$root"}
[ ! -e "$drop_in" ] || fail "$shown is there and something overrides it: see systemctl cat $service"
if [ "$check" = 1 ]; then
    changed "would write $shown"
    exit 0
fi

umask 022
if ! { mkdir -p "${drop_in%/*}" && waagent_drop_in_text >"$drop_in"; }; then
    rm -f "$drop_in"
    fail "$shown could not be written"
fi
changed "wrote $shown"
undo service "$service"
run_native 60 systemctl daemon-reload || fail "systemd did not read it: systemctl daemon-reload failed"
restart=$(waagent_restart_policy) || restart=
[ "$restart" = always ] || fail "systemd has read it, but Restart is ${restart:-unknown}: something overrides it"
changed "Restart=always is in force for $service"
