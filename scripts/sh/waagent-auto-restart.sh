#!/bin/sh
# /// fleet
# kind = "check"
# title = "The Azure Linux agent is started again after a crash"
# about = "Units of the distributions carry Restart=always. SysV and OpenRC have no such thing: skipped."
# severity = "warning"
# timeout = 60
#
# [returns.service]
# type = "str"
# about = "Name of its service: walinuxagent or waagent"
#
# [returns.restart]
# type = "str"
# about = "Restart of the unit, as systemd has it in force"
# ///

service_find walinuxagent waagent ||
    skip "the Azure Linux agent is not installed here: there is no service walinuxagent or waagent"
data service "$service"
[ "$manager" = systemd ] || skip "$service is managed by $manager, which starts nothing again by itself"

restart=$(waagent_restart_policy) || fail "systemctl does not say what it does when $service ends"
data restart "$restart"
case $restart in
    always | on-failure) ok "$service is started again after a crash (Restart=$restart)" ;;
    *) fail "$service stays down after a crash (Restart=${restart:-unknown})" ;;
esac
