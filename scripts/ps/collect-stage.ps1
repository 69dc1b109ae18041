# /// fleet
# kind = "collect"
# title = "Puts what a bundle asks for into one compressed file, in a folder of its own"
# about = "Reads files, runs commands and queries logs, each within its limits; changes nothing but for the folder, which collect-clean removes. A record of the file pack begins with F NUMBER KIND SIZE PLAIN TAKEN CODE, with tabs between, then SIZE bytes of gzip; M NUMBER CODE says what is missing and why; E ends it."
# timeout = 1800
# needs = ["root", "admin"]
#
# [params.stage]
# type = "str"
# required = true
# pattern = "[0-9a-z]{20}"
# about = "Name of the folder, which must not be there"
# [params.files]
# type = "list"
# default = []
# about = "NUMBER, MAXBYTES and PATH, with tabs between; of a larger file the end is taken. In texts every byte outside 0x21-0x7e, and the percent sign, is %XX"
# [params.commands]
# type = "list"
# default = []
# about = "NUMBER, SECONDS, MAXBYTES, program and arguments; no shell reads them"
# [params.events]
# type = "list"
# default = []
# about = "NUMBER, MAXBYTES, LOG and PROVIDER:ID,ID;PROVIDER: and so on; none: all. On Linux the log is journal, and providers are units, or kernel"
# [params.since]
# type = "int"
# default = 0
# minimum = 0
# about = "Only events since then, seconds since 1970 UTC; 0: all"
# [params.room]
# type = "int"
# required = true
# minimum = 1
# maximum = 1099511627776
# about = "Bytes that the pack may have"
# [params.evtx]
# type = "bool"
# default = true
# about = "Windows: whether events are taken in the format of Windows, too"
#
# [returns.size]
# type = "int"
# about = "Bytes of the pack"
# [returns.left]
# type = "list"
# about = "Folders that collections left here more than a day ago, which were removed, or why not"
# ///
[CmdletBinding()]
param([Parameter(Mandatory = $true)][string]$stage, [object[]]$files = @(), [object[]]$commands = @(), [object[]]$events = @(), [int]$since = 0, [Parameter(Mandatory = $true)][long]$room, [bool]$evtx = $true)

Assert-FleetAdministrator
$begun = Get-FleetTime
$enough = 1500                     # seconds after which nothing more is begun
$last = 1700                       # and by which what is under way is ended
$spare = 67108864
$parent = Get-FleetPrivatePath 'collect'
$utf8 = New-Object Text.UTF8Encoding $false
$buffer = New-Object byte[] 65536
$nothing = [byte[]](0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0)     # gzip of nothing, for which .NET writes nothing
$reserve = 200 + 24 * (@($files).Count + @($commands).Count + @($events).Count)     # for the lines that say what is missing
$state = @{ Pack = $null; Piece = $null; Held = $null; Gzip = $null; Plain = 0L; Items = @{}; Full = $false }

