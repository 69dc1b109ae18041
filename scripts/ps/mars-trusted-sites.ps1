# /// fleet
# kind = "check"
# title = "The sites of Azure Backup are trusted sites of the SYSTEM account"
# about = "Looks for each domain in the zone map of SYSTEM, that of the machine, and the policy that assigns sites to zones. With Internet Explorer's enhanced security it is the list that this uses. Zone 2 is that of the trusted sites."
# severity = "info"
# idempotent = "yes"
# timeout = 60
# needs = ["admin"]
#
# [params.domains]
# type = "list"
# default = ["microsoft.com", "windowsazure.com", "microsoftonline.com", "windows.net"]
# pattern = '[0-9A-Za-z-]{1,63}(\.[0-9A-Za-z-]{1,63}){1,8}'
# about = "Domains that have to be trusted, with all hosts in them"
#
# [returns.trusted]
# type = "list"
# about = "Those that are"
#
# [returns.missing]
# type = "list"
# about = "Those that are not"
# ///
[CmdletBinding()]
param([object[]]$domains = @('microsoft.com','windowsazure.com','microsoftonline.com','windows.net'))

$settings = 'Microsoft\Windows\CurrentVersion\Internet Settings'

function Test-TrustedDomain([string]$Domain, [string]$List) {
    # A key for the domain, its value named after a scheme or * for all; in the policy a value named after the pattern of the site.
    foreach ($root in 'HKU\S-1-5-18\Software', 'HKLM\SOFTWARE') {
        foreach ($scheme in 'https', '*') {
            if ((Get-FleetRegistryValue "$root\$settings\ZoneMap\$List\$Domain" $scheme).Value -eq 2) { return $true }
        }
        $policy = "$root\Policies\$settings\ZoneMapKey"
        foreach ($name in @(Get-FleetRegistryValueName $policy)) {
            if ($name -match "^((https|\*)://)?\*\.$([regex]::Escape($Domain))/?$" -and (Get-FleetRegistryValue $policy $name).Value -eq '2') { return $true }
        }
    }
    $false
}

Assert-FleetAdministrator
if ($null -eq (Get-FleetService 'obengine')) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
$hardened = (Get-FleetRegistryValue "HKU\S-1-5-18\Software\$settings\ZoneMap" 'IEHarden').Value -eq 1
$list = if ($hardened) { 'EscDomains' } else { 'Domains' }
$trusted = @($domains | Where-Object { Test-TrustedDomain $_ $list })
$missing = @($domains | Where-Object { $trusted -notcontains $_ })
Add-FleetData 'trusted' $trusted
Add-FleetData 'missing' $missing
if ($missing.Count) { Stop-FleetFailed "not among the trusted sites of SYSTEM or of the machine ($list): $($missing -join ', ')" }
Set-FleetOk "trusted sites: $($trusted -join ', ')"
