# /// fleet
# kind = "check"
# title = "The Volume Shadow Copy service can be used"
# about = "VSS and its provider are not disabled and not stuck, and vssadmin answers. A stopped VSS is normal: it is started on demand."
# severity = "error"
# idempotent = "yes"
# timeout = 240
# needs = ["admin"]
#
# [params.answer_seconds]
# type = "int"
# default = 60
# minimum = 5
# maximum = 180
# about = "How long vssadmin may take to list the writers"
#
# [returns.services]
# type = "list"
# about = "VSS and swprv with status and start_type"
# [returns.writers]
# type = "int"
# about = "How many writers answered"
# [returns.held]
# type = "list"
# about = "The backup that runs now, when that is why vssadmin does not answer"
# ///
[CmdletBinding()]
param([int]$answer_seconds = 60)

Assert-FleetAdministrator
foreach ($name in 'VSS', 'swprv') {
    $service = Get-FleetService $name
    if ($null -eq $service) { Stop-FleetFailed "there is no service $name" }
    if ($service.Status -like '*Pending') { Wait-FleetTime 20; $service = Get-FleetService $name }
    Add-FleetItem 'services' @{ name = $name; status = $service.Status; start_type = $service.StartType }
    if ($service.StartType -eq 'Disabled') { Stop-FleetFailed "$name is disabled" }
    if ($service.Status -like '*Pending') { Stop-FleetFailed "$name hangs: $($service.Status)" }
}
$list = Get-FleetWriterList $answer_seconds
Add-FleetData 'writers' $list.Writers.Count
if ($list.Problem) {
    $running = Get-FleetBackupProcess
    if (-not $running) { Stop-FleetFailed $list.Problem }
    Add-FleetItem 'held' "a backup is running: $running"
    Stop-FleetSkipped "$($list.Problem), while a backup is running ($running); look again afterwards"
}
Set-FleetOk "VSS answers, $($list.Writers.Count) writers"
