# /// fleet
# kind = "check"
# title = "No failed backup of Windows Server Backup in the event log"
# about = "Event 517 of Microsoft-Windows-Backup in the Application log, by number. It belongs to Windows Server Backup and says nothing about the Azure VM backup."
# severity = "info"
# idempotent = "yes"
# timeout = 60
# needs = ["admin"]
#
# [params.hours]
# type = "int"
# default = 168
# minimum = 1
# maximum = 720
# about = "How far back to look"
#
# [returns.events]
# type = "list"
# about = "Provider, id and time (UTC) of each, newest first; at most 50"
# ///
[CmdletBinding()]
param([int]$hours = 168)

Assert-FleetAdministrator
$found = @(Get-FleetEvent 'Application' 'Microsoft-Windows-Backup' @(517) $hours | ForEach-Object { ConvertFrom-FleetEvent $_ } | Sort-Object Time -Descending)
Add-FleetData 'events' @($found | Select-Object -First 50 | ForEach-Object { @{ provider = $_.Provider; id = $_.Id; time = $_.Time } })
if ($found.Count) { Stop-FleetFailed "$($found.Count) failed backups of Windows Server Backup (event 517), last $($found[0].Time): these are not of Azure" }
Set-FleetOk "no event 517 of Windows Server Backup within $hours h"
