# /// fleet
# kind = "check"
# title = "The PowerShell module of the MARS agent is whole and can be found"
# about = "MSOnlineBackup, which the scheduled backup starts: no file of it is empty, it loads in a PowerShell of its own, and PSModulePath of the machine has its folder or the one above. Loading it tells more than a list of files, which differs between versions."
# severity = "error"
# idempotent = "yes"
# timeout = 120
# needs = ["admin"]
#
# [returns.folder]
# type = "str"
# about = "Where the module belongs"
#
# [returns.files]
# type = "int"
# about = "How many files it has"
#
# [returns.loads]
# type = "bool"
# about = "Whether it can be loaded; null where it was not tried"
#
# [returns.on_path]
# type = "bool"
# about = "Whether PSModulePath of the machine leads to it"
# ///
[CmdletBinding()]
param()

function Test-ModulePath([string]$Folder) {
    # The folder itself, as the documents want it, or the one above, as PowerShell does.
    $programs = [string](Get-FleetRegistryValue 'HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion' 'ProgramFilesDir').Value
    $value = [string](Get-FleetRegistryValue 'HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Environment' 'PSModulePath').Value
    $entries = @($value -split ';' | ForEach-Object { $_.Trim().Trim('"').TrimEnd('\') -replace '^%ProgramFiles%', $programs.Replace('$', '$$') })
    $entries -contains $Folder -or $entries -contains ($Folder -replace '\\[^\\]+$')
}

Assert-FleetAdministrator
if ($null -eq (Get-FleetService 'obengine')) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
$folder = "$(Get-FleetMarsFolder)\bin\Modules\MSOnlineBackup"
$manifest = "$folder\MSOnlineBackup.psd1"
$files = @(Get-FleetFolderItem $folder | Where-Object { -not $_.IsFolder } | ForEach-Object { $_.Name })
$empty = @($files | Where-Object { (Get-FleetFileSize "$folder\$_") -eq 0 })
$onPath = Test-ModulePath $folder
Add-FleetData 'folder' $folder
Add-FleetData 'files' $files.Count
Add-FleetData 'loads' $null
Add-FleetData 'on_path' $onPath
if (-not $files.Count) { Stop-FleetFailed "there is no module MSOnlineBackup in $folder" }
if ($files -notcontains 'MSOnlineBackup.psd1') { Stop-FleetFailed "$manifest is missing" }
if ($empty.Count) { Stop-FleetFailed "files of the module are empty: $($empty -join ', ')" }

# What may run scripts here is another matter (mars-powershell), hence Bypass. Every other exit code is one of PowerShell itself.
$windows = [string](Get-FleetRegistryValue 'HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion' 'SystemRoot').Value
if (-not $windows) { $windows = 'C:\Windows' }
$quoted = $manifest.Replace("'", "''")
$command = "`$ErrorActionPreference = 'Stop'; try { Import-Module -Name '$quoted' } catch { exit 17 }"
$done = Invoke-FleetNative "$windows\System32\WindowsPowerShell\v1.0\powershell.exe" @('-NoProfile', '-NonInteractive', '-ExecutionPolicy', 'Bypass', '-Command', $command) 90
if (-not $done.Found) { Stop-FleetFailed 'powershell.exe is missing, so the module can not be tried' }
if ($done.TimedOut) { Stop-FleetFailed 'the module did not load within 90 s' }
if (0, 17 -notcontains $done.ExitCode) { Stop-FleetFailed "PowerShell ended with exit code $($done.ExitCode), so whether the module loads is not known" }
Add-FleetData 'loads' ($done.ExitCode -eq 0)
if ($done.ExitCode -ne 0) { Stop-FleetFailed "the module in $folder does not load: it is damaged or not complete" }
if (-not $onPath) { Stop-FleetFailed "the module loads, but PSModulePath of the machine has neither $folder nor the folder above" }
Set-FleetOk "the module MSOnlineBackup loads ($($files.Count) files), and PSModulePath leads to it"
