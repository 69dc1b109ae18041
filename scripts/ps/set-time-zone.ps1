# /// fleet
# kind = "remedy"
# title = "Set the time zone of a server"
# about = "With tzutil, to the zone that is named; without one nothing is done, because the server can't know where it stands. Schedules and programs on the server see the change. Held while a job of the MARS agent runs."
# risk = "service-interruption"
# idempotent = "yes"
# timeout = 180
# needs = ["admin"]
# undo = "set-time-zone"
#
# [params.time_zone]
# type = "str"
# default = ""
# pattern = '[0-9A-Za-z ./_+()-]{0,80}'
# about = "The zone, as Windows names it (W. Europe Standard Time); empty: as it is"
#
# [params.mars_only]
# type = "bool"
# default = true
# about = "Act only where the MARS agent is installed; false: everywhere"
#
# [returns.before]
# type = "str"
# about = "The zone as found"
# [returns.held]
# type = "list"
# about = "What a person has to wait for"
# ///
[CmdletBinding(SupportsShouldProcess = $true)]
param([string]$time_zone = '', [bool]$mars_only = $true)

Assert-FleetAdministrator
if ($mars_only -and $null -eq (Get-FleetService 'obengine')) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
$key = 'HKLM\SYSTEM\CurrentControlSet\Control\TimeZoneInformation'
$before = [string](Get-FleetRegistryValue $key 'TimeZoneKeyName').Value
Add-FleetData 'before' $before
if (-not $time_zone) { Set-FleetOk "no zone was named (-p time_zone=ZONE), so it stays $before"; return }
if ($before -eq $time_zone) { Set-FleetOk "the time zone is $before already, nothing to do"; return }
if (-not (Test-FleetRegistryKey "HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Time Zones\$($time_zone -replace '_dstoff$')")) { Stop-FleetFailed "Windows knows no time zone $time_zone (tzutil /l lists them); nothing was touched" }
Stop-FleetForMarsJob
if (-not $PSCmdlet.ShouldProcess($before, "Set the time zone to $time_zone")) { Set-FleetChanged "would set the time zone from $before to $time_zone"; return }
if ($before) { Add-FleetData 'undo' @{ time_zone = $before; mars_only = $false } }
$done = Invoke-FleetNative 'tzutil.exe' @('/s', $time_zone) 60
if (-not $done.Found) { $FleetReply.data.Remove('undo'); Stop-FleetFailed 'tzutil.exe is missing; nothing was touched' }
$now = [string](Get-FleetRegistryValue $key 'TimeZoneKeyName').Value
if ($now -ne $time_zone) { Stop-FleetFailed "the time zone is $now after tzutil /s ($(if ($done.TimedOut) { 'no answer within 60 s' } else { "number $($done.ExitCode)" }))" }
Set-FleetChanged "the time zone is $time_zone instead of $before"
