# /// fleet
# kind = "check"
# title = "The addresses that the MARS agent needs are reached the way SYSTEM goes"
# about = "By the proxy that the SYSTEM account uses, which is asked to open the way (HTTP CONNECT), or without one. 407 means that the proxy wants a login, which nobody gives it here. Where a script chooses the proxy nobody knows which it is."
# severity = "error"
# idempotent = "yes"
# timeout = 240
# needs = ["admin"]
#
# [params.endpoints]
# type = "list"
# default = ["login.microsoftonline.com:443", "www.msftncsi.com:443", "www.msftconnecttest.com:443"]
# pattern = '(?:\[[0-9A-Fa-f:.]{2,45}\]|[0-9A-Za-z.-]{1,253}):[0-9]{1,5}'
# about = "HOST:PORT of each; names like *.windows.net by hosts of your vault and region; at most 20 that do not answer fit into the time"
#
# [params.connect_seconds]
# type = "int"
# default = 5
# minimum = 1
# maximum = 10
# about = "How long a connection, and then the answer of a proxy, may take"
#
# [returns.reached]
# type = "list"
# about = "Endpoints that were reached"
#
# [returns.unreached]
# type = "list"
# about = "Those that were not, each with why"
#
# [returns.proxy]
# type = "str"
# about = "The proxy that was used, as HOST:PORT; empty for none"
# ///
[CmdletBinding()]
param([object[]]$endpoints = @('login.microsoftonline.com:443','www.msftncsi.com:443','www.msftconnecttest.com:443'), [int]$connect_seconds = 5)

Assert-FleetAdministrator
if ($null -eq (Get-FleetService 'obengine')) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
$way = Get-FleetSystemProxy
$reached, $unreached = @(), @()
foreach ($endpoint in $endpoints) {
    $at = $endpoint.LastIndexOf(':')
    $name, $port = $endpoint.Substring(0, $at).Trim('[', ']'), [int]$endpoint.Substring($at + 1)
    $bypass = @($way.Bypass | Where-Object { $pattern = $_ -replace '^[a-z]+://' -replace ':[0-9]+$'; if ($pattern -eq '<local>') { $name -notmatch '[.:]' } else { $name -like $pattern } })
    if ($way.Proxy -and -not $bypass.Count) {
        $number = Test-FleetTunnel $way.Proxy.Name $way.Proxy.Port $endpoint $connect_seconds
        $problem = if (200..299 -contains $number) { '' } elseif ($number -eq 407) { 'the proxy wants a login, 407' } elseif ($number) { "the proxy answers $number" } else { 'the proxy gives no answer' }
    } else { $problem = if (Test-FleetTcp $name $port $connect_seconds) { '' } else { 'no connection' } }
    if ($problem) { $unreached += "$endpoint ($problem)" } else { $reached += $endpoint }
}
$by = if ($way.Proxy) { "by the proxy $($way.Proxy.Text) ($($way.From))" } else { 'without a proxy' }
Add-FleetData 'reached' $reached
Add-FleetData 'unreached' $unreached
Add-FleetData 'proxy' $(if ($way.Proxy) { $way.Proxy.Text } else { '' })
if ($unreached.Count -and -not $way.Proxy -and $way.Script) { Stop-FleetSkipped "a script chooses SYSTEM's proxy (AutoConfigURL), so its way is not known here; without a proxy not reached: $($unreached -join ', ')" }
if ($unreached.Count) { Stop-FleetFailed "$by not reached: $($unreached -join ', ')" }
Set-FleetOk "$by reached: $($reached -join ' ')"
