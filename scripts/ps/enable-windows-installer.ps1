# /// fleet
# kind = "remedy"
# title = "Let Windows Installer start again"
# about = "Sets the start type of msiserver from disabled to manual, as Windows has it (Start = 3). It is not started: who installs something does that."
# risk = "safe"
# idempotent = "yes"
# timeout = 60
# needs = ["admin"]
# undo = "restore-service-settings"
#
# [returns.before]
# type = "str"
# about = "Its start type, as found"
# ///
[CmdletBinding(SupportsShouldProcess = $true)]
param()

Assert-FleetAdministrator
$service = Get-FleetService 'msiserver'
if ($null -eq $service) { Stop-FleetFailed 'there is no service msiserver: Windows itself is damaged; nothing was touched' }
Add-FleetData 'before' $service.StartType
if ($service.StartType -ne 'Disabled') { Set-FleetOk "Windows Installer is $($service.StartType), nothing to do"; return }
if (-not $PSCmdlet.ShouldProcess('msiserver', 'Set start type Manual')) { Set-FleetChanged 'would set Windows Installer from Disabled to Manual'; return }
Add-FleetUndo 'services' (Get-FleetServiceEntry 'msiserver')
$problem = Set-FleetServiceConfig 'msiserver' @('start=', 'demand')
if ($problem) { Stop-FleetFailed "${problem}: set Start to 3 under HKLM\SYSTEM\CurrentControlSet\Services\msiserver by hand; it counts from the next restart of the machine" }
$now = (Get-FleetService 'msiserver').StartType
if ($now -ne 'Manual') { Stop-FleetFailed "Windows Installer is $now after it was set: a policy may set it" }
Set-FleetChanged 'Windows Installer may start again'
