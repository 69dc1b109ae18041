# /// fleet
# kind = "check"
# title = "The registration of the MARS agent was completed"
# about = "Of a registration that was begun, whether its parts are there: the name of the vault (ServiceResourceName), the ids of vault and machine (ResourceId, MachineId; whether, not which), the scratch folder and its key file, which comes with the passphrase. No secret is read. Windows knows nothing of what the vault itself has."
# severity = "error"
# idempotent = "yes"
# timeout = 60
# needs = ["admin"]
#
# [params.vault]
# type = "str"
# default = ""
# pattern = '[0-9A-Za-z-]{0,64}'
# about = "Name of the vault that it has to be registered in; empty: any"
#
# [returns.vault]
# type = "str"
# about = "Name of the vault; empty where the registry has none"
#
# [returns.parts]
# type = "dict"
# about = "Whether each is there: ServiceResourceName, ResourceId, MachineId, ScratchLocation, OnlineBackup.KEK"
# ///
[CmdletBinding()]
param([string]$vault = '')

Assert-FleetAdministrator
if ($null -eq (Get-FleetService 'obengine')) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
$name = [string](Get-FleetRegistryValue $FleetMarsConfig 'ServiceResourceName').Value
$parts = @{}
foreach ($value in 'ServiceResourceName', 'ResourceId', 'MachineId', 'ScratchLocation') { $parts[$value] = [bool](Get-FleetRegistryValue $FleetMarsConfig $value).Value }
$scratch = ([string](Get-FleetRegistryValue $FleetMarsConfig 'ScratchLocation').Value).TrimEnd('\')
$parts['OnlineBackup.KEK'] = $scratch -ne '' -and (Get-FleetFileSize "$scratch\OnlineBackup.KEK") -ge 0
Add-FleetData 'vault' $name
Add-FleetData 'parts' $parts
# older agents have no name of the vault, but ids
if (-not $name -and -not $parts.ResourceId -and -not $parts.MachineId) { Stop-FleetSkipped 'the MARS agent is not registered: the registry has no vault' }
$of = if ($name) { "registered in the vault $name" } else { 'registered' }
if ($vault -and $name -ne $vault) { Stop-FleetFailed "$of, not in $vault" }
$missing = @(foreach ($part in 'ScratchLocation', 'OnlineBackup.KEK') { if (-not $parts[$part]) { $part } })
if ($missing.Count) { Stop-FleetFailed "$of, but not completed: there is no $($missing -join ' and no '); the key file comes with the passphrase" }
Set-FleetOk "$of, and the key file is there"
