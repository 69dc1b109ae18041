# /// fleet
# kind = "check"
# title = "What the MARS agent is to back up lies on drives, and in files, that it can back up"
# about = "Takes what is protected from the policy of the agent (Get-OBPolicy, Get-OBFileSpec, in a PowerShell of its own) or from paths. Each drive of it has to be a fixed one, there, writable, unlocked, and NTFS. Below it, for a bounded time, looks for files that are left out: links, files that live in the cloud (Offline, RecallOnOpen, RecallOnDataAccess), and encrypted sparse ones. Counts them and names none. A deduplicated file is no link here: the agent reads those. Hard links and compressed or sparse streams have no attribute, and are not seen."
# severity = "warning"
# idempotent = "yes"
# timeout = 300
# needs = ["admin"]
#
# [params.paths]
# type = "list"
# default = []
# about = "Folders or drives that are to be backed up; empty: as the policy says"
#
# [params.seconds]
# type = "int"
# default = 60
# minimum = 0
# maximum = 180
# about = "How long to look for files in all; 0: look at drives only"
#
# [returns.drives]
# type = "list"
# about = "Each path that is protected: path, problem (empty for none)"
# [returns.files]
# type = "list"
# about = "Each path below which files are left out: path, cloud, links, encrypted_sparse"
# [returns.looked]
# type = "int"
# about = "How many files and folders were looked at"
# [returns.complete]
# type = "bool"
# about = "Whether the time was enough for all"
# ///
[CmdletBinding()]
param([object[]]$paths = @(), [int]$seconds = 60)

function Get-ProtectedPath {
    # What the policy names: Path, Exclude, Recursive. Written in base64, because nobody knows the code page; exit codes of our own.
    $windows = [string](Get-FleetRegistryValue 'HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion' 'SystemRoot').Value
    if (-not $windows) { $windows = 'C:\Windows' }
    $manifest = "$(Get-FleetMarsFolder)\bin\Modules\MSOnlineBackup\MSOnlineBackup.psd1".Replace("'", "''")
    $command = "`$ErrorActionPreference = 'Stop'; try { Import-Module -Name '$manifest' } catch { exit 17 }; " +
    'try { $policy = Get-OBPolicy; if (-not $policy) { exit 18 }; foreach ($spec in @($policy | Get-OBFileSpec)) { foreach ($path in @($spec.FileSpec)) { ' +
    "'fleet ' + [int][bool]`$spec.IsExclude + [int][bool]`$spec.IsRecursive + ' ' + [Convert]::ToBase64String([Text.Encoding]::Unicode.GetBytes([string]`$path)) } } } catch { exit 19 }"
    $done = Invoke-FleetNative "$windows\System32\WindowsPowerShell\v1.0\powershell.exe" @('-NoProfile', '-NonInteractive', '-ExecutionPolicy', 'Bypass', '-Command', $command) 90
    $else = 'say what is protected: -p paths=...'
    if (-not $done.Found) { Stop-FleetFailed "powershell.exe is missing, so the policy can't be read; $else" }
    if ($done.TimedOut) { Stop-FleetFailed "the policy could not be read within 90 s; $else" }
    if ($done.ExitCode -eq 17) { Stop-FleetFailed "the module of the agent does not load, so the policy can't be read (fleet check mars-module); $else" }
    if ($done.ExitCode -eq 18) { Stop-FleetSkipped 'the MARS agent has no policy: nothing is backed up yet' }
    if ($done.ExitCode -ne 0) { Stop-FleetFailed "the agent did not give its policy (exit code $($done.ExitCode)); $else" }
    foreach ($line in $done.Output) {
        if ($line -notmatch '^fleet ([01])([01]) ([A-Za-z0-9+/=]+)$') { continue }
        New-Object PSObject -Property @{ Exclude = $Matches[1] -eq '1'; Recursive = $Matches[2] -eq '1'; Path = [Text.Encoding]::Unicode.GetString([Convert]::FromBase64String($Matches[3])) }
    }
}

