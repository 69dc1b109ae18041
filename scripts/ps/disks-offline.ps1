# /// fleet
# kind = "check"
# title = "No disk is offline"
# about = "Windows: by the storage API, with the reason as a number, of which 4 means that another disk has the same signature, as on the machine that was backed up. Linux: the state of each SCSI disk in /sys. Nothing is brought online: that can destroy volumes of the source machine."
# severity = "warning"
# idempotent = "yes"
# timeout = 60
#
# [returns.disks]
# type = "list"
# about = "Each disk that is offline, with what is known of the reason"
# [returns.policy]
# type = "int"
# about = "Windows: what becomes of new disks (SanPolicy): 1 online, 2 offline on shared buses, 3 offline, 4 internal ones offline; null where it is not set"
# ///
[CmdletBinding()]
param()

$reasons = @('reason not known', 'the policy for new disks', 'a second path to another disk', 'a snapshot of a disk that is online', 'another disk has the same signature', 'no space left in its pool', 'failed writes', 'its data have to be checked', 'written data may be lost')
Add-FleetData 'policy' (Get-FleetRegistryValue 'HKLM\SYSTEM\CurrentControlSet\Services\partmgr\Parameters' 'SanPolicy').Value
if ([version](Get-FleetSystem).Version -lt [version]'6.2') { Stop-FleetSkipped 'this Windows is older than 2012 and has no storage API: look with diskpart (list disk)' }
$all = @(Get-FleetDisk | Sort-Object Number)
$offline = @($all | Where-Object { $_.Offline } | ForEach-Object { "disk $($_.Number) ($($_.Name)): $(if ($_.Reason -lt $reasons.Count) { $reasons[$_.Reason] } else { 'reason' }) [$($_.Reason)]" })
Add-FleetData 'disks' $offline
if ($offline.Count) { Stop-FleetFailed ($offline -join '; ') }
Set-FleetOk "$($all.Count) disks, none offline"
