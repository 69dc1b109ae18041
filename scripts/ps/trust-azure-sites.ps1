# /// fleet
# kind = "remedy"
# title = "Make the sites of Azure Backup trusted sites of the SYSTEM account"
# about = "Adds each domain that is missing to the trusted sites of SYSTEM, for https: its key below ZoneMap\\Domains, or EscDomains with Internet Explorer's enhanced security, gets https = 2. Held where a group policy assigns sites to zones, and while a job of the MARS agent runs. Programs that run see it at their next start."
# risk = "safe"
# idempotent = "yes"
# timeout = 120
# needs = ["admin"]
# undo = "restore-registry-values"
#
# [params.domains]
# type = "list"
# default = ["microsoft.com", "windowsazure.com", "microsoftonline.com", "windows.net"]
# pattern = '[0-9A-Za-z-]{1,63}(\.[0-9A-Za-z-]{1,63}){1,8}'
# about = "Domains that have to be trusted, with all hosts in them"
#
# [returns.added]
# type = "list"
# about = "Domains that were, or would be, added"
# [returns.held]
# type = "list"
# about = "What a person has to see to or wait for"
# ///
[CmdletBinding(SupportsShouldProcess = $true)]
param([object[]]$domains = @('microsoft.com','windowsazure.com','microsoftonline.com','windows.net'))

Assert-FleetAdministrator
if ($null -eq (Get-FleetService 'obengine')) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
$zones = Get-FleetTrustedSite $domains
if (-not $zones.Missing.Count) { Set-FleetOk "trusted sites already, nothing to do: $($domains -join ', ')"; return }
if ($zones.Policy) {
    Add-FleetItem 'held' "a group policy assigns sites to zones ($($zones.Policy))"
    Stop-FleetSkipped "a group policy assigns sites to zones ($($zones.Policy)): add $($zones.Missing -join ', ') there; nothing was touched"
}
Stop-FleetForMarsJob
foreach ($domain in $zones.Missing) {
    Add-FleetItem 'added' $domain
    $key = "$FleetSystemInternet\ZoneMap\$($zones.List)\$domain"
    if (-not $PSCmdlet.ShouldProcess($key, 'Set https to 2, trusted sites')) { Set-FleetChanged "would add $domain to the trusted sites of SYSTEM"; continue }
    $before = Get-FleetTextEntry $key 'https'
    Add-FleetUndo 'values' $before
    Set-FleetNumber $before 2
    Set-FleetChanged "$domain is a trusted site of SYSTEM ($($zones.List))"
}
