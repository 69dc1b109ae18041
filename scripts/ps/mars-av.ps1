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
$service = Get-FleetService 'obengine'
if ($null -eq $service) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
$engine = Get-FleetServiceProgram $service
if ($engine -notmatch '^[A-Za-z]:\\.+\\bin\\[^\\]+$') { $engine = 'C:\Program Files\Microsoft Azure Recovery Services Agent\bin\cbengine.exe' }
$bin = [regex]::Match($engine, '^(.+)\\[^\\]+$').Groups[1].Value
$scratch = ([string](Get-FleetRegistryValue 'HKLM\SOFTWARE\Microsoft\Windows Azure Backup\Config' 'ScratchLocation').Value).TrimEnd('\')
if (-not $scratch) { $scratch = "$([regex]::Match($bin, '^(.+)\\[^\\]+$').Groups[1].Value)\Scratch" }
$compilers = @(foreach ($framework in 'Framework', 'Framework64') {
    $root = "C:\Windows\Microsoft.NET\$framework"
    foreach ($version in @(Get-FleetFolderItem $root | Where-Object { $_.IsFolder -and $_.Name -like 'v*' })) {
        $path = "$root\$($version.Name)\csc.exe"
        if ((Get-FleetFileSize $path) -ge 0) { $path }
    }
})
$processes = @($engine) + $compilers
$folders = @($bin, $scratch)

function Test-LeftOut([string]$Path, [object[]]$Exclusion) {
    # An exclusion is a path, or one of a folder above; * stands for characters of one part, ? for one of them.
    foreach ($each in $Exclusion) {
        $pattern = [regex]::Escape($each.TrimEnd('\')) -replace '\\\*', '[^\\]*' -replace '\\\?', '[^\\]'
        if ($Path -match "^$pattern(\\|$)") { return $true }
    }
    $false
}

function Get-Bare([string]$Text) {
    # With the values that these variables have on a server; of any other nothing is known here.
    $Text -replace '^%ProgramFiles%', 'C:\Program Files' -replace '^%(SystemRoot|windir)%', 'C:\Windows' -replace '^%SystemDrive%', 'C:'
}

$others = @(Get-FleetAntivirusFilter)
Add-FleetData 'other_filters' $others
Add-FleetData 'missing' @()
$elsewhere = "other antivirus software is here ($($others -join ', ')): leave out $(($processes + $folders) -join ', ') in its console"
$defender = Get-FleetDefender
if (-not $defender.Present) {
    if ($others.Count) { Stop-FleetSkipped $elsewhere }
    Set-FleetOk 'no antivirus software is here'
    return
}
if (-not $defender.Readable) { Stop-FleetSkipped "a policy hides what Defender leaves out: look where it is managed$(if ($others.Count) { "; $elsewhere" })" }
# a process may be named without its folder
$named = @($defender.Processes | ForEach-Object { Get-Bare $_ })
$missing = @($processes | Where-Object { $named -notcontains ($_ -split '\\')[-1] -and -not (Test-LeftOut $_ $named) })
$paths = @($defender.Paths | ForEach-Object { Get-Bare $_ })
$missing += @($folders | Where-Object { -not (Test-LeftOut $_ $paths) })
Add-FleetData 'missing' $missing
$more = if ($others.Count) { "; $elsewhere" } else { '' }
if ($missing.Count) { Stop-FleetFailed "Defender does not leave out $($missing -join ', ')$more" }
Set-FleetOk "Defender leaves out the processes and folders of the MARS agent$more"
