# /// fleet
# kind = "check"
# title = "There is room for shadow copies"
# about = "Reads `vssadmin list shadowstorage` by volume ids and per cent, in any language: an area that is used up to its maximum loses its oldest shadow copies, and may have no room for the next one. No association is fine: Windows makes one when it needs it."
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
# [returns.associations]
# type = "list"
# about = "Each: volume, storage, and used, allocated, maximum in per cent of the storage volume (maximum 100: without a limit)"
# ///
[CmdletBinding()]
param([int]$full_percent = 90)

Assert-FleetAdministrator
$done = Invoke-FleetNative 'vssadmin.exe' @('list', 'shadowstorage') 60
if (-not $done.Found) { Stop-FleetFailed 'vssadmin.exe is missing' }
if ($done.TimedOut) { Stop-FleetFailed 'vssadmin gave no answer within 60 s' }
# two volumes, one below the other, and three lines with a share of the second in brackets make an association
$volume = '(\\\\\?\\Volume\{[0-9A-Fa-f-]{36}\}\\)\s*$'
$lines = @($done.Output | Where-Object { $_.Trim() })
$full = New-Object Collections.ArrayList
for ($at = 0; $at -lt $lines.Count - 4; $at++) {
    if ($lines[$at] -notmatch $volume) { continue }
    $found = @{ volume = $Matches[1] }
    if ($lines[$at + 1] -notmatch $volume) { continue }
    $found.storage = $Matches[1]
    $shares = @($lines[($at + 2)..($at + 4)] | ForEach-Object { [regex]::Match($_, '\(\s*%?\s*([0-9]{1,3})\s*%?\s*\)\s*$') } | Where-Object { $_.Success } | ForEach-Object { [int]$_.Groups[1].Value })
    if ($shares.Count -ne 3) { Stop-FleetFailed "vssadmin gave no shares for $($found.volume)" }
    $found.used, $found.allocated, $found.maximum = $shares
    Add-FleetItem 'associations' $found
    # per cent are whole numbers: of a maximum below ten of them nothing can be told
    if ($found.maximum -ge 10 -and 100 * $found.used -ge $full_percent * $found.maximum) { [void]$full.Add("$($found.volume): $($found.used) % of $($found.maximum) % used") }
    $at += 4
}
if (-not $FleetReply.data.ContainsKey('associations')) {
    Add-FleetData 'associations' @()
    # exit code 1: nothing is there to be listed; 2: vssadmin itself failed
    if (0, 1 -notcontains $done.ExitCode) { Stop-FleetFailed "vssadmin could not list the storage (exit code $($done.ExitCode))" }
    Set-FleetOk 'no storage is set aside; Windows makes it when it needs it'
    return
}
if ($full.Count) { Stop-FleetFailed "the storage for shadow copies is full: $($full -join '; ')" }
Set-FleetOk "$($FleetReply.data.associations.Count) storage areas for shadow copies have room"
