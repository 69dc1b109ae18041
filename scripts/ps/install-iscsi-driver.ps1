# /// fleet
# kind = "remedy"
# title = "Give the Microsoft iSCSI Initiator its driver"
# about = "Where ROOT\\ISCSIPRT is an unknown device: pnputil installs the driver that Windows has in C:\\Windows\\INF\\iscsi.inf, as an automatic search in Device Manager does. Held while a job of the MARS agent runs."
# risk = "safe"
# idempotent = "yes"
# timeout = 300
# needs = ["admin"]
# undo_note = "The device had no driver before. Device Manager can uninstall it; the unknown device comes back with the next search for hardware."
#
# [returns.devices]
# type = "list"
# about = "Each device with the hardware id ROOT\\ISCSIPRT as found: instance, driver"
# [returns.exit_code]
# type = "int"
# about = "What pnputil ended with"
# [returns.held]
# type = "list"
# about = "What a person has to wait for"
# ///
[CmdletBinding(SupportsShouldProcess = $true)]
param()

Assert-FleetAdministrator
if ($null -eq (Get-FleetService 'obengine')) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
$devices = @(Get-FleetIscsiDevice)
Add-FleetData 'devices' @($devices | ForEach-Object { @{ instance = $_.Instance; driver = $_.Driver } })
if (@($devices | Where-Object { $_.Driver -eq 'iScsiPrt' }).Count) { Set-FleetOk 'the Microsoft iSCSI Initiator has its driver, nothing to do'; return }
if (-not $devices.Count) { Stop-FleetFailed 'there is no device ROOT\ISCSIPRT that could get a driver: a person adds it in Device Manager (Action, Add legacy hardware); nothing was touched' }
$windows = [string](Get-FleetRegistryValue 'HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion' 'SystemRoot').Value
if (-not $windows) { $windows = 'C:\Windows' }
$inf = "$windows\INF\iscsi.inf"
if ((Get-FleetFileSize $inf) -lt 0) { Stop-FleetFailed "$inf is missing: Windows itself is damaged; nothing was touched" }
Stop-FleetForMarsJob
if (-not $PSCmdlet.ShouldProcess('ROOT\ISCSIPRT', "Install $inf")) { Set-FleetChanged "would install the driver of $inf for ROOT\ISCSIPRT"; return }
# the words that pnputil knows since Windows 10 1607, and those of before
$words = if ([version](Get-FleetSystem).Version -ge [version]'10.0.14393') { @('/add-driver', $inf, '/install') } else { @('-i', '-a', $inf) }
$done = Invoke-FleetNative 'pnputil.exe' $words 180
if (-not $done.Found) { Stop-FleetFailed 'pnputil.exe is missing' }
if ($done.TimedOut) { Stop-FleetFailed 'pnputil did not end within 180 s' }
Add-FleetData 'exit_code' $done.ExitCode
# 3010: at the next start of Windows
if (-not @(Get-FleetIscsiDevice | Where-Object { $_.Driver -eq 'iScsiPrt' }).Count -and $done.ExitCode -ne 3010) { Stop-FleetFailed "ROOT\ISCSIPRT has no driver after pnputil installed $inf (exit code $($done.ExitCode))" }
Set-FleetChanged "installed the driver of the Microsoft iSCSI Initiator$(if ($done.ExitCode -eq 3010) { '; it works from the next start of Windows on' })"
