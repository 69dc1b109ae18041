#!/bin/sh
# /// fleet
# kind = "remedy"
# title = "Put /etc/waagent.conf back as it was before fleet changed it"
# about = "Takes back set-waagent-verbose-logging; refuses where somebody has changed the file since."
# risk = "service-interruption"
# idempotent = "yes"
# timeout = 420
# needs = ["root"]
# undo_note = "It is an undo itself; the copy it restores from stays where it is."
#
# [params.copy]
# type = "str"
# required = true
# pattern = '[A-Za-z0-9][A-Za-z0-9._-]*'
# about = "Name of the copy below /var/lib/fleet/backup (data.undo.copy)"
#
# [params.sum]
# type = "str"
# required = true
# pattern = '[0-9]+ [0-9]+'
# about = "Checksum of the file as fleet left it (data.undo.sum)"
#
# [params.restart]
# type = "bool"
# default = true
# about = "Restart the agent where it runs, so that it reads the file"
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
# [returns.restarted]
# type = "bool"
# about = "Whether the agent was restarted"
#
# [returns.held]
# type = "list"
# about = "The backup that runs now, when that is why nothing was done"
# ///
: "${copy:?}" "${sum:?}" "${restart:?}" "${start_seconds:?}" "${settle_seconds:?}"

require_root
saved=$root/var/lib/fleet/backup/$copy
[ -f "$saved" ] || fail "there is no copy $copy below /var/lib/fleet/backup; nothing was done"
edit=1
! cmp -s "$saved" "$waagent_conf" || edit=0
if [ "$edit" = 1 ] && [ "$(checksum "$waagent_conf")" != "$sum" ]; then
    fail "/etc/waagent.conf was changed by somebody since; it was left alone. Compare it with $saved"
fi
waagent_look 0
act=0
if [ -n "$waagent_pids" ] && [ "$restart" = 1 ] && { [ "$edit" = 1 ] || waagent_unread; }; then act=1; fi
if [ "$edit" = 0 ] && [ "$act" = 0 ]; then
    data_bool restarted 0
    ok "nothing to do: /etc/waagent.conf is as in the copy"
    exit 0
fi
[ "$act" = 0 ] || waagent_guard
if [ "$check" = 1 ]; then
    data_bool restarted 0
    [ "$edit" = 0 ] || changed "would put /etc/waagent.conf back from $copy"
    [ "$act" = 0 ] || changed "would restart $service by $manager (pid $waagent_pids)"
    exit 0
fi
if [ "$edit" = 1 ]; then
    replace_file "$waagent_conf" <"$saved" || fail "/etc/waagent.conf could not be written; it is as it was"
    changed "put /etc/waagent.conf back from $copy"
fi
data_bool restarted "$act"
if [ "$act" = 1 ]; then
    waagent_restart "$start_seconds" "$settle_seconds"
    [ -z "$waagent_fault" ] || fail "the Azure Linux agent $waagent_fault"
    changed "restarted $service: now pid $waagent_pids"
fi
