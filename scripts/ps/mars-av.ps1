# /// fleet
# kind = "check"
# title = "Microsoft Defender leaves out what the MARS agent needs left out"
# about = "The processes cbengine.exe (not dpmra.exe) and csc.exe of every .NET Framework, and the folders bin and scratch of the agent; an exclusion of a folder above or one with * counts. Other antivirus products are told by the drivers of their file system filters; what those leave out is seen in their consoles only."
# severity = "warning"
# idempotent = "yes"
# timeout = 60
# needs = ["admin"]
#
# [returns.missing]
# type = "list"
# about = "Processes and folders that Defender does not leave out"
# [returns.other_filters]
# type = "list"
# about = "Drivers of other antivirus products, as far as they are not disabled"
# ///
[CmdletBinding()]
param()

Assert-FleetAdministrator
if ($null -eq (Get-FleetService 'obengine')) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
$defender = Get-FleetDefender
$needed = Get-FleetMarsExclusion $defender
$others = @(Get-FleetAntivirusFilter)
Add-FleetData 'other_filters' $others
Add-FleetData 'missing' @()
$elsewhere = "other antivirus software is here ($($others -join ', ')): leave out $(($needed.Processes + $needed.Folders) -join ', ') in its console"
if (-not $defender.Present) {
    if ($others.Count) { Stop-FleetSkipped $elsewhere }
    Set-FleetOk 'no antivirus software is here'
    return
}
if (-not $defender.Readable) { Stop-FleetSkipped "a policy hides what Defender leaves out: look where it is managed$(if ($others.Count) { "; $elsewhere" })" }
$missing = @($needed.MissingProcesses) + @($needed.MissingFolders)
Add-FleetData 'missing' $missing
$more = if ($others.Count) { "; $elsewhere" } else { '' }
if ($missing.Count) { Stop-FleetFailed "Defender does not leave out $($missing -join ', ')$more" }
Set-FleetOk "Defender leaves out the processes and folders of the MARS agent$more"