function Remove-Leftover {
    # What another collection left here more than a day ago.
    try { $entries = @(Get-FleetEntry "$parent\" $true) } catch { return }
    foreach ($each in $entries) {
        if ($each.Name -cnotmatch '^[0-9a-z]{20}$' -or (Get-FleetSystem).Epoch - (Get-Epoch $each.LastWriteTimeUtc) -lt 86400) { continue }
        $problem = Remove-FleetTree "$parent\$($each.Name)"
        Add-FleetItem 'left' $(if ($problem) { "$($each.Name): $problem" } else { $each.Name })
    }
}

function Get-Epoch($Time) { [long][Math]::Floor(($Time - (New-Object DateTime 1970, 1, 1, 0, 0, 0, ([DateTimeKind]::Utc))).TotalSeconds) }

function Add-Miss([int]$Number, [string]$Code) { Add-Line "M`t$Number`t$Code" }

function Get-Deadline([int]$Seconds) { [int][Math]::Min($Seconds, $last - ((Get-FleetTime) - $begun)) }

function Get-ExitCode($Done) {
    # As Windows prints it: never negative.
    [long]$Done.ExitCode -band 4294967295
}

function Add-Line([string]$Text) {
    $bytes = [Text.Encoding]::ASCII.GetBytes("$Text`n")
    $state.Pack.Write($bytes, 0, $bytes.Length)
}

function Start-Piece {
    # What is taken is compressed beside the pack first, because its size stands before it.
    $state.Piece.SetLength(0)
    $state.Gzip = New-FleetGzip $state.Piece
    $state.Plain = 0L
}

function Add-Piece([byte[]]$Bytes, [int]$Count, [int]$From = 0) {
    # Whether it still went in. A compressor holds back some 64 KB of what it was given, and makes what can't be compressed a little larger.
    $plain = $state.Plain + $Count
    $largest = [Math]::Min($state.Piece.Length + $Count + 70000, $plain + [Math]::Floor($plain / 1024) + 128)
    if ($state.Pack.Length + $largest + $reserve -gt $room) { $state.Full = $true; return $false }
    $state.Gzip.Write($Bytes, $From, $Count)
    $state.Plain += $Count
    $true
}

function Complete-Piece([int]$Number, [string]$Kind, [string[]]$Code) {
    $state.Gzip.Close()
    if (-not $state.Plain -and $Code -contains 'room') { Add-Miss $Number 'room'; return }
    if (-not $state.Piece.Length) { $state.Piece.Write($nothing, 0, $nothing.Length) }
    $words = @($Code | Where-Object { $_ })
    $code = if ($words.Count) { $words -join ',' } else { 'whole' }
    $taken = [long][Math]::Floor((Get-FleetSystem).Epoch)
    Add-Line "F`t$Number`t$Kind`t$($state.Piece.Length)`t$($state.Plain)`t$taken`t$code"
    $state.Piece.Position = 0
    while (($count = $state.Piece.Read($buffer, 0, $buffer.Length)) -gt 0) { $state.Pack.Write($buffer, 0, $count) }
    $state.Pack.Flush()
    $state.Items[$Number] = $true
}

function Save-File([int]$Number, [long]$Most, [string]$Path, [string]$Kind) {
    # The end of it, where it is larger; not more than it had when it was opened.
    $opened = Open-FleetFile $Path ($Kind -eq 'evtx')
    if ($opened.Problem) { Add-Miss $Number ($opened.Problem -replace '^odd-name$', 'special'); return }
    $stream = $opened.Stream
    try {
        $before = $stream.Length, (Get-FleetEntry $Path $false).LastWriteTimeUtc, (Get-FleetFinalPath $stream)
        $left, $codes = $before[0], @()
        if ($left -gt $Most) { $codes = @("tail:$left"); $left = $Most; $stream.Position = $before[0] - $Most }
        Start-Piece
        while ($left -gt 0) {
            $count = $stream.Read($buffer, 0, [int][Math]::Min($left, $buffer.Length))
            if (-not $count) { break }
            if (-not (Add-Piece $buffer $count)) { $codes += 'room'; break }
            $left -= $count
            if ((Get-FleetTime) - $begun -gt $last) { $codes += 'timeout'; break }
        }
        $now, $place = $null, ''
        try { $now, $place = (Get-FleetEntry $Path $false), (Get-FleetFinalPath $stream) } catch { Write-FleetLog "${Path}: $_" }     # it may be gone
        $same = $now -and $stream.Length -eq $before[0] -and $now.LastWriteTimeUtc -eq $before[1] -and $place -eq $before[2]
        if (-not $same) { $codes += 'changed' }
    } finally { $stream.Close() }
    Complete-Piece $Number $Kind $codes
}

function Get-Encoding([byte[]]$Bytes, [int]$Count) {
    # UTF-16 by its zeros or mark, UTF-8 when it can't be another, otherwise the code page of programs of this Windows.
    if ($Count -gt 1 -and ($Bytes[1] -eq 0 -or ($Bytes[0] -eq 0xff -and $Bytes[1] -eq 0xfe))) { return [Text.Encoding]::Unicode }
    try { [void](New-Object Text.UTF8Encoding $false, $true).GetCharCount($Bytes, 0, $Count); return $utf8 } catch { Write-FleetLog 'not UTF-8' }
    $page = [string](Get-FleetRegistryValue 'HKLM\SYSTEM\CurrentControlSet\Control\Nls\CodePage' 'OEMCP').Value
    if ($page -match '^[0-9]+$') { [Text.Encoding]::GetEncoding([int]$page) } else { [Text.Encoding]::GetEncoding(28591) }
}

function Save-Command([int]$Number, [int]$Seconds, [long]$Most, [string[]]$Words) {
    $program, $rest = $Words
    if ($program -notmatch '[\\/]') { $program = $program -replace '^([^.]+)$', '$1.exe' } elseif (Get-FleetPathProblem $program) { Add-Miss $Number 'notfound'; return }
    $kept = @{ 0 = New-Object IO.MemoryStream; 1 = New-Object IO.MemoryStream; Left = [Math]::Min($Most, 33554432) }
    $done = Invoke-FleetNative $program @($rest | Where-Object { $null -ne $_ }) (Get-Deadline $Seconds) {
        param($bytes, $count, $which)
        $taken = [int][Math]::Min($count, $kept.Left)
        $kept[$which].Write($bytes, 0, $taken)
        $kept.Left -= $taken
        $taken -eq $count
    }
    if (-not $done.Found) { Add-Miss $Number 'notfound'; return }
    if ($done.TimedOut -and -not ($kept[0].Length + $kept[1].Length)) { Add-Miss $Number 'timeout'; return }
    $codes = @($(if ($done.TimedOut) { 'timeout' } elseif ($done.Ended) { 'room' } elseif ($done.ExitCode) { "status:$(Get-ExitCode $done)" }))
    Start-Piece
    $fits = $true
    foreach ($which in 0, 1) {
        $bytes = $kept[$which].ToArray()
        $bytes = $utf8.GetBytes((Get-Encoding $bytes $bytes.Length).GetString($bytes).TrimStart([char]0xfeff))
        for ($at = 0; $at -lt $bytes.Length -and $fits; $at += 65536) {
            $count = [Math]::Min(65536, $bytes.Length - $at)
            $fits = $state.Plain + $count -le $Most -and (Add-Piece $bytes $count $at)     # as UTF-8 it may have become longer
        }
    }
    if (-not $fits -and $codes -notcontains 'room') { $codes += 'room' }
    Complete-Piece $Number 'txt' $codes
}

function Get-EventQuery($Wanted, [long]$Seconds) {
    # XPath for the event log, which takes about 20 conditions: of more, it is asked for more events and the others are left out here.
    $size = $Wanted.Count
    foreach ($each in $Wanted) { $size += $each.Ids.Count }
    $parts = @()
    if ($Wanted.Count -and $Wanted.Count -le 20 -and -not @($Wanted | Where-Object { $_.Name -like "*'*" }).Count) {
        $parts += '(' + (@(foreach ($each in $Wanted) {
            $ids = @($each.Ids | ForEach-Object { "EventID=$_" }) -join ' or '
            if ($ids -and $size -le 20) { "(Provider[@Name='$($each.Name)'] and ($ids))" } else { "Provider[@Name='$($each.Name)']" }
        }) -join ' or ') + ')'
    }
    if ($Seconds -ge 0) { $parts += "TimeCreated[timediff(@SystemTime) <= $(1000 * $Seconds)]" }
    if ($parts.Count) { "*[System[$($parts -join ' and ')]]" } else { '*' }
}

function Read-Event([string]$Log, [string]$Query, [string]$Format, $Read) {
    # The newest first, each a line of the piece. wevtutil, because a process can be ended, and it renders messages in every language.
    Start-Piece
    $Read.Text, $Read.Count, $Read.Code, $Read.Decoder, $Read.Seen = '', 0, '', $null, @{}
    $done = Invoke-FleetNative 'wevtutil.exe' @('qe', $Log, "/q:$Query", "/f:$Format", '/rd:true', '/uni:true') (Get-Deadline 180) {
        param($bytes, $count, $which)
        if ($which) { return $true }
        if (-not $Read.Decoder) { $Read.Decoder = (Get-Encoding $bytes $count).GetDecoder() }
        $characters = New-Object char[] ($count + 4)
        $Read.Text += New-Object string $characters, 0, $Read.Decoder.GetChars($bytes, 0, $count, $characters, 0)
        $at = 0
        while (-not $Read.Code -and ($end = $Read.Text.IndexOf('</Event>', $at, [StringComparison]::Ordinal)) -ge 0) {
            Add-Event $Read.Text.Substring($at, $end - $at) $Read
            $at = $end + 8
        }
        $Read.Text = $Read.Text.Substring($at)
        -not $Read.Code -and $Read.Text.Length -lt 16777216
    }
    if ($done.TimedOut) { $Read.Code = 'timeout' }
    $done
}

function Add-Event([string]$Xml, $Read) {
    $event = ConvertFrom-FleetEvent $Xml
    if ($Read.Wanted.Count -and -not @($Read.Wanted | Where-Object { $_.Name -eq $event.Provider -and (-not $_.Ids.Count -or $_.Ids -contains $event.Id) }).Count) { return }
    $line = $utf8.GetBytes((ConvertTo-FleetEventLine $Xml) + "`n")
    if ($state.Plain + $line.Length -gt $Read.Most -or $Read.Count -ge 100000 -or -not (Add-Piece $line $line.Length)) { $Read.Code = 'room'; return }
    $Read.Count++
    $Read.Seen[$event.Provider] = $true
    $Read.Oldest = $event.Time
}

function Test-Provider([string]$Name) {
    # Whether a program of that name has said that it writes events: a source of a log, or a publisher. Where no log is known, nobody can tell.
    $logs = 'HKLM\SYSTEM\CurrentControlSet\Services\EventLog'
    $publishers = 'HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\WINEVT\Publishers'
    $known = @(Get-FleetRegistrySubKey $logs)
    if (-not $known.Count -or @($known | Where-Object { Test-FleetRegistryKey "$logs\$_\$Name" }).Count) { return $true }
    foreach ($id in @(Get-FleetRegistrySubKey $publishers)) { if ((Get-FleetRegistryValue "$publishers\$id" '').Value -eq $Name) { return $true } }
    $false
}

function Save-Event([int]$Number, [long]$Most, [string]$Log, [string]$Providers) {
    $wanted = @(foreach ($each in $Providers -split ';') {
        $found = [regex]::Match($each, '^(.+?)(?::([0-9,]*))?$')
        if ($found.Success) { @{ Name = ConvertFrom-FleetEscaped $found.Groups[1].Value; Ids = @($found.Groups[2].Value -split ',' | Where-Object { $_ } | ForEach-Object { [int]$_ }) } }
    })
    $now = (Get-FleetSystem).Epoch
    $window = if ($since -gt 0) { [long][Math]::Max(0, $now - $since) } else { -1 }
    $query = Get-EventQuery $wanted $window
    $read = @{ Wanted = $wanted; Most = $Most; Oldest = '' }
    $done = Read-Event $Log $query 'RenderedXml' $read
    if ($done.ExitCode -and 5, 15007 -notcontains $done.ExitCode) { $done = Read-Event $Log $query 'xml' $read }
    if (-not $done.Found -or $done.ExitCode -eq 15007) { Add-Miss $Number 'notfound'; return }     # ERROR_EVT_CHANNEL_NOT_FOUND
    if ($done.ExitCode -and -not $read.Count) { Add-Miss $Number $(if ($done.ExitCode -eq 5) { 'denied' } else { "failed:$((Get-ExitCode $done) -band 0xffff)" }); return }
    $absent = @($wanted | ForEach-Object { $_.Name } | Where-Object { -not $read.Seen.ContainsKey($_) -and -not (Test-Provider $_) })
    foreach ($name in $absent) { Write-FleetLog "item ${Number}: no program here is known to write events as $name" }
    if ($absent.Count -and $absent.Count -eq $wanted.Count) { Add-Miss $Number 'notfound'; return }
    Complete-Piece $Number 'json' @($read.Code, $(if ($done.ExitCode) { "status:$(Get-ExitCode $done)" }))
    if (-not $evtx -or -not $read.Count -or $state.Full) { return }
    $oldest = New-Object DateTime
    if ($read.Code -and [DateTime]::TryParse($read.Oldest, [Globalization.CultureInfo]::InvariantCulture, 'AdjustToUniversal', [ref]$oldest)) { $query = Get-EventQuery $wanted ([long][Math]::Max(0, $now - (Get-Epoch $oldest))) }
    Save-Evtx $Number $Most $Log $query
}

function Save-Evtx([int]$Number, [long]$Most, [string]$Log, [string]$Query) {
    # In the format of Windows, of the same time: what comes is at most as large as the log, and the disk has to take it.
    $root = [string](Get-FleetRegistryValue 'HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion' 'SystemRoot').Value
    if ((Get-FleetFileSize "$root\System32\winevt\Logs\$($Log -replace '/', '%4').evtx") -gt (Get-FleetVolume $drive).Free - $room) { Add-Miss $Number 'room'; return }
    $copy = "$parent\$stage\events.evtx"
    try {
        $done = Invoke-FleetNative 'wevtutil.exe' @('epl', $Log, $copy, "/q:$Query", '/ow:true') (Get-Deadline 180)
        if ($done.TimedOut) { Add-Miss $Number 'timeout'; return }
        if ($done.ExitCode) { Add-Miss $Number "failed:$((Get-ExitCode $done) -band 0xffff)"; return }
        if ((Get-FleetEntry $copy $false).Length -gt $Most) { Add-Miss $Number 'room'; return }     # half of such a file can't be read
        Save-File $Number $Most $copy 'evtx'
    } finally { [void](Remove-FleetTree $copy) }
}

function Save-Item([string]$What, [string]$Item) {
    # What goes wrong with one leaves the others as they are.
    $number, $fields = $Item -split "`t"
    if ((Get-FleetTime) - $begun -gt $enough) { Add-Miss $number 'timeout'; return }
    if ($state.Full) { Add-Miss $number 'room'; return }
    $whole = $state.Pack.Length
    try {
        switch ($What) {
            'command' { Save-Command $number $fields[0] $fields[1] @($fields[2..($fields.Count - 1)] | ForEach-Object { ConvertFrom-FleetEscaped $_ }) }
            'event' { Save-Event $number $fields[0] (ConvertFrom-FleetEscaped $fields[1]) $fields[2] }
            'file' { Save-File $number $fields[0] (ConvertFrom-FleetEscaped $fields[1]) 'txt' }
        }
    } catch {
        Write-FleetLog "item ${number}: $_"
        $problem = Get-FleetFileProblem $_
        if (39, 112, 28 -contains ($problem -replace '^failed:')) {     # ERROR_HANDLE_DISK_FULL, ERROR_DISK_FULL; ENOSPC in the lab
            # What was held back makes room for what still waits to be written; the piece is no longer needed.
            $state.Held.SetLength(0)
            $state.Piece.SetLength(0)
            $state.Full, $problem = $true, 'room'
        }
        $state.Pack.SetLength($whole)
        $state.Pack.Position = $whole
        Add-Miss $number $problem
    }
}

Remove-Leftover
$drive = $parent -replace '\\fleet\\collect$'
$volume = Get-FleetVolume $drive
if (-not $volume) { Stop-FleetFailed "nobody says how much is free at $drive; nothing was staged" }
if ($volume.Free - $room -lt $spare) { Stop-FleetFailed "$drive has $([Math]::Floor($volume.Free / 1048576)) MB free, and $([Math]::Ceiling(($room + $spare) / 1048576)) MB are needed; nothing was staged" }
try { $folder = New-FleetPrivateFolder 'collect' $stage } catch { Stop-FleetFailed "nothing was staged: $_" }
try {
    $state.Pack = New-FleetFile "$folder\pack"
    $state.Piece = New-FleetFile "$folder\piece"
    $state.Held = New-FleetFile "$folder\held"
    $state.Held.SetLength(131072 + $reserve)     # two buffers that may be full, and the lines to come
    foreach ($each in $commands) { Save-Item 'command' $each }
    foreach ($each in $events) { Save-Item 'event' $each }
    foreach ($each in $files) { Save-Item 'file' $each }
    Add-Line 'E'
    $size = $state.Pack.Length
} finally { foreach ($each in $state.Held, $state.Pack, $state.Piece) { if ($each) { $each.Close() } } }
foreach ($each in 'piece', 'held') { [void](Remove-FleetTree "$folder\$each") }
Add-FleetData 'size' $size
Set-FleetOk "$($state.Items.Count) of $(@($files).Count + @($commands).Count + @($events).Count) items, $size bytes"
