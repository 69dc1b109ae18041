# /// fleet
# kind = "check"
# title = "The backup extension is whole, enabled, and has an agent that works"
# about = "Looks at the newest version on the machine: its program or manifest, and the state in which the agent keeps it. Only an agent that works installs, updates and removes it, so that is looked at, too. Where there is no extension all is well: the next backup installs it."
# severity = "error"
# idempotent = "yes"
# timeout = 60
# needs = ["root", "admin"]
#
# [returns.version]
# type = "str"
# about = "The newest version on the machine or in the agent's records; empty where there is none"
#
# [returns.state]
# type = "str"
# about = "The state in which the agent keeps that version, as it writes it; empty where it keeps none"
#
# [returns.versions]
# type = "list"
# about = "All versions of which there is a folder"
# ///
[CmdletBinding()]
param()

$name = 'Microsoft.Azure.RecoveryServices.VMSnapshot'
$records = 'HKLM\SOFTWARE\Microsoft\Windows Azure\HandlerState'

Assert-FleetAdministrator
$pattern = '^[0-9]{1,9}(\.[0-9]{1,9}){1,3}$'
$folders = @(Get-FleetFolderItem "C:\Packages\Plugins\$name" | Where-Object { $_.IsFolder -and $_.Name -match $pattern } | ForEach-Object { $_.Name } | Sort-Object { [version]$_ })
$kept = @(Get-FleetRegistrySubKey $records | Where-Object { $_ -like "${name}_*" } | ForEach-Object { $_.Substring($name.Length + 1) } | Where-Object { $_ -match $pattern })
$version = "$(@($folders + $kept) | Sort-Object { [version]$_ } | Select-Object -Last 1)"
# the agent's own word for it; its name has been both
$state = "$(@(foreach ($each in 'InstallState', 'HandlerState') { (Get-FleetRegistryValue "$records\${name}_$version" $each).Value }) | Where-Object { $_ } | Select-Object -First 1)"
Add-FleetData 'versions' $folders
Add-FleetData 'version' $version
Add-FleetData 'state' $state

$found = New-Object Collections.ArrayList
$agent = Get-FleetServiceStatus 'WindowsAzureGuestAgent'
if ($agent -ne 'Running') { [void]$found.Add("the guest agent does not work (WindowsAzureGuestAgent is $agent)") }
if ($version) {
    $program = "C:\Packages\Plugins\$name\$version\IaaSBcdrExtension.exe"
    if ($folders -notcontains $version) { [void]$found.Add("the agent has $version in its records, but its folder is gone") }
    elseif ((Get-FleetFileSize $program) -lt 0) { [void]$found.Add("$version has lost its program $program") }
    if ($kept -notcontains $version) { [void]$found.Add("the folder of $version is there, but the agent does not know of it") }
    elseif ($state -and $state -ne 'Enabled') { [void]$found.Add("the agent keeps $version as $state, not Enabled") }
}
if ($found.Count) { Stop-FleetFailed ($found -join '; ') }
if (-not $version) { Set-FleetOk 'there is no backup extension here, and the agent works: the next backup installs it' }
else { Set-FleetOk "the backup extension $version is whole and enabled" }
