# /// fleet
# kind = "check"
# title = "The keys and certificates for the settings of extensions can be used"
# about = "The MachineKeys folder has its default rights (by SID), and none of the certificates of Azure's two generators is expired, without its key, or there twice. That no certificate is there is no fault: the agent makes one."
# severity = "error"
# idempotent = "yes"
# timeout = 60
# needs = ["admin"]
#
# [returns.sddl]
# type = "str"
# about = "Rights of the MachineKeys folder, as SDDL"
# [returns.certificates]
# type = "list"
# about = "Certificates of the generators: subject, thumbprint, not_after (seconds since 1970), verdict, key_problem"
# ///
[CmdletBinding()]
param()

Assert-FleetAdministrator
$state = Get-FleetMachineKeysState
Add-FleetData 'sddl' $state.Sddl
$certificates = @(Get-FleetExtensionCertificate)
Add-FleetData 'certificates' @($certificates | ForEach-Object { @{ subject = $_.Subject; thumbprint = $_.Thumbprint; not_after = $_.NotAfter; verdict = $_.Verdict; key_problem = $_.KeyProblem } })
$found = @()
if ($state.Problems.Count) { $found += "MachineKeys: $($state.Problems -join ', ')" }
foreach ($each in @($certificates | Where-Object { $_.Verdict })) { $found += Format-FleetCertificate $each }
if ($found.Count) { Stop-FleetFailed ($found -join '; ') }
Set-FleetOk "MachineKeys has its default rights; $($certificates.Count) certificates of the generators, all usable"
