# /// fleet
# kind = "remedy"
# title = "Put certificates back into the computer's personal store"
# about = "Takes back what remove-extension-certificates deleted, from its data.undo, and has Windows look for the key of each (certutil -repairstore)."
# risk = "safe"
# idempotent = "yes"
# timeout = 180
# needs = ["admin"]
# undo_note = "They stay until remove-extension-certificates deletes them again."
#
# [params.certificates]
# type = "list"
# required = true
# pattern = '[A-Za-z0-9+/]+={0,2}'
# about = "Certificates without keys, as base64"
#
# [returns.restored]
# type = "list"
# about = "Thumbprints of those that were put back"
# ///
[CmdletBinding(SupportsShouldProcess = $true)]
param([Parameter(Mandatory = $true)][object[]]$certificates)

Assert-FleetAdministrator
$there = @(Get-FleetCertificate | ForEach-Object { $_.Public })
$keyless = New-Object Collections.ArrayList
foreach ($public in $certificates) {
    if ($there -ccontains $public) { continue }
    if (-not $PSCmdlet.ShouldProcess("the computer's personal store", 'Add a certificate')) { Set-FleetChanged 'would put back a certificate'; continue }
    $thumbprint = Add-FleetCertificate $public
    Add-FleetItem 'restored' $thumbprint
    Set-FleetChanged "put back certificate $thumbprint"
    $done = Invoke-FleetNative 'certutil.exe' @('-repairstore', 'My', $thumbprint)
    if ($done.ExitCode -ne 0) { [void]$keyless.Add($thumbprint) }
}
if ($keyless.Count) { Stop-FleetFailed "no key was found for $($keyless -join ', ') (certutil -repairstore)" }
if ($FleetReply.outcome -ne 'changed') { Set-FleetOk "$(@($certificates).Count) certificates are there, nothing to do" }
