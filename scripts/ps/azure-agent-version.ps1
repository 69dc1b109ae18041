# /// fleet
# kind = "check"
# title = "The Azure guest agent is not older than it may be"
# about = "The version that the agent writes into the registry, or else the product version of WaAppAgent.exe, compared number by number."
# severity = "error"
# idempotent = "yes"
# timeout = 60
#
# [params.minimum_version]
# type = "str"
# default = "2.6.1198.718"
# pattern = '[0-9]{1,9}(\.[0-9]{1,9}){1,3}'
# about = "The least version: 2.6.1198.718 for a backup; 2.7.41491.1010 is the least that Microsoft supports at all"
#
# [returns.version]
# type = "str"
# about = "The version to go by; empty when no agent is installed"
# [returns.registry]
# type = "str"
# about = "GuestAgentVersion, as the agent wrote it when it last started"
# [returns.program]
# type = "str"
# about = "Product version of the WaAppAgent.exe that the service RdAgent runs"
# ///
[CmdletBinding()]
param([string]$minimum_version = '2.6.1198.718')

$agent = Get-FleetAgentVersion
Add-FleetData 'version' $agent.Version
Add-FleetData 'registry' $agent.Registry
Add-FleetData 'program' $agent.Program
if ($null -eq (Get-FleetService 'RdAgent')) { Stop-FleetSkipped 'the Azure guest agent is not installed' }
$version = ConvertTo-FleetVersion $agent.Version
if ($null -eq $version) { Stop-FleetFailed "the version of the Azure guest agent can't be told: registry '$($agent.Registry)', WaAppAgent.exe '$($agent.Program)'" }
if ($version -lt (ConvertTo-FleetVersion $minimum_version)) { Stop-FleetFailed "the Azure guest agent is $version; $minimum_version is the least" }
Set-FleetOk "the Azure guest agent is $version"
