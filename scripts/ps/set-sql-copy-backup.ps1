# /// fleet
# kind = "remedy"
# title = "Let the VM backup ask SQL Server for a copy backup"
# about = "Sets the text USEVSSCOPYBACKUP = TRUE under BcdrAgent on a machine with SQL Server. SQL's own backups and their log chain are then left alone; where the VM backup is the only one, SQL Server no longer takes it for a full backup of its databases."
# risk = "safe"
# idempotent = "yes"
# timeout = 60
# needs = ["admin"]
# undo = "restore-registry-values"
#
# [returns.values]
# type = "list"
# about = "The value that was, or would be, set: view, key, name, and what was there before"
# ///
[CmdletBinding(SupportsShouldProcess = $true)]
param()

Assert-FleetAdministrator
if (@(Get-FleetRole) -notcontains 'sql-server') { Stop-FleetSkipped 'no instance of SQL Server is installed' }
$before = Get-FleetTextEntry 'HKLM\SOFTWARE\Microsoft\BcdrAgent' 'USEVSSCOPYBACKUP'
if (Test-FleetTextEntry $before 'TRUE') { Set-FleetOk 'USEVSSCOPYBACKUP is TRUE already, nothing to do'; return }
Add-FleetItem 'values' $before
if (-not $PSCmdlet.ShouldProcess($before.key, 'Set USEVSSCOPYBACKUP to TRUE')) { Set-FleetChanged 'would set USEVSSCOPYBACKUP to TRUE'; return }
Add-FleetUndo 'values' $before
Set-FleetText $before 'TRUE'
Set-FleetChanged 'set USEVSSCOPYBACKUP to TRUE; the extension reads it at the next backup'
