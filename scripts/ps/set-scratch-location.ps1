# /// fleet
# kind = "remedy"
# title = "Have both values of the registry name the one scratch folder that is whole"
# about = "Where Config and CloudBackupProvider name different folders, because the folder was moved in one place only: the value whose folder is not there, or lacks the key file, is set to the other, with obengine stopped. When both are whole, a person has to say which one. Held while a job of the agent runs."
# risk = "service-interruption"
# idempotent = "yes"
# timeout = 600
# needs = ["admin"]
# undo = "restore-scratch-location"
#
# [params.scratch_folder]
# type = "str"
# default = ""
# about = "The one of the two that the agent is to use; empty: the one that is whole"
#
# [returns.scratch]
# type = "str"
# about = "The folder, as Config names it"
# [returns.second]
# type = "str"
# about = "The same, as CloudBackupProvider names it"
# [returns.held]
# type = "list"
# about = "What a person has to say, or to wait for"
# ///
[CmdletBinding(SupportsShouldProcess = $true)]
param([string]$scratch_folder = '')

function Get-Lack([string]$Folder) {
    # Why a folder can't be the scratch folder; '' when nothing speaks against it.
    if ($Folder -notmatch '^[A-Za-z]:\\[^\\]') { return 'is no folder of a local volume' }
    if (-not (Get-FleetAcl $Folder)) { return 'is not there' }
    $volume = Get-FleetVolume $Folder
    if ($null -eq $volume -or $volume.DriveType -ne 'Fixed') { return 'is on no fixed volume' }
    if ((Get-FleetFileSize "$Folder\OnlineBackup.KEK") -lt 0) { return 'has no OnlineBackup.KEK' }
    ''
}

Assert-FleetAdministrator
if ($null -eq (Get-FleetService 'obengine')) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
$entries = @(Get-FleetScratchEntry)
$first, $second = @($entries | ForEach-Object { ([string]$_.value).TrimEnd('\') })
Add-FleetData 'scratch' $first
Add-FleetData 'second' $second
if (-not $first -and -not $second) { Stop-FleetSkipped 'the MARS agent is not registered yet: it names no scratch folder' }
if ($first -eq $second) { Set-FleetOk "both values name $first, nothing to do"; return }
$wanted = $scratch_folder.TrimEnd('\')
if ($wanted -and $first, $second -notcontains $wanted) { Stop-FleetFailed "$wanted is neither of the two, '$first' and '$second'; nothing was touched" }
$lacks = @{}
foreach ($folder in $first, $second) { $lacks[$folder] = Get-Lack $folder }
$whole = @($first, $second | Where-Object { -not $lacks[$_] -and (-not $wanted -or $_ -eq $wanted) })
if (-not $whole.Count) { Stop-FleetFailed "$(@($first, $second | ForEach-Object { "'$_' $($lacks[$_])" }) -join ', '); nothing was touched" }
if ($whole.Count -gt 1) {
    Add-FleetItem 'held' 'both folders are whole: scratch_folder says which one'
    Stop-FleetSkipped "'$first' and '$second' are whole: the one that the last backup wrote into is meant; say which: -p scratch_folder=FOLDER"
}
Stop-FleetForMarsJob
$target = $whole[0]
if (-not $PSCmdlet.ShouldProcess($target, 'Have both values name it, with obengine stopped')) { Set-FleetChanged "would stop obengine and have both values name $target"; return }
Set-FleetScratch @(foreach ($entry in $entries) { @{ view = $entry.view; key = $entry.key; name = $entry.name; existed = $true; type = 'String'; value = $target } }) {
    foreach ($entry in @($entries | Where-Object { ([string]$_.value).TrimEnd('\') -ne $target })) { Add-FleetUndo 'values' $entry }
}
Set-FleetChanged "both values name $target"
