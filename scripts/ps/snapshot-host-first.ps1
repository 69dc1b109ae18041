# /// fleet
# kind = "check"
# title = "Snapshots are taken through the host first"
# about = "The texts SnapshotMethod = firstHostThenGuest and CalculateSnapshotTimeFromHost = True under BcdrAgentPersistentKeys: what helps where the machine is too busy for the calls that the extension makes during a snapshot."
# severity = "info"
# idempotent = "yes"
# timeout = 60
#
# [returns.values]
# type = "list"
# about = "Both values: view, key, name, existed, type, value"
# ///
[CmdletBinding()]
param()

$wrong = New-Object Collections.ArrayList
foreach ($wanted in @(@('SnapshotMethod', 'firstHostThenGuest'), @('CalculateSnapshotTimeFromHost', 'True'))) {
    $entry = Get-FleetTextEntry 'HKLM\SOFTWARE\Microsoft\BcdrAgentPersistentKeys' $wanted[0]
    Add-FleetItem 'values' $entry
    if (-not (Test-FleetTextEntry $entry $wanted[1])) { [void]$wrong.Add("$(Format-FleetEntry $entry), not $($wanted[1])") }
}
if ($wrong.Count) { Stop-FleetFailed ($wrong -join '; ') }
Set-FleetOk 'snapshots are taken through the host first'
