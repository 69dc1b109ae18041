# /// fleet
# kind = "remedy"
# title = "Take compression and encryption off the scratch folder of the MARS agent"
# about = "Of the folder, the folders in it and the virtual disks in them, by compact and cipher, while obengine is stopped; there has to be room for the files at their full size. Left alone: files that were made sparse, deduplicated or links, which move-scratch-folder copies to a place without that. What somebody else encrypted only that account can decrypt. Held while a job of the agent runs."
# risk = "service-interruption"
# idempotent = "yes"
# timeout = 3600
# needs = ["admin"]
# undo = "restore-scratch-attributes"
#
# [returns.cleared]
# type = "list"
# about = "What was, or would be, changed, each: path, attributes"
# [returns.left]
# type = "list"
# about = "What only a move of the folder helps, each: path, attributes"
# [returns.held]
# type = "list"
# about = "What a person has to wait for"
# ///
[CmdletBinding(SupportsShouldProcess = $true)]
param()

Assert-FleetAdministrator
if ($null -eq (Get-FleetService 'obengine')) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
$scratch = ([string](Get-FleetRegistryValue $FleetMarsConfig 'ScratchLocation').Value).TrimEnd('\')
if (-not $scratch) { Stop-FleetSkipped 'the MARS agent is not registered yet: it names no scratch folder' }
if ($scratch -notmatch '^[A-Za-z]:\\[^\\]' -or -not (Get-FleetAcl $scratch)) { Stop-FleetSkipped "there is no scratch folder '$scratch' to look at: mars-scratch-location-valid" }
$faults = @(Get-FleetScratchFault $scratch)
if (-not $faults.Count) { Set-FleetOk "nothing in $scratch is compressed, encrypted, sparse or a link, nothing to do"; return }
$jobs = @(foreach ($item in $faults) {
    $wrong = @('Encrypted', 'Compressed' | Where-Object { $item.Wrong -contains $_ })
    if ($wrong.Count -and $item.Attributes -notcontains 'ReparsePoint') { @{ path = $item.Path; attributes = $wrong; size = $item.Size } }
})
foreach ($item in $faults) {
    $rest = @('SparseFile', 'ReparsePoint' | Where-Object { $item.Wrong -contains $_ })
    if ($rest.Count) { Add-FleetItem 'left' @{ path = $item.Path; attributes = $rest } }
}
$left = @($FleetReply.data['left'] | Where-Object { $_ } | ForEach-Object { "$($_.path) is $($_.attributes -join ', ')" }) -join '; '
if (-not $jobs.Count) { Stop-FleetSkipped "${left}: move-scratch-folder copies it to a place without that" }
Stop-FleetForMarsJob
$volume = Get-FleetVolume $scratch
$size = 0
foreach ($job in @($jobs | Where-Object { $_.attributes -contains 'Compressed' })) { $size += $job.size }
if ($null -eq $volume -or $volume.Free -lt $size) { Stop-FleetFailed "the volume of $scratch has no room for $size bytes, which the compressed files may take; nothing was touched" }
$what = @($jobs | ForEach-Object { "$($_.path) ($($_.attributes -join ', '))" }) -join ', '
foreach ($job in $jobs) { Add-FleetItem 'cleared' @{ path = $job.path; attributes = $job.attributes } }
if (-not $PSCmdlet.ShouldProcess($scratch, "Take attributes off $what, with obengine stopped")) {
    Set-FleetChanged "would stop obengine and take compression and encryption off $what$(if ($left) { "; $left" })"
    return
}
$problems = New-Object Collections.ArrayList
Set-FleetScratch @() {
    foreach ($job in $jobs) {
        Add-FleetUndo 'items' @{ path = $job.path; attributes = $job.attributes }
        foreach ($attribute in $job.attributes) {
            $problem = Set-FleetItemAttribute $job.path $attribute $false
            if ($problem) { [void]$problems.Add($problem) } else { Set-FleetChanged "$($job.path) is no longer $attribute" }
        }
    }
}
if ($problems.Count) { Stop-FleetFailed ($problems -join '; ') }
if ($left) { Set-FleetChanged "${left}: move-scratch-folder copies it to a place without that" }
