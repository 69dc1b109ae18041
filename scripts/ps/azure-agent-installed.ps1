# /// fleet
# kind = "check"
# title = "The Azure guest agent is installed"
# about = "Its services RdAgent and WindowsAzureGuestAgent are there, whether they run or not, and so are their programs."
# severity = "error"
# idempotent = "yes"
# timeout = 60
#
# [returns.missing]
# type = "list"
# about = "Services that are not there"
# [returns.lost]
# type = "list"
# about = "Programs of services that are not there"
# ///
[CmdletBinding()]
param()

$missing, $lost = @(), @()
foreach ($name in 'RdAgent', 'WindowsAzureGuestAgent') {
    $service = Get-FleetService $name
    if ($null -eq $service) { $missing += $name; continue }
    $program = Get-FleetServiceProgram $service
    if ($program -and (Get-FleetFileSize $program) -lt 0) { $lost += $program }
}
Add-FleetData 'missing' $missing
Add-FleetData 'lost' $lost
if ($missing.Count) { Stop-FleetFailed "the Azure guest agent is not installed: there is no service $($missing -join ' and no ')" }
if ($lost.Count) { Stop-FleetFailed "the Azure guest agent is damaged: its services are there, but not $($lost -join ' and ')" }
Set-FleetOk 'the Azure guest agent is installed'
