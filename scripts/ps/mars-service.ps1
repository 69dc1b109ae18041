# /// fleet
# kind = "check"
# title = "The service of the MARS agent runs and starts by itself"
# about = "obengine, Microsoft Azure Recovery Services Agent. Where it is not installed there is nothing to look at."
# severity = "error"
# idempotent = "yes"
# timeout = 60
#
# [returns.status]
# type = "str"
# about = "Status of the service"
#
# [returns.start_type]
# type = "str"
# about = "How it is started"
# ///
[CmdletBinding()]
param()

$service = Get-FleetService 'obengine'
if ($null -eq $service) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
Add-FleetData 'status' $service.Status
Add-FleetData 'start_type' $service.StartType
if ($service.Status -ne 'Running') { Stop-FleetFailed "the MARS agent does not run: obengine is $($service.Status)" }
if ($service.StartType -notlike '*Automatic') { Stop-FleetFailed "the MARS agent runs, but obengine starts $($service.StartType), not by itself" }
Set-FleetOk 'the MARS agent runs and starts by itself'
