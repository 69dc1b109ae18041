#!/bin/sh
# /// fleet
# kind = "check"
# title = "The Azure Linux agent is set up to run extensions"
# about = "Extensions.Enabled in /etc/waagent.conf; without it no backup extension runs. Others as data."
# severity = "error"
# timeout = 30
# needs = ["root"]
#
# [returns.extensions_enabled]
# type = "bool"
# about = "Whether extensions are handled"
#
# [returns.provisioning_agent]
# type = "str"
# about = "Provisioning.Agent: auto, waagent, cloud-init or disabled; empty where it is not set (auto)"
#
# [returns.auto_update]
# type = "str"
# about = "AutoUpdate.Enabled; empty where it is not set (on)"
#
# [returns.update_to_latest]
# type = "str"
# about = "AutoUpdate.UpdateToLatestVersion, which newer agents have; empty where it is not set"
# ///

require_root
[ -f "$waagent_conf" ] || fail "there is no /etc/waagent.conf; is the Azure Linux agent installed?"
extensions=$(waagent_switch Extensions.Enabled y)
provisioning=$(waagent_setting Provisioning.Agent)
data_bool extensions_enabled "$extensions"
data provisioning_agent "$provisioning"
data auto_update "$(waagent_setting AutoUpdate.Enabled)"
data update_to_latest "$(waagent_setting AutoUpdate.UpdateToLatestVersion)"

[ "$extensions" = y ] || fail "Extensions.Enabled is n in /etc/waagent.conf, so no backup extension runs"
case $provisioning in
    '' | auto | waagent | cloud-init | disabled)
        ok "extensions are enabled; Provisioning.Agent is ${provisioning:-not set (auto)}"
        ;;
    *) fail "Provisioning.Agent is \"$provisioning\" in /etc/waagent.conf, which the agent does not know" ;;
esac
