# /// fleet
# kind = "remedy"
# title = "Put the module of the MARS agent back to what it was"
# about = "Takes back what copy-mars-module copied, from its data.undo: the files that were there come back, those that it added go. Held while a job of the agent runs."
# risk = "safe"
# idempotent = "yes"
# timeout = 300
# needs = ["admin"]
# undo_note = "copy-mars-module copies the healthy files again."
#
# [params.folders]
# type = "list"
# required = true
# about = "The folder below ProgramData\\fleet\\undo in which the old files are kept, one"
#
# [returns.restored]
# type = "int"
# about = "How many files were, or would be, put back"
# [returns.removed]
# type = "int"
# about = "How many files were, or would be, deleted"
# [returns.held]
# type = "list"
# about = "What a person has to wait for or see to"
# ///
[CmdletBinding(SupportsShouldProcess = $true)]
param([Parameter(Mandatory = $true)][object[]]$folders)

function Get-HashOf([string]$Folder) {
    # The files in a folder and their SHA-256, by their names below it.
    $found = @{}
    foreach ($item in @(Get-FleetTree $Folder 5 | Where-Object { -not $_.IsFolder })) { $found[$item.Path.Substring($Folder.Length + 1)] = Get-FleetFileHash $item.Path }
    $found
}

Assert-FleetAdministrator
if ($null -eq (Get-FleetService 'obengine')) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
$kept = [string]$folders[0]
$root = [regex]::Escape((Get-FleetPrivatePath 'undo'))
if ($folders.Count -ne 1 -or $kept -notmatch "^$root\\[0-9A-Za-z]+\\MSOnlineBackup$") { Stop-FleetFailed 'folders is not the one folder that copy-mars-module named; nothing was touched' }
$folder = "$(Get-FleetMarsFolder)\bin\Modules\MSOnlineBackup"
$old, $now = (Get-HashOf $kept), (Get-HashOf $folder)
$back = @($old.Keys | Where-Object { $now[$_] -ne $old[$_] } | Sort-Object)
$gone = @($now.Keys | Where-Object { -not $old.ContainsKey($_) } | Sort-Object)
if (-not $old.Count) { Stop-FleetFailed "there are no files in $kept any more; nothing was touched" }
Add-FleetData 'restored' $back.Count
Add-FleetData 'removed' $gone.Count
if (-not ($back.Count + $gone.Count)) { Set-FleetOk 'the module is as it was, nothing to do'; return }
Stop-FleetForMarsJob
if (-not $PSCmdlet.ShouldProcess($folder, 'Put back')) { Set-FleetChanged "would put back $($back.Count) files in $folder and delete $($gone.Count)"; return }
foreach ($name in $back) {
    if ($now.ContainsKey($name)) { Remove-FleetFile "$folder\$name" }
    New-FleetFolder ("$folder\$name" -replace '\\[^\\]+$')
    Copy-FleetFile "$kept\$name" "$folder\$name"
}
foreach ($name in $gone) { Remove-FleetFile "$folder\$name" }
Set-FleetChanged "put back $($back.Count) files in $folder and deleted $($gone.Count)"
