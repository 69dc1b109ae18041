# /// fleet
# kind = "remedy"
# title = "Put the module of the MARS agent on the search path of PowerShell"
# about = "Appends bin\\Modules\\MSOnlineBackup, as the documents name it, and bin\\Modules, which PowerShell itself searches, to PSModulePath of the machine; what stands there stays. Programs see it when they start anew. Held while a job of the agent runs."
# risk = "safe"
# idempotent = "yes"
# timeout = 120
# needs = ["admin"]
# undo = "restore-registry-values"
#
# [returns.added]
# type = "list"
# about = "Folders that were, or would be, appended"
# [returns.held]
# type = "list"
# about = "What a person has to wait for or see to"
# ///
[CmdletBinding(SupportsShouldProcess = $true)]
param()

Assert-FleetAdministrator
if ($null -eq (Get-FleetService 'obengine')) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
$folder = "$(Get-FleetMarsFolder)\bin\Modules\MSOnlineBackup"
if (Test-FleetModulePath $folder) { Set-FleetOk "PSModulePath leads to $folder already, nothing to do"; return }
if (-not @(Get-FleetFolderItem $folder).Count) { Stop-FleetFailed "there is no module in ${folder}: it comes first (mars-msonlinebackup-module-files); nothing was touched" }
Stop-FleetForMarsJob
$before = Get-FleetTextEntry $FleetEnvironment 'PSModulePath'
if ($before.existed -and 'String', 'ExpandString' -notcontains $before.type) { Stop-FleetFailed "PSModulePath is no text ($($before.type)); nothing was touched" }
$added = @(($folder -replace '\\[^\\]+$'), $folder)
Add-FleetData 'added' $added
# where the machine has none, PowerShell adds its own folder by itself; with one, that has to stand in it
$value = ([string]$before.value).TrimEnd(';')
if (-not $value) { $value = '%SystemRoot%\system32\WindowsPowerShell\v1.0\Modules\' }
$type = if ($before.existed) { $before.type } else { 'ExpandString' }
if (-not $PSCmdlet.ShouldProcess('PSModulePath', "Append $($added -join ';')")) { Set-FleetChanged "would append $($added -join ';') to PSModulePath"; return }
Add-FleetUndo 'values' $before
Set-FleetRegistryValue $before.key $before.name $type "$value;$($added -join ';')" $before.view
if (-not (Test-FleetModulePath $folder)) { Stop-FleetFailed 'PSModulePath does not lead to the module after it was set' }
Set-FleetChanged "appended $($added -join ';') to PSModulePath; tasks and services take it when they start anew"
