# /// fleet
# kind = "check"
# title = "PowerShell is new enough for the MARS agent and may run its scripts"
# about = "Version 3 or later, and an execution policy of this computer that is not Restricted; a group policy decides before it, and so does one of the account SYSTEM, which runs the scheduled backup. No policy at all is what a server comes with, RemoteSigned."
# severity = "error"
# idempotent = "yes"
# timeout = 60
#
# [params.look]
# type = "list"
# default = ["version", "policy"]
# pattern = 'version|policy'
# about = "What to look at: version, policy (may scripts run)"
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
#
# [returns.scopes]
# type = "dict"
# about = "Execution policy of each scope, as SYSTEM has them: MachinePolicy, UserPolicy, CurrentUser, LocalMachine; empty where none is set"
# ///
[CmdletBinding()]
param([object[]]$look = @('version','policy'))

if ($null -eq (Get-FleetService 'obengine')) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
$version = $PSVersionTable.PSVersion
$scopes = @{}
$set = @(Get-FleetExecutionPolicy | ForEach-Object { $scopes[$_.Scope] = $_.Policy; $_ } | Where-Object { $_.Policy })
$group = "$($set | Where-Object { $_.Scope -like '*Policy' } | Select-Object -First 1 | ForEach-Object { $_.Policy })"
Add-FleetData 'version' "$version"
Add-FleetData 'policy' $scopes.LocalMachine
Add-FleetData 'group_policy' $group
Add-FleetData 'scopes' $scopes
$said = New-Object Collections.ArrayList
if ($look -contains 'version') {
    if ($version.Major -lt 3) { Stop-FleetFailed "PowerShell is $version; 3.0 or later is needed" }
    [void]$said.Add("PowerShell $version")
}
if ($look -contains 'policy') {
    if ($group -eq 'Restricted') { Stop-FleetFailed 'a group policy forbids scripts (Restricted); it has to be changed there' }
    if (-not $group -and $scopes.LocalMachine -eq 'Restricted') { Stop-FleetFailed 'the execution policy of this computer is Restricted' }
    if (-not $group -and $scopes.CurrentUser -eq 'Restricted') { Stop-FleetFailed 'the account SYSTEM has an execution policy of its own, Restricted, which counts before that of this computer' }
    [void]$said.Add("execution policy $(if ($group) { "$group by group policy" } elseif ($scopes.LocalMachine) { $scopes.LocalMachine } else { 'not set' })")
}
Set-FleetOk ($said -join ', ')
