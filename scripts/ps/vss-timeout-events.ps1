# /// fleet
# kind = "check"
# title = "No shadow copy timed out while writes were held"
# about = "Events by number: 12298 of VSS in the Application log (with error 0x80042314 the writes could not be held), 8, 9 and 21 of volsnap in the System log. They speak of disks that are throttled or overloaded."
# severity = "warning"
# idempotent = "yes"
# timeout = 120
# needs = ["admin"]
#
# [params.hours]
# type = "int"
# default = 48
# minimum = 1
# maximum = 720
# about = "How far back to look"
#
# [returns.events]
# type = "list"
# about = "Newest first: provider, id, time (UTC), whether it names 0x80042314; at most 50"
# ///
[CmdletBinding()]
param([int]$hours = 48)

Assert-FleetAdministrator
$found = @(
    foreach ($xml in @(Get-FleetEvent 'Application' 'VSS' @(12298) $hours) + @(Get-FleetEvent 'System' 'volsnap' @(8, 9, 21) $hours)) {
        $each = ConvertFrom-FleetEvent $xml
        @{ provider = $each.Provider; id = $each.Id; time = $each.Time; hold_writes_timeout = $xml -match '0x80042314' }
    }
)
$found = @($found | Sort-Object { $_.time } -Descending)
Add-FleetData 'events' @($found | Select-Object -First 50)
if (-not $found.Count) { Set-FleetOk "no such event within $hours h"; return }
$counts = @($found | Group-Object { "$($_.provider) $($_.id)" } | Sort-Object Name | ForEach-Object { "$($_.Name) $($_.Count) times" }) -join ', '
Stop-FleetFailed "shadow copies timed out, $counts, last $($found[0].time): the disks are too slow or throttled at that hour"
