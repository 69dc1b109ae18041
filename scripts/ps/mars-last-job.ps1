# /// fleet
# kind = "check"
# title = "The last backup of the MARS agent ended without errors and warnings"
# about = "The newest event of the log CloudBackup/Operational that tells how a job ended, by number: 3 completed, 10 with warnings, 11 with errors, 18 could not begin. After warnings also the codes of the files that were left out, and their drives, without their names. With codes: fails only where one of these stands there."
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
# [params.codes]
# type = "list"
# default = []
# pattern = '0[xX][0-9A-Fa-f]{8}'
# about = "Codes to look for, such as 0x80070570; empty: every warning and error counts"
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
# about = "Codes in the newest list of files that were left out, each with how often it stands there; and its drives; only after warnings or errors"
# ///
[CmdletBinding()]
param([int]$hours = 192, [object[]]$codes = @())

# as public monitoring scripts list the events of the agent (BACKUP_SUCCESS_STOP, BACKUP_WARNING_STOP, BACKUP_ERROR_STOP, SCHEDULE_BACKUP_FAILED)
$meanings = @{ 3 = 'completed'; 10 = 'completed with warnings'; 11 = 'completed with errors'; 18 = 'could not begin' }

function Get-FailedFileCode([string]$Ended) {
    # The documents spell the folder with Services and with Service. A list that is more than a day away is of another job.
    $time = [Xml.XmlConvert]::ToDateTime(($Ended -replace '\..*$', 'Z'), [Xml.XmlDateTimeSerializationMode]::Utc)
    $end = ($time - (New-Object DateTime 1970, 1, 1, 0, 0, 0, ([DateTimeKind]::Utc))).TotalSeconds
    foreach ($folder in @(Get-FleetMarsFolder) + 'C:\Program Files\Microsoft Azure Recovery Service Agent' | ForEach-Object { "$_\Temp" }) {
        $newest = Get-FleetFolderItem $folder | Where-Object { $_.Name -like 'LastBackupFailedFiles*.txt' -and [Math]::Abs($_.Changed - $end) -lt 86400 } | Sort-Object Changed | Select-Object -Last 1
        if (-not $newest) { continue }
        $found = foreach ($line in (Get-FleetFileText "$folder\$($newest.Name)") -split '\r?\n') {
            $drive = [regex]::Match($line, '(?<![A-Za-z])([A-Za-z]:)\\').Groups[1].Value.ToUpperInvariant()
            foreach ($code in [regex]::Matches($line, '\b0x[0-9A-Fa-f]{8}\b')) { New-Object PSObject -Property @{ Code = $code.Value.ToLowerInvariant(); Drive = $drive } }
        }
        return $found | Where-Object { $_ } | Group-Object Code | Sort-Object Count -Descending | ForEach-Object { @{ code = $_.Name; count = $_.Count; drives = @($_.Group | ForEach-Object { $_.Drive } | Where-Object { $_ } | Sort-Object -Unique) } }
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
if (-not $last -and $codes.Count) { Stop-FleetSkipped "no backup of the MARS agent ended within $hours h, so there is no list of files that were left out" }
if (-not $last) { Stop-FleetFailed "no backup of the MARS agent ended within $hours h" }
Add-FleetData 'event' $last.Id
Add-FleetData 'time' $last.Time
$text = "the last backup $($meanings[$last.Id]) (event $($last.Id), $($last.Time))"
if ($last.Id -eq 3) { Set-FleetOk $text; return }
$left = @(Get-FailedFileCode $last.Time)
Add-FleetData 'failed_files' $left
if (-not $codes.Count) { Stop-FleetFailed "$text$(if ($left.Count) { "; files left out: $(@($left | ForEach-Object { "$($_.count) with $($_.code)" }) -join ', ')" })" }
# an error before the first file leaves no list; after warnings there has to be one
if (-not $left.Count -and $last.Id -eq 10) { Stop-FleetFailed "$text, but there is no list of the files that it left out: $(Get-FleetMarsFolder)\Temp\LastBackupFailedFiles*.txt" }
$wanted = @($left | Where-Object { $codes -contains $_.code })
if (-not $wanted.Count) { Set-FleetOk "$text; it left out no file with $($codes -join ' or ')"; return }
Stop-FleetFailed "$text; files left out: $(@($wanted | ForEach-Object { "$($_.count) with $($_.code)$(if ($_.drives.Count) { " on $($_.drives -join ', ')" })" }) -join ', ')"
