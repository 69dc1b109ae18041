# /// fleet
# kind = "check"
# title = "The scratch folder of the MARS agent has its key file"
# about = "Whether OnlineBackup.KEK is there; its content is never read. Without it the passphrase has to be set again."
# severity = "error"
# idempotent = "yes"
# timeout = 60
# needs = ["admin"]
#
# [returns.scratch]
# type = "str"
# about = "The scratch folder, as the registry names it; empty where it names none"
# ///
[CmdletBinding()]
param()

Assert-FleetAdministrator
if ($null -eq (Get-FleetService 'obengine')) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
$scratch = [string](Get-FleetRegistryValue 'HKLM\SOFTWARE\Microsoft\Windows Azure Backup\Config' 'ScratchLocation').Value
Add-FleetData 'scratch' $scratch
if (-not $scratch) { Stop-FleetSkipped 'the MARS agent is not registered yet: it names no scratch folder' }
if ((Get-FleetFileSize "$($scratch.TrimEnd('\'))\OnlineBackup.KEK") -lt 0) { Stop-FleetFailed "OnlineBackup.KEK is missing in $scratch" }
Set-FleetOk "OnlineBackup.KEK is in $scratch"
