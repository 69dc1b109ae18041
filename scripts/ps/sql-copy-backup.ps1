# /// fleet
# kind = "check"
# title = "On a machine with SQL Server the VM backup is a copy backup"
# about = "The text USEVSSCOPYBACKUP = TRUE under BcdrAgent. Without it the extension asks the SQL writer for a full VSS backup, which delays the snapshot and breaks the chain of SQL's own log backups. Skipped where no instance of SQL Server is."
# severity = "info"
# idempotent = "yes"
# timeout = 60
#
# [returns.instances]
# type = "list"
# about = "Services of SQL Server instances"
# [returns.values]
# type = "list"
# about = "The value: view, key, name, existed, type, value"
# ///
[CmdletBinding()]
param()

$instances = @(Get-FleetServiceName | Where-Object { $_ -eq 'MSSQLSERVER' -or $_ -like 'MSSQL$*' } | Sort-Object)
Add-FleetData 'instances' $instances
if (-not $instances.Count) { Stop-FleetSkipped 'no instance of SQL Server is installed' }
$entry = Get-FleetTextEntry 'HKLM\SOFTWARE\Microsoft\BcdrAgent' 'USEVSSCOPYBACKUP'
Add-FleetItem 'values' $entry
if (-not (Test-FleetTextEntry $entry 'TRUE')) { Stop-FleetFailed "$(Format-FleetEntry $entry): the VM backup asks SQL Server ($($instances -join ', ')) for a full backup" }
Set-FleetOk "the VM backup asks SQL Server ($($instances -join ', ')) for a copy backup"
