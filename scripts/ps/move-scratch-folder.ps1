# /// fleet
# kind = "remedy"
# title = "Move the scratch folder of the MARS agent to another place"
# about = "As Microsoft describes it: obengine is stopped, the folder copied with its rights by robocopy, the copy compared with it (names, sizes, times), both values of the registry set, obengine started; when it does not start, the values are put back. The old folder stays: delete it after a backup that ended well. A backup that is due meanwhile does not begin. Held until somebody names the new place, while a job runs, and while a volume CBSSBVol_... of a system state backup is mounted. Never while an offline backup is on its way to Azure, which can't be seen here."
# risk = "service-interruption"
# idempotent = "check"
# timeout = 3600
# needs = ["admin"]
# undo = "restore-scratch-location"
#
# [params.scratch_to]
# type = "str"
# default = ""
# pattern = '([A-Za-z]:\\[^<>"|?*/\\]+(\\[^<>"|?*/\\]+)*\\?)?'
# about = "The new folder, on a fixed local volume; not there yet, or with an earlier copy of the same files"
#
# [params.minimum_percent]
# type = "int"
# default = 5
# minimum = 1
# maximum = 50
# about = "The least share of its volume that has to be free afterwards, and of the data"
#
# [params.backup_gigabytes]
# type = "int"
# default = 0
# minimum = 0
# maximum = 1000000
# about = "How much data is backed up, in GB (2^30 bytes); 0 when nobody knows"
#
# [params.system_state_gigabytes]
# type = "int"
# default = 0
# minimum = 0
# maximum = 1000
# about = "What a backup of the system state takes beside it: 35 where it is backed up"
#
# [returns.scratch]
# type = "str"
# about = "The folder that the agent had; it stays"
# [returns.files]
# type = "int"
# about = "How many files were, or would be, copied"
# [returns.bytes]
# type = "int"
# about = "Their size"
# [returns.held]
# type = "list"
# about = "What a person has to say or to do first, or to wait for"
# ///
[CmdletBinding(SupportsShouldProcess = $true)]
param([string]$scratch_to = '', [int]$minimum_percent = 5, [int]$backup_gigabytes = 0, [int]$system_state_gigabytes = 0)

function Get-FileState([string]$Folder) {
    # Size and time of the files in a folder, by their names below it.
    $found = @{}
    foreach ($item in @(Get-FleetTree $Folder 30 | Where-Object { -not $_.IsFolder })) { $found[$item.Path.Substring($Folder.Length + 1)] = $item }
    $found
}

function Get-Difference([hashtable]$From, [hashtable]$To) {
    # The first file that is not in both in the same state; '' for none. A file system may round the time.
    foreach ($name in $From.Keys) {
        if (-not $To.ContainsKey($name)) { return "$name is missing" }
        if ($From[$name].Size -ne $To[$name].Size -or [Math]::Abs($From[$name].Changed - $To[$name].Changed) -gt 2) { return "$name differs" }
    }
    foreach ($name in $To.Keys) { if (-not $From.ContainsKey($name)) { return "$name is not in the old folder" } }
    ''
}

