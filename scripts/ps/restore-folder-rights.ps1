# /// fleet
# kind = "remedy"
# title = "Put rights of folders back to what they were"
# about = "Takes back what a remedy changed, from its data.undo: owner, group and permissions of the folder itself."
# risk = "safe"
# idempotent = "yes"
# timeout = 60
# needs = ["admin"]
# undo = "restore-folder-rights"
#
# [params.folders]
# type = "list"
# required = true
# about = "Tables with path and sddl, as remedies write them"
#
# [returns.restored]
# type = "list"
# about = "Paths of the folders that were put back"
# ///
[CmdletBinding(SupportsShouldProcess = $true)]
param([Parameter(Mandatory = $true)][object[]]$folders)

Assert-FleetAdministrator
# all of it is looked at before any of it is touched
foreach ($entry in $folders) {
    $complete = $entry -is [Collections.IDictionary] -and $entry.Contains('path') -and $entry.Contains('sddl')
    if (-not $complete) { Stop-FleetFailed 'an entry of folders lacks path or sddl; nothing was touched' }
    if (-not (ConvertFrom-FleetSddl $entry.sddl).Entries.Count) { Stop-FleetFailed "no rights in the SDDL for $($entry.path); nothing was touched" }
    if (-not (Get-FleetAcl $entry.path)) { Stop-FleetFailed "there is no folder $($entry.path); nothing was touched" }
}
foreach ($entry in $folders) {
    $now = Get-FleetAcl $entry.path
    if ($now -ceq $entry.sddl) { continue }
    Add-FleetItem 'restored' $entry.path
    if (-not $PSCmdlet.ShouldProcess($entry.path, "Set rights $($entry.sddl)")) { Set-FleetChanged "would put back the rights of $($entry.path)"; continue }
    Add-FleetUndo 'folders' @{ path = $entry.path; sddl = $now }
    Set-FleetAcl $entry.path $entry.sddl
    Set-FleetChanged "put back the rights of $($entry.path)"
}
if ($FleetReply.outcome -ne 'changed') { Set-FleetOk "$(@($folders).Count) folders are as they were, nothing to do" }
