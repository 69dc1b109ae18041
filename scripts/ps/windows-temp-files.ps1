# /// fleet
# kind = "check"
# title = "The folder for temporary files of Windows is not full of names"
# about = "Files that end in .tmp in C:\\Windows\\Temp itself. At 65535 no further temporary name can be made (GetTempFileName)."
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
# [returns.temp_files]
# type = "int"
# about = "How many there are"
# ///
[CmdletBinding()]
param([int]$max_temp_files = 60000)

Assert-FleetAdministrator
$count = @(Get-FleetFolderItem 'C:\Windows\Temp' | Where-Object { -not $_.IsFolder -and $_.Name -like '*.tmp' }).Count
Add-FleetData 'temp_files' $count
if ($count -gt $max_temp_files) { Stop-FleetFailed "C:\Windows\Temp has $count files that end in .tmp; $max_temp_files is the limit" }
Set-FleetOk "C:\Windows\Temp has $count files that end in .tmp"
