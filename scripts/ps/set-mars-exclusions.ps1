# /// fleet
# kind = "remedy"
# title = "Have Microsoft Defender leave out what the MARS agent needs left out"
# about = "Adds to the exclusions of Defender what mars-av misses: the processes cbengine.exe and csc.exe of every .NET Framework, the folders bin and scratch of the agent. Exclusions weaken the protection: those who answer for security have to agree. Other antivirus products are left to their consoles. Held while a job of the agent runs."
# risk = "safe"
# idempotent = "yes"
# timeout = 120
# needs = ["admin"]
# undo = "unset-defender-exclusions"
#
# [returns.added]
# type = "list"
# about = "Processes and folders that were, or would be, added"
# [returns.held]
# type = "list"
# about = "What a person has to wait for"
# ///
[CmdletBinding(SupportsShouldProcess = $true)]
param()

Assert-FleetAdministrator
if ($null -eq (Get-FleetService 'obengine')) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
$defender = Get-FleetDefender
if (-not $defender.Present) { Stop-FleetSkipped 'Microsoft Defender does not run here; another product has a console of its own' }
if (-not $defender.Readable) { Stop-FleetFailed 'a policy hides what Defender leaves out: it is managed elsewhere; nothing was touched' }
$needed = Get-FleetMarsExclusion $defender
if (-not ($needed.MissingProcesses.Count + $needed.MissingFolders.Count)) { Set-FleetOk 'Defender leaves out the processes and folders of the MARS agent already, nothing to do'; return }
Stop-FleetForMarsJob
foreach ($each in @($needed.MissingProcesses) + @($needed.MissingFolders)) {
    $process = $needed.MissingProcesses -contains $each
    Add-FleetItem 'added' $each
    if (-not $PSCmdlet.ShouldProcess($each, 'Have Defender leave it out')) { Set-FleetChanged "would have Defender leave out $each"; continue }
    Add-FleetUndo $(if ($process) { 'processes' } else { 'paths' }) $each
    if ($process) { Add-FleetDefenderProcess $each } else { Add-FleetDefenderPath $each }
    $now = Get-FleetDefender
    if ($(if ($process) { $now.Processes } else { $now.Paths }) -notcontains $each) { Stop-FleetFailed "Defender does not leave out $each after it was told to: it is managed elsewhere (policy, tamper protection)" }
    Set-FleetChanged "Defender leaves out $each"
}
