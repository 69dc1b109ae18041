# /// fleet
# kind = "collect"
# title = "Sends a part of what was staged"
# about = "Writes exactly these bytes of the pack to stdout, as they are or as lines of base64, and nothing else."
# timeout = 1800
# needs = ["root", "admin"]
#
# [params.stage]
# type = "str"
# required = true
# pattern = "[0-9a-z]{20}"
# about = "Name of the folder"
# [params.offset]
# type = "int"
# required = true
# minimum = 0
# maximum = 1099511627776
# about = "Where the part begins"
# [params.length]
# type = "int"
# required = true
# minimum = 0
# maximum = 1099511627776
# about = "Bytes of it; the pack may end earlier"
# [params.encoding]
# type = "str"
# default = "raw"
# choices = ["raw", "base64"]
# about = "How they are written"
#
# [returns.sha256]
# type = "str"
# about = "Of the bytes, before they were encoded, in small letters"
# [returns.size]
# type = "int"
# about = "How many bytes it were, before they were encoded"
# ///
[CmdletBinding()]
param([Parameter(Mandatory = $true)][string]$stage, [Parameter(Mandatory = $true)][long]$offset, [Parameter(Mandatory = $true)][long]$length, [string]$encoding = 'raw')

Assert-FleetAdministrator
$opened = Open-FleetFile "$(Get-FleetPrivatePath 'collect')\$stage\pack" $true
if ($opened.Problem) { Stop-FleetFailed "what was staged as $stage can't be read: $($opened.Problem)" }
$pack = $opened.Stream
$hash = New-Object Security.Cryptography.SHA256CryptoServiceProvider
$buffer = New-Object byte[] 233472     # 4096 lines of base64 hold 57 bytes each
$left = [Math]::Max(0L, [Math]::Min([long]$length, $pack.Length - $offset))
$sent = 0L
try {
    if ($left) { $pack.Position = $offset }
    while ($left -gt 0) {
        $count = 0
        $wanted = [int][Math]::Min($left, $buffer.Length)
        while ($count -lt $wanted) {
            $read = $pack.Read($buffer, $count, $wanted - $count)
            if (-not $read) { Stop-FleetFailed "what was staged as $stage ended early" }
            $count += $read
        }
        [void]$hash.TransformBlock($buffer, 0, $count, $null, 0)
        if ($encoding -eq 'raw') { Write-FleetStdout $buffer $count }
        else {
            $lines = [Text.Encoding]::ASCII.GetBytes([Convert]::ToBase64String($buffer, 0, $count, 'InsertLineBreaks').Replace("`r", '') + "`n")
            Write-FleetStdout $lines $lines.Length
        }
        $left -= $count
        $sent += $count
    }
} finally { $pack.Close() }
[void]$hash.TransformFinalBlock($buffer, 0, 0)
Add-FleetData 'sha256' (-join ($hash.Hash | ForEach-Object { $_.ToString('x2') }))
Add-FleetData 'size' $sent
Set-FleetOk "$sent bytes"
