# /// fleet
# kind = "remedy"
# title = "Have the service of the MARS agent run and start by itself"
# about = "obengine: sets it to start by itself where it does not, and starts it. One that runs is restarted with force=true only: it runs, but does not answer. Held while a job of the agent runs, because a restart ends a backup or restore."
# risk = "service-interruption"
# idempotent = "yes"
# timeout = 600
# needs = ["admin"]
# undo = "restore-service-settings"
#
# [params.force]
# type = "bool"
# default = false
# about = "Restart it although it runs"
#
# [returns.before]
# type = "dict"
# about = "status and start_type of obengine, as found"
# [returns.down]
# type = "list"
# about = "Services that ran before and do not run now"
# [returns.held]
# type = "list"
# about = "What a person has to wait for or see to"
# ///
[CmdletBinding(SupportsShouldProcess = $true)]
param([bool]$force = $false)

Assert-FleetAdministrator
if ($null -eq (Get-FleetService 'obengine')) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
$service = Get-FleetService 'obengine'
Add-FleetData 'before' @{ status = $service.Status; start_type = $service.StartType }
$byItself = $service.StartType -like '*Automatic'
$runs = $service.Status -ne 'Stopped'
if ($byItself -and $service.Status -eq 'Running' -and -not $force) { Set-FleetOk 'obengine runs and starts by itself, nothing to do'; return }
if ($service.Status -like '*Pending') { Wait-FleetTime 30; $service = Get-FleetService 'obengine' }
if ($service.Status -like '*Pending') { Stop-FleetFailed "obengine hangs ($($service.Status)) and takes no orders; what is left is a restart of the machine in planned downtime" }
if ($runs) { Stop-FleetForMarsJob }
if (-not $byItself) {
    if (-not $PSCmdlet.ShouldProcess('obengine', 'Set start type Automatic')) { Set-FleetChanged "would have obengine start by itself instead of $($service.StartType)" }
    else { Add-FleetUndo 'services' (Get-FleetServiceEntry 'obengine'); Set-FleetStartType 'obengine' 'Automatic'; Set-FleetChanged "obengine starts by itself instead of $($service.StartType)" }
}
$verb = if ($service.Status -eq 'Stopped') { 'start' } elseif ($force) { 'restart' } else { return }
if (-not $PSCmdlet.ShouldProcess('obengine', $verb)) { Set-FleetChanged "would $verb obengine"; return }
if ($verb -eq 'start') {
    $problem = Start-FleetServiceTwice 'obengine' 120
    if ($problem) { Stop-FleetFailed "obengine does not start: $problem" }
} else {
    $done = Restart-FleetService 'obengine'
    if ($done.Down.Count) { Add-FleetData 'down' $done.Down }
    if ($done.Problem) { Stop-FleetFailed $done.Problem }
}
Set-FleetChanged "$(if ($verb -eq 'start') { 'started' } else { 'restarted' }) obengine"
