# /// fleet
# kind = "check"
# title = ".NET Framework is new enough"
# about = "The number Release of .NET Framework 4 in the registry, which names the version in every language. 378389 is 4.5, the least of the Azure guest agent; 379893 is 4.5.2."
# severity = "error"
# idempotent = "yes"
# timeout = 30
#
# [params.minimum_release]
# type = "int"
# default = 378389
# minimum = 378389
# maximum = 999999
# about = "The least number"
#
# [params.mars_only]
# type = "bool"
# default = false
# about = "Skip servers without the MARS agent"
#
# [returns.release]
# type = "int"
# about = "The number; null where no version from 4.5 on is installed"
# [returns.version]
# type = "str"
# about = "The version that has this number, or the newest known one below it"
# ///
[CmdletBinding()]
param([int]$minimum_release = 378389, [bool]$mars_only = $false)

# "Determine which .NET Framework versions are installed" (dotnet/docs): the least number of each version
$known = @(@(533320, '4.8.1'), @(528040, '4.8'), @(461808, '4.7.2'), @(461308, '4.7.1'), @(460798, '4.7'), @(394802, '4.6.2'),
    @(394254, '4.6.1'), @(393295, '4.6'), @(379893, '4.5.2'), @(378675, '4.5.1'), @(378389, '4.5'))

function Get-VersionOf([long]$Release) { foreach ($pair in $known) { if ($Release -ge $pair[0]) { return $pair[1] } } }

if ($mars_only -and $null -eq (Get-FleetService 'obengine')) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
$found = Get-FleetTextEntry 'HKLM\SOFTWARE\Microsoft\NET Framework Setup\NDP\v4\Full' 'Release'
$release = if ($found.type -eq 'DWord') { [long]$found.value } else { 0 }
if ($release -lt 378389) {
    Add-FleetData 'release' $null
    Add-FleetData 'version' ''
    Stop-FleetFailed "no .NET Framework from 4.5 on is installed; $(Get-VersionOf $minimum_release) or later is needed"
}
Add-FleetData 'release' $release
Add-FleetData 'version' (Get-VersionOf $release)
if ($release -lt $minimum_release) { Stop-FleetFailed ".NET Framework is $(Get-VersionOf $release) (release $release); $(Get-VersionOf $minimum_release) or later is needed" }
Set-FleetOk ".NET Framework is $(Get-VersionOf $release) (release $release)"
