# /// fleet
# kind = "check"
# title = "The scratch folder of the MARS agent is one that it can use"
# about = "Both values of the registry name the same folder; it is there, on a fixed local volume; neither it nor a virtual disk in it or in a folder of it is encrypted, compressed, sparse, a link, or deduplicated (which shows as ReparsePoint); and the system may do all in it, by itself or as an administrator. mars-kek looks for the key file, mars-scratch-space at the room."
# severity = "error"
# idempotent = "yes"
# timeout = 60
# needs = ["admin"]
#
# [returns.scratch]
# type = "str"
# about = "The scratch folder, as Config names it; empty where it names none"
# [returns.second]
# type = "str"
# about = "The same, as CloudBackupProvider names it"
# [returns.unsupported]
# type = "list"
# about = "Attributes that are not supported, each: path, attributes"
# ///
[CmdletBinding()]
param()

Assert-FleetAdministrator
if ($null -eq (Get-FleetService 'obengine')) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
$config = 'HKLM\SOFTWARE\Microsoft\Windows Azure Backup\Config'
$scratch = [string](Get-FleetRegistryValue $config 'ScratchLocation').Value
$second = [string](Get-FleetRegistryValue "$config\CloudBackupProvider" 'ScratchLocation').Value
Add-FleetData 'scratch' $scratch
Add-FleetData 'second' $second
Add-FleetData 'unsupported' @()
if (-not $scratch -and -not $second) { Stop-FleetSkipped 'the MARS agent is not registered yet: it names no scratch folder' }
$folder = $scratch.TrimEnd('\')
if ($folder -ne $second.TrimEnd('\')) { Stop-FleetFailed "the registry names two scratch folders: Config '$scratch', CloudBackupProvider '$second'; the folder was moved in one place only" }
if ($folder -notmatch '^[A-Za-z]:\\[^\\]') { Stop-FleetFailed "the scratch folder $scratch is no folder of a local volume" }
$sddl = Get-FleetAcl $folder
if (-not $sddl) { Stop-FleetFailed "the scratch folder $scratch is not there, or its volume is not" }

$problems = @()
$volume = Get-FleetVolume $folder
if ($null -eq $volume) { $problems += "its volume can't be asked what it is" }
elseif ($volume.DriveType -ne 'Fixed') { $problems += "its volume is not a fixed one ($($volume.DriveType))" }

function Get-PathOf([string]$Path) {
    # What lies in a folder, with its whole path.
    foreach ($item in @(Get-FleetFolderItem $Path)) { Add-Member -InputObject $item -MemberType NoteProperty -Name Path -Value "$($Path.TrimEnd('\'))\$($item.Name)" -PassThru }
}

$parent, $name = [regex]::Match($folder, '^(.*\\)([^\\]+)$').Groups[1, 2] | ForEach-Object { $_.Value }
$looked = @(Get-PathOf $parent | Where-Object { $_.Name -eq $name })
foreach ($item in @(Get-PathOf $folder)) {
    if (-not $item.IsFolder) { $looked += $item }
    elseif ($item.Attributes -notcontains 'ReparsePoint') { $looked += @(Get-PathOf $item.Path) }
}
foreach ($item in @($looked | Where-Object { $_.Path -eq $folder -or $_.Name -match '\.vhdx?$' })) {
    $wrong = @('Encrypted', 'Compressed', 'SparseFile', 'ReparsePoint' | Where-Object { $item.Attributes -contains $_ })
    if (-not $wrong.Count) { continue }
    Add-FleetData 'unsupported' @($FleetReply.data.unsupported + @(@{ path = $item.Path; attributes = $wrong }))
    $problems += "$($item.Path) is $($wrong -join ', ')"
}

# the system has what is given to it, to Administrators, to Authenticated Users and to Everyone
$entries = @((ConvertFrom-FleetSddl $sddl).Entries | Where-Object { 'S-1-5-18', 'S-1-5-32-544', 'S-1-5-11', 'S-1-1-0' -contains $_.Sid -and $_.Flags -cnotmatch '^(..)*IO' })
$rights = 0L
foreach ($entry in @($entries | Where-Object { $_.Type -ceq 'A' })) { $rights = $rights -bor $entry.Mask }
if (($rights -band 0x1f01ff) -ne 0x1f01ff -and -not ($rights -band 0x10000000)) { $problems += 'the system has no full control of it' }
foreach ($entry in @($entries | Where-Object { $_.Type -ceq 'D' })) { $problems += "rights in it are denied to $($entry.Sid)" }
if ($problems.Count) { Stop-FleetFailed "the scratch folder ${scratch}: $($problems -join '; ')" }
Set-FleetOk "the scratch folder is $scratch, on a fixed volume, with supported attributes and full control for the system"
