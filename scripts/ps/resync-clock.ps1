# /// fleet
# kind = "remedy"
# title = "Let Windows Time set the clock"
# about = "Where the clock is off by more than the limit: Windows Time (W32Time) may start again and is started, and asks its own source for the time (w32tm /resync), the domain or what it is set to; this sets no clock by itself. Measured before and after. Programs and schedules on the server see the change. Held on domain controllers, whose clock others follow, and while a job of the MARS agent runs. A clock that was set is not set wrong again by the undo."
# risk = "service-interruption"
# idempotent = "yes"
# timeout = 420
# needs = ["admin"]
# undo = "restore-service-settings"
#
# [params.max_offset]
# type = "int"
# default = 300
# minimum = 1
# maximum = 86400
# about = "Seconds that it may be off"
#
# [params.time_server]
# type = "str"
# default = "time.windows.com"
# pattern = '[0-9A-Za-z.:-]{1,253}'
# about = "What to measure against"
#
# [params.settle_seconds]
# type = "int"
# default = 30
# minimum = 0
# maximum = 120
# about = "How long the clock may take to become right afterwards"
#
# [params.allow_domain_controller]
# type = "bool"
# default = false
# about = "Act on a domain controller too"
#
# [params.mars_only]
# type = "bool"
# default = true
# about = "Act only where the MARS agent is installed; false: everywhere"
#
# [returns.offset]
# type = "int"
# about = "Milliseconds that the clock was off, as found; null where nobody could say"
# [returns.after]
# type = "int"
# about = "Afterwards"
# [returns.held]
# type = "list"
# about = "What a person has to allow or wait for"
# ///
[CmdletBinding(SupportsShouldProcess = $true)]
param([int]$max_offset = 300, [string]$time_server = 'time.windows.com', [int]$settle_seconds = 30, [bool]$allow_domain_controller = $false, [bool]$mars_only = $true)

function Get-Offset {
    # Seconds; $null where the time server does not answer. The sample stands behind the last comma, in every language.
    $done = Invoke-FleetNative 'w32tm.exe' @('/stripchart', "/computer:$time_server", '/samples:1', '/dataonly') 20
    foreach ($line in $done.Output) { if ($line -match ',\s*([+-][0-9]+)[.,]([0-9]+)s\s*$') { return [double]::Parse("$($Matches[1]).$($Matches[2])", [Globalization.CultureInfo]::InvariantCulture) } }
    $null
}

Assert-FleetAdministrator
if ($mars_only -and $null -eq (Get-FleetService 'obengine')) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
$service = Get-FleetService 'W32Time'
if ($null -eq $service) { Stop-FleetFailed 'there is no service W32Time (w32tm /register brings it back); nothing was touched' }
$offset = Get-Offset
Add-FleetData 'offset' $(if ($null -ne $offset) { [int][Math]::Round(1000 * $offset) })
if ($null -eq $offset) { Stop-FleetSkipped "$time_server does not answer, so how right the clock is can't be told; nothing was touched" }
if ([Math]::Abs($offset) -le $max_offset) { Set-FleetOk "the clock is off by $([Math]::Round($offset, 1)) s, nothing to do"; return }
if (-not $allow_domain_controller -and @(Get-FleetRole) -contains 'domain-controller') {
    Add-FleetItem 'held' 'it is a domain controller, whose clock others follow: allow_domain_controller=true'
    Stop-FleetSkipped "the clock is off by $([Math]::Round($offset, 1)) s, but it is a domain controller, whose clock others follow; nothing was touched"
}
Stop-FleetForMarsJob
if (-not $PSCmdlet.ShouldProcess('W32Time', 'Start it and let it set the clock')) { Set-FleetChanged "would let Windows Time set the clock, which is off by $([Math]::Round($offset, 1)) s"; return }
if ($service.StartType -eq 'Disabled') {
    Add-FleetUndo 'services' (Get-FleetServiceEntry 'W32Time')
    Set-FleetStartType 'W32Time' 'Automatic'
    Set-FleetChanged 'Windows Time may start again'
}
if ($service.Status -ne 'Running') {
    $problem = Start-FleetServiceTwice 'W32Time' 60
    if ($problem) { Stop-FleetFailed "Windows Time does not start: $problem" }
    Set-FleetChanged 'Windows Time runs'
}
$done = Invoke-FleetNative 'w32tm.exe' @('/resync') 90
if ($done.TimedOut -or $done.ExitCode -ne 0) { Stop-FleetFailed "the clock was not set: w32tm /resync $(if ($done.TimedOut) { 'gave no answer within 90 s' } else { 'ended with 0x{0:x}' -f $done.ExitCode }); its source may not answer, or the clock may be further off than it corrects" }
$end = (Get-FleetTime) + $settle_seconds
$after = Get-Offset
while ($null -ne $after -and [Math]::Abs($after) -gt $max_offset -and (Get-FleetTime) -lt $end) { Wait-FleetTime 10; $after = Get-Offset }
Add-FleetData 'after' $(if ($null -ne $after) { [int][Math]::Round(1000 * $after) })
if ($null -eq $after -or [Math]::Abs($after) -gt $max_offset) { Stop-FleetFailed "the clock is off by $(if ($null -eq $after) { 'an unknown time' } else { "$([Math]::Round($after, 1)) s" }) after w32tm /resync: see where Windows Time has its time from (w32tm /query /source)" }
Set-FleetChanged "Windows Time set the clock, which was off by $([Math]::Round($offset, 1)) s"
