# /// fleet
# kind = "check"
# title = "The file system of a volume has no errors"
# about = "Runs chkdsk without a switch, which changes nothing, and goes by its exit code: 0 none, 2 only what a cleanup would do, 3 errors, or the volume could not be looked at. On a volume in use it may see errors where only a file was just being written: look twice before a repair. It reads all of the file table, which takes long on large volumes."
# severity = "error"
# idempotent = "yes"
# timeout = 3600
# needs = ["admin"]
#
# [params.drives]
# type = "list"
# required = true
# pattern = '[A-Za-z]:'
# about = "Drives to look at, such as D:"
#
# [params.minutes]
# type = "int"
# default = 30
# minimum = 1
# maximum = 55
# about = "How long all of it may take"
#
# [returns.volumes]
# type = "list"
# about = "Each drive: drive, exit_code (null: did not end in time)"
# ///
[CmdletBinding()]
param([Parameter(Mandatory = $true)][object[]]$drives, [int]$minutes = 30)

Assert-FleetAdministrator
$end = (Get-FleetTime) + 60 * $minutes
$problems = New-Object Collections.ArrayList
foreach ($drive in @($drives | Sort-Object -Unique)) {
    $left = [int]($end - (Get-FleetTime))
    if ($left -lt 1) { [void]$problems.Add("${drive}: not looked at, the $minutes minutes are over"); continue }
    $done = Invoke-FleetNative 'chkdsk.exe' @($drive) $left
    if (-not $done.Found) { Stop-FleetFailed 'chkdsk.exe is missing' }
    Add-FleetItem 'volumes' @{ drive = $drive; exit_code = $done.ExitCode }
    if ($done.TimedOut) { [void]$problems.Add("${drive}: chkdsk did not end in time (minutes)") }
    elseif ($done.ExitCode -eq 3) { [void]$problems.Add("$drive has errors, or could not be looked at (exit code 3)") }
    elseif (0, 2 -notcontains $done.ExitCode) { [void]$problems.Add("${drive}: chkdsk ended with exit code $($done.ExitCode)") }
}
if ($problems.Count) { Stop-FleetFailed ($problems -join '; ') }
Set-FleetOk "chkdsk sees no errors on $(@($drives | Sort-Object -Unique) -join ', ')"
