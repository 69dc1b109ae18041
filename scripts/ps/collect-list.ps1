# /// fleet
# kind = "collect"
# title = "Lists the files that a bundle asks for"
# about = "Changes nothing. One line of text a file: F NUMBER SIZE MTIME PATH, the newest first, with tabs between; and M NUMBER CODE PATH for what was not looked at: nothing denied link special odd-name more:N toomany. In a path every byte outside 0x21-0x7e, and the percent sign, is %XX. Links are not followed."
# timeout = 180
# needs = ["root", "admin"]
#
# [params.items]
# type = "list"
# required = true
# about = "NUMBER, COUNT (files at most) and PATTERN, with tabs between; the pattern written as a path is; * and ? within one name, ** for all below"
# [params.since]
# type = "int"
# default = 0
# minimum = 0
# about = "Only files written since then, seconds since 1970 UTC; 0: all"
#
# [returns.files]
# type = "int"
# about = "How many were listed"
# [returns.free]
# type = "int"
# about = "Bytes that are free where files would be staged; 0 where nobody says"
# ///
[CmdletBinding()]
param([Parameter(Mandatory = $true)][object[]]$items, [int]$since = 0)

Assert-FleetAdministrator
$most = 200000
$end = (Get-FleetTime) + 120
$first = New-Object DateTime 1970, 1, 1, 0, 0, 0, ([DateTimeKind]::Utc)
$seen = @{ Names = 0; Files = 0 }

function Add-Sign($Found, [string]$Code, [string]$Path) {
    if ($Found.Signs.Count -lt 100) { [void]$Found.Signs.Add("M`t$($Found.Number)`t$Code`t$(ConvertTo-FleetEscaped $Path)`n") }
}

function Add-File($Found, $Entry, [string]$Path) {
    # As a text that sorts the newest first.
    $time = [long][Math]::Floor(($Entry.LastWriteTimeUtc - $first).TotalSeconds)
    if ($time -lt $since) { return }
    $Found.Matches++
    [void]$Found.Files.Add(('{0:d20}' -f (9000000000000L - $time)) + "`t$($Entry.Length)`t$time`t$Path")
    if ($Found.Files.Count -gt 2 * $Found.Count + 2000) { Limit-File $Found }
}

function Limit-File($Found) {
    $Found.Files.Sort([StringComparer]::Ordinal)
    if ($Found.Files.Count -gt $Found.Count) { $Found.Files.RemoveRange($Found.Count, $Found.Files.Count - $Found.Count) }
}

function Find-File([string]$Pattern, $Found) {
    # Goes from folder to folder, part by part of the pattern; ** stands for folders below each other. Links are not followed.
    $parts = $Pattern.Substring(3).Split('\')
    $waiting = New-Object Collections.Stack
    $waiting.Push(@($Pattern.Substring(0, 2), 0))
    $been = New-Object 'Collections.Generic.HashSet[string]'
    while ($waiting.Count) {
        $folder, $at = $waiting.Pop()
        if (-not $been.Add("$at $folder")) { continue }
        $part, $last = $parts[$at], ($at -eq $parts.Count - 1)
        $deep, $plain = ($part -eq '**'), ($part -notmatch '[*?]')
        if ($deep -and -not $last) { $waiting.Push(@($folder, ($at + 1))) }
        try { $entries = @(if ($plain) { Get-FleetEntry "$folder\$part" $false } else { Get-FleetEntry "$folder\" $true }) } catch {
            $code = Get-FleetFileProblem $_
            if ($code -ne 'gone') { Add-Sign $Found $code $(if ($plain) { "$folder\$part" } else { $folder }) }
            continue
        }
        $like = New-Object regex ('\A' + [regex]::Escape($part).Replace('\*', '.*').Replace('\?', '.') + '\z'), 'IgnoreCase, CultureInvariant, Singleline'
        foreach ($entry in $entries) {
            if (++$seen.Names -gt $most -or ($seen.Names % 500 -eq 0 -and (Get-FleetTime) -gt $end)) { Add-Sign $Found 'toomany' $Pattern; return }
            if (-not $plain -and -not $like.IsMatch($entry.Name)) { continue }
            $path = if ($plain) { "$folder\$part" } else { "$folder\$($entry.Name)" }
            $attributes = [int]$entry.Attributes
            if ($attributes -band 0x400) { Add-Sign $Found 'link' $path }
            elseif ($attributes -band 0x10) {
                if ($deep) { $waiting.Push(@($path, $at)) } elseif (-not $last) { $waiting.Push(@($path, ($at + 1))) } elseif ($plain) { Add-Sign $Found 'special' $path }
            } elseif ($last) { try { Add-File $Found $entry $path } catch { Add-Sign $Found 'denied' $path } }
        }
    }
}

foreach ($item in $items) {
    $number, $count, $pattern = $item -split "`t"
    $pattern = ConvertFrom-FleetEscaped $pattern
    $found = @{ Number = $number; Count = [int]$count; Matches = 0; Files = New-Object 'Collections.Generic.List[string]'; Signs = New-Object 'Collections.Generic.List[string]' }
    $problem = Get-FleetPathProblem $pattern
    if ($problem) { Add-Sign $found $problem $pattern } else { Find-File $pattern $found }
    Limit-File $found
    $lines = New-Object Text.StringBuilder
    foreach ($line in $found.Files) {
        $key, $size, $time, $path = $line -split "`t", 4
        $problem = Get-FleetPathProblem $path
        if ($problem) { Add-Sign $found $problem $path; continue }
        [void]$lines.Append("F`t$number`t$size`t$time`t$(ConvertTo-FleetEscaped $path)`n")
        $seen.Files++
    }
    if ($found.Matches -gt $found.Count) { Add-Sign $found "more:$($found.Matches - $found.Count)" $pattern }
    if (-not $found.Matches -and -not $found.Signs.Count) { Add-Sign $found 'nothing' $pattern }
    foreach ($sign in $found.Signs) { [void]$lines.Append($sign) }
    $bytes = [Text.Encoding]::ASCII.GetBytes($lines.ToString())
    Write-FleetStdout $bytes $bytes.Length
}
$volume = Get-FleetVolume ((Get-FleetPrivatePath 'collect') -replace '\\fleet\\collect$')
Add-FleetData 'files' $seen.Files
Add-FleetData 'free' $(if ($volume) { [long]$volume.Free } else { 0 })
Set-FleetOk "$($seen.Files) files"
