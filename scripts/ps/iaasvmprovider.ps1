# /// fleet
# kind = "check"
# title = "The VSS provider of Azure Backup starts by itself"
# about = "Service IaasVmProvider, which the first backup brings: start type automatic, and its module in the newest version folder of the extension. Skipped on a machine that was never backed up."
# severity = "error"
# idempotent = "yes"
# timeout = 60
#
# [returns.service]
# type = "dict"
# about = "Its status and start_type; empty where it is missing"
# [returns.extension]
# type = "str"
# about = "Newest version folder of the backup extension"
# ///
[CmdletBinding()]
param()

$service = Get-FleetService 'IaasVmProvider'
$folder = Get-FleetExtensionFolder
Add-FleetData 'extension' $folder
Add-FleetData 'service' $(if ($service) { @{ status = $service.Status; start_type = $service.StartType } } else { @{} })
if (-not $service) {
    if ($folder) { Stop-FleetFailed 'there is no service IaasVmProvider although the extension was installed: have it installed anew (uninstall it in the portal; the next backup brings it)' }
    Stop-FleetSkipped 'this machine was never backed up: there is no extension and no service IaasVmProvider'
}
$found = @()
if ($service.StartType -ne 'Automatic') { $found += "IaasVmProvider is $($service.StartType), not Automatic" }
if ($folder -and -not @(Get-FleetFolderItem $folder | Where-Object { -not $_.IsFolder -and $_.Name -like 'iaasvmprovider.*' }).Count) { $found += "its module is missing in $folder" }
if ($found.Count) { Stop-FleetFailed ($found -join '; ') }
Set-FleetOk "IaasVmProvider is automatic ($($service.Status))"
