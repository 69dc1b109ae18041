# /// fleet
# kind = "check"
# title = "The Visual C++ 2013 runtime that the backup extension needs is there, or can be installed"
# about = "The runtime (x64) by its registry key, in both views; Windows Installer not disabled; SYSTEM and Administrators with full control of HKLM\\SOFTWARE\\Classes; and event 11401 of MsiInstaller (error 1401) within the last days. That the runtime is missing is a fault only where the extension is."
# severity = "error"
# idempotent = "yes"
# timeout = 120
# needs = ["admin"]
#
# [params.hours]
# type = "int"
# default = 48
# minimum = 1
# maximum = 720
# about = "How far back to look for event 11401"
#
# [returns.runtime]
# type = "str"
# about = "Version of the runtime; empty where it is missing"
# [returns.installer]
# type = "str"
# about = "Start type of Windows Installer (msiserver)"
# [returns.classes]
# type = "str"
# about = "Owner and rights of HKLM\\SOFTWARE\\Classes, as SDDL"
# [returns.errors]
# type = "list"
# about = "Times of event 11401, newest first"
# ///
[CmdletBinding()]
param([int]$hours = 48)

Assert-FleetAdministrator
$runtime = Get-FleetVcRuntime
Add-FleetData 'runtime' $runtime
$found = @()
$service = Get-FleetService 'msiserver'
Add-FleetData 'installer' $(if ($service) { $service.StartType } else { '' })
if ($null -eq $service) { $found += 'there is no service msiserver (Windows Installer): Windows itself is damaged' }
elseif ($service.StartType -eq 'Disabled') { $found += 'Windows Installer (msiserver) is disabled' }

$sddl = Get-FleetRegistryAcl 'HKLM\SOFTWARE\Classes'
Add-FleetData 'classes' $sddl
$entries = (ConvertFrom-FleetSddl $sddl).Entries
foreach ($account in @(@('S-1-5-18', 'SYSTEM'), @('S-1-5-32-544', 'Administrators'))) {
    $has = 0L
    foreach ($entry in @($entries | Where-Object { $_.Type -ceq 'A' -and $_.Sid -eq $account[0] -and $_.Flags -cnotmatch 'IO' })) { $has = $has -bor $entry.Mask }
    # 0x10000000: GENERIC_ALL, which stands for full control
    if (($has -band 0xf003f) -ne 0xf003f -and ($has -band 0x10000000) -eq 0) { $found += "$($account[1]) lacks full control of HKLM\SOFTWARE\Classes" }
}
$times = @(Get-FleetEvent 'Application' 'MsiInstaller' @(11401) $hours | ForEach-Object { (ConvertFrom-FleetEvent $_).Time } | Sort-Object -Descending)
Add-FleetData 'errors' $times
$extension = Get-FleetExtensionFolder
if (-not $runtime -and $extension) {
    $found += 'the Visual C++ 2013 runtime (x64) is missing'
    if ($times.Count) { $found += "error 1401, a key that could not be written, last $($times[0])" }
}
if ($found.Count) { Stop-FleetFailed ($found -join '; ') }
if (-not $runtime) { Set-FleetOk 'the runtime can be installed; the first backup does it' } else { Set-FleetOk "the Visual C++ 2013 runtime is $runtime" }
