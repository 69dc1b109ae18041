# /// fleet
# kind = "check"
# title = "The wire server of the platform can be reached"
# about = "Tries a connection to each port. Needs root: the Linux agent lets nobody else talk to the address."
# severity = "error"
# idempotent = "yes"
# timeout = 60
# needs = ["root", "admin"]
#
# [params.wire_server]
# type = "str"
# default = "168.63.129.16"
# pattern = '[0-9A-Za-z.:-]{1,253}'
# about = "Its address; it is the same in every region"
#
# [params.wire_ports]
# type = "list"
# default = ["80", "32526"]
# pattern = '[0-9]{1,5}'
# about = "TCP ports that have to answer"
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
# about = "Ports that accepted a connection"
#
# [returns.unreached]
# type = "list"
# about = "Ports that did not"
# ///
[CmdletBinding()]
param([string]$wire_server = '168.63.129.16', [object[]]$wire_ports = @('80','32526'), [int]$connect_seconds = 5)

Assert-FleetAdministrator
$reached = @()
$unreached = @()
foreach ($port in $wire_ports) {
    if (Test-FleetTcp $wire_server ([int]$port) $connect_seconds) { $reached += $port } else { $unreached += $port }
}
Add-FleetData 'reached' $reached
Add-FleetData 'unreached' $unreached
if ($unreached.Count) { Stop-FleetFailed "$wire_server does not answer on port $($unreached -join ' ')" }
Set-FleetOk "$wire_server answers on port $($reached -join ' ')"
