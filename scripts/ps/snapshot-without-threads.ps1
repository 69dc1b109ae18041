# /// fleet
# kind = "remedy"
# title = "Let the backup extension take snapshots without threads of its own"
# about = "Sets the text SnapshotWithoutThreads = True under BcdrAgentPersistentKeys, which the extension reads at the next backup. For writers that stay bad although their services were restarted."
# risk = "safe"
# idempotent = "yes"
# timeout = 60
# needs = ["admin"]
# undo = "restore-registry-values"
#
# [returns.values]
# type = "list"
# about = "Each value that was, or would be, set: view, key, name, and what was there before"
# ///
[CmdletBinding(SupportsShouldProcess = $true)]
param()

Assert-FleetAdministrator
$before = Get-FleetTextEntry 'HKLM\SOFTWARE\Microsoft\BcdrAgentPersistentKeys' 'SnapshotWithoutThreads'
if (Test-FleetTextEntry $before 'True') { Set-FleetOk 'SnapshotWithoutThreads is True already, nothing to do'; return }
Add-FleetItem 'values' $before
if (-not $PSCmdlet.ShouldProcess($before.key, 'Set SnapshotWithoutThreads to True')) { Set-FleetChanged 'would set SnapshotWithoutThreads to True'; return }
Add-FleetUndo 'values' $before
Set-FleetText $before 'True'
Set-FleetChanged 'set SnapshotWithoutThreads to True; the extension reads it at the next backup'
