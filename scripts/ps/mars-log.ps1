# /// fleet
# kind = "check"
# title = "The logs of the MARS agent have no known sign of a fault"
# about = "Looks for the error codes of the documents in the end of CBEngineCurr.errlog, in the folder Temp where the agent is installed, and in the events of CloudBackup/Operational; names the runbook that answers each. By code and number only; nothing of a line is taken along. Without codes, those of single files count for nothing: mars-last-job counts the files. Lines of the log have no year and no zone: 14 hours older than asked for may be in."
# severity = "warning"
# idempotent = "yes"
# timeout = 120
# needs = ["admin"]
#
# [params.hours]
# type = "int"
# default = 48
# minimum = 1
# maximum = 720
# about = "How far back to look"
#
# [params.codes]
# type = "list"
# default = []
# pattern = '-?[0-9A-Za-z_]{3,80}'
# about = "Codes to look for, in any form, such as 34513; those of the same fault count too; empty: all that are known"
#
# [params.tail_kilobytes]
# type = "int"
# default = 4096
# minimum = 64
# maximum = 65536
# about = "How much of the end of the log is read"
#
# [params.events]
# type = "int"
# default = 500
# minimum = 10
# maximum = 5000
# about = "How many events, the newest first"
#
# [returns.signatures]
# type = "list"
# about = "Each code that was found: code, runbook (empty where none answers it), times, last (UTC for an event; as the log has it otherwise; empty where nothing tells), source (log or event)"
#
# [returns.looked]
# type = "list"
# about = "What was looked at: the path of the log with the bytes read, the name of the channel with the number of events"
# ///
[CmdletBinding()]
param([int]$hours = 48, [object[]]$codes = @(), [int]$tail_kilobytes = 4096, [int]$events = 500)

# runbooks and their codes, as fleet explain knows them; a test compares both
$books = @{
    'mars-activation-incomplete-0x1fc07' = '0x1FC07', '130055'
    'mars-connect-failed-100050' = '100050', '0x186D2', '407'
    'mars-invalid-vault-credentials-34513' = '34513', '0x86D1'
    'mars-passphrase-misconfigured-34506' = '34506', '0x86CA'
    'mars-resource-not-provisioned-230006' = '230006', '0x38276'
    'mars-sal-bitmap-error' = 'SalBitmapError', ''
    'mars-sal-checksum-store-init-failed' = 'SalChecksumStoreInitializationFailed', ''
    'mars-sal-low-disk-space' = 'SalLowDiskSpace', ''
    'mars-sal-vhd-init-error' = 'SalVhdInitializationError', ''
    'mars-vault-credential-download-403' = '403', ''
    'mars-vault-credential-wrong-vault-100110' = '100110', '0x1870E'
    'mars-warning-0x80070002-file-not-found' = '0x80070002', '0x80070003'
    'mars-warning-0x80070005-access-denied' = '0x80070005', ''
    'mars-warning-0x8007018b-cloud-file' = '0x8007018b', 'ERROR_CLOUD_FILE_ACCESS_DENIED'
    'mars-warning-0x80070570-corrupt-file' = '0x80070570', ''
}
# as public monitoring scripts list the events of the agent: CBP_VERSION_UPGRADE_NTF_EVENT
$numbers = @{ 14 = 'mars-agent-version-current' }

function Get-Key([string]$Code) {
    # One form for 0x80070570 and -2147023504, and for any number of zeros.
    if ($Code -match '^-[0-9]{9,10}$') { return '0x{0:x}' -f ([long]$Code + 4294967296) }
    if ($Code -match '^0x0*([0-9a-f]{1,8})$') { return "0x$($Matches[1])".ToLowerInvariant() }
    $Code
}

function Get-Wanted {
    # Key of each code to look for -> its runbook.
    $all = @{}
    foreach ($book in $books.Keys) { foreach ($code in @($books[$book] | Where-Object { $_ })) { $all[(Get-Key $code)] = $book } }
    $asked = @($codes | ForEach-Object { Get-Key $_ })
    $of = @($asked | ForEach-Object { $all[$_] } | Where-Object { $_ })
    $wanted = @{}
    foreach ($key in $all.Keys) { if (($asked.Count -and $of -contains $all[$key]) -or (-not $asked.Count -and $all[$key] -notlike 'mars-warning-*')) { $wanted[$key] = $all[$key] } }
    foreach ($key in $asked) { if (-not $wanted.ContainsKey($key)) { $wanted[$key] = '' } }
    $wanted
}

