# /// fleet
# kind = "check"
# title = "The endpoints that a backup needs accept connections"
# about = "Those that the operator or the profile names. A connection is opened and closed; a proxy is not used."
# severity = "error"
# idempotent = "yes"
# timeout = 180
#
# [params.endpoints]
# type = "list"
# default = []
# pattern = '(?:\[[0-9A-Fa-f:.]{2,45}\]|[0-9A-Za-z.-]{1,253}):[0-9]{1,5}'
# about = "HOST:PORT of each, at most 20 that do not answer fit into the time"
#
# [params.connect_seconds]
# type = "int"
# default = 5
# minimum = 1
# maximum = 20
# about = "How long a connection may take"
#
# [returns.reached]
# type = "list"
# about = "Endpoints that accepted a connection"
#
# [returns.unreached]
# type = "list"
# about = "Endpoints that did not"
# ///
[CmdletBinding()]
param([object[]]$endpoints = @(), [int]$connect_seconds = 5)

if (-not $endpoints.Count) { Stop-FleetSkipped 'no endpoint was named: -p endpoints=HOST:PORT,HOST:PORT' }
$reached = @()
$unreached = @()
foreach ($endpoint in $endpoints) {
    $at = $endpoint.LastIndexOf(':')
    $answers = Test-FleetTcp $endpoint.Substring(0, $at).Trim('[', ']') ([int]$endpoint.Substring($at + 1)) $connect_seconds
    if ($answers) { $reached += $endpoint } else { $unreached += $endpoint }
}
Add-FleetData 'reached' $reached
Add-FleetData 'unreached' $unreached
if ($unreached.Count) { Stop-FleetFailed "no connection to $($unreached -join ' ')" }
Set-FleetOk "reached: $($reached -join ' ')"
