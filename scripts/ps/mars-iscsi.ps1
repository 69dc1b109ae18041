# /// fleet
# kind = "check"
# title = "The iSCSI initiator is in order, by which the MARS agent mounts a recovery point"
# about = "The device ROOT\\ISCSIPRT has its driver (iScsiPrt), which is not disabled, and the service MSiSCSI may start. That the service does not run is normal: it is started when it is needed. Read from the registry. Whether a mount hangs just now nobody outside the console can see."
# severity = "warning"
# idempotent = "yes"
# timeout = 60
# needs = ["admin"]
#
# [returns.status]
# type = "str"
# about = "Status of the service MSiSCSI"
# [returns.start_type]
# type = "str"
# about = "How it is started"
# [returns.devices]
# type = "list"
# about = "Each device with the hardware id ROOT\\ISCSIPRT: instance, driver (empty: an unknown device)"
# [returns.sessions]
# type = "int"
# about = "How many iSCSI sessions are open; null where Windows does not say"
# ///
[CmdletBinding()]
param()

Assert-FleetAdministrator
if ($null -eq (Get-FleetService 'obengine')) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
$problems = New-Object Collections.ArrayList
$devices = @(Get-FleetIscsiDevice)
Add-FleetData 'devices' @($devices | ForEach-Object { @{ instance = $_.Instance; driver = $_.Driver } })
Add-FleetData 'sessions' (Get-FleetIscsiSession)
if (-not $devices.Count) { [void]$problems.Add('there is no device ROOT\ISCSIPRT') }
elseif (-not @($devices | Where-Object { $_.Driver -eq 'iScsiPrt' }).Count) { [void]$problems.Add('ROOT\ISCSIPRT is an unknown device, without the driver of the Microsoft iSCSI Initiator') }
elseif ((Get-FleetRegistryValue 'HKLM\SYSTEM\CurrentControlSet\Services\iScsiPrt' 'Start').Value -eq 4) { [void]$problems.Add('the driver iScsiPrt is disabled') }
$service = Get-FleetService 'MSiSCSI'
Add-FleetData 'status' $(if ($service) { $service.Status } else { 'Absent' })
Add-FleetData 'start_type' $(if ($service) { $service.StartType } else { '' })
if ($null -eq $service) { [void]$problems.Add('there is no service MSiSCSI: Windows itself is damaged') }
elseif ($service.StartType -eq 'Disabled') { [void]$problems.Add('the service MSiSCSI is disabled') }
elseif ($service.Status -like '*Pending') { [void]$problems.Add("the service MSiSCSI hangs ($($service.Status))") }
if ($problems.Count) { Stop-FleetFailed ($problems -join '; ') }
Set-FleetOk "the Microsoft iSCSI Initiator has its driver, and its service may start (it is $($service.Status))"
