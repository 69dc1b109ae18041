#!/bin/sh
# /// fleet
# kind = "check"
# title = "Verbose logging of the Azure Linux agent is as it should be"
# about = "Logs.Verbose in /etc/waagent.conf: on while diagnosing, off otherwise."
# severity = "info"
# timeout = 60
# needs = ["root"]
#
# [params.enabled]
# type = "bool"
# default = false
# about = "Whether it should be on"
#
# [returns.verbose]
# type = "bool"
# about = "Whether the file switches it on"
#
# [returns.restart_needed]
# type = "bool"
# about = "Whether the running agent was started before the file was last written"
# ///
: "${enabled:?}"

require_root
[ -f "$waagent_conf" ] || skip "there is no /etc/waagent.conf here"
verbose=$(waagent_switch Logs.Verbose n)
data_bool verbose "$verbose"
waagent_look 0
unread=0
! waagent_unread || unread=1
data_bool restart_needed "$unread"

if [ "$enabled" = 1 ]; then wanted=y; else wanted=n; fi
if [ "$verbose" != "$wanted" ]; then
    if [ "$verbose" = y ]; then
        fail "verbose logging is on; switch it off when the diagnosis is done"
    fi
    fail "verbose logging is off"
fi
[ "$unread" = 0 ] || fail "Logs.Verbose is $verbose$(waagent_hint_unread)"
ok "Logs.Verbose is $verbose"
