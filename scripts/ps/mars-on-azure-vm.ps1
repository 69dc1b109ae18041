# /// fleet
# kind = "check"
# title = "The MARS agent does not run in an Azure virtual machine"
# about = "There it is slower than on hardware, which is no fault of the agent: the disks of the machine have their limits. An Azure machine has the services of the guest agent, or reaches the address that Azure alone has inside (168.63.129.16, port 80). The address of instance metadata proves nothing: other clouds have the same."
# severity = "info"
# idempotent = "yes"
# timeout = 60
#
# [returns.azure]
# type = "bool"
# about = "Whether it is an Azure virtual machine"
# [returns.by]
# type = "str"
# about = "What tells it: guest-agent, address; empty for none"
# ///
[CmdletBinding()]
param()

if ($null -eq (Get-FleetService 'obengine')) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
$by = ''
if ((Get-FleetService 'WindowsAzureGuestAgent') -or (Get-FleetService 'RdAgent')) { $by = 'guest-agent' }
elseif (Test-FleetTcp '168.63.129.16' 80 5) { $by = 'address' }
Add-FleetData 'azure' ($by -ne '')
Add-FleetData 'by' $by
if ($by) { Stop-FleetFailed "this is an Azure virtual machine ($(if ($by -eq 'address') { '168.63.129.16 answers, as it does in Azure alone' } else { 'it has the guest agent' })): its disks and size limit how fast the MARS agent is" }
Set-FleetOk 'this is no Azure virtual machine: it has no guest agent, and 168.63.129.16 does not answer'
