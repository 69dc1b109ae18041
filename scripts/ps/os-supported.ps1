# /// fleet
# kind = "check"
# title = "The system is one that the operator's list allows"
# about = "Which systems are supported changes with the agent, so the list is the operator's: take it from the support matrix of the backup."
# severity = "warning"
# idempotent = "yes"
# timeout = 30
#
# [params.supported]
# type = "list"
# default = []
# pattern = '[0-9A-Za-z ._()/-]{1,80}'
# about = "Beginnings of names: Debian GNU/Linux 12, Ubuntu 22.04, Windows Server 2019; capitals do not matter"
#
# [returns.os]
# type = "str"
# about = "Name of the system"
#
# [returns.os_version]
# type = "str"
# about = "Its version or kernel"
# ///
[CmdletBinding()]
param([object[]]$supported = @())

$system = Get-FleetSystem
Add-FleetData 'os' $system.Name
Add-FleetData 'os_version' $system.Version
if (-not $supported.Count) { Stop-FleetSkipped "no list was given: -p supported='Windows Server 2019,Windows Server 2022'; this is $($system.Name)" }
if (-not @($supported | Where-Object { $system.Name.StartsWith($_, 'OrdinalIgnoreCase') }).Count) { Stop-FleetFailed "$($system.Name) is not on the list of supported systems" }
Set-FleetOk "$($system.Name) is supported"
