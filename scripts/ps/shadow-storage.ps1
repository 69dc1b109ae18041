# /// fleet
# kind = "check"
# title = "There is room for shadow copies"
# about = "Reads `vssadmin list shadowstorage` by volume ids and per cent, in any language, and the sizes from WMI where it works: an area that is used up to its maximum loses its oldest shadow copies, and may have no room for the next one. No association is fine: Windows makes one when it needs it."
# severity = "warning"
# idempotent = "yes"
# timeout = 120
# needs = ["admin"]
#
# [params.full_percent]
# type = "int"
# default = 90
# minimum = 1
# maximum = 100
# about = "From which share of its maximum an area counts as full"
#
# [params.mars_only]
# type = "bool"
# default = true
# about = "Look only where the MARS agent is installed; false: everywhere"
#
# [returns.associations]
# type = "list"
# about = "Each: volume, storage, and used, allocated, maximum in per cent of the storage volume (maximum 100: without a limit); used_bytes and maximum_bytes where WMI tells them"
# ///
[CmdletBinding()]
param([int]$full_percent = 90, [bool]$mars_only = $true)

Assert-FleetAdministrator
if ($mars_only -and $null -eq (Get-FleetService 'obengine')) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
$found = Get-FleetShadowArea
Add-FleetData 'associations' @($found.Areas | ForEach-Object { @{ volume = $_.Volume; storage = $_.Storage; used = $_.Used; allocated = $_.Allocated; maximum = $_.Maximum; used_bytes = $_.UsedBytes; maximum_bytes = $_.MaximumBytes } })
if ($found.Problem) { Stop-FleetFailed $found.Problem }
if (-not $found.Areas.Count) { Set-FleetOk 'no storage is set aside; Windows makes it when it needs it'; return }
$full = @($found.Areas | Where-Object { Test-FleetShadowFull $_ $full_percent } | ForEach-Object { "$($_.Volume): $(Format-FleetShadowUse $_)" })
if ($full.Count) { Stop-FleetFailed "the storage for shadow copies is full: $($full -join '; ')" }
Set-FleetOk "$($found.Areas.Count) storage areas for shadow copies have room"
