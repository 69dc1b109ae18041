#!/bin/sh
# /// fleet
# kind = "remedy"
# title = "Switch the verbose logging of the Azure Linux agent on or off"
# about = "Logs.Verbose in /etc/waagent.conf, in every spelling; the agent restarts only if it must read it."
# risk = "service-interruption"
# idempotent = "yes"
# timeout = 420
# needs = ["root"]
# undo = "restore-waagent-conf"
#
# [params.enabled]
# type = "bool"
# required = true
# about = "Whether it should be on"
#
# [params.restart]
# type = "bool"
# default = true
# about = "Restart the agent where it has not read the file yet; otherwise its next start does"
#
# [params.start_seconds]
# type = "int"
# default = 30
# minimum = 0
# maximum = 120
# about = "How long a new process may take to appear"
#
# [params.settle_seconds]
# type = "int"
# default = 30
# minimum = 0
# maximum = 120
# about = "How long it is watched after that: it has to stay and to write to its log"
#
# [returns.before]
# type = "str"
# about = "Value that was in force; empty where none was set"
#
# [returns.restarted]
# type = "bool"
# about = "Whether the agent was restarted"
#
# [returns.undo]
# type = "dict"
# about = "Parameters of restore-waagent-conf; only where the file was changed"
#
# [returns.held]
# type = "list"
# about = "The backup that runs now, when that is why nothing was done"
# ///
: "${enabled:?}" "${restart:?}" "${start_seconds:?}" "${settle_seconds:?}"

require_root
[ -f "$waagent_conf" ] || fail "there is no /etc/waagent.conf; is the Azure Linux agent installed?"
if [ "$enabled" = 1 ]; then wanted=y; else wanted=n; fi
data before "$(waagent_setting Logs.Verbose)"
edit=0
[ "$(waagent_switch Logs.Verbose n)" = "$wanted" ] || edit=1
waagent_look 0
act=0
if [ -n "$waagent_pids" ] && [ "$restart" = 1 ] && { [ "$edit" = 1 ] || waagent_unread; }; then act=1; fi

if [ "$edit" = 0 ] && [ "$act" = 0 ]; then
    data_bool restarted 0
    ok "nothing to do: Logs.Verbose is $wanted$(waagent_hint_unread)"
    exit 0
fi
[ "$act" = 0 ] || waagent_guard
if [ "$check" = 1 ]; then
    data_bool restarted 0
    [ "$edit" = 0 ] || changed "would set Logs.Verbose=$wanted in /etc/waagent.conf"
    [ "$act" = 0 ] || changed "would restart $service by $manager (pid $waagent_pids)"
    exit 0
fi

if [ "$edit" = 1 ]; then
    keep_copy "$waagent_conf"
    waagent_with Logs.Verbose "$wanted" <"$copy" | replace_file "$waagent_conf" ||
        fail "/etc/waagent.conf could not be written; it is as it was"
    [ "$(waagent_switch Logs.Verbose n)" = "$wanted" ] ||
        fail "/etc/waagent.conf was written, but not as meant; what it was is in $copy"
    undo copy "${copy##*/}"
    undo sum "$(checksum "$waagent_conf")"
    undo_bool restart "$restart"
    changed "set Logs.Verbose=$wanted in /etc/waagent.conf"
fi
if [ "$act" = 1 ]; then
    waagent_restart "$start_seconds" "$settle_seconds"
    data_bool restarted 1
    [ -z "$waagent_fault" ] || fail "the Azure Linux agent $waagent_fault"
    changed "restarted $service: now pid $waagent_pids"
else
    data_bool restarted 0
    [ -n "$waagent_pids" ] || note "the agent does not run; its next start reads the file"
    [ -z "$waagent_pids" ] || changed "the agent was not restarted and still logs as before"
fi
