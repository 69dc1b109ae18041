# /// fleet
# kind = "remedy"
# title = "Start COM+ System Application and what it needs"
# about = "Enables and starts COM+ Event System, the Distributed Transaction Coordinator and COM+ System Application, in this order, where they do not run. Start types become those Windows has; what was there before goes to undo."
# risk = "service-interruption"
# idempotent = "yes"
# timeout = 900
# needs = ["admin"]
# undo = "restore-service-settings"
#
# [params.force]
# type = "bool"
# default = false
# about = "Restart COM+ System Application although it runs"
#
# [returns.before]
# type = "list"
# about = "The three services with status, start_type and account, as found"
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
Stop-FleetForBackup
$usual = @{ EventSystem = 'Automatic'; MSDTC = 'DelayedAutomatic'; COMSysApp = 'Manual' }
$names = 'EventSystem', 'MSDTC', 'COMSysApp'
foreach ($name in $names) {
    $service = Get-FleetService $name
    if ($null -eq $service) { Stop-FleetFailed "there is no service $name; nothing was touched (for MSDTC: reinstall-msdtc)" }
    Add-FleetItem 'before' @{ name = $name; status = $service.Status; start_type = $service.StartType; account = $service.Account }
}
$problems = New-Object Collections.ArrayList
foreach ($name in $names) {
    $service = Get-FleetService $name
    if ($service.Status -like '*Pending') { Wait-FleetTime 20; $service = Get-FleetService $name }
    if ($service.Status -like '*Pending') { Stop-FleetFailed "$name hangs ($($service.Status)) and takes no orders; what is left is a restart of the machine in planned downtime" }
    if ($service.StartType -eq 'Disabled') {
        if ($PSCmdlet.ShouldProcess($name, "Set start type $($usual[$name])")) { Add-FleetUndo 'services' (Get-FleetServiceEntry $name); Set-FleetStartType $name $usual[$name]; Set-FleetChanged "$name may start again" }
        else { Set-FleetChanged "would set $name to start type $($usual[$name])" }
    }
    if ($service.Status -eq 'Running') { continue }
    if ($name -eq 'MSDTC' -and $service.StartType -eq 'Manual') { continue }     # on demand by somebody's choice
    if (-not $PSCmdlet.ShouldProcess($name, 'Start')) { Set-FleetChanged "would start $name"; continue }
    $problem = Start-FleetServiceTwice $name 120
    if ($problem) { [void]$problems.Add("$name does not start: $problem") } else { Set-FleetChanged "started $name" }
}
if ($problems.Count) { Stop-FleetFailed ($problems -join '; ') }
if ($force -and $FleetReply.outcome -ne 'changed') {
    if (-not $PSCmdlet.ShouldProcess('COMSysApp', 'Restart')) { Set-FleetChanged 'would restart COMSysApp'; return }
    $done = Restart-FleetService 'COMSysApp'
    if ($done.Down.Count) { Add-FleetData 'down' $done.Down }
    if ($done.Problem) { Stop-FleetFailed $done.Problem }
    Set-FleetChanged 'restarted COMSysApp'
}
if ($FleetReply.outcome -ne 'changed') { Set-FleetOk 'COM+ System Application runs, nothing to do' }
