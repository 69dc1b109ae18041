# /// fleet
# kind = "remedy"
# title = "Enlarge the storage for shadow copies that is full"
# about = "Raises the maximum of each area that is used up to full_percent of it by add_percent of its storage volume (vssadmin resize shadowstorage), never lowers one. Where that would leave less than keep_percent of the storage volume free, the area is held. Held while a job of the MARS agent runs."
# risk = "safe"
# idempotent = "yes"
# timeout = 300
# needs = ["admin"]
# undo = "restore-shadow-storage"
#
# [params.full_percent]
# type = "int"
# default = 90
# minimum = 1
# maximum = 100
# about = "From which share of its maximum an area counts as full"
#
# [params.add_percent]
# type = "int"
# default = 10
# minimum = 1
# maximum = 50
# about = "By how much the maximum is raised, in per cent of the storage volume"
#
# [params.keep_percent]
# type = "int"
# default = 10
# minimum = 1
# maximum = 90
# about = "What has to be free of the storage volume with the area filled up to its new maximum"
#
# [params.mars_only]
# type = "bool"
# default = true
# about = "Act only where the MARS agent is installed; false: everywhere"
#
# [returns.resized]
# type = "list"
# about = "Each area that was, or would be, enlarged: volume, storage, before and after (per cent of the storage volume)"
# [returns.held]
# type = "list"
# about = "What a person has to wait for or see to"
# ///
[CmdletBinding(SupportsShouldProcess = $true)]
param([int]$full_percent = 90, [int]$add_percent = 10, [int]$keep_percent = 10, [bool]$mars_only = $true)

Assert-FleetAdministrator
if ($mars_only -and $null -eq (Get-FleetService 'obengine')) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
$found = Get-FleetShadowArea
if ($found.Problem) { Stop-FleetFailed "$($found.Problem); nothing was touched" }
$full = @($found.Areas | Where-Object { Test-FleetShadowFull $_ $full_percent })
if (-not $full.Count) { Set-FleetOk "$($found.Areas.Count) storage areas for shadow copies have room, nothing to do"; return }
Stop-FleetForMarsJob
foreach ($area in $full) {
    $name = "the area of $(if ($area.For) { $area.For } else { $area.Volume })"
    if (-not $area.For -or -not $area.On) { Add-FleetItem 'held' "$name has no letter and no folder, which vssadmin needs"; continue }
    if ($area.Maximum -ge 100) { Add-FleetItem 'held' "$name has no limit: its volume $($area.On) is full"; continue }
    $new = [Math]::Min(100, $area.Maximum + $add_percent)
    $volume = Get-FleetVolume "$($area.On.TrimEnd('\'))\"
    if ($null -eq $volume -or -not $volume.Size) { Add-FleetItem 'held' "nobody says how much is free of $($area.On)"; continue }
    $left = [Math]::Floor(100.0 * $volume.Free / $volume.Size) - ($new - $area.Allocated)
    if ($left -lt $keep_percent) { Add-FleetItem 'held' "$name with $new % would leave $left % of $($area.On) free, $keep_percent % is the least: make room, or keep shadow copies on another volume"; continue }
    $entry = @{ volume = $area.For; storage = $area.On; before = $area.Maximum; after = $new }
    if (-not $PSCmdlet.ShouldProcess($name, "Raise its maximum to $new %")) { Add-FleetItem 'resized' $entry; Set-FleetChanged "would raise the maximum of $name from $($area.Maximum) to $new % of $($area.On)"; continue }
    Add-FleetItem 'resized' $entry
    Add-FleetUndo 'areas' (Get-FleetShadowEntry $area)
    $problem = Set-FleetShadowMaximum $area "$new%"
    if ($problem) { Stop-FleetFailed $problem }
    Set-FleetChanged "raised the maximum of $name from $($area.Maximum) to $new % of $($area.On)"
}
if (-not $FleetReply.data.ContainsKey('held')) { return }
$held = "held: $($FleetReply.data.held -join '; ')"
if ($FleetReply.outcome -eq 'changed') { Set-FleetChanged $held } else { Stop-FleetSkipped "$held; nothing was touched" }