function Get-DriveProblem([string]$Path, $Drives) {
    if ($Path -match '^\\\\\?\\') { return '' }     # a volume by its id has no letter to be asked by
    if ($Path -like '\\*') { return 'a network share' }
    if ($Path -notmatch '^[A-Za-z]:') { return 'no path of a drive' }
    $name = $Path.Substring(0, 2)
    $drive = $Drives | Where-Object { $_.Name -eq $name } | Select-Object -First 1
    if ($null -eq $drive) { return "there is no drive $name (offline, or deleted)" }
    if ($drive.Problem -eq '0x80310000') { return 'locked by BitLocker' }
    if ($drive.DriveType -ne 'Fixed') { return "no fixed drive ($($drive.DriveType))" }
    if ($drive.Problem) { return "can't be read ($($drive.Problem))" }
    if ($drive.Format -ne 'NTFS') { return "$($drive.Format), not NTFS" }
    if ($drive.ReadOnly) { return 'read-only' }
    ''
}

function Test-Excluded([string]$Path, $Excluded) {
    foreach ($each in $Excluded) {
        if ($Path -eq $each -or $Path.StartsWith("$each\", [StringComparison]::OrdinalIgnoreCase)) { return $true }
        if ($each.IndexOf('*') -ge 0 -and $Path -like ($each -replace '([\[\]`])', '`$1')) { return $true }
    }
    $false
}

Assert-FleetAdministrator
if ($null -eq (Get-FleetService 'obengine')) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
$specs = @(if ($paths.Count) { foreach ($path in $paths) { New-Object PSObject -Property @{ Path = [string]$path; Exclude = $false; Recursive = $true } } } else { Get-ProtectedPath })
$included = @($specs | Where-Object { -not $_.Exclude })
$excluded = @($specs | Where-Object { $_.Exclude } | ForEach-Object { $_.Path.TrimEnd('\') })
Add-FleetData 'drives' @()
Add-FleetData 'files' @()
Add-FleetData 'looked' 0
Add-FleetData 'complete' $true
if (-not $included.Count) { Stop-FleetSkipped 'no file or folder is protected (perhaps the system state only)' }

$drives = @(Get-FleetDrive)
$problems = New-Object Collections.ArrayList
$sound = New-Object Collections.ArrayList
foreach ($spec in $included) {
    $problem = Get-DriveProblem $spec.Path $drives
    $FleetReply.data.drives += @(@{ path = $spec.Path; problem = $problem })
    if ($problem) { [void]$problems.Add("$($spec.Path): $problem") }
    elseif ($spec.Recursive -and $spec.Path -match '^[A-Za-z]:[^*]*$') { [void]$sound.Add($spec.Path.TrimEnd('\')) }
}

# all bits of the first number and none of the second: OneDrive and the like, links but not deduplicated files, encrypted and sparse
$marks = 0x1000, 0, 0x40000, 0, 0x400000, 0, 0x4200, 0, 0x400, 0x200
$end = (Get-FleetTime) + $seconds
foreach ($root in @($sound | Sort-Object -Unique | Where-Object { $seconds })) {
    if (Test-Excluded $root @($sound | Where-Object { $_ -ne $root })) { continue }      # part of another one
    $walk = Find-FleetMarkedFile $root $marks ([int][Math]::Max(0, $end - (Get-FleetTime)))
    $FleetReply.data.looked += $walk.Looked
    if (-not $walk.Complete) { $FleetReply.data.complete = $false }
    $count = @{ path = $root; cloud = 0; links = 0; encrypted_sparse = 0 }
    foreach ($file in $walk.Found) {
        if (Test-Excluded $file.Path $excluded) { continue }
        if ($file.Attributes -band 0x441000) { $count.cloud++ } elseif (($file.Attributes -band 0x4200) -eq 0x4200) { $count.encrypted_sparse++ } else { $count.links++ }
    }
    if (-not ($count.cloud + $count.links + $count.encrypted_sparse)) { continue }
    $FleetReply.data.files += @($count)
    [void]$problems.Add("below ${root}: $($count.cloud) files of a cloud drive, $($count.links) links, $($count.encrypted_sparse) encrypted sparse files")
}
$part = if ($FleetReply.data.complete) { '' } else { "; the time was enough for $($FleetReply.data.looked) files, not for all" }
if ($problems.Count) { Stop-FleetFailed "what is to be backed up has parts that can't be: $($problems -join '; ')$part" }
Set-FleetOk "$($included.Count) protected paths lie on drives that can be backed up, and no file that can't was seen$part"
