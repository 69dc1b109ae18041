# /// fleet
# kind = "check"
# title = "COM+ System Application can start and MSDTC runs as Network Service"
# about = "COM+ System Application is started on demand, so that it is stopped is no fault."
# severity = "error"
# idempotent = "yes"
# timeout = 60
#
# [returns.services]
# type = "list"
# about = "EventSystem, MSDTC and COMSysApp with status, start_type and account"
# ///
[CmdletBinding()]
param()

$found = New-Object Collections.ArrayList
foreach ($name in 'EventSystem', 'MSDTC', 'COMSysApp') {
    $service = Get-FleetService $name
    if ($null -eq $service) { [void]$found.Add("there is no service $name"); continue }
    Add-FleetItem 'services' @{ name = $name; status = $service.Status; start_type = $service.StartType; account = $service.Account }
    if ($service.StartType -eq 'Disabled') { [void]$found.Add("$name is disabled") }
    elseif ($service.Status -like '*Pending') { [void]$found.Add("$name is $($service.Status)") }
    elseif ($service.StartType -like '*Automatic' -and $service.Status -ne 'Running') { [void]$found.Add("$name is $($service.Status) although it starts by itself") }
    if ($name -eq 'MSDTC' -and -not (Test-FleetNetworkService $service.Account)) { [void]$found.Add("MSDTC runs as $($service.Account), not as Network Service") }
}
if ($found.Count) { Stop-FleetFailed ($found -join '; ') }
Set-FleetOk 'COM+ System Application can start, MSDTC runs as Network Service'
