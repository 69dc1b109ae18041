# /// fleet
# kind = "check"
# title = "The last backup of the MARS agent ended without errors and warnings"
# about = "The newest event of the log CloudBackup/Operational that tells how a job ended, by number: 3 completed, 10 with warnings, 11 with errors, 18 could not begin. After warnings also the codes of the files that were left out, without their names."
# severity = "warning"
# idempotent = "yes"
# timeout = 60
# needs = ["admin"]
#
# [params.hours]
# type = "int"
# default = 192
# minimum = 1
# maximum = 720
# about = "How far back to look: a week and a day, because a policy may back up once a week"
#
# [returns.event]
# type = "int"
# about = "Number of the event; null where there is none"
#
# [returns.time]
# type = "str"
# about = "When the job ended (UTC); empty where there is no event"
#
# [returns.failed_files]
# type = "list"
# about = "Codes in the newest list of files that were left out, each with how often it stands there; only after warnings or errors"
# ///
[CmdletBinding()]
param([int]$hours = 192)

# as public monitoring scripts list the events of the agent (BACKUP_SUCCESS_STOP, BACKUP_WARNING_STOP, BACKUP_ERROR_STOP, SCHEDULE_BACKUP_FAILED)
$meanings = @{ 3 = 'completed'; 10 = 'completed with warnings'; 11 = 'completed with errors'; 18 = 'could not begin' }

function Get-FailedFileCode([string]$Ended) {
    # The documents spell the folder with Services and with Service. A list that is more than a day away is of another job.
    $time = [Xml.XmlConvert]::ToDateTime(($Ended -replace '\..*$', 'Z'), [Xml.XmlDateTimeSerializationMode]::Utc)
    $end = ($time - (New-Object DateTime 1970, 1, 1, 0, 0, 0, ([DateTimeKind]::Utc))).TotalSeconds
    foreach ($folder in @(Get-FleetMarsFolder) + 'C:\Program Files\Microsoft Azure Recovery Service Agent' | ForEach-Object { "$_\Temp" }) {
        $newest = Get-FleetFolderItem $folder | Where-Object { $_.Name -like 'LastBackupFailedFiles*.txt' -and [Math]::Abs($_.Changed - $end) -lt 86400 } | Sort-Object Changed | Select-Object -Last 1
        if (-not $newest) { continue }
        return [regex]::Matches((Get-FleetFileText "$folder\$($newest.Name)"), '\b0x[0-9A-Fa-f]{8}\b') | Group-Object Value | Sort-Object Count -Descending | ForEach-Object { @{ code = $_.Name.ToLowerInvariant(); count = $_.Count } }
    }
}

Assert-FleetAdministrator
if ($null -eq (Get-FleetService 'obengine')) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
Add-FleetData 'event' $null
Add-FleetData 'time' ''
Add-FleetData 'failed_files' @()
$query = "*[System[($(@($meanings.Keys | Sort-Object | ForEach-Object { "EventID=$_" }) -join ' or ')) and TimeCreated[timediff(@SystemTime) <= $(3600000 * $hours)]]]"
$done = Invoke-FleetNative 'wevtutil.exe' @('qe', 'CloudBackup/Operational', "/q:$query", '/f:xml', '/c:20', '/rd:true') 30
if (-not $done.Found) { Stop-FleetFailed 'wevtutil.exe is missing, so the last job is not known' }
$problem = if ($done.TimedOut) { 'no answer within 30 s' } elseif ($done.ExitCode -ne 0) { "exit code $($done.ExitCode)" } else { '' }
if ($problem) { Stop-FleetFailed "the log CloudBackup/Operational can't be read ($problem), so the last job is not known" }
$last = ($done.Output -join "`n") -split '(?<=</Event>)' | Where-Object { $_ -match '<EventID' } | ForEach-Object { ConvertFrom-FleetEvent $_ } | Sort-Object Time | Select-Object -Last 1
if (-not $last) { Stop-FleetFailed "no backup of the MARS agent ended within $hours h" }
Add-FleetData 'event' $last.Id
Add-FleetData 'time' $last.Time
$text = "the last backup $($meanings[$last.Id]) (event $($last.Id), $($last.Time))"
if ($last.Id -eq 3) { Set-FleetOk $text; return }
$codes = @(Get-FailedFileCode $last.Time)
Add-FleetData 'failed_files' $codes
Stop-FleetFailed "$text$(if ($codes.Count) { "; files left out: $(@($codes | ForEach-Object { "$($_.count) with $($_.code)" }) -join ', ')" })"
