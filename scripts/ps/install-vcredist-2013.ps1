# /// fleet
# kind = "remedy"
# title = "Install the Visual C++ 2013 runtime that the backup extension brings"
# about = "Runs vcredist2013_x64.exe /install /quiet /norestart from the newest version folder of the extension. Exit codes 0, 1638 (a newer one is there) and 3010 (a restart of the machine is wanted) are good; the machine is never restarted here. Held while a backup runs or something else is being installed."
# risk = "reboot"
# idempotent = "yes"
# timeout = 1200
# needs = ["admin"]
# undo_note = "It is uninstalled like any program; other programs may use it by then."
#
# [returns.installer]
# type = "str"
# about = "The program that was, or would be, run"
# [returns.exit_code]
# type = "int"
# about = "What it ended with"
# [returns.restart_wanted]
# type = "bool"
# about = "Whether it wants the machine restarted"
# [returns.held]
# type = "list"
# about = "What a person has to wait for"
# ///
[CmdletBinding(SupportsShouldProcess = $true)]
param()

Assert-FleetAdministrator
$runtime = Get-FleetVcRuntime
if ($runtime) { Set-FleetOk "the Visual C++ 2013 runtime is $runtime already, nothing to do"; return }
$folder = Get-FleetExtensionFolder
if (-not $folder) { Stop-FleetSkipped 'there is no backup extension here; the first backup brings it and the runtime' }
$installer = @("$folder\vcredist2013_x64.exe", "$folder\vcredist2013_x64\vcredist2013_x64.exe" | Where-Object { (Get-FleetFileSize $_) -gt 0 })
if (-not $installer.Count) { Stop-FleetFailed "there is no vcredist2013_x64.exe in ${folder}; nothing was touched" }
Add-FleetData 'installer' $installer[0]
$service = Get-FleetService 'msiserver'
if ($null -eq $service -or $service.StartType -eq 'Disabled') { Stop-FleetFailed 'Windows Installer is disabled: enable-windows-installer; nothing was touched' }
if (Test-FleetRegistryKey 'HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Installer\InProgress') {
    Add-FleetItem 'held' 'something else is being installed'
    Stop-FleetSkipped 'something else is being installed (Windows Installer says so); nothing was touched'
}
Stop-FleetForBackup
if (-not $PSCmdlet.ShouldProcess($installer[0], 'Run /install /quiet /norestart')) { Set-FleetChanged "would run $($installer[0]) /install /quiet /norestart"; return }
$done = Invoke-FleetNative $installer[0] @('/install', '/quiet', '/norestart') 900
if ($done.TimedOut) { Stop-FleetFailed 'the installer did not end within 900 s and was ended: look whether the runtime is whole' }
Add-FleetData 'exit_code' $done.ExitCode
Add-FleetData 'restart_wanted' ($done.ExitCode -eq 3010)
if ($done.ExitCode -eq 1618) {
    Add-FleetItem 'held' 'something else is being installed'
    Stop-FleetSkipped 'something else is being installed (1618); the runtime was not'
}
if (0, 1638, 3010 -notcontains $done.ExitCode) { Stop-FleetFailed "the installer ended with $($done.ExitCode); its log is in the folder of temporary files of this account" }
$runtime = Get-FleetVcRuntime
if (-not $runtime) { Stop-FleetFailed "the installer ended with $($done.ExitCode), and the runtime is not registered" }
Set-FleetChanged "installed the Visual C++ 2013 runtime $runtime$(if ($done.ExitCode -eq 3010) { '; RESTART THE MACHINE in planned downtime: the installer wants it' })"
