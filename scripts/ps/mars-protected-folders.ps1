# /// fleet
# kind = "check"
# title = "No folder that the MARS agent protects was made anew since its last good backup"
# about = "When a folder that the policy names is deleted and made anew under its name, the agent warns of a critical inconsistency. The policy is asked as Microsoft describes it, by Get-OBPolicy and Get-OBFileSpec in a PowerShell of its own; a folder that was made after the last backup without warnings (event 3) is found. One that is new in the policy looks the same until it was backed up once. Volumes, files and patterns are left aside."
# severity = "warning"
# idempotent = "yes"
# timeout = 180
# needs = ["admin"]
#
# [returns.folders]
# type = "list"
# about = "Folders that the policy names"
# [returns.missing]
# type = "list"
# about = "Those that are not there"
# [returns.made_anew]
# type = "list"
# about = "Those that are younger than the last good backup"
# [returns.last_good]
# type = "str"
# about = "When that ended, in UTC; empty where the log knows of none"
# ///
[CmdletBinding()]
param()

Assert-FleetAdministrator
if ($null -eq (Get-FleetService 'obengine')) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
Add-FleetData 'folders' @()
Add-FleetData 'missing' @()
Add-FleetData 'made_anew' @()
Add-FleetData 'last_good' ''
$windows = [string](Get-FleetRegistryValue 'HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion' 'SystemRoot').Value
if (-not $windows) { $windows = 'C:\Windows' }
$manifest = "$(Get-FleetMarsFolder)\bin\Modules\MSOnlineBackup\MSOnlineBackup.psd1".Replace("'", "''")
# each path as base64, which no code page of a console changes
$command = "`$ErrorActionPreference = 'Stop'; try { Import-Module -Name '$manifest'; Get-OBPolicy | Where-Object { `$_ } | Get-OBFileSpec | Where-Object { -not `$_.IsExclude } | ForEach-Object { 'path=' + [Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes([string]`$_.FileSpec)) } } catch { exit 17 }"
$done = Invoke-FleetNative "$windows\System32\WindowsPowerShell\v1.0\powershell.exe" @('-NoProfile', '-NonInteractive', '-ExecutionPolicy', 'Bypass', '-Command', $command) 90
if (-not $done.Found -or $done.TimedOut -or $done.ExitCode -ne 0) { Stop-FleetSkipped 'the agent does not say what its policy is (Get-OBPolicy): mars-module looks at its cmdlets' }
$named = @($done.Output | ForEach-Object { [regex]::Match($_, '^path=([A-Za-z0-9+/=]+)\s*$') } | Where-Object { $_.Success } | ForEach-Object { [Text.Encoding]::UTF8.GetString([Convert]::FromBase64String($_.Groups[1].Value)).TrimEnd('\') })
$folders = @($named | Where-Object { $_ -match '^[A-Za-z]:\\[^*?]+$' } | Sort-Object -Unique)
Add-FleetData 'folders' $folders
if (-not $folders.Count) { Stop-FleetSkipped "the policy of the agent names no folder by its path ($($named.Count) entries in all)" }

$done = Invoke-FleetNative 'wevtutil.exe' @('qe', 'CloudBackup/Operational', '/q:*[System[(EventID=3)]]', '/f:xml', '/c:1', '/rd:true') 30
$last = if ($done.ExitCode -eq 0) { ($done.Output -join "`n") -split '(?<=</Event>)' | Where-Object { $_ -match '<EventID' } | ForEach-Object { ConvertFrom-FleetEvent $_ } | Sort-Object Time | Select-Object -Last 1 }
if (-not $last) { Stop-FleetSkipped 'the log CloudBackup/Operational knows of no backup without warnings, so nothing can be compared' }
Add-FleetData 'last_good' $last.Time
$end = ([Xml.XmlConvert]::ToDateTime(($last.Time -replace '\..*$', 'Z'), [Xml.XmlDateTimeSerializationMode]::Utc) - (New-Object DateTime 1970, 1, 1, 0, 0, 0, ([DateTimeKind]::Utc))).TotalSeconds
$missing, $anew = @(), @()
foreach ($folder in $folders) {
    $birth = Get-FleetFolderBirth $folder
    if ($null -eq $birth) { $missing += $folder } elseif ($birth -gt $end) { $anew += $folder }
}
Add-FleetData 'missing' $missing
Add-FleetData 'made_anew' $anew
$more = if ($missing.Count) { "; not there, or no folders: $($missing -join ', ')" } else { '' }
if ($anew.Count) { Stop-FleetFailed "made after the last backup without warnings ($($last.Time)): $($anew -join ', ')$more" }
Set-FleetOk "none of the $($folders.Count) folders of the policy was made after the last backup without warnings ($($last.Time))$more"
