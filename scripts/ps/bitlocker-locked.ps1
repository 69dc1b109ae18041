# /// fleet
# kind = "check"
# title = "No volume is locked by BitLocker"
# about = "Asks manage-bde, and reads no word of it: of a locked volume it can't tell how much is encrypted, so the line with the per cent sign holds no number. Keys are never read. Volumes of Azure Disk Encryption are listed too."
# severity = "error"
# idempotent = "yes"
# timeout = 120
# needs = ["admin"]
#
# [returns.volumes]
# type = "list"
# about = "Each volume: name, encrypted (per cent; null when locked), locked"
# ///
[CmdletBinding()]
param()

Assert-FleetAdministrator
$done = Invoke-FleetNative 'manage-bde.exe' @('-status') 90
if (-not $done.Found) { Stop-FleetSkipped 'BitLocker is not installed here' }
if ($done.TimedOut) { Stop-FleetFailed 'manage-bde gave no answer within 90 s' }
$volume = ''
$locked = New-Object Collections.ArrayList
foreach ($line in $done.Output) {
    # a volume begins at the left with its letter or path and its label in square brackets
    if ($line -match '^\S.*?([A-Za-z]:|\\\\\?\\Volume\{[0-9A-Fa-f-]{36}\}\\?)["\u201c\u201d\u00bb]?\s*\[.*\]\s*$') { $volume = $Matches[1]; continue }
    if (-not $volume -or $line -notmatch '^\s+[^:\uff1a]+[:\uff1a](.*%.*)$') { continue }
    $share = [regex]::Match($Matches[1], '[0-9]+([.,][0-9]+)?').Value -replace ',', '.'
    Add-FleetItem 'volumes' @{ name = $volume; encrypted = $(if ($share) { [double]$share } else { $null }); locked = -not $share }
    if (-not $share) { [void]$locked.Add($volume) }
    $volume = ''
}
if (-not $FleetReply.data.ContainsKey('volumes')) { Stop-FleetFailed "manage-bde listed no volumes (exit code $($done.ExitCode))" }
if ($locked.Count) { Stop-FleetFailed "locked by BitLocker: $($locked -join ', ')" }
Set-FleetOk "$($FleetReply.data.volumes.Count) volumes, none locked"
