# /// fleet
# kind = "check"
# title = "No setting of this server keeps the MARS agent from connecting"
# about = "File download in the Internet zone of SYSTEM is allowed (value 1803), .NET Framework offers TLS 1.2 (SchUseStrongCrypto and SystemDefaultTlsVersions are 1 in both views), and TLS 1.2 is not switched off for clients. The way through proxies and firewalls is what mars-endpoints tries."
# severity = "warning"
# idempotent = "yes"
# timeout = 60
# needs = ["admin"]
#
# [returns.file_download]
# type = "int"
# about = "Value 1803 of the Internet zone that counts for SYSTEM: 0 allowed, 1 asks, 3 forbidden; null where nobody set it, which allows it"
#
# [returns.values]
# type = "list"
# about = "Values of .NET Framework that are not 1: view, key, name"
#
# [returns.tls12_client]
# type = "dict"
# about = "Enabled and DisabledByDefault of TLS 1.2 for clients; null where the value is absent"
# ///
[CmdletBinding()]
param()

Assert-FleetAdministrator
if ($null -eq (Get-FleetService 'obengine')) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
$problems = @()
$download = Get-FleetFileDownload
Add-FleetData 'file_download' $download.Value
if ($null -ne $download.Value -and $download.Value -ne 0) { $problems += "file download in the Internet zone of SYSTEM is not allowed (1803 is $($download.Value) in $($download.Key))" }
$values = @(foreach ($view in Get-FleetRegistryView) {
    foreach ($key in @(Get-FleetDotNetKey $view)) {
        foreach ($name in 'SchUseStrongCrypto', 'SystemDefaultTlsVersions') {
            $value = Get-FleetRegistryValue $key $name $view
            if ($value.Type -ne 'DWord' -or $value.Value -ne 1) { @{ view = $view; key = $key; name = $name } }
        }
    }
})
Add-FleetData 'values' $values
if ($values.Count) { $problems += ".NET Framework may not offer TLS 1.2: $($values.Count) values SchUseStrongCrypto and SystemDefaultTlsVersions are not 1" }
$client = 'HKLM\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\Protocols\TLS 1.2\Client'
$enabled, $disabled = (Get-FleetRegistryValue $client 'Enabled').Value, (Get-FleetRegistryValue $client 'DisabledByDefault').Value
Add-FleetData 'tls12_client' @{ Enabled = $enabled; DisabledByDefault = $disabled }
if (($null -ne $enabled -and $enabled -eq 0) -or ($null -ne $disabled -and $disabled -ne 0)) { $problems += 'TLS 1.2 is switched off for clients (SCHANNEL), which no remedy here touches' }
if ($problems.Count) { Stop-FleetFailed ($problems -join '; ') }
Set-FleetOk 'SYSTEM may download files in the Internet zone, and TLS 1.2 is offered'
