# /// fleet
# kind = "remedy"
# title = "Delete certificates of Azure's generators that can't be used, and have new ones made"
# about = "Of the two subjects Windows Azure CRP Certificate Generator and Windows Azure Service Management for Extensions in the computer's personal store: what is expired, without its key, or there twice (all=true: all of them). Then RdAgent is restarted, and the agent makes a new one. Keys are not deleted, so that the certificates can be put back. Held while a backup runs."
# risk = "destructive"
# idempotent = "yes"
# timeout = 900
# needs = ["admin"]
# undo = "restore-certificates"
#
# [params.all]
# type = "bool"
# default = false
# about = "Delete those too that can be used, as the document says"
#
# [returns.deleted]
# type = "list"
# about = "Subject, thumbprint and verdict of each that was, or would be, deleted"
# [returns.held]
# type = "list"
# about = "What a person has to wait for"
# [returns.down]
# type = "list"
# about = "Services that ran before and do not run now"
# ///
[CmdletBinding(SupportsShouldProcess = $true)]
param([bool]$all = $false)

Assert-FleetAdministrator
$doomed = @(Get-FleetExtensionCertificate | Where-Object { $_.Verdict -or $all })
if (-not $doomed.Count) { Set-FleetOk 'no certificate of the generators has to go, nothing to do'; return }
Stop-FleetForBackup
foreach ($each in $doomed) {
    Add-FleetItem 'deleted' @{ subject = $each.Subject; thumbprint = $each.Thumbprint; verdict = $each.Verdict }
    if (-not $PSCmdlet.ShouldProcess($each.Subject, "Delete certificate $($each.Thumbprint)")) { Set-FleetChanged "would delete $(Format-FleetCertificate $each)"; continue }
    Add-FleetUndo 'certificates' $each.Public
    Remove-FleetCertificate $each.Thumbprint
    if (@(Get-FleetCertificate | Where-Object { $_.Thumbprint -eq $each.Thumbprint }).Count) { Stop-FleetFailed "certificate $($each.Thumbprint) is there after it was deleted" }
    Set-FleetChanged "deleted $(Format-FleetCertificate $each)"
}
if ($WhatIfPreference) { return }
if ((Get-FleetServiceStatus 'RdAgent') -ne 'Running') { Stop-FleetFailed 'RdAgent does not run, so no new certificate is made: restart-azure-guest-agent' }
$done = Restart-FleetService 'RdAgent'
if ($done.Down.Count) { Add-FleetData 'down' $done.Down }
if ($done.Problem) { Stop-FleetFailed $done.Problem }
Set-FleetChanged 'restarted RdAgent, which has a new certificate made'
