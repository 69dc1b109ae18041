# /// fleet
# kind = "remedy"
# title = "Allow SYSTEM to download files in the Internet zone"
# about = "Sets 1803 to 0 in the Internet zone of the SYSTEM account (or of the machine, where only its zones count), as the documents do in a dialog. Held where a group policy forbids it, and while a job of the MARS agent runs. Programs that run see it at their next start."
# risk = "safe"
# idempotent = "yes"
# timeout = 120
# needs = ["admin"]
# undo = "restore-registry-values"
#
# [returns.before]
# type = "int"
# about = "The value as found; null where nobody set it"
# [returns.held]
# type = "list"
# about = "What a person has to see to or wait for"
# ///
[CmdletBinding(SupportsShouldProcess = $true)]
param()

Assert-FleetAdministrator
if ($null -eq (Get-FleetService 'obengine')) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
$now = Get-FleetFileDownload
Add-FleetData 'before' $now.Value
if ($null -eq $now.Value -or $now.Value -eq 0) { Set-FleetOk 'SYSTEM may download files in the Internet zone, nothing to do'; return }
if ($now.Policy) {
    Add-FleetItem 'held' "a group policy forbids it ($($now.Key))"
    Stop-FleetSkipped "a group policy forbids downloads in the Internet zone ($($now.Key)): change it there; nothing was touched"
}
Stop-FleetForMarsJob
if (-not $PSCmdlet.ShouldProcess($now.Key, 'Set 1803 to 0')) { Set-FleetChanged "would set 1803 from $($now.Value) to 0 in $($now.Key)"; return }
$before = Get-FleetTextEntry $now.Key '1803'
Add-FleetUndo 'values' $before
Set-FleetNumber $before 0
Set-FleetChanged "SYSTEM may download files in the Internet zone; 1803 was $($now.Value)"
