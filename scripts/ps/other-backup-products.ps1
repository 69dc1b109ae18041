# /// fleet
# kind = "check"
# title = "No other backup product is at work in the machine"
# about = "Running services and processes of other products, by the names their makers gave them. On Windows also a backup of Windows Server Backup under way, and the VSS providers that are registered."
# severity = "warning"
# idempotent = "yes"
# timeout = 60
#
# [returns.found]
# type = "list"
# about = "What runs: names of services or processes"
# [returns.providers]
# type = "list"
# about = "Windows: VSS providers beside those of Windows, id and name"
# ///
[CmdletBinding()]
param()

# Windows' own services have a reference like @file,-number instead of a name, so no translated name is met
$makers = 'Backup|Veeam|Commvault|NetBackup|Acronis|Arcserve|Veritas|Datto|Carbonite|^DPM|Data Protection Manager'
$root = 'HKLM\SYSTEM\CurrentControlSet\Services'
$found = New-Object Collections.ArrayList
foreach ($name in @(Get-FleetServiceName | Sort-Object)) {
    $shown = [string](Get-FleetRegistryValue "$root\$name" 'DisplayName').Value
    if ($shown -like '@*') { continue }
    if (($name -match $makers -or $shown -match $makers) -and (Get-FleetServiceStatus $name) -eq 'Running') { [void]$found.Add("service $name$(if ($shown) { " ($shown)" })") }
}
foreach ($process in @(Get-FleetProcess 'wbengine')) { [void]$found.Add("wbengine (process $($process.Id)): a backup of Windows Server Backup is under way") }
Add-FleetData 'found' $found

# the providers that Windows brings: its own, and that for shadow copies of file shares
$usual = '{b5946137-7b9f-4925-af80-51abd60b20d5}', '{89300202-3cec-4981-9171-19f59559e0f2}'
$providers = @(Get-FleetRegistrySubKey "$root\VSS\Providers" | Where-Object { $usual -notcontains $_ } | ForEach-Object { @{ id = $_; name = [string](Get-FleetRegistryValue "$root\VSS\Providers\$_" '').Value } })
Add-FleetData 'providers' $providers
if ($found.Count) { Stop-FleetFailed "at work here: $($found -join '; ')" }
Set-FleetOk "no other backup product is at work$(if ($providers.Count) { "; VSS providers beside those of Windows: $(@($providers | ForEach-Object { $_.name }) -join ', ')" })"
