# /// fleet
# kind = "collect"
# title = "Removes what was staged"
# about = "The folder with all that is in it; links are removed and not followed."
# idempotent = "yes"
# timeout = 60
# needs = ["root", "admin"]
#
# [params.stage]
# type = "str"
# required = true
# pattern = "[0-9a-z]{20}"
# about = "Name of the folder"
#
# [returns.removed]
# type = "bool"
# about = "Whether it was there"
# ///
[CmdletBinding()]
param([Parameter(Mandatory = $true)][string]$stage)

Assert-FleetAdministrator
$folder = "$(Get-FleetPrivatePath 'collect')\$stage"
$there = $true
try { $there = $null -ne (Get-FleetEntry $folder $false) } catch { Write-FleetLog "${folder}: $_" }
$problem = Remove-FleetTree $folder
if ($problem) { Stop-FleetFailed "$folder could not be removed: $problem; remove it by hand" }
foreach ($each in (Get-FleetPrivatePath 'collect'), ((Get-FleetPrivatePath 'collect') -replace '\\collect$')) {
    [void](Remove-FleetTree $each $true)     # where nothing else is in it
}
Add-FleetData 'removed' $there
Set-FleetOk $(if ($there) { "removed $folder" } else { "there is no $folder" })
