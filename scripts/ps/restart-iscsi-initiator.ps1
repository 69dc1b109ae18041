# /// fleet
# kind = "remedy"
# title = "Let the Microsoft iSCSI Initiator Service start, and restart it where nobody uses it"
# about = "MSiSCSI: enables it where it is disabled (on demand, as Windows has it) and starts it. One that runs is restarted with force=true only, and never while an iSCSI session is open, or when nobody can say: production may have its volumes there. Held while a job of the MARS agent runs."
# risk = "service-interruption"
# idempotent = "yes"
# timeout = 600
# needs = ["admin"]
# undo = "restore-service-settings"
#
# [params.force]
# type = "bool"
# default = false
# about = "Restart it, or start it, although nothing is wrong with it as far as can be seen from here: a volume is not mounted"
#
# [returns.before]
# type = "list"
# about = "MSiSCSI with status and start_type, as found"
# [returns.sessions]
# type = "int"
# about = "How many iSCSI sessions are open; null where Windows does not say"
# [returns.held]
# type = "list"
# about = "What a person has to wait for or see to"
# [returns.down]
# type = "list"
# about = "Services that ran before and do not run now"
# ///
[CmdletBinding(SupportsShouldProcess = $true)]
param([bool]$force = $false)

Assert-FleetAdministrator
if ($null -eq (Get-FleetService 'obengine')) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
$service = Get-FleetService 'MSiSCSI'
if ($null -eq $service) { Stop-FleetFailed 'there is no service MSiSCSI: Windows itself is damaged; nothing was touched' }
Add-FleetItem 'before' @{ name = 'MSiSCSI'; status = $service.Status; start_type = $service.StartType }
$disabled = $service.StartType -eq 'Disabled'
if (-not $disabled -and $service.Status -notlike '*Pending' -and -not $force) { Set-FleetOk "MSiSCSI is $($service.Status) and may start, nothing to do"; return }
Stop-FleetForMarsJob
$runs = $service.Status -ne 'Stopped'
if ($runs -and $force) {
    $sessions = Get-FleetIscsiSession
    Add-FleetData 'sessions' $sessions
    $reason = if ($null -eq $sessions) { 'Windows does not say whether iSCSI sessions are open' } elseif ($sessions) { "$sessions iSCSI sessions are open, and a restart drops them" } else { '' }
    if ($reason) {
        Add-FleetItem 'held' $reason
        Stop-FleetSkipped "$reason; nothing was touched (Get-IscsiSession shows whose they are)"
    }
}
if ($disabled) {
    if (-not $PSCmdlet.ShouldProcess('MSiSCSI', 'Set start type Manual')) { Set-FleetChanged 'would let MSiSCSI start on demand' }
    else { Add-FleetUndo 'services' (Get-FleetServiceEntry 'MSiSCSI'); Set-FleetStartType 'MSiSCSI' 'Manual'; Set-FleetChanged 'MSiSCSI may start again' }
}
if ($runs -and -not $force -and $service.Status -eq 'Running') { return }
if (-not $PSCmdlet.ShouldProcess('MSiSCSI', $(if ($runs) { 'Restart' } else { 'Start' }))) { Set-FleetChanged "would $(if ($runs) { 'restart' } else { 'start' }) MSiSCSI"; return }
if ($service.Status -like '*Pending') { Wait-FleetTime 30; $service = Get-FleetService 'MSiSCSI' }
if ($service.Status -like '*Pending') { Stop-FleetFailed "MSiSCSI hangs ($($service.Status)) and takes no orders; what is left is a restart of the machine in planned downtime" }
if ($service.Status -eq 'Running') {
    if (-not $force) { if (-not $disabled) { Set-FleetOk 'MSiSCSI runs by now, nothing to do' }; return }
    $done = Restart-FleetService 'MSiSCSI'
    if ($done.Down.Count) { Add-FleetData 'down' $done.Down }
    if ($done.Problem) { Stop-FleetFailed $done.Problem }
    Set-FleetChanged 'restarted MSiSCSI'
    return
}
$problem = Start-FleetServiceTwice 'MSiSCSI' 120
if ($problem) { Stop-FleetFailed "MSiSCSI does not start: $problem" }
Set-FleetChanged 'started MSiSCSI'
