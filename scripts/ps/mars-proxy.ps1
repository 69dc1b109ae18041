# /// fleet
# kind = "check"
# title = "The proxy of the SYSTEM account is the right one for the MARS agent"
# about = "Read from the registry of SYSTEM, without a desktop: no details where no proxy is used, the right address and port where one is. Without an expected one it has to agree with that of WinHTTP. Whether it answers is what proxies-answer tries."
# severity = "warning"
# idempotent = "yes"
# timeout = 60
# needs = ["admin"]
#
# [params.proxy]
# type = "str"
# default = ""
# pattern = '|none|(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._-]{1,253}):[0-9]{1,5}'
# about = "What has to be set, as HOST:PORT; none: no proxy; empty: not known"
#
# [returns.system]
# type = "list"
# about = "The proxies that SYSTEM uses, as HOST:PORT, never with a login"
#
# [returns.winhttp]
# type = "list"
# about = "Those of WinHTTP"
#
# [returns.script]
# type = "str"
# about = "The script that SYSTEM asks for its proxy (AutoConfigURL), without a login; empty where there is none"
# ///
[CmdletBinding()]
param([string]$proxy = '')

Assert-FleetAdministrator
if ($null -eq (Get-FleetService 'obengine')) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
$key = 'HKU\S-1-5-18\Software\Microsoft\Windows\CurrentVersion\Internet Settings'
$on = (Get-FleetRegistryValue $key 'ProxyEnable').Value -eq 1
$details = @(ConvertFrom-FleetProxyText ([string](Get-FleetRegistryValue $key 'ProxyServer').Value) | ForEach-Object { $_.Text } | Sort-Object -Unique)
# scheme and host only: a path or a query may hold a key
$script = [regex]::Match(([string](Get-FleetRegistryValue $key 'AutoConfigURL').Value -replace '//[^/@]*@', '//'), '^[A-Za-z]+://[^/?#]*').Value
$system = @(if ($on) { $details })
$winhttp = @(ConvertFrom-FleetProxyText ([string](Get-FleetWinHttpProxy)) | ForEach-Object { $_.Text } | Sort-Object -Unique)
Add-FleetData 'system' $system
Add-FleetData 'winhttp' $winhttp
Add-FleetData 'script' $script

$now = @($system) + @(if ($script) { "the script at $script" })
$text = if ($now.Count) { $now -join ', ' } else { 'no proxy' }
if ($on -and -not $details.Count) { Stop-FleetFailed 'SYSTEM is told to use a proxy, but none is named (ProxyServer)' }
if (-not $on -and $details.Count) { Stop-FleetFailed "SYSTEM uses $text, but details of a proxy are left: $($details -join ', ')" }
if ($proxy -eq 'none' -and $now.Count) { Stop-FleetFailed "SYSTEM uses $text; no proxy is expected" }
if ($proxy -and $proxy -ne 'none' -and @($now | Where-Object { $_ -ne $proxy }).Count + [int](-not $now.Count)) { Stop-FleetFailed "SYSTEM uses $text; $proxy is expected" }
# what a script answers is not known here, so there is nothing to compare
if (-not $proxy -and -not $script -and ($system -join ' ') -ne ($winhttp -join ' ')) {
    Stop-FleetFailed "SYSTEM uses $text, but WinHTTP $(if ($winhttp.Count) { $winhttp -join ', ' } else { 'no proxy' }); say which is right with -p proxy=HOST:PORT or none"
}
Set-FleetOk "SYSTEM uses $text"
