# /// fleet
# kind = "check"
# title = "The Azure guest agent's services run and start by themselves"
# about = "RdAgent and WindowsAzureGuestAgent must be there, WindowsAzureTelemetryService only with older agents."
# severity = "error"
# idempotent = "yes"
# timeout = 90
#
# [params.crash_hours]
# type = "int"
# default = 24
# minimum = 1
# maximum = 720
# about = "How far back to count crashes of the agent in the System log"
# [params.max_status_age]
# type = "int"
# default = 0
# minimum = 0
# maximum = 604800
# about = "Seconds without a new status report that count as not answering; 0: any"
#
# [returns.services]
# type = "list"
# about = "Each service with status, start_type and account"
# [returns.crashes]
# type = "int"
# about = "Times the Service Control Manager noted that one of them ended unexpectedly (7031, 7034)"
# [returns.status_age]
# type = "int"
# about = "Seconds since the agent wrote its status report for the platform (aggregatestatus.json); null where there is none"
# [returns.guest]
# type = "dict"
# about = "What the agent says of itself in the registry: GuestAgentVersion, GuestAgentStatus, DHCPStatus, WireServerStatus"
# ///
[CmdletBinding()]
param([int]$crash_hours = 24, [int]$max_status_age = 0)

$found = New-Object Collections.ArrayList
$missing = New-Object Collections.ArrayList
foreach ($name in 'RdAgent', 'WindowsAzureGuestAgent', 'WindowsAzureTelemetryService') {
    $service = Get-FleetService $name
    if ($null -eq $service) { if ($name -ne 'WindowsAzureTelemetryService') { [void]$missing.Add($name) }; continue }
    Add-FleetItem 'services' @{ name = $name; status = $service.Status; start_type = $service.StartType; account = $service.Account }
    if ($service.Status -ne 'Running') { [void]$found.Add("$name is $($service.Status)") }
    if ($service.StartType -notlike '*Automatic') { [void]$found.Add("$name starts $($service.StartType), not by itself") }
}
$guest = @{}
foreach ($name in 'GuestAgentVersion', 'GuestAgentStatus', 'DHCPStatus', 'WireServerStatus') {
    $guest[$name] = (Get-FleetRegistryValue 'HKLM\SOFTWARE\Microsoft\Virtual Machine\Guest' $name).Value
}
Add-FleetData 'guest' $guest
$crashes = @(Get-FleetEvent 'System' 'Service Control Manager' @(7031, 7034) $crash_hours | Where-Object { $_ -match 'RdAgent|Windows Azure (Guest Agent|Telemetry)' })
Add-FleetData 'crashes' $crashes.Count
$report = Get-FleetFolderItem 'C:\WindowsAzure\Logs\AggregateStatus' | Where-Object { $_.Name -like 'aggregatestatus*.json' } | Sort-Object Changed | Select-Object -Last 1
$age = if ($report) { [int][Math]::Max(0, (Get-FleetSystem).Epoch - $report.Changed) } else { $null }
Add-FleetData 'status_age' $age

if ($missing.Count -eq 2) { Stop-FleetFailed 'the Azure guest agent is not installed: neither RdAgent nor WindowsAzureGuestAgent is there' }
foreach ($name in $missing) { [void]$found.Add("there is no service $name") }
if ($max_status_age -and $null -ne $age -and $age -gt $max_status_age -and (Get-FleetServiceStatus 'WindowsAzureGuestAgent') -eq 'Running') { [void]$found.Add("WindowsAzureGuestAgent runs but has reported no status for $age s") }
$told = if ($crashes.Count) { ", ended unexpectedly $($crashes.Count) times in $crash_hours hours" } else { '' }
if ($found.Count) { Stop-FleetFailed "$($found -join '; ')$told" }
Set-FleetOk "the agent's services run and start by themselves$told"
