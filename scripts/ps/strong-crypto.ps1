# /// fleet
# kind = "check"
# title = ".NET Framework uses strong cryptography"
# about = "SchUseStrongCrypto is 1 in the key of every installed version, in both views of the registry, and TLS 1.2 is not switched off for clients."
# severity = "warning"
# idempotent = "yes"
# timeout = 60
#
# [params.system_default_tls]
# type = "bool"
# default = false
# about = "Ask for the companion value SystemDefaultTlsVersions too"
#
# [returns.values]
# type = "list"
# about = "Each value looked at: view, key, name, existed, type, value"
# [returns.tls12_client]
# type = "dict"
# about = "Enabled and DisabledByDefault of TLS 1.2 for clients; null where the value is absent"
# ///
[CmdletBinding()]
param([bool]$system_default_tls = $false)

$names = @('SchUseStrongCrypto')
if ($system_default_tls) { $names += 'SystemDefaultTlsVersions' }
$wrong = New-Object Collections.ArrayList
$keys = 0
foreach ($view in Get-FleetRegistryView) {
    foreach ($key in @(Get-FleetDotNetKey $view)) {
        $keys++
        foreach ($name in $names) {
            $value = Get-FleetRegistryValue $key $name $view
            Add-FleetItem 'values' @{ view = $view; key = $key; name = $name; existed = $value.Exists; type = $value.Type; value = $value.Value }
            if ($value.Type -ne 'DWord' -or $value.Value -ne 1) { [void]$wrong.Add("$name in $(($key -split '\\')[-1]), $view bit") }
        }
    }
}
$client = 'HKLM\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\Protocols\TLS 1.2\Client'
$enabled = (Get-FleetRegistryValue $client 'Enabled').Value
$disabled = (Get-FleetRegistryValue $client 'DisabledByDefault').Value
Add-FleetData 'tls12_client' @{ Enabled = $enabled; DisabledByDefault = $disabled }

if (-not $keys) { Stop-FleetSkipped 'no .NET Framework of version 2 or 4 is installed' }
$found = @()
if ($wrong.Count) { $found += "not 1: $($wrong -join '; ')" }
if (($null -ne $enabled -and $enabled -eq 0) -or ($null -ne $disabled -and $disabled -ne 0)) { $found += 'TLS 1.2 is switched off for clients (SCHANNEL), which no remedy here touches' }
if ($found.Count) { Stop-FleetFailed ($found -join '; ') }
Set-FleetOk "$($names -join ' and ') 1 in $keys keys"
