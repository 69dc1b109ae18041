# The constant command: runs every frame that comes in as a line of stdin, until stdin ends.
#
# A line is base64 of deflate of UTF-8, so that no code page on the way can hurt it. stdin is read raw:
# the console host leaves it alone as long as this text does not name the automatic variable for input
# (IsUsingDollarInput in PowerShell's ConsoleHost.cs). A frame answers for itself; what is caught here is
# a line that was damaged on the way: half a line can still be decoded, so a frame says where it ends.
# fleet knows the first line below by its first word.
$ProgressPreference = 'SilentlyContinue'
$mode = $ExecutionContext.SessionState.LanguageMode
if ("$mode" -ne 'FullLanguage') { "FLEET-LANGUAGE-MODE $mode"; exit 3 }
$reader = New-Object IO.StreamReader ([Console]::OpenStandardInput())
while ($null -ne ($line = $reader.ReadLine())) {
    if (-not $line) { continue }
    try {
        $packed = New-Object IO.MemoryStream (, [Convert]::FromBase64String($line))
        $plain = New-Object IO.Compression.DeflateStream ($packed, [IO.Compression.CompressionMode]::Decompress)
        $text = (New-Object IO.StreamReader ($plain, [Text.Encoding]::UTF8)).ReadToEnd()
        if (-not $text.EndsWith("# fleet: end`n", [StringComparison]::Ordinal)) { throw 'a script was cut off on its way; nothing of it was run' }
        $null = & ([ScriptBlock]::Create($text))
    } catch { [Console]::Out.WriteLine("FLEET-FRAME $_") }
}
# a body that could not be stopped would keep the process
[Environment]::Exit(0)
