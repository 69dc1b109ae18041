# /// fleet
# kind = "remedy"
# title = "Set the execution policy of this computer to RemoteSigned for the MARS agent"
# about = "Only where it is Restricted: scope LocalMachine, as Set-ExecutionPolicy writes it for 64-bit programs. Those who answer for the security of the server have to agree. A group policy decides before it, and is changed in the group policy; so does one of the account SYSTEM. Held while a job of the agent runs."
# risk = "safe"
# idempotent = "yes"
# timeout = 120
# needs = ["admin"]
# undo = "restore-registry-values"
#
# [returns.scopes]
# type = "dict"
# about = "Execution policy of each scope as found: MachinePolicy, UserPolicy, CurrentUser, LocalMachine; empty where none is set"
# [returns.held]
# type = "list"
# about = "What a person has to wait for or see to"
# ///
[CmdletBinding(SupportsShouldProcess = $true)]
param()

Assert-FleetAdministrator
if ($null -eq (Get-FleetService 'obengine')) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
$scopes = @{}
foreach ($each in @(Get-FleetExecutionPolicy)) { $scopes[$each.Scope] = $each.Policy }
Add-FleetData 'scopes' $scopes
if ('Restricted' -eq $(if ($scopes.MachinePolicy) { $scopes.MachinePolicy } else { $scopes.UserPolicy })) { Stop-FleetFailed 'a group policy forbids scripts (Restricted): it has to be changed there; nothing was touched' }
if ($scopes.MachinePolicy -or $scopes.UserPolicy) { Set-FleetOk 'a group policy sets the execution policy and lets scripts run, nothing to do'; return }
if ($scopes.LocalMachine -ne 'Restricted') {
    if ($scopes.CurrentUser -eq 'Restricted') { Stop-FleetFailed 'the account SYSTEM has an execution policy of its own, Restricted: somebody set it, and it is for a person to take it away; nothing was touched' }
    Set-FleetOk "the execution policy of this computer is $(if ($scopes.LocalMachine) { $scopes.LocalMachine } else { 'not set' }), nothing to do"
    return
}
Stop-FleetForMarsJob
$before = Get-FleetTextEntry 'HKLM\SOFTWARE\Microsoft\PowerShell\1\ShellIds\Microsoft.PowerShell' 'ExecutionPolicy'
if (-not $PSCmdlet.ShouldProcess('LocalMachine', 'Set the execution policy RemoteSigned')) { Set-FleetChanged 'would set the execution policy of this computer from Restricted to RemoteSigned'; return }
Add-FleetUndo 'values' $before
Set-FleetText $before 'RemoteSigned'
Set-FleetChanged 'the execution policy of this computer is RemoteSigned instead of Restricted'
