# /// fleet
# kind = "check"
# title = "The MARS agent is not older than it may be"
# about = "The product version of cbengine.exe, which the service obengine runs, compared number by number. Which one is the current one is told by Microsoft, not by the server: give it as minimum_version."
# severity = "warning"
# idempotent = "yes"
# timeout = 60
#
# [params.minimum_version]
# type = "str"
# default = "2.0.9249.0"
# pattern = '[0-9]{1,9}(\.[0-9]{1,9}){1,3}'
# about = "The least version. 2.0.9249.0 is the least that can read today's vault credentials"
#
# [returns.version]
# type = "str"
# about = "Version of the agent; empty where its program has none or is not there"
# [returns.program]
# type = "str"
# about = "The program that was looked at"
# ///
[CmdletBinding()]
param([string]$minimum_version = '2.0.9249.0')

$service = Get-FleetService 'obengine'
if ($null -eq $service) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
$found = ''
$looked = @(@(Get-FleetServiceProgram $service) + 'C:\Program Files\Microsoft Azure Recovery Services Agent\bin\cbengine.exe' | Where-Object { $_ })
foreach ($program in $looked) {
    $found = Get-FleetProductVersion $program
    if ($found) { break }
}
Add-FleetData 'version' $found
Add-FleetData 'program' $program
$version = ConvertTo-FleetVersion $found
if ($null -eq $version) { Stop-FleetFailed "the version of the MARS agent can't be told: $($looked[0]) $(if ($found) { "says '$found'" } else { 'is not there or has none' })" }
if ($version -lt (ConvertTo-FleetVersion $minimum_version)) { Stop-FleetFailed "the MARS agent is $version; $minimum_version is the least" }
Set-FleetOk "the MARS agent is $version"
