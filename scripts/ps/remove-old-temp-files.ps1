# /// fleet
# kind = "remedy"
# title = "Delete old .tmp files in the folder for temporary files of Windows"
# about = "Only where C:\\Windows\\Temp itself holds more than max_temp_files that really end in .tmp. Deletes, in batches, those that were neither made nor changed for min_age_hours and that no program has open; links and what lies below stay. Held while a job of the MARS agent runs."
# risk = "destructive"
# idempotent = "yes"
# timeout = 1200
# needs = ["admin"]
# undo_note = "Deleted files do not come back. They are temporary files that nothing had open and nothing changed for a day or more."
#
# [params.max_temp_files]
# type = "int"
# default = 60000
# minimum = 1
# maximum = 65535
# about = "Up to how many there may be before anything is deleted"
#
# [params.min_age_hours]
# type = "int"
# default = 24
# minimum = 24
# maximum = 8760
# about = "How old a file has to be"
#
# [params.batch]
# type = "int"
# default = 5000
# minimum = 1
# maximum = 50000
# about = "How many are deleted before it looks again whether a job runs"
#
# [params.most]
# type = "int"
# default = 100000
# minimum = 1
# maximum = 1000000
# about = "How many are deleted in one run at most"
#
# [params.mars_only]
# type = "bool"
# default = true
# about = "Act only where the MARS agent is installed; false: everywhere"
#
# [returns.before]
# type = "int"
# about = "How many .tmp files were there"
# [returns.deleted]
# type = "int"
# about = "How many were, or would be, deleted"
# [returns.bytes]
# type = "int"
# about = "What these took"
# [returns.in_use]
# type = "int"
# about = "Old files that a program has open"
# [returns.kept]
# type = "int"
# about = "Files that were made, or changed, since, that are links, or that Windows did not let go"
# [returns.after]
# type = "int"
# about = "How many .tmp files are there now"
# [returns.held]
# type = "list"
# about = "What a person has to wait for"
# ///
[CmdletBinding(SupportsShouldProcess = $true)]
param([int]$max_temp_files = 60000, [int]$min_age_hours = 24, [int]$batch = 5000, [int]$most = 100000, [bool]$mars_only = $true)

$folder = 'C:\Windows\Temp'

function Get-TempFile { Get-FleetFolderItem $folder | Where-Object { -not $_.IsFolder -and $_.Name -like '*.tmp' } }

Assert-FleetAdministrator
if ($mars_only -and $null -eq (Get-FleetService 'obengine')) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
$limit = (Get-FleetSystem).Epoch - 3600 * $min_age_hours
$files = @(Get-TempFile | Sort-Object Changed)
Add-FleetData 'before' $files.Count
if ($files.Count -le $max_temp_files) { Set-FleetOk "$folder has $($files.Count) files that end in .tmp, up to $max_temp_files are fine; nothing to do"; return }
Stop-FleetForMarsJob
$old = @($files | Where-Object { $_.Changed -lt $limit } | Select-Object -First $most)
if (-not $old.Count) { Stop-FleetFailed "none of the $($files.Count) .tmp files in $folder is older than $min_age_hours h: something makes them now and has to be found; nothing was touched" }
$sum = @{ deleted = 0; bytes = 0L; in_use = 0; kept = 0 }
if (-not $PSCmdlet.ShouldProcess($folder, "Delete $($old.Count) old .tmp files")) {
    Add-FleetData 'deleted' $old.Count
    Add-FleetData 'bytes' ([long]($old | Measure-Object Size -Sum).Sum)
    Set-FleetChanged "would delete up to $($old.Count) of $($files.Count) .tmp files in $folder, those older than $min_age_hours h that nothing has open"
    return
}
$stopped = ''
for ($at = 0; $at -lt $old.Count -and -not $stopped; $at++) {
    if ($at -and $at % $batch -eq 0) { $stopped = Get-FleetMarsJob; Write-FleetLog "$at of $($old.Count) old files seen, $($sum.deleted) deleted" }
    if ($stopped) { break }
    $result = Remove-FleetOldFile "$folder\$($old[$at].Name)" $limit
    if ($result -eq 0) { $sum.deleted++; $sum.bytes += $old[$at].Size }
    elseif ($result -eq 32) { $sum.in_use++ }
    elseif ($result -ne 2) { $sum.kept++; if ($sum.kept -le 10) { Write-FleetLog "$($old[$at].Name) stays ($result)" } }
}
foreach ($key in @($sum.Keys)) { Add-FleetData $key $sum[$key] }
$after = @(Get-TempFile).Count
Add-FleetData 'after' $after
if ($sum.deleted) { Set-FleetChanged "deleted $($sum.deleted) .tmp files older than $min_age_hours h in $folder ($([Math]::Round($sum.bytes / 1MB)) MB)" }
$left = "$after .tmp files are left in $folder ($($sum.in_use) old ones in use, $($sum.kept) that can't go)"
if ($stopped) { Stop-FleetFailed "a job of the MARS agent began, $stopped; stopped there, do it again afterwards: $left" }
if ($after -gt $max_temp_files) { Stop-FleetFailed "$left, more than $max_temp_files" }
