# /// fleet
# kind = "remedy"
# title = "Have Microsoft Defender look at folders and programs again"
# about = "Takes folders and programs out of the exclusions of Defender: what set-defender-exclusions or set-mars-exclusions added, from its data.undo."
# risk = "safe"
# idempotent = "yes"
# timeout = 120
# needs = ["admin"]
# undo = "set-defender-exclusions"
#
# [params.paths]
# type = "list"
# default = []
# about = "Folders, as the remedy wrote them"
#
# [params.processes]
# type = "list"
# default = []
# about = "Programs, as the remedy wrote them"
#
# [returns.removed]
# type = "list"
# about = "Folders and programs that were, or would be, removed"
# ///
[CmdletBinding(SupportsShouldProcess = $true)]
param([object[]]$paths = @(), [object[]]$processes = @())

Assert-FleetAdministrator
$defender = Get-FleetDefender
if (-not $defender.Present) { Stop-FleetSkipped 'Microsoft Defender does not run here' }
$removed = @{ paths = New-Object Collections.ArrayList; processes = New-Object Collections.ArrayList }
foreach ($path in @($paths | Where-Object { $defender.Paths -contains $_ })) {
    Add-FleetItem 'removed' $path
    if (-not $PSCmdlet.ShouldProcess($path, 'Have Defender look at it again')) { Set-FleetChanged "would have Defender look at $path again"; continue }
    Add-FleetData 'undo' $removed
    Add-FleetUndo 'paths' $path
    Remove-FleetDefenderPath $path
    if ((Get-FleetDefender).Paths -contains $path) { Stop-FleetFailed "Defender leaves out $path although it was told not to: it is managed elsewhere" }
    Set-FleetChanged "Defender looks at $path again"
}
foreach ($process in @($processes | Where-Object { $defender.Processes -contains $_ })) {
    Add-FleetItem 'removed' $process
    if (-not $PSCmdlet.ShouldProcess($process, 'Have Defender look at its files again')) { Set-FleetChanged "would have Defender look at the files of $process again"; continue }
    Add-FleetData 'undo' $removed
    Add-FleetUndo 'processes' $process
    Remove-FleetDefenderProcess $process
    if ((Get-FleetDefender).Processes -contains $process) { Stop-FleetFailed "Defender leaves out $process although it was told not to: it is managed elsewhere" }
    Set-FleetChanged "Defender looks at the files of $process again"
}
if ($FleetReply.outcome -ne 'changed') { Set-FleetOk 'Defender leaves out none of these folders and programs, nothing to do' }
