# /// fleet
# kind = "remedy"
# title = "Restart the Volume Shadow Copy service"
# about = "Enables VSS and its provider where they are disabled (manual start, as Windows has it) and restarts VSS when it hangs or vssadmin gets no answer. Held while a backup runs: a restart drops the shadow copies in creation."
# risk = "service-interruption"
# idempotent = "yes"
# timeout = 900
# needs = ["admin"]
# undo = "restore-service-settings"
#
# [params.force]
# type = "bool"
# default = false
# about = "Restart it although nothing is wrong with it as far as can be seen from here"
#
# [returns.before]
# type = "list"
# about = "VSS and swprv with status and start_type, as found"
# [returns.held]
# type = "list"
# about = "What a person has to wait for or allow"
# [returns.down]
# type = "list"
# about = "Services that ran before and do not run now"
# ///
[CmdletBinding(SupportsShouldProcess = $true)]
param([bool]$force = $false)

Assert-FleetAdministrator
Stop-FleetForBackup $false     # writers are looked at below
$reasons = New-Object Collections.ArrayList
foreach ($name in 'VSS', 'swprv') {
    $service = Get-FleetService $name
    if ($null -eq $service) { Stop-FleetFailed "there is no service ${name}: Windows itself is damaged; nothing was touched" }
    Add-FleetItem 'before' @{ name = $name; status = $service.Status; start_type = $service.StartType }
    if ($service.StartType -ne 'Disabled') { continue }
    [void]$reasons.Add("$name was disabled")
    if ($PSCmdlet.ShouldProcess($name, 'Set start type Manual')) { Add-FleetUndo 'services' (Get-FleetServiceEntry $name); Set-FleetStartType $name 'Manual'; Set-FleetChanged "$name may start again" }
    else { Set-FleetChanged "would set $name to start on demand" }
}
if ($WhatIfPreference -and $reasons.Count) { return }

$list = Get-FleetWriterList
if ($list.Problem) { [void]$reasons.Add($list.Problem) }
elseif (@($list.Writers | Where-Object { $_.Verdict -eq 'waiting' }).Count) {
    Add-FleetItem 'held' 'writers wait, as during a backup'
    Stop-FleetSkipped 'writers wait, as during a backup; VSS was not restarted'
}
if (-not $list.Problem -and -not $force) {
    if (-not $reasons.Count) { Set-FleetOk "VSS answers, $($list.Writers.Count) writers; nothing to do" }
    return
}

$service = Get-FleetService 'VSS'
if ($service.Status -like '*Pending') { Wait-FleetTime 30; $service = Get-FleetService 'VSS' }
if ($service.Status -like '*Pending') { Stop-FleetFailed "VSS hangs ($($service.Status)) and takes no orders; what is left is a restart of the machine in planned downtime" }
if (-not $PSCmdlet.ShouldProcess('VSS', 'Restart')) { Set-FleetChanged 'would restart VSS'; return }
$done = Restart-FleetService 'VSS'
if ($done.Down.Count) { Add-FleetData 'down' $done.Down }
if ($done.Problem) { Stop-FleetFailed "$($done.Problem); what is left is a restart of the machine in planned downtime" }
Set-FleetChanged 'restarted VSS'
$list = Get-FleetWriterList
if ($list.Problem) { Stop-FleetFailed "$($list.Problem), after the restart too; what is left is a restart of the machine in planned downtime" }
