# /// fleet
# kind = "remedy"
# title = "Have Microsoft Defender leave out the folders of the backup extension"
# about = "Adds the two folders that the document names, or others, and processes, to the exclusions of Defender; what is left out already stays. Other antivirus products are left to their consoles."
# risk = "safe"
# idempotent = "yes"
# timeout = 120
# needs = ["admin"]
# undo = "unset-defender-exclusions"
#
# [params.paths]
# type = "list"
# default = ['C:\Packages\Plugins\Microsoft.Azure.RecoveryServices.VMSnapshot', 'C:\WindowsAzure\Logs\Plugins\Microsoft.Azure.RecoveryServices.VMSnapshot']
# pattern = '[A-Za-z]:\\[^<>"|?*]{2,250}'
# about = "Folders to leave out"
#
# [params.processes]
# type = "list"
# default = []
# pattern = '[^<>"|?*/]{1,250}'
# about = "Programs whose files to leave out, by path or name"
#
# [returns.added]
# type = "list"
# about = "Folders and programs that were, or would be, added"
# ///
[CmdletBinding(SupportsShouldProcess = $true)]
param([object[]]$paths = @('C:\Packages\Plugins\Microsoft.Azure.RecoveryServices.VMSnapshot','C:\WindowsAzure\Logs\Plugins\Microsoft.Azure.RecoveryServices.VMSnapshot'), [object[]]$processes = @())

Assert-FleetAdministrator
$defender = Get-FleetDefender
if (-not $defender.Present) { Stop-FleetSkipped 'Microsoft Defender does not run here; another product has a console of its own' }
if (-not $defender.Readable) { Stop-FleetFailed 'a policy hides what Defender leaves out: it is managed elsewhere; nothing was touched' }
foreach ($path in @($paths | Where-Object { $defender.Paths -notcontains $_ })) {
    Add-FleetItem 'added' $path
    if (-not $PSCmdlet.ShouldProcess($path, 'Have Defender leave it out')) { Set-FleetChanged "would have Defender leave out $path"; continue }
    Add-FleetUndo 'paths' $path
    Add-FleetDefenderPath $path
    if ((Get-FleetDefender).Paths -notcontains $path) { Stop-FleetFailed "Defender does not leave out $path after it was told to: it is managed elsewhere (policy, tamper protection)" }
    Set-FleetChanged "Defender leaves out $path"
}
foreach ($process in @($processes | Where-Object { $defender.Processes -notcontains $_ })) {
    Add-FleetItem 'added' $process
    if (-not $PSCmdlet.ShouldProcess($process, 'Have Defender leave out its files')) { Set-FleetChanged "would have Defender leave out the files of $process"; continue }
    Add-FleetUndo 'processes' $process
    Add-FleetDefenderProcess $process
    if ((Get-FleetDefender).Processes -notcontains $process) { Stop-FleetFailed "Defender does not leave out $process after it was told to: it is managed elsewhere (policy, tamper protection)" }
    Set-FleetChanged "Defender leaves out the files of $process"
}
if ($FleetReply.outcome -ne 'changed') { Set-FleetOk "Defender leaves out $((@($paths) + @($processes)) -join ' and ') already, nothing to do" }