function Get-Ground([string]$Folder) {
    # The volume on which a folder lies, or would.
    for ($at = $Folder; $at; $at = [regex]::Match($at, '^(.+)\\[^\\]+$').Groups[1].Value) {
        $volume = Get-FleetVolume $(if ($at -match '^[A-Za-z]:$') { "$at\" } else { $at })
        if ($null -ne $volume) { return $volume }
    }
}

Assert-FleetAdministrator
if ($null -eq (Get-FleetService 'obengine')) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
$entries = @(Get-FleetScratchEntry)
$scratch = ([string]$entries[0].value).TrimEnd('\')
Add-FleetData 'scratch' $scratch
if (-not $scratch) { Stop-FleetSkipped 'the MARS agent is not registered yet: it names no scratch folder' }
$target = $scratch_to.TrimEnd('\')
if (-not $target) {
    Add-FleetItem 'held' 'nobody has said where to: scratch_to, when no offline backup is on its way to Azure'
    Stop-FleetSkipped "the scratch folder is $scratch; say where to: -p scratch_to=FOLDER, when no offline backup is on its way to Azure"
}
if ($target -eq $scratch -and $target -eq ([string]$entries[1].value).TrimEnd('\')) { Set-FleetOk "the scratch folder is $target already, nothing to do"; return }
if ($scratch -ne ([string]$entries[1].value).TrimEnd('\')) { Stop-FleetFailed "the registry names two scratch folders: Config '$scratch', CloudBackupProvider '$($entries[1].value)'; nothing was touched (set-scratch-location)" }
if ("$target\" -like "$([Management.Automation.WildcardPattern]::Escape($scratch))\*" -or "$scratch\" -like "$([Management.Automation.WildcardPattern]::Escape($target))\*") { Stop-FleetFailed "$target and $scratch lie in each other; nothing was touched" }
if ($scratch -notmatch '^[A-Za-z]:\\[^\\]' -or -not (Get-FleetAcl $scratch)) { Stop-FleetFailed "there is no scratch folder $scratch that could be copied; nothing was touched" }
Stop-FleetForMarsJob
$mounted = @(Get-FleetVolumeLabel | Where-Object { $_ -like 'CBSSBVol_*' })
if ($mounted.Count) {
    Add-FleetItem 'held' "$($mounted -join ', ') is mounted"
    Stop-FleetSkipped "$($mounted -join ', ') of a system state backup is mounted from the scratch folder: take it off in Disk Management first"
}
$old = Get-FileState $scratch
if (-not $old.ContainsKey('OnlineBackup.KEK')) { Stop-FleetFailed "$scratch has no OnlineBackup.KEK: is it the folder that the agent had? Nothing was touched" }
$bytes = [long]0
foreach ($item in $old.Values) { $bytes += $item.Size }
Add-FleetData 'files' $old.Count
Add-FleetData 'bytes' $bytes
foreach ($name in @((Get-FileState $target).Keys | Where-Object { -not $old.ContainsKey($_) })) { Stop-FleetFailed "$target\$name is there, which is no file of the scratch folder: name an empty folder; nothing was touched" }
$volume = Get-Ground $target
if ($null -eq $volume -or $volume.DriveType -ne 'Fixed') { Stop-FleetFailed "$target would lie on no fixed local volume$(if ($volume) { " ($($volume.DriveType))" }); nothing was touched" }
$left = $volume.Free - $bytes
$short = if ($left -lt 0) { 'they do not fit' } else { Get-FleetScratchShortage $volume.Size $left $minimum_percent $backup_gigabytes $system_state_gigabytes }
if ($short) { Stop-FleetFailed "the volume of $target has too little room for $bytes bytes and what comes after them: $short; nothing was touched" }
$faults = @(if (Get-FleetAcl $target) { Get-FleetScratchFault $target })
if ($faults.Count) { Stop-FleetFailed "$($faults[0].Path) is $($faults[0].Wrong -join ', '), which the agent can't bear; nothing was touched" }
if (-not $PSCmdlet.ShouldProcess($scratch, "Copy to $target, and have the agent use it")) {
    Set-FleetChanged "would stop obengine, copy $($old.Count) files ($bytes bytes) from $scratch to $target and have the agent use it; the old folder stays"
    return
}
$wanted = @(foreach ($entry in $entries) { @{ view = $entry.view; key = $entry.key; name = $entry.name; existed = $true; type = 'String'; value = $target } })
Set-FleetScratch $wanted {
    $done = Invoke-FleetNative 'robocopy.exe' @($scratch, $target, '/E', '/COPYALL', '/XJ', '/R:2', '/W:5', '/NP', '/NFL', '/NDL') 3000
    # up to 7 it tells what it copied, from 8 on that something was not
    $problem = if (-not $done.Found) { 'robocopy.exe is missing' } elseif ($done.TimedOut) { 'robocopy did not end within 3000 s' } elseif ($done.ExitCode -ge 8) { "robocopy failed, exit code $($done.ExitCode)" } else { Get-Difference (Get-FileState $scratch) (Get-FileState $target) }
    if (-not $problem) { $problem = @(Get-FleetScratchRightProblem (Get-FleetAcl $target) | Select-Object -First 1) -join '' }
    if (-not $problem) { $problem = @(Get-FleetScratchFault $target | Select-Object -First 1 | ForEach-Object { "$($_.Path) is $($_.Wrong -join ', ')" }) -join '' }
    if ($problem) { Stop-FleetFailed "the copy in $target is not whole: $problem; the agent uses $scratch as before" }
    foreach ($entry in $entries) { Add-FleetUndo 'values' $entry }
    Set-FleetChanged "copied $scratch to $target"
}
Set-FleetChanged "the agent uses $target; delete $scratch after a backup that ended well"
