# /// fleet
# kind = "check"
# title = "The address comes from DHCP, as the platform wants it"
# about = "Linux: a lease with option 245, the address of the wire server. Windows: DHCP of the interface with the default route."
# severity = "error"
# idempotent = "yes"
# timeout = 60
#
# [returns.interfaces]
# type = "list"
# about = "Windows: each interface with a default route, with id, address and dhcp"
#
# [returns.option_245]
# type = "str"
# about = "Linux: the option as the lease writes it; a8:3f:81:10 is 168.63.129.16"
#
# [returns.agent_says]
# type = "int"
# about = "Windows: DHCPStatus of the agent in the registry; null where it is absent"
# ///
[CmdletBinding()]
param()

$root = 'HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters\Interfaces'
$static = @()
$count = 0
$up = @(Get-FleetInterfaceId)
foreach ($id in Get-FleetRegistrySubKey $root) {
    if ($up.Count -and $up -notcontains $id) { continue }
    $of = @{}
    foreach ($name in 'EnableDHCP', 'DhcpDefaultGateway', 'DefaultGateway', 'DhcpIPAddress', 'IPAddress') { $of[$name] = @((Get-FleetRegistryValue "$root\$id" $name).Value | Where-Object { $_ -and $_ -ne '0.0.0.0' }) }
    if (-not ($of.DhcpDefaultGateway.Count + $of.DefaultGateway.Count)) { continue }
    $count++
    $on = [bool]$of.EnableDHCP.Count
    $address = if ($on) { "$($of.DhcpIPAddress)" } else { "$($of.IPAddress)" }
    Add-FleetItem 'interfaces' @{ id = $id; address = $address; dhcp = $on }
    if (-not $on) { $static += "$id ($address)" }
}
Add-FleetData 'agent_says' (Get-FleetRegistryValue 'HKLM\SOFTWARE\Microsoft\Virtual Machine\Guest' 'DHCPStatus').Value
if (-not $count) { Stop-FleetFailed 'no interface has a default route' }
if ($static.Count) { Stop-FleetFailed "DHCP is off on the interface with the default route: $($static -join ', ')" }
Set-FleetOk 'the interface with the default route uses DHCP'
