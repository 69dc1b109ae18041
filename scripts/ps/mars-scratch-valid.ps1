# /// fleet
# kind = "check"
# title = "The scratch folder of the MARS agent is one that it can use"
# about = "Both values of the registry name the same folder; it is there, on a fixed local volume; neither it nor a virtual disk in it is encrypted, compressed, sparse, a link or deduplicated, and no folder in it encrypted or compressed; and the system may do all in it, by itself or as an administrator. When asked, it also looks for the key file and for programs other than the agent's that have files in it open for longer than a moment. mars-scratch-space looks at the room."
# severity = "error"
# idempotent = "yes"
# timeout = 120
# needs = ["admin"]
#
# [params.look]
# type = "list"
# default = ["place", "attributes", "rights"]
# pattern = 'place|attributes|rights|key|holders'
# about = "What to look at: place, attributes, rights, key (OnlineBackup.KEK is there), holders (who has its files open)"
#
# [returns.scratch]
# type = "str"
# about = "The scratch folder, as Config names it; empty where it names none"
# [returns.second]
# type = "str"
# about = "The same, as CloudBackupProvider names it"
# [returns.unsupported]
# type = "list"
# about = "Attributes that are not supported, each: path, attributes, and link (deduplicated, junction ...; empty for none)"
# [returns.holders]
# type = "list"
# about = "Programs that have files in it open, each: name, id"
# ///
[CmdletBinding()]
param([object[]]$look = @('place','attributes','rights'))

Assert-FleetAdministrator
if ($null -eq (Get-FleetService 'obengine')) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
$scratch, $second = @(Get-FleetScratchEntry | ForEach-Object { [string]$_.value })
Add-FleetData 'scratch' $scratch
Add-FleetData 'second' $second
Add-FleetData 'unsupported' @()
if (-not $scratch -and -not $second) { Stop-FleetSkipped 'the MARS agent is not registered yet: it names no scratch folder' }
$folder = $scratch.TrimEnd('\')
$sddl = if ($folder -match '^[A-Za-z]:\\[^\\]') { Get-FleetAcl $folder } else { '' }
$problems = @()
if ($look -contains 'place') {
    if ($folder -ne $second.TrimEnd('\')) { Stop-FleetFailed "the registry names two scratch folders: Config '$scratch', CloudBackupProvider '$second'; the folder was moved in one place only" }
    if ($folder -notmatch '^[A-Za-z]:\\[^\\]') { Stop-FleetFailed "the scratch folder $scratch is no folder of a local volume" }
    if (-not $sddl) { Stop-FleetFailed "the scratch folder $scratch is not there, or its volume is not" }
    $volume = Get-FleetVolume $folder
    if ($null -eq $volume) { $problems += "its volume can't be asked what it is" }
    elseif ($volume.DriveType -ne 'Fixed') { $problems += "its volume is not a fixed one ($($volume.DriveType))" }
}
if (-not $sddl) { Stop-FleetSkipped "there is no scratch folder '$scratch' to look at: mars-scratch-location-valid" }

function Get-LinkKind([string]$Path) {
    # By the number of its kind, which no language changes.
    $kinds = @{ '0x80000013' = 'deduplicated'; '0xa0000003' = 'junction or mounted volume'; '0xa000000c' = 'symbolic link' }
    $number = [regex]::Match(((Invoke-FleetNative 'fsutil.exe' @('reparsepoint', 'query', $Path) 30).Output -join "`n"), '\b0x[0-9A-Fa-f]{8}\b').Value.ToLowerInvariant()
    if ($kinds.ContainsKey($number)) { $kinds[$number] } else { $number }
}

foreach ($item in @(if ($look -contains 'attributes') { Get-FleetScratchFault $folder })) {
    $link = if ($item.Wrong -contains 'ReparsePoint') { Get-LinkKind $item.Path } else { '' }
    Add-FleetData 'unsupported' @($FleetReply.data.unsupported + @(@{ path = $item.Path; attributes = $item.Wrong; link = $link }))
    $problems += "$($item.Path) is $($item.Wrong -join ', ')$(if ($link) { " ($link)" })"
}
if ($look -contains 'rights') { $problems += @(Get-FleetScratchRightProblem $sddl) }
if ($look -contains 'key' -and (Get-FleetFileSize "$folder\OnlineBackup.KEK") -lt 0) { $problems += 'its key file OnlineBackup.KEK is missing' }
if ($look -contains 'holders') {
    $files = @(Get-FleetTree $folder 4 | Where-Object { -not $_.IsFolder } | Select-Object -First 500 | ForEach-Object { $_.Path })
    $own = 'cbengine', 'OBRecoveryServicesManagementAgent'
    $holders = @(Get-FleetFileHolder $files | Where-Object { $own -notcontains $_.Name })
    if ($holders.Count) {
        # a scanner that passes is no fault
        Wait-FleetTime 10
        $still = @(Get-FleetFileHolder $files | ForEach-Object { $_.Id })
        $holders = @($holders | Where-Object { $still -contains $_.Id })
    }
    Add-FleetData 'holders' @($holders | ForEach-Object { @{ name = $_.Name; id = $_.Id } })
    if ($holders.Count) { $problems += "files in it are open in $(@($holders | ForEach-Object { "$($_.Name) (process $($_.Id))" }) -join ', ')" }
}
if ($problems.Count) { Stop-FleetFailed "the scratch folder ${scratch}: $($problems -join '; ')" }
Set-FleetOk "the scratch folder is $scratch; looked at: $($look -join ', ')"
