# /// fleet
# kind = "remedy"
# title = "Let the VSS provider of Azure Backup start by itself"
# about = "Sets the start type of service IaasVmProvider to automatic. It is not started: the extension does that with the next backup."
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
$service = Get-FleetService 'IaasVmProvider'
if ($null -eq $service) { Stop-FleetSkipped 'there is no service IaasVmProvider; the next backup brings it' }
Add-FleetData 'before' $service.StartType
if ($service.StartType -eq 'Automatic') { Set-FleetOk 'IaasVmProvider is automatic already, nothing to do'; return }
if (-not $PSCmdlet.ShouldProcess('IaasVmProvider', 'Set start type Automatic')) { Set-FleetChanged "would set IaasVmProvider from $($service.StartType) to Automatic"; return }
Add-FleetUndo 'services' (Get-FleetServiceEntry 'IaasVmProvider')
Set-FleetStartType 'IaasVmProvider' 'Automatic'
$now = (Get-FleetService 'IaasVmProvider').StartType
if ($now -ne 'Automatic') { Stop-FleetFailed "IaasVmProvider is $now after it was set" }
Set-FleetChanged "IaasVmProvider is automatic instead of $($service.StartType)"
