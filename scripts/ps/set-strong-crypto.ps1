# /// fleet
# kind = "remedy"
# title = "Let .NET Framework use strong cryptography"
# about = "Sets SchUseStrongCrypto to 1 in the key of every installed version, in both views of the registry. Programs read it when they start: those that run go on as before, the guest agent with its next start. Old .NET clients of servers without TLS 1.1 or newer can stop working."
# risk = "safe"
# idempotent = "yes"
# timeout = 60
# needs = ["admin"]
# undo = "restore-registry-values"
#
# [params.system_default_tls]
# type = "bool"
# default = false
# about = "Set the companion value SystemDefaultTlsVersions to 1 too"
#
# [params.mars_only]
# type = "bool"
# default = false
# about = "Act only where the MARS agent is installed, and not while one of its jobs runs"
#
# [returns.held]
# type = "list"
# about = "What a person has to wait for"
# [returns.values]
# type = "list"
# about = "Each value that was, or would be, set: view, key, name, and what was there before"
# ///
[CmdletBinding(SupportsShouldProcess = $true)]
param([bool]$system_default_tls = $false, [bool]$mars_only = $false)

Assert-FleetAdministrator
if ($mars_only -and $null -eq (Get-FleetService 'obengine')) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
$names = @('SchUseStrongCrypto')
if ($system_default_tls) { $names += 'SystemDefaultTlsVersions' }
$keys = 0
$set = 0
foreach ($view in Get-FleetRegistryView) {
    foreach ($key in @(Get-FleetDotNetKey $view)) {
        $keys++
        foreach ($name in $names) {
            $before = Get-FleetRegistryEntry $key $name $view
            if ($before.type -eq 'DWord' -and $before.value -eq 1) { continue }
            if ($mars_only -and -not $set) { Stop-FleetForMarsJob }
            Add-FleetItem 'values' $before
            $set++
            if (-not $PSCmdlet.ShouldProcess("$key, $view bit", "Set $name to 1")) { continue }
            Add-FleetUndo 'values' $before
            Set-FleetRegistryValue $key $name 'DWord' 1 $view
            $now = Get-FleetRegistryValue $key $name $view
            if ($now.Type -ne 'DWord' -or $now.Value -ne 1) { Stop-FleetFailed "$name in $key ($view bit) is not 1 after it was set" }
        }
    }
}
if (-not $keys) { Stop-FleetSkipped 'no .NET Framework of version 2 or 4 is installed' }
if (-not $set) { Set-FleetOk "$($names -join ' and ') 1 in $keys keys already, nothing to do" }
elseif ($WhatIfPreference) { Set-FleetChanged "would set $set values to 1 in $keys keys" }
else { Set-FleetChanged "set $set values to 1 in $keys keys; programs that run read it at their next start" }