function Get-Pattern([hashtable]$Wanted) {
    # From right to left: the newest come first. Plain numbers count behind "ID", those of five digits and more as a whole value of
    # an event too, and 407 where .NET writes the status of an answer, (407), in every language.
    $hex = @($Wanted.Keys | Where-Object { $_ -like '0x*' } | ForEach-Object { $_.Substring(2) })
    $numbers = @($Wanted.Keys | Where-Object { $_ -match '^[0-9]+$' })
    $long = @($numbers | Where-Object { $_.Length -ge 5 })
    $parts = @(
        if ($hex.Count) { "(?i:\b0x0*(?:$($hex -join '|'))\b)" }
        $signed = @($hex | Where-Object { $_ -match '^[89a-f].{7}$' } | ForEach-Object { [string](4294967296 - [Convert]::ToInt64($_, 16)) })
        if ($signed.Count) { "(?<![\w-])-(?:$($signed -join '|'))\b" }
        if ($numbers.Count) { "(?i:\bID)\b[ :=#]{0,3}(?:$($numbers -join '|'))\b" }
        if ($long.Count) { "(?<=[>`"'])(?:$($long -join '|'))(?=[<`"'])" }
        if ($numbers -contains '407') { '\(407\)' }
        $names = @($Wanted.Keys | Where-Object { $_ -match '^[A-Za-z]' })
        if ($names.Count) { "\b(?:$($names -join '|'))\b" }
    )
    New-Object regex ($parts -join '|'), ([Text.RegularExpressions.RegexOptions]'RightToLeft, CultureInvariant')
}

function Add-Found([hashtable]$Found, [string]$Text, [string]$Book, [string]$Source, [string]$Time) {
    $key = "$Source $Text"
    if ($Found.ContainsKey($key)) { $Found[$key].times++ } else { $Found[$key] = @{ code = $Text; runbook = $Book; times = 1; last = $Time; source = $Source } }
}

function ConvertTo-Code([string]$Text) { $Text -replace '^(?i:ID)\b[ :=#]{0,3}' -replace '[()]' }

function Read-Tail($Stream, [int]$Kilobytes) {
    # The end of the log as text. UTF-16 by its mark or by its zeros; of any other encoding the ASCII in it is enough.
    $mark = New-Object byte[] 2
    $marked = $Stream.Read($mark, 0, 2) -eq 2 -and $mark[0] -eq 0xff -and $mark[1] -eq 0xfe
    $start = [Math]::Max([long]0, $Stream.Length - 1024L * $Kilobytes)
    [void]$Stream.Seek($start - $start % 2, 'Begin')
    $bytes = New-Object byte[] (1024 * $Kilobytes)
    $count = 0
    while ($count -lt $bytes.Length) {
        $read = $Stream.Read($bytes, $count, $bytes.Length - $count)
        if ($read -le 0) { break }
        $count += $read
    }
    $zeros = 0
    for ($at = 1; $at -lt [Math]::Min($count, 512); $at += 2) { if ($bytes[$at] -eq 0) { $zeros++ } }
    $encoding = if ($marked -or ($zeros -and 4 * $zeros -ge [Math]::Min($count, 512))) { [Text.Encoding]::Unicode } else { [Text.Encoding]::GetEncoding(28591) }
    New-Object PSObject -Property @{ Bytes = $count; Text = $encoding.GetString($bytes, 0, $count) }
}

function Get-LineTime([string]$Text, [int]$At, [DateTime]$Now) {
    # When the line at this place, or one shortly before it, was written: two numbers of process and thread, then month/day and time;
    # the first line of a file may have a mark before it.
    $from = [Math]::Max(0, $At - 4096)
    $head = [regex]::Match($Text.Substring($from, $At - $from), '(?m)^[^0-9A-Fa-f\r\n]{0,3}[0-9A-Fa-f]{1,8}\s+[0-9A-Fa-f]{1,8}\s+([0-9]{2}/[0-9]{2})\s+([0-9]{2}:[0-9]{2}:[0-9]{2})', [Text.RegularExpressions.RegexOptions]::RightToLeft)
    if (-not $head.Success) { return $null }
    $time = [DateTime]::MinValue
    foreach ($year in $Now.Year, ($Now.Year - 1)) {
        $fits = [DateTime]::TryParseExact("$year/$($head.Groups[1].Value) $($head.Groups[2].Value)", 'yyyy/MM/dd HH:mm:ss', [Globalization.CultureInfo]::InvariantCulture, [Globalization.DateTimeStyles]::None, [ref]$time)
        if ($fits -and $time -le $Now.AddDays(1)) { return $time }
    }
    $null
}

