# /// fleet
# kind = "remedy"
# title = "Bring the Azure guest agent's services up"
# about = "Sets RdAgent and WindowsAzureGuestAgent (and WindowsAzureTelemetryService where an older agent has it) to start by themselves, restarts RdAgent, which brings the others up, and starts what is still down. A guest agent stuck in stopping has its process ended, as Microsoft advises. Extensions pause meanwhile; held while a backup runs."
# risk = "service-interruption"
# idempotent = "yes"
# timeout = 1200
# needs = ["admin"]
# undo = "restore-service-settings"
#
# [params.force]
# type = "bool"
# default = false
# about = "Restart it although its services run, because it does not answer"
# [params.stuck_seconds]
# type = "int"
# default = 300
# minimum = 0
# maximum = 600
# about = "How long a guest agent may hang in starting or stopping, RdAgent running, before its process is ended"
#
# [returns.before]
# type = "list"
# about = "Each service with status and start_type, as found"
# [returns.ended]
# type = "list"
# about = "Processes that were ended"
# [returns.held]
# type = "list"
# about = "What a person has to wait for"
# [returns.down]
# type = "list"
# about = "Services that ran before and do not run now"
# ///
[CmdletBinding(SupportsShouldProcess = $true)]
param([bool]$force = $false, [int]$stuck_seconds = 300)

$agent = 'WindowsAzureGuestAgent'

Assert-FleetAdministrator
$names = @('RdAgent', $agent) + @('WindowsAzureTelemetryService' | Where-Object { Get-FleetService $_ })
$down = New-Object Collections.ArrayList
$wrong = New-Object Collections.ArrayList
foreach ($name in $names) {
    $service = Get-FleetService $name
    if ($null -eq $service) { Stop-FleetFailed "there is no service ${name}: the agent has to be installed (MSI of the Azure VM agent); nothing was touched" }
    Add-FleetItem 'before' @{ name = $name; status = $service.Status; start_type = $service.StartType }
    if ($service.Status -ne 'Running') { [void]$down.Add($name) }
    if ($service.StartType -notlike '*Automatic') { [void]$wrong.Add($name) }
}
if (-not $down.Count -and -not $wrong.Count -and -not $force) { Set-FleetOk "$($names -join ', ') run, nothing to do"; return }
Stop-FleetForBackup

foreach ($name in $wrong) {
    if ($PSCmdlet.ShouldProcess($name, 'Set start type Automatic')) { Add-FleetUndo 'services' (Get-FleetServiceEntry $name); Set-FleetStartType $name 'Automatic'; Set-FleetChanged "$name starts by itself again" }
    else { Set-FleetChanged "would set $name to start by itself" }
}
if (-not $down.Count -and -not $force) { return }
if (-not $PSCmdlet.ShouldProcess($names -join ', ', 'Restart RdAgent, start the others')) {
    Set-FleetChanged "would restart RdAgent and start $(@($names | Select-Object -Skip 1) -join ', ')"
    return
}

if ((Get-FleetServiceStatus 'RdAgent') -eq 'Stopped') { $problem = Start-FleetServiceTwice 'RdAgent' 120; if ($problem) { $problem = "RdAgent does not start: $problem" } }
else {
    $done = Restart-FleetService 'RdAgent'
    $problem = $done.Problem
    if ($done.Down.Count) { Add-FleetData 'down' $done.Down }
}
if ($problem) { Stop-FleetFailed $problem }
Set-FleetChanged 'RdAgent runs anew'

# what hangs gets time, because RdAgent sees to it; then its process is ended
$end = (Get-FleetTime) + $stuck_seconds
while ((Get-FleetServiceStatus $agent) -like '*Pending' -and (Get-FleetTime) -lt $end) { Wait-FleetTime 2 }
if ((Get-FleetServiceStatus $agent) -like '*Pending') {
    foreach ($process in @(Get-FleetProcess $agent)) {
        Stop-FleetProcess $process.Id
        Add-FleetItem 'ended' "$($process.Name) (process $($process.Id))"
    }
    for ($left = 30; $left -gt 0 -and (Get-FleetServiceStatus $agent) -like '*Pending'; $left--) { Wait-FleetTime 1 }
    Set-FleetChanged "ended the process of $agent, which hung"
}

$problems = New-Object Collections.ArrayList
foreach ($name in @($names | Select-Object -Skip 1)) {
    if ($force -and $down -notcontains $name) {
        $done = Restart-FleetService $name
        $problem = $done.Problem
        foreach ($each in $done.Down) { Add-FleetItem 'down' $each }
    } else { $problem = Start-FleetServiceTwice $name 120; if ($problem) { $problem = "$name does not start: $problem" } }
    if ($problem) { [void]$problems.Add($problem) } else { Set-FleetChanged "$name runs" }
}
if ($problems.Count) { Stop-FleetFailed ($problems -join '; ') }
