# /// fleet
# kind = "check"
# title = "The proxies that the agent is told to use answer"
# about = "Tries a connection to each. Windows: those of WinHTTP, of the SYSTEM account and of the environment of services. Linux: that of waagent.conf, and the environment of the running agent. A script or a login of a proxy is not tried."
# severity = "error"
# idempotent = "yes"
# timeout = 120
# needs = ["root", "admin"]
#
# [params.connect_seconds]
# type = "int"
# default = 5
# minimum = 1
# maximum = 20
# about = "How long a connection may take"
#
# [returns.proxies]
# type = "list"
# about = "Each as HOST:PORT, followed by where it is set; never with a login"
#
# [returns.unreached]
# type = "list"
# about = "Those of them that do not answer"
# ///
[CmdletBinding()]
param([int]$connect_seconds = 5)

$internet = 'Software\Microsoft\Windows\CurrentVersion\Internet Settings'

Assert-FleetAdministrator
$settings = New-Object Collections.ArrayList
foreach ($text in @(Get-FleetWinHttpProxy)) { [void]$settings.Add(@('WinHTTP', $text)) }
$system = "HKU\S-1-5-18\$internet"
if ((Get-FleetRegistryValue $system 'ProxyEnable').Value -eq 1) { [void]$settings.Add(@('SYSTEM', (Get-FleetRegistryValue $system 'ProxyServer').Value)) }
foreach ($name in 'HTTP_PROXY', 'HTTPS_PROXY') { [void]$settings.Add(@($name, (Get-FleetRegistryValue 'HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Environment' $name).Value)) }

$shown = New-Object Collections.ArrayList
$down = New-Object Collections.ArrayList
$tried = @{}
foreach ($setting in $settings) {
    foreach ($proxy in @(ConvertFrom-FleetProxyText $setting[1])) {
        $text = "$($proxy.Text) ($($setting[0]))"
        if ($shown -contains $text) { continue }
        [void]$shown.Add($text)
        if (-not $tried.ContainsKey($proxy.Text)) { $tried[$proxy.Text] = Test-FleetTcp $proxy.Name $proxy.Port $connect_seconds }
        if (-not $tried[$proxy.Text]) { [void]$down.Add($text) }
    }
}
Add-FleetData 'proxies' @($shown)
Add-FleetData 'unreached' @($down)
if ($down.Count) { Stop-FleetFailed "a proxy is set that does not answer: $($down -join ', ')" }
if ($shown.Count) { Set-FleetOk "the proxies answer: $($shown -join ', ')" } else { Set-FleetOk 'no proxy is set' }
