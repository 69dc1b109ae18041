# /// fleet
# kind = "check"
# title = "The shadow copy provider of Windows is registered"
# about = "Reads `vssadmin list providers` by ids, in any language. Providers of other products are shown, not held against the machine: VSS takes one of hardware first, then one of software, and that of Windows last (Selecting Providers, Microsoft), so they can take over a snapshot."
# severity = "warning"
# idempotent = "yes"
# timeout = 120
# needs = ["admin"]
#
# [returns.providers]
# type = "list"
# about = "Each in the order of vssadmin: id, version, and name as the registry has it (empty where it has none)"
# [returns.others]
# type = "list"
# about = "Ids of the providers that Windows does not bring"
# ///
[CmdletBinding()]
param()

Assert-FleetAdministrator
$done = Invoke-FleetNative 'vssadmin.exe' @('list', 'providers') 60
if (-not $done.Found) { Stop-FleetFailed 'vssadmin.exe is missing' }
if ($done.TimedOut) { Stop-FleetFailed 'vssadmin gave no answer within 60 s' }
# exit code 1: nothing is there to be listed; 2: vssadmin itself failed
if (0, 1 -notcontains $done.ExitCode) { Stop-FleetFailed "vssadmin could not list the providers (exit code $($done.ExitCode))" }
# an id at the end of a line makes a provider, the next line ends with its version; its type is only a word, which
# is not read
$lines = @($done.Output | Where-Object { $_.Trim() })
$providers = @(for ($at = 0; $at -lt $lines.Count; $at++) {
    if ($lines[$at] -notmatch '(\{[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\})\s*$') { continue }
    $id = $Matches[1].ToLowerInvariant()
    $version = if ($at + 1 -lt $lines.Count) { [regex]::Match($lines[$at + 1], '[0-9]+(\.[0-9]+)+\s*$').Value.Trim() } else { '' }
    @{ id = $id; version = $version; name = [string](Get-FleetRegistryValue "HKLM\SYSTEM\CurrentControlSet\Services\VSS\Providers\$id" '').Value }
})
Add-FleetData 'providers' $providers
# what Windows brings: its own, and since 2012 that for shadow copies of file shares
$own, $shares = '{b5946137-7b9f-4925-af80-51abd60b20d5}', '{89300202-3cec-4981-9171-19f59559e0f2}'
$others = @($providers | Where-Object { $own, $shares -notcontains $_.id })
Add-FleetData 'others' @($others | ForEach-Object { $_.id })
$shown = @($others | ForEach-Object { "$($_.id)$(if ($_.name) { " ($($_.name))" })" }) -join ', '
if (@($providers | Where-Object { $_.id -eq $own }).Count -eq 0) { Stop-FleetFailed "the provider of Windows, $own, is not registered$(if ($shown) { "; others are: $shown" })" }
Set-FleetOk "the provider of Windows is registered$(if ($shown) { "; others may take over a snapshot: $shown" })"
