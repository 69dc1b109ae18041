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

Assert-FleetAdministrator
if ($null -eq (Get-FleetService 'obengine')) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
$zones = Get-FleetTrustedSite $domains
Add-FleetData 'trusted' $zones.Trusted
Add-FleetData 'missing' $zones.Missing
if ($zones.Missing.Count) { Stop-FleetFailed "not among the trusted sites of SYSTEM or of the machine ($($zones.List)): $($zones.Missing -join ', ')" }
Set-FleetOk "trusted sites: $($zones.Trusted -join ', ')"
