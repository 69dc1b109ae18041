# /// fleet
# kind = "check"
# title = "PowerShell is new enough for the MARS agent and may run its scripts"
# about = "Version 3 or later, and an execution policy of this computer that is not Restricted; a group policy decides before it. No policy at all is what a server comes with, RemoteSigned."
# severity = "error"
# idempotent = "yes"
# timeout = 60
#
# [returns.version]
# type = "str"
# about = "Version of PowerShell"
#
# [returns.policy]
# type = "str"
# about = "Execution policy of this computer; empty where none is set"
#
# [returns.group_policy]
# type = "str"
# about = "Execution policy that a group policy sets; empty where none does"
# ///
[CmdletBinding()]
param()

if ($null -eq (Get-FleetService 'obengine')) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
$version = $PSVersionTable.PSVersion
$policy = [string](Get-FleetRegistryValue 'HKLM\SOFTWARE\Microsoft\PowerShell\1\ShellIds\Microsoft.PowerShell' 'ExecutionPolicy').Value
$group = [string](Get-FleetRegistryValue 'HKLM\SOFTWARE\Policies\Microsoft\Windows\PowerShell' 'ExecutionPolicy').Value
$off = (Get-FleetRegistryValue 'HKLM\SOFTWARE\Policies\Microsoft\Windows\PowerShell' 'EnableScripts').Value
if ($null -ne $off -and $off -eq 0) { $group = 'Restricted' }
Add-FleetData 'version' "$version"
Add-FleetData 'policy' $policy
Add-FleetData 'group_policy' $group
if ($version.Major -lt 3) { Stop-FleetFailed "PowerShell is $version; 3.0 or later is needed" }
if ($group -eq 'Restricted') { Stop-FleetFailed 'a group policy forbids scripts (Restricted); it has to be changed there' }
if (-not $group -and $policy -eq 'Restricted') { Stop-FleetFailed 'the execution policy of this computer is Restricted' }
Set-FleetOk "PowerShell $version, execution policy $(if ($group) { "$group by group policy" } elseif ($policy) { $policy } else { 'not set' })"
