#!/bin/sh
# /// fleet
# kind = "check"
# title = "The Azure Linux agent runs, starts at boot and writes its log"
# about = "Looks for the daemon by its command line and for its service under every distribution's name."
# severity = "error"
# timeout = 60
# needs = ["root"]
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
# about = "Name of its service: walinuxagent or waagent; empty where there is none"
#
# [returns.manager]
# type = "str"
# about = "What manages the service: systemd, openrc or sysv"
#
# [returns.active]
# type = "str"
# about = "State of the service as its manager gives it"
#
# [returns.enabled]
# type = "str"
# about = "Whether it starts at boot: yes, no, masked or unknown"
#
# [returns.pid]
# type = "int"
# about = "Process id of the daemon; null where it does not run"
#
# [returns.log_age]
# type = "int"
# about = "Seconds since its log was written; null where there is no log"
#
# [returns.version]
# type = "str"
# about = "What waagent -version says first"
# ///
: "${max_log_age:?}"

require_root
waagent_look "$max_log_age"

data service "$service"
data manager "$manager"
data active "$service_active"
data enabled "$service_enabled"
data_int pid "${waagent_pids%% *}"
data_int log_age "$waagent_log_age"
version=
if command -v waagent >/dev/null 2>&1; then
    version=$(run_native 20 waagent -version 2>/dev/null | sed -n 1p) || :
fi
data version "$version"

[ -z "$waagent_fault" ] || fail "the Azure Linux agent $waagent_fault"
ok "runs as pid $waagent_pids; $service starts at boot; last line in its log ${waagent_log_age:-?} s ago"
