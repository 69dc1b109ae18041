# /// fleet
# kind = "check"
# title = "The scratch folder of the MARS agent has room"
# about = "Free space of the volume that holds the scratch folder. The documents ask for 5 to 10 %, of the volume in one place and of the data to be backed up in another: below the lower figure the check fails, between the two it says so. Where it is known how much data is backed up, the free space has to be the lower share of that, too. A backup of the system state takes 30 to 35 GB more, which counts where it is said."
# severity = "error"
# idempotent = "yes"
# timeout = 60
# needs = ["admin"]
#
# [params.minimum_percent]
# type = "int"
# default = 5
# minimum = 1
# maximum = 50
# about = "The least share that has to be free"
#
# [params.wanted_percent]
# type = "int"
# default = 10
# minimum = 1
# maximum = 50
# about = "The share below which the message says that it gets tight"
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
# about = "The scratch folder, as the registry names it; empty where it names none"
# [returns.size_bytes]
# type = "int"
# about = "Size of its volume"
# [returns.free_bytes]
# type = "int"
# about = "What is free of it"
# [returns.free_percent]
# type = "float"
# about = "The same in per cent, rounded down to tenths"
# ///
[CmdletBinding()]
param([int]$minimum_percent = 5, [int]$wanted_percent = 10, [int]$backup_gigabytes = 0, [int]$system_state_gigabytes = 0)

Assert-FleetAdministrator
if ($null -eq (Get-FleetService 'obengine')) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
$scratch = [string](Get-FleetRegistryValue 'HKLM\SOFTWARE\Microsoft\Windows Azure Backup\Config' 'ScratchLocation').Value
Add-FleetData 'scratch' $scratch
if (-not $scratch) { Stop-FleetSkipped 'the MARS agent is not registered yet: it names no scratch folder' }
$volume = Get-FleetVolume $scratch
if ($null -eq $volume -or -not $volume.Size) { Stop-FleetFailed "$scratch is not there, or its volume is not" }

function Format-Size([double]$Byte) { "$([Math]::Floor(10 * $Byte / 1073741824) / 10) GB" }

$percent = [Math]::Floor(1000.0 * $volume.Free / $volume.Size) / 10
Add-FleetData 'size_bytes' $volume.Size
Add-FleetData 'free_bytes' $volume.Free
Add-FleetData 'free_percent' $percent
$what = "$percent % of the volume of $scratch is free ($(Format-Size $volume.Free) of $(Format-Size $volume.Size))"
$short = Get-FleetScratchShortage $volume.Size $volume.Free $minimum_percent $backup_gigabytes $system_state_gigabytes
if ($short) { Stop-FleetFailed "$what; $short" }
if ($percent -lt $wanted_percent) { $what += "; it gets tight, up to $wanted_percent % is asked for" }
Set-FleetOk $what
