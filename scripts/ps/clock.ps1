# /// fleet
# kind = "check"
# title = "The clock is right"
# about = "Linux: what chrony or systemd says of it. Windows: measured against a time server; where none answers only the zone is looked at."
# severity = "warning"
# idempotent = "yes"
# timeout = 60
#
# [params.max_offset]
# type = "int"
# default = 300
# minimum = 1
# maximum = 86400
# about = "Seconds that it may be off"
#
# [params.time_zone]
# type = "str"
# default = ""
# pattern = '[0-9A-Za-z ./_+()-]{0,80}'
# about = "Zone it has to be in, as the system names it (Europe/Rome, W. Europe Standard Time); empty: any"
#
# [params.time_server]
# type = "str"
# default = "time.windows.com"
# pattern = '[0-9A-Za-z.:-]{1,253}'
# about = "Windows: what to measure against"
#
# [params.only_with]
# type = "str"
# default = ""
# pattern = '[0-9A-Za-z_.-]{0,80}'
# about = "The service without which nothing is looked at, such as obengine; empty: it is always"
#
# [returns.zone]
# type = "str"
# about = "Time zone"
#
# [returns.offset]
# type = "int"
# about = "Milliseconds that the clock is off; null where that is not known"
#
# [returns.synchronised]
# type = "bool"
# about = "Linux: whether it is kept right; null where nothing says so"
# ///
[CmdletBinding()]
param([int]$max_offset = 300, [string]$time_zone = '', [string]$time_server = 'time.windows.com', [string]$only_with = '')

if ($only_with -and $null -eq (Get-FleetService $only_with)) { Stop-FleetSkipped "there is no service $only_with" }
$zone = [string](Get-FleetRegistryValue 'HKLM\SYSTEM\CurrentControlSet\Control\TimeZoneInformation' 'TimeZoneKeyName').Value
Add-FleetData 'zone' $zone
# The samples stand behind the last comma of a line, as in "12:00:01, +00.0012345s", in every language.
$done = Invoke-FleetNative 'w32tm.exe' @('/stripchart', "/computer:$time_server", '/samples:1', '/dataonly') 20
$offset = $null
foreach ($line in $done.Output) { if ($line -match ',\s*([+-][0-9]+)[.,]([0-9]+)s\s*$') { $offset = [double]::Parse("$($Matches[1]).$($Matches[2])", [Globalization.CultureInfo]::InvariantCulture) } }
Add-FleetData 'offset' $(if ($null -ne $offset) { [int][Math]::Round(1000 * $offset) })

if ($time_zone -and $time_zone -ne $zone) { Stop-FleetFailed "the time zone is $zone, not $time_zone" }
if ($null -eq $offset) { Stop-FleetSkipped "$time_server does not answer, so how right the clock is can't be told; the zone is $zone" }
if ([Math]::Abs($offset) -gt $max_offset) { Stop-FleetFailed "the clock is off by $([Math]::Round($offset, 1)) s; $max_offset s is the limit" }
Set-FleetOk "the clock is off by $([Math]::Round($offset, 1)) s; the zone is $zone"
