# /// fleet
# kind = "check"
# title = "No flag of an earlier snapshot keeps the extension at its limit"
# about = "isanysnapshotfailed in /etc/azure/vmbackup.conf, which matters only where Azure Site Recovery protects the machine too. The file exists on Linux only; the limit itself is seen from outside."
# severity = "info"
# idempotent = "yes"
# timeout = 30
#
# [returns.value]
# type = "str"
# about = "What the flag is; empty where there is none"
# ///
[CmdletBinding()]
param()

Add-FleetData 'value' ''
Set-FleetOk 'the extension for Windows has no such flag; how many snapshots a disk has is seen in the portal'
