# /// fleet
# kind = "remedy"
# title = "Take snapshots through the host first"
# about = "Sets the texts SnapshotMethod = firstHostThenGuest and CalculateSnapshotTimeFromHost = True under BcdrAgentPersistentKeys, which the backup extension reads at the next backup."
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
foreach ($wanted in @(@('SnapshotMethod', 'firstHostThenGuest'), @('CalculateSnapshotTimeFromHost', 'True'))) {
    $name, $value = $wanted
    $before = Get-FleetTextEntry 'HKLM\SOFTWARE\Microsoft\BcdrAgentPersistentKeys' $name
    if (Test-FleetTextEntry $before $value) { continue }
    Add-FleetItem 'values' $before
    if (-not $PSCmdlet.ShouldProcess($before.key, "Set $name to $value")) { Set-FleetChanged "would set $name to $value"; continue }
    Add-FleetUndo 'values' $before
    Set-FleetText $before $value
    Set-FleetChanged "set $name to $value"
}
if ($FleetReply.outcome -ne 'changed') { Set-FleetOk 'snapshots are taken through the host first already, nothing to do' }
