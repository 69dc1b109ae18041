# /// fleet
# kind = "check"
# title = "No earlier registration of the MARS agent stands in the way of a new one"
# about = "Before a server is registered again the agent is uninstalled, the server deleted in the vault, and the passphrase of the first time at hand. A registered agent names a scratch folder; nothing else is read, no credentials of the vault and no passphrase. What the vault has can't be seen here."
# severity = "info"
# idempotent = "yes"
# timeout = 60
#
# [returns.version]
# type = "str"
# about = "Version of the agent; empty where its program has none"
# [returns.registered]
# type = "bool"
# about = "Whether it was registered"
# ///
[CmdletBinding()]
param()

$service = Get-FleetService 'obengine'
if ($null -eq $service) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine. The server may be registered again once it is deleted in the vault, with the passphrase of the first time' }
$program = Get-FleetServiceProgram $service
Add-FleetData 'version' $(if ($program) { Get-FleetProductVersion $program } else { '' })
$registered = @(Get-FleetScratchEntry | Where-Object { $_.existed -and $_.value }).Count -gt 0
Add-FleetData 'registered' $registered
if ($registered) { Stop-FleetFailed 'the MARS agent is registered: to register it again it is uninstalled and the server deleted in the vault first, which can end its old backups' }
Set-FleetOk 'the MARS agent is installed and not registered'
