# /// fleet
# kind = "check"
# title = "The folder for temporary files of Windows is not full of names"
# about = "Files that end in .tmp in C:\\Windows\\Temp itself, counted and aged. At 65535 no further temporary name can be made (GetTempFileName), and the registration of the MARS agent breaks."
# severity = "warning"
# idempotent = "yes"
# timeout = 180
# needs = ["admin"]
#
# [params.max_temp_files]
# type = "int"
# default = 60000
# minimum = 1
# maximum = 65535
# about = "How many there may be"
#
# [params.old_hours]
# type = "int"
# default = 24
# minimum = 1
# maximum = 8760
# about = "From which age on one counts as old"
#
# [params.mars_only]
# type = "bool"
# default = true
# about = "Look only where the MARS agent is installed; false: everywhere"
#
# [returns.temp_files]
# type = "int"
# about = "How many there are"
# [returns.old_files]
# type = "int"
# about = "How many of them were not changed for old_hours"
# [returns.bytes]
# type = "int"
# about = "What they take together"
# [returns.newest_hours]
# type = "float"
# about = "Age of the newest in hours: whether what leaves them there is still at it; null where there is none"
# ///
[CmdletBinding()]
param([int]$max_temp_files = 60000, [int]$old_hours = 24, [bool]$mars_only = $true)

Assert-FleetAdministrator
if ($mars_only -and $null -eq (Get-FleetService 'obengine')) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
$now = (Get-FleetSystem).Epoch
$count, $old, $bytes, $newest = 0, 0, 0L, $null
foreach ($item in @(Get-FleetFolderItem 'C:\Windows\Temp')) {
    if ($item.IsFolder -or $item.Name -notlike '*.tmp') { continue }
    $count++
    $bytes += $item.Size
    if ($now - $item.Changed -ge 3600 * $old_hours) { $old++ }
    if ($null -eq $newest -or $item.Changed -gt $newest) { $newest = $item.Changed }
}
Add-FleetData 'temp_files' $count
Add-FleetData 'old_files' $old
Add-FleetData 'bytes' $bytes
Add-FleetData 'newest_hours' $(if ($null -eq $newest) { $null } else { [Math]::Round(($now - $newest) / 3600, 1) })
$what = "C:\Windows\Temp has $count files that end in .tmp"
if ($count -gt $max_temp_files) { Stop-FleetFailed "$what; $max_temp_files is the limit. $old were not changed for $old_hours h" }
Set-FleetOk $what
