# /// fleet
# kind = "remedy"
# title = "Give the MachineKeys folder its default rights"
# about = "Owner SYSTEM, Everyone may list and add, Administrators may do all; the folder only, not the key files in it. Accounts that were given rights of their own lose them, and a service may then no longer make keys: held until remove_accounts=true says that their owners were asked. Held while a backup runs."
# risk = "service-interruption"
# idempotent = "yes"
# timeout = 240
# needs = ["admin"]
# undo = "restore-folder-rights"
#
# [params.remove_accounts]
# type = "bool"
# default = false
# about = "Take away the rights of other accounts too"
#
# [returns.sddl]
# type = "str"
# about = "Rights as found, as SDDL"
# [returns.held]
# type = "list"
# about = "What a person has to wait for or allow"
# ///
[CmdletBinding(SupportsShouldProcess = $true)]
param([bool]$remove_accounts = $false)

Assert-FleetAdministrator
$state = Get-FleetMachineKeysState
Add-FleetData 'sddl' $state.Sddl
if (-not $state.Sddl) { Stop-FleetFailed "there is no folder ${FleetMachineKeys}: Windows itself is damaged; nothing was touched" }
if (-not $state.Problems.Count) { Set-FleetOk 'MachineKeys has its default rights, nothing to do'; return }
# SYSTEM is no account of somebody's, and loses nothing: it owns the folder
$others = @($state.Others | Where-Object { $_ -ne 'S-1-5-18' })
if ($others.Count -and -not $remove_accounts) {
    Add-FleetItem 'held' "$($others -join ', ') would lose the rights on MachineKeys that somebody gave: ask the owners; remove_accounts=true"
    Stop-FleetSkipped "MachineKeys has entries of $($others -join ', '), which would be lost; nothing was touched"
}
Stop-FleetForBackup
if (-not $PSCmdlet.ShouldProcess($FleetMachineKeys, "Set rights $FleetMachineKeysDefault")) { Set-FleetChanged "would give MachineKeys its default rights: $($state.Problems -join ', ')"; return }
Add-FleetUndo 'folders' @{ path = $FleetMachineKeys; sddl = $state.Sddl }
Set-FleetAcl $FleetMachineKeys $FleetMachineKeysDefault
$now = Get-FleetMachineKeysState
if ($now.Problems.Count) { Stop-FleetFailed "MachineKeys does not have its default rights after they were set: $($now.Problems -join ', ')" }
Set-FleetChanged "gave MachineKeys its default rights; before: $($state.Problems -join ', ')"
