# /// fleet
# kind = "check"
# title = "Azure PowerShell of the version for offline backup is there"
# about = "For a first backup that is sent on disks: the module AzureRM or Azure of that very version, as a PowerShell of its own lists it. The computer that copies the disks needs it as well, and has no MARS agent: copy_computer."
# severity = "info"
# idempotent = "yes"
# timeout = 180
#
# [params.version]
# type = "str"
# default = "3.7.0"
# pattern = '[0-9]{1,9}(\.[0-9]{1,9}){1,3}'
# about = "The version, compared number by number"
#
# [params.copy_computer]
# type = "bool"
# default = false
# about = "Look on a computer without the MARS agent too: the one that copies the disks"
#
# [returns.modules]
# type = "list"
# about = "Versions found, each: name, version"
# ///
[CmdletBinding()]
param([string]$version = '3.7.0', [bool]$copy_computer = $false)

function ConvertTo-Whole([version]$Version) {
    # With four numbers: 3.7.0 and 3.7.0.0 are the same.
    @($Version.Major, $Version.Minor, [Math]::Max(0, $Version.Build), [Math]::Max(0, $Version.Revision)) -join '.'
}

if (-not $copy_computer -and $null -eq (Get-FleetService 'obengine')) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine (on the computer that copies the disks: -p copy_computer=true)' }
$windows = [string](Get-FleetRegistryValue 'HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion' 'SystemRoot').Value
if (-not $windows) { $windows = 'C:\Windows' }
$command = "foreach (`$module in @(Get-Module -ListAvailable -Name AzureRM, Azure)) { 'fleet-module ' + `$module.Name + ' ' + `$module.Version }"
$done = Invoke-FleetNative "$windows\System32\WindowsPowerShell\v1.0\powershell.exe" @('-NoProfile', '-NonInteractive', '-ExecutionPolicy', 'Bypass', '-Command', $command) 120
if (-not $done.Found) { Stop-FleetFailed "powershell.exe is missing, so its modules can't be listed" }
if ($done.TimedOut) { Stop-FleetFailed 'PowerShell did not list its modules within 120 s' }
if ($done.ExitCode -ne 0) { Stop-FleetFailed "PowerShell did not list its modules (code $($done.ExitCode))" }
$found = @($done.Output | ForEach-Object { if ($_ -match '^fleet-module (AzureRM|Azure) ([0-9][0-9.]{0,40})$') { @{ name = $Matches[1]; version = $Matches[2] } } })
Add-FleetData 'modules' $found
$wanted = ConvertTo-Whole (ConvertTo-FleetVersion $version)
$right = @($found | Where-Object { (ConvertTo-Whole (ConvertTo-FleetVersion $_.version)) -eq $wanted })
if ($right.Count) { Set-FleetOk "$($right[0].name) $($right[0].version) is there"; return }
Stop-FleetFailed "Azure PowerShell $version is not there$(if ($found.Count) { ", only $(@($found | ForEach-Object { "$($_.name) $($_.version)" }) -join ', ')" })"
