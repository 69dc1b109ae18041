#!/bin/sh
# /// fleet
# kind = "remedy"
# title = "Restart the Azure Linux agent and wait until it runs"
# about = "Does nothing while it is well, unless forced; refuses while a backup is being taken."
# risk = "service-interruption"
# idempotent = "yes"
# timeout = 420
# needs = ["root"]
# undo_note = "A restart can't be taken back; data says whether the service was enabled before."
#
# [params.force]
# type = "bool"
# default = false
# about = "Restart it even if it looks well"
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
# [params.max_log_age]
# type = "int"
# default = 7200
# minimum = 0
# maximum = 604800
# about = "Seconds without a line in its log that count as hung (it logs every 30 minutes); 0: any"
#
# [returns.service]
# type = "str"
# about = "Name of its service: walinuxagent or waagent"
#
# [returns.manager]
# type = "str"
# about = "What manages the service: systemd, openrc or sysv"
#
# [returns.fault_before]
# type = "str"
# about = "What was wrong before; empty where nothing was"
#
# [returns.enabled_before]
# type = "str"
# about = "Whether it started at boot before: yes, no, masked or unknown"
#
# [returns.pid_before]
# type = "int"
# about = "Process id of the daemon before; null where it did not run"
#
# [returns.pid]
# type = "int"
# about = "Process id of the daemon after the restart; null where it does not run"
#
# [returns.held]
# type = "list"
# about = "The backup that runs now, when that is why nothing was done"
# ///
: "${force:?}" "${start_seconds:?}" "${settle_seconds:?}" "${max_log_age:?}"

require_root
waagent_look "$max_log_age"
data service "$service"
data manager "$manager"
data fault_before "$waagent_fault"
data enabled_before "$service_enabled"
data_int pid_before "${waagent_pids%% *}"

if [ -z "$waagent_fault" ] && [ "$force" = 0 ]; then
    data_int pid "$waagent_pids"
    ok "nothing to do: runs as pid $waagent_pids and writes its log (force=true restarts it all the same)"
    exit 0
fi
waagent_guard

was=${waagent_pids:+", was pid $waagent_pids"}
if [ "$check" = 1 ]; then
    [ "$service_enabled" != masked ] || changed "would unmask $service"
    case $service_enabled in masked | no) changed "would enable $service at boot" ;; esac
    changed "would restart $service by $manager${was:-", which does not run"}"
    exit 0
fi

if [ "$service_enabled" = masked ]; then
    service_act unmask 30 || fail "$service could not be unmasked"
    changed "unmasked $service"
fi
case $service_enabled in
    masked | no)
        service_act enable 60 || fail "$service could not be enabled at boot"
        changed "enabled $service at boot"
        ;;
esac
[ "$service_active" != failed ] || service_act reset-failed 20 || :

waagent_restart "$start_seconds" "$settle_seconds"
data_int pid "${waagent_pids%% *}"
note "its log since the restart:"
waagent_new_lines | tail -n 20
[ -z "$waagent_fault" ] || fail "the Azure Linux agent $waagent_fault"
changed "restarted $service by $manager: now pid $waagent_pids$was, and it writes its log"
