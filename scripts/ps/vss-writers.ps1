# /// fleet
# kind = "check"
# title = "Every VSS writer is stable and none is missing"
# about = "Reads `vssadmin list writers` by ids and numbers, in any language. Writers that wait (states 2 to 5) are normal while a backup runs and are looked at again."
# severity = "error"
# idempotent = "yes"
# timeout = 300
# needs = ["admin"]
#
# [params.wait_seconds]
# type = "int"
# default = 30
# minimum = 0
# maximum = 120
# about = "How long to look again while writers are waiting or missing"
#
# [returns.writers]
# type = "list"
# about = "Each writer with name, id, state, last_error, verdict, service and whether it is known"
# [returns.missing]
# type = "list"
# about = "Writers that are not listed although their service runs"
# [returns.held]
# type = "list"
# about = "The backup that runs now, when that is why writers wait"
# ///
[CmdletBinding()]
param([int]$wait_seconds = 30)

Assert-FleetAdministrator
$list = Get-FleetSettledWriterList $wait_seconds
if ($list.Problem) { Stop-FleetFailed $list.Problem }
Add-FleetWriterData $list

$bad = @($list.Writers | Where-Object { 'failed', 'last-error' -contains $_.Verdict })
$waiting = @($list.Writers | Where-Object { $_.Verdict -eq 'waiting' })
$found = @($bad | ForEach-Object { Format-FleetWriter $_ }) + @($list.Missing | ForEach-Object { "$($_.Name) is missing although $($_.Service) runs" })
if ($found.Count) { Stop-FleetFailed ($found -join '; ') }

if ($waiting.Count) {
    $names = @($waiting | ForEach-Object { Format-FleetWriter $_ }) -join '; '
    $running = Get-FleetBackupProcess
    if (-not $running) { Stop-FleetFailed "$names; no backup of Azure or of Windows runs: they are stuck, or another product backs up" }
    Add-FleetItem 'held' "a backup is running: $running"
    Stop-FleetSkipped "a backup is running, $running, and $($waiting.Count) writers wait for it; look again afterwards"
}
Set-FleetOk "$($list.Writers.Count) writers are stable"
