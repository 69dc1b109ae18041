# /// fleet
# kind = "check"
# title = "Microsoft Defender leaves out the folders of the backup extension"
# about = "Both folders, before anything crashes; backup-extension-antivirus looks for crashes. Exclusions of other products are seen in their consoles only."
# severity = "warning"
# idempotent = "yes"
# timeout = 60
# needs = ["admin"]
#
# [returns.missing]
# type = "list"
# about = "Folders that Defender does not leave out"
# ///
[CmdletBinding()]
param()

Assert-FleetAdministrator
$defender = Get-FleetDefender
if (-not $defender.Present) { Stop-FleetSkipped 'Microsoft Defender does not run here; another product has a console of its own' }
if (-not $defender.Readable) { Stop-FleetSkipped 'a policy hides what Defender leaves out: look where it is managed' }
$missing = @(Get-FleetExtensionPath | Where-Object { $defender.Paths -notcontains $_ })
Add-FleetData 'missing' $missing
if ($missing.Count) { Stop-FleetFailed "Defender does not leave out $($missing -join ' and ')" }
Set-FleetOk 'Defender leaves out both folders of the extension'
