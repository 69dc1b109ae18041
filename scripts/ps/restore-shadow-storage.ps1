# /// fleet
# kind = "remedy"
# title = "Put the limits of the storage for shadow copies back to what they were"
# about = "Takes back what resize-shadow-storage changed, from its data.undo. A limit below what is used now would delete shadow copies: such an area is held."
# risk = "safe"
# idempotent = "yes"
# timeout = 300
# needs = ["admin"]
# undo = "restore-shadow-storage"
#
# [params.areas]
# type = "list"
# required = true
# about = "Tables with volume, storage (a letter or a folder) and maximum (bytes, N%, or UNBOUNDED), as remedies write them"
#
# [returns.restored]
# type = "list"
# about = "Each area put back: volume, storage, maximum"
# [returns.held]
# type = "list"
# about = "What a person has to decide"
# ///
[CmdletBinding(SupportsShouldProcess = $true)]
param([Parameter(Mandatory = $true)][object[]]$areas)

Assert-FleetAdministrator
# all of it is looked at before any of it is touched
foreach ($entry in $areas) {
    $complete = $entry -is [Collections.IDictionary] -and @('volume', 'storage', 'maximum' | Where-Object { -not $entry.Contains($_) }).Count -eq 0
    if (-not $complete) { Stop-FleetFailed 'an entry of areas lacks volume, storage or maximum; nothing was touched' }
    if (@($entry.volume, $entry.storage) -notmatch '^[A-Za-z]:[^"/]*$') { Stop-FleetFailed "no such volume: $($entry.volume), $($entry.storage); nothing was touched" }
    if ([string]$entry.maximum -notmatch '^([0-9]{1,3}%|[0-9]{9,19}|UNBOUNDED)$') { Stop-FleetFailed "no such maximum: $($entry.maximum); nothing was touched" }
}
$found = Get-FleetShadowArea
if ($found.Problem) { Stop-FleetFailed "$($found.Problem); nothing was touched" }
Stop-FleetForMarsJob
foreach ($entry in $areas) {
    $area = $found.Areas | Where-Object { $_.For -eq $entry.volume -and $_.On -eq $entry.storage } | Select-Object -First 1
    $name = "the area of $($entry.volume) on $($entry.storage)"
    if ($null -eq $area) { Stop-FleetFailed "$name is not there any more" }
    $before = Get-FleetShadowEntry $area
    $wanted = [string]$entry.maximum
    if ($wanted -eq "$($area.Maximum)%" -or $wanted -eq $before.maximum) { continue }
    $less = if ($wanted -eq 'UNBOUNDED') { $false } elseif ($wanted -like '*%') { [int]$wanted.TrimEnd('%') -le $area.Used } elseif ($null -ne $area.UsedBytes) { [uint64]$wanted -lt $area.UsedBytes } else { $true }
    if ($less) { Add-FleetItem 'held' "$name holds more than $wanted by now ($(Format-FleetShadowUse $area)): that limit would delete shadow copies"; continue }
    Add-FleetItem 'restored' @{ volume = $area.For; storage = $area.On; maximum = $wanted }
    if (-not $PSCmdlet.ShouldProcess($name, "Set its maximum to $wanted")) { Set-FleetChanged "would set the maximum of $name to $wanted"; continue }
    Add-FleetUndo 'areas' $before
    $problem = Set-FleetShadowMaximum $area $wanted
    if ($problem) { Stop-FleetFailed $problem }
    Set-FleetChanged "set the maximum of $name to $wanted again"
}
if ($FleetReply.data.ContainsKey('held')) {
    $held = "held: $($FleetReply.data.held -join '; ')"
    if ($FleetReply.outcome -eq 'changed') { Set-FleetChanged $held } else { Stop-FleetSkipped "$held; nothing was touched" }
    return
}
if ($FleetReply.outcome -ne 'changed') { Set-FleetOk "$(@($areas).Count) areas are as they were, nothing to do" }
