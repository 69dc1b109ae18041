# /// fleet
# kind = "check"
# title = "The guest answers, and says what it is"
# about = "What `fleet ping` runs: changes nothing, and sends a value back so that its way there and back can be compared."
# severity = "error"
# idempotent = "yes"
# timeout = 30
#
# [params.probe]
# type = "str"
# default = '''it's "quoted" $(not run) `nor this` %PATH% !x! \ ; | & < > * {{ }} #'''
# about = "Comes back in the data as it was sent"
#
# [returns.os]
# type = "str"
# about = "Name of the system as it calls itself"
# [returns.os_version]
# type = "str"
# about = "Version of Windows, or of the kernel"
# [returns.shell]
# type = "str"
# about = "What runs the scripts: PowerShell with its version, or the program behind sh"
# [returns.rights]
# type = "str"
# about = "administrator, root, sudo (without a password) or user"
# [returns.epoch]
# type = "int"
# about = "The guest's clock, seconds since 1970 UTC"
# [returns.language_mode]
# type = "str"
# about = "Language mode of PowerShell; empty elsewhere"
# [returns.probe]
# type = "str"
# about = "The value that was sent"
# ///
[CmdletBinding()]
param([string]$probe = 'it''s "quoted" $(not run) `nor this` %PATH% !x! \ ; | & < > * {{ }} #')

$system = Get-FleetSystem
$shell = "PowerShell $($PSVersionTable.PSVersion.Major).$($PSVersionTable.PSVersion.Minor)"
$rights = if (Test-FleetAdministrator) { 'administrator' } else { 'user' }
Add-FleetData 'os' $system.Name
Add-FleetData 'os_version' $system.Version
Add-FleetData 'shell' $shell
Add-FleetData 'rights' $rights
Add-FleetData 'epoch' ([long][Math]::Floor($system.Epoch))
Add-FleetData 'language_mode' ([string]$ExecutionContext.SessionState.LanguageMode)
Add-FleetData 'probe' $probe
Set-FleetOk "$($system.Name), $shell, $rights"
