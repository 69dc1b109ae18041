# /// fleet
# kind = "remedy"
# title = "Have Microsoft Defender look at folders again"
# about = "Takes folders out of the exclusions of Defender: what set-defender-exclusions added, from its data.undo."
# risk = "safe"
# idempotent = "yes"
# timeout = 120
# needs = ["admin"]
# undo = "set-defender-exclusions"
#
# [params.paths]
# type = "list"
# required = true
# about = "Folders, as the remedy wrote them"
#
# [returns.removed]
# type = "list"
# about = "Folders that were, or would be, removed"
# ///
[CmdletBinding(SupportsShouldProcess = $true)]
param([Parameter(Mandatory = $true)][object[]]$paths)

Assert-FleetAdministrator
$defender = Get-FleetDefender
if (-not $defender.Present) { Stop-FleetSkipped 'Microsoft Defender does not run here' }
foreach ($path in @($paths | Where-Object { $defender.Paths -contains $_ })) {
    Add-FleetItem 'removed' $path
    if (-not $PSCmdlet.ShouldProcess($path, 'Have Defender look at it again')) { Set-FleetChanged "would have Defender look at $path again"; continue }
    Add-FleetUndo 'paths' $path
    Remove-FleetDefenderPath $path
    if ((Get-FleetDefender).Paths -contains $path) { Stop-FleetFailed "Defender leaves out $path although it was told not to: it is managed elsewhere" }
    Set-FleetChanged "Defender looks at $path again"
}
if ($FleetReply.outcome -ne 'changed') { Set-FleetOk 'Defender leaves out none of these folders, nothing to do' }
