# /// fleet
# kind = "check"
# title = "Antivirus software does not stop the backup extension"
# about = "Crashes of IaaSBcdrExtension.exe (Application Error, event 1000) within the last days, what Microsoft Defender leaves out, and the file system filters of other antivirus products (altitude 320000 to 329999). Without a crash all is well. After one, the folders of the extension have to be left out."
# severity = "error"
# idempotent = "yes"
# timeout = 120
# needs = ["admin"]
#
# [params.hours]
# type = "int"
# default = 48
# minimum = 1
# maximum = 720
# about = "How far back to look for crashes"
#
# [returns.crashes]
# type = "list"
# about = "Times of the crashes (UTC), newest first"
# [returns.missing]
# type = "list"
# about = "Folders of the extension that Defender does not leave out"
# [returns.other_filters]
# type = "list"
# about = "Drivers of other antivirus products, as far as they are not disabled"
# ///
[CmdletBinding()]
param([int]$hours = 48)

Assert-FleetAdministrator
$crashes = @(Get-FleetEvent 'Application' 'Application Error' @(1000) $hours | ForEach-Object { ConvertFrom-FleetEvent $_ } | Where-Object { @($_.Data) -match 'IaaSBcdrExtension\.exe' } | ForEach-Object { $_.Time } | Sort-Object -Descending)
Add-FleetData 'crashes' $crashes
$defender = Get-FleetDefender
$missing = @(if ($defender.Present -and $defender.Readable) { Get-FleetExtensionPath | Where-Object { $defender.Paths -notcontains $_ } })
Add-FleetData 'missing' $missing
$filters = @(Get-FleetAntivirusFilter)
Add-FleetData 'other_filters' $filters
if (-not $crashes.Count) { Set-FleetOk "no crash of IaaSBcdrExtension.exe within $hours h"; return }
$what = "IaaSBcdrExtension.exe crashed $($crashes.Count) times, last $($crashes[0])"
$found = @()
if ($missing.Count) { $found += "Defender does not leave out $($missing -join ' and ')" }
if (-not $defender.Readable) { $found += 'a policy hides what Defender leaves out: look where it is managed' }
if ($filters.Count) { $found += "other antivirus software is here ($($filters -join ', ')): leave out $(@(Get-FleetExtensionPath) -join ' and ') in its console" }
if ($found.Count) { Stop-FleetFailed "$what; $($found -join '; ')" }
Set-FleetOk "$what; nothing here stands in its way now, which the next backup has to show (look at application control, AppLocker, too)"
