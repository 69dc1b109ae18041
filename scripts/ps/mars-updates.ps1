# /// fleet
# kind = "check"
# title = "The server of the MARS agent has recent updates and waits for no restart"
# about = "When the newest update was installed, as the servicing store of Windows has it in the registry, and whether Windows waits for a restart. Microsoft publishes updates every month, at most 35 days apart; 45 days leave ten for installing them. What Windows Update would offer is not asked: that needs its servers, and takes minutes."
# severity = "warning"
# idempotent = "yes"
# timeout = 120
#
# [params.max_age_days]
# type = "int"
# default = 45
# minimum = 1
# maximum = 3650
# about = "How many days ago the newest update may have been installed"
#
# [returns.build]
# type = "str"
# about = "Build of Windows with its revision, which every monthly update raises"
# [returns.newest]
# type = "str"
# about = "Day on which the newest update was installed (UTC); empty when there is none"
# [returns.age_days]
# type = "int"
# about = "How many whole days ago that was; null when there is none"
# [returns.restart_pending]
# type = "list"
# about = "What waits for a restart: servicing, windows-update"
# ///
[CmdletBinding()]
param([int]$max_age_days = 45)

if ($null -eq (Get-FleetService 'obengine')) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
$system = Get-FleetSystem
$build = ConvertTo-FleetVersion $system.Version
$revision = (Get-FleetRegistryValue 'HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion' 'UBR').Value
Add-FleetData 'build' "$($build.Major).$($build.Minor).$($build.Build)$(if ($null -ne $revision) { ".$revision" })"

$servicing = 'HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing'
$marks = @{ 'servicing' = "$servicing\RebootPending"; 'windows-update' = 'HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update\RebootRequired' }
$waiting = @($marks.Keys | Where-Object { Test-FleetRegistryKey $marks[$_] } | Sort-Object)
Add-FleetData 'restart_pending' $waiting

# "CBS servicing states chart" (Microsoft, Tip of the Day 2015-10-12): 112 installed, 80 superseded by a later one
$newest = 0
foreach ($name in @(Get-FleetRegistrySubKey "$servicing\Packages" | Where-Object { $_ -like 'Package_for_*' })) {
    $package = "$servicing\Packages\$name"
    if (112, 80 -notcontains (Get-FleetRegistryValue $package 'CurrentState').Value) { continue }
    # a FILETIME in two halves: 100 ns since 1601
    $high, $low = 'InstallTimeHigh', 'InstallTimeLow' | ForEach-Object { (Get-FleetRegistryValue $package $_).Value }
    if ($null -eq $high -or $null -eq $low) { continue }
    $newest = [Math]::Max($newest, (4294967296.0 * $high + $low) / 10000000 - 11644473600)
}
$day, $age = '', $null
if ($newest -gt 0) {
    $day = (New-Object DateTime 1970, 1, 1, 0, 0, 0, ([DateTimeKind]::Utc)).AddSeconds($newest).ToString('yyyy-MM-dd', [Globalization.CultureInfo]::InvariantCulture)
    $age = [int][Math]::Max(0, [Math]::Floor(($system.Epoch - $newest) / 86400))
}
Add-FleetData 'newest' $day
Add-FleetData 'age_days' $age

$problems = @()
if ($null -eq $age) { $problems += 'no update was ever installed' }
elseif ($age -gt $max_age_days) { $problems += "the newest update was installed $age days ago ($day); $max_age_days is the limit" }
if ($waiting.Count) { $problems += "Windows waits for a restart ($($waiting -join ', '))" }
if ($problems.Count) { Stop-FleetFailed ($problems -join '; ') }
Set-FleetOk "the newest update was installed $age days ago ($day); nothing waits for a restart"
