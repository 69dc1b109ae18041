# /// fleet
# kind = "remedy"
# title = "Copy the module of the MARS agent from a healthy copy on this server"
# about = "The folder MSOnlineBackup of a healthy server with the same version of the agent, put onto this one by a person: its files are copied over those of the agent. What was there is kept in a folder of administrators, and put back when the module does not load afterwards. Held without such a copy, and while a job of the agent runs. To install the agent anew is the cleaner way."
# risk = "safe"
# idempotent = "yes"
# timeout = 600
# needs = ["admin"]
# undo = "restore-mars-module"
#
# [params.module_from]
# type = "str"
# default = ""
# pattern = '([A-Za-z]:\\[^<>"|?*/\\]+(\\[^<>"|?*/\\]+)*\\?)?'
# about = "Where the healthy copy lies on this server: the folder that has MSOnlineBackup.psd1"
#
# [returns.fault]
# type = "str"
# about = "What was wrong with the module"
# [returns.files]
# type = "int"
# about = "How many files were, or would be, copied"
# [returns.held]
# type = "list"
# about = "What a person has to wait for or see to"
# ///
[CmdletBinding(SupportsShouldProcess = $true)]
param([string]$module_from = '')

function Copy-Folder([string]$From, [string]$To) {
    New-FleetFolder $To
    foreach ($item in @(Get-FleetTree $From 5)) {
        $target = "$To$($item.Path.Substring($From.Length))"
        if ($item.IsFolder) { New-FleetFolder $target; continue }
        if ((Get-FleetFileSize $target) -ge 0) { Remove-FleetFile $target }
        Copy-FleetFile $item.Path $target
    }
}

Assert-FleetAdministrator
if ($null -eq (Get-FleetService 'obengine')) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
$folder = "$(Get-FleetMarsFolder)\bin\Modules\MSOnlineBackup"
$fault, $loads = Get-FleetMarsModuleFault $folder
Add-FleetData 'fault' $fault
if (-not $fault) { Set-FleetOk "the module in $folder loads, nothing to do"; return }
$from = $module_from.TrimEnd('\')
if (-not $from) {
    Add-FleetItem 'held' 'nobody has said where a healthy copy of the module lies: module_from'
    Stop-FleetSkipped "$fault; put the folder MSOnlineBackup of a healthy server with the same version of the agent onto this one, and say where: -p module_from=FOLDER"
}
if ($from -eq $folder) { Stop-FleetFailed "$from is the damaged module itself; nothing was touched" }
$new = @(Get-FleetTree $from 5 | Where-Object { -not $_.IsFolder })
if (-not @($new | Where-Object { $_.Path -eq "$from\MSOnlineBackup.psd1" }).Count) { Stop-FleetFailed "there is no MSOnlineBackup.psd1 in ${from}; nothing was touched" }
$empty = @($new | Where-Object { $_.Size -eq 0 } | ForEach-Object { $_.Name })
if ($empty.Count) { Stop-FleetFailed "files of the copy are empty: $($empty -join ', '); nothing was touched" }
Add-FleetData 'files' $new.Count
Stop-FleetForMarsJob
if (-not $PSCmdlet.ShouldProcess($folder, "Copy $($new.Count) files from $from")) { Set-FleetChanged "would copy $($new.Count) files from $from to $folder"; return }
$kept = "$(New-FleetPrivateFolder 'undo')\MSOnlineBackup"
if (@(Get-FleetFolderItem $folder).Count) { Copy-Folder $folder $kept; Add-FleetUndo 'folders' $kept }
try { Copy-Folder $from $folder; $problem, $loads = Get-FleetMarsModuleFault $folder } catch { $problem = "it could not be copied: $_" }
if (-not $problem) { Set-FleetChanged "copied $($new.Count) files from $from to ${folder}; the module loads$(if ($FleetReply.data.ContainsKey('undo')) { ", what was there is in $kept" })"; return }
# what the copy brought beside the old files stays: it does no harm, and the next copy overwrites it
try { Copy-Folder $kept $folder } catch { $problem += "; what was there could not be put back ($_): it is in $kept" }
Stop-FleetFailed "after the copy $problem; what was there is back"