function Find-InLog([hashtable]$Found, [hashtable]$Wanted, $Pattern, [DateTime]$Now) {
    # Gives why the log can't be read, or ''.
    $path = "$(Get-FleetMarsFolder)\Temp\CBEngineCurr.errlog"
    $opened = Open-FleetFile $path
    if ($opened.Problem -eq 'gone') { return '' }
    if ($opened.Problem) { return "$path can't be read ($($opened.Problem))" }
    try { $tail = Read-Tail $opened.Stream $tail_kilobytes } finally { $opened.Stream.Close() }
    Add-FleetItem 'looked' "$path, $($tail.Bytes) bytes"
    $oldest = $Now.AddHours(-$hours - 14)
    $end = (Get-FleetTime) + 30
    $matched = 0
    for ($match = $Pattern.Match($tail.Text); $match.Success; $match = $match.NextMatch()) {
        $time = Get-LineTime $tail.Text $match.Index $Now
        if ($time -and $time -lt $oldest) { break }
        $code = ConvertTo-Code $match.Value
        Add-Found $Found $code $Wanted[(Get-Key $code)] 'log' $(if ($time) { $time.ToString('yyyy-MM-dd HH:mm:ss', [Globalization.CultureInfo]::InvariantCulture) } else { '' })
        if (++$matched -ge 5000 -or (Get-FleetTime) -ge $end) { break }
    }
    ''
}

function Find-InEvent([hashtable]$Found, [hashtable]$Wanted, $Pattern) {
    # Gives why the events can't be read, or ''. 15007: there is no such channel.
    $query = "*[System[TimeCreated[timediff(@SystemTime) <= $(3600000 * $hours)]]]"
    $done = Invoke-FleetNative 'wevtutil.exe' @('qe', 'CloudBackup/Operational', "/q:$query", '/f:xml', "/c:$events", '/rd:true') 30
    if ($done.ExitCode -eq 15007) { return '' }
    if (-not $done.Found) { return 'wevtutil.exe is missing' }
    if ($done.TimedOut) { return 'CloudBackup/Operational gave no answer within 30 s' }
    if ($done.ExitCode -ne 0) { return "CloudBackup/Operational can't be read (exit code $($done.ExitCode))" }
    $xmls = @(($done.Output -join "`n") -split '(?<=</Event>)' | Where-Object { $_ -match '<EventID' })
    Add-FleetItem 'looked' "CloudBackup/Operational, $($xmls.Count) events"
    foreach ($xml in $xmls) {
        $event = ConvertFrom-FleetEvent $xml
        # what stands in <System> is the record's own: numbers of processes, keywords in hexadecimal
        $body = [regex]::Match($xml, '(?s)</System>(.*)$').Groups[1].Value
        foreach ($match in $Pattern.Matches($body)) {
            $code = ConvertTo-Code $match.Value
            Add-Found $Found $code $Wanted[(Get-Key $code)] 'event' $event.Time
        }
        if (-not $codes.Count -and $numbers.ContainsKey($event.Id)) { Add-Found $Found "event $($event.Id)" $numbers[$event.Id] 'event' $event.Time }
    }
    ''
}

Assert-FleetAdministrator
if ($null -eq (Get-FleetService 'obengine')) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
Add-FleetData 'looked' (New-Object Collections.ArrayList)
$wanted = Get-Wanted
$pattern = Get-Pattern $wanted
$found = @{}
$now = (New-Object DateTime 1970, 1, 1, 0, 0, 0, ([DateTimeKind]::Utc)).AddSeconds((Get-FleetSystem).Epoch)
$problems = @((Find-InLog $found $wanted $pattern $now), (Find-InEvent $found $wanted $pattern) | Where-Object { $_ })
$all = @($found.Values | Sort-Object { $_.source }, { $_.code })
Add-FleetData 'signatures' $all
$rest = if ($problems.Count) { "; $($problems -join '; ')" } else { '' }
if ($all.Count) { Stop-FleetFailed "within $hours h: $(@($all | ForEach-Object { "$($_.code)$(if ($_.runbook) { " (fleet explain $($_.runbook))" }) $($_.times) times$(if ($_.last) { ", last $($_.last)" }), in the $($_.source)" }) -join '; ')$rest" }
if ($problems.Count) { Stop-FleetFailed ($problems -join '; ') }
if (-not $FleetReply.data.looked.Count) { Stop-FleetSkipped "the agent has written no log yet: neither CBEngineCurr.errlog nor the channel CloudBackup/Operational is there" }
Set-FleetOk "$(if ($codes.Count) { "none of $($codes -join ', ')" } else { 'no known sign of a fault' }) within $hours h in $($FleetReply.data.looked -join ' and ')"
