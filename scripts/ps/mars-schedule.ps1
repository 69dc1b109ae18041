# /// fleet
# kind = "check"
# title = "Nothing keeps the schedule of the MARS agent from starting backups"
# about = "Goes through what the documents name, in their order, and says of each fault which runbook answers it: the scheduled task (trigger, account, second instance), PowerShell 3, PSModulePath, execution policy, files of the module. Another backup at the same time is for mars-schedule-clash."
# severity = "error"
# idempotent = "yes"
# timeout = 300
# needs = ["admin"]
#
# [returns.causes]
# type = "list"
# about = "What is wrong, each: runbook, problem"
# ///
[CmdletBinding()]
param()

Assert-FleetAdministrator
if ($null -eq (Get-FleetService 'obengine')) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
$causes = New-Object Collections.ArrayList

function Add-Cause([string]$Runbook, [string]$Problem) { [void]$causes.Add(@{ runbook = $Runbook; problem = $Problem }) }

$runbooks = @{ enabled = 'mars-task-trigger-enabled'; account = 'mars-task-account'; instances = 'mars-job-already-in-progress' }
$tasks = @(Get-FleetTask $FleetMarsTasks)
if (-not @($tasks | Where-Object { $_.Name -like 'Microsoft-OnlineBackup*' }).Count) { Add-Cause 'mars-task-trigger-enabled' 'there is no task Microsoft-OnlineBackup: no backup is scheduled' }
foreach ($task in $tasks) {
    if ($task.Problem) { Add-Cause 'mars-task-trigger-enabled' "$($task.Name): $($task.Problem)"; continue }
    foreach ($fault in @(Get-FleetMarsTaskFault $task @($runbooks.Keys))) { Add-Cause $runbooks[$fault.Part] $fault.Text }
}
if ($PSVersionTable.PSVersion.Major -lt 3) { Add-Cause 'mars-powershell-version-3' "PowerShell is $($PSVersionTable.PSVersion)" }
$folder = "$(Get-FleetMarsFolder)\bin\Modules\MSOnlineBackup"
if (-not (Test-FleetModulePath $folder)) { Add-Cause 'mars-psmodulepath' "PSModulePath of the machine has neither $folder nor the folder above" }
$set = @(Get-FleetExecutionPolicy | Where-Object { $_.Policy } | Select-Object -First 1)
if ($set.Count -and $set[0].Policy -eq 'Restricted') { Add-Cause 'mars-execution-policy' "the execution policy is Restricted ($($set[0].Scope))" }
$problem, $loads = Get-FleetMarsModuleFault $folder
if ($problem) { Add-Cause 'mars-msonlinebackup-module-files' $problem }
Add-FleetData 'causes' $causes
if ($causes.Count) { Stop-FleetFailed (@($causes | ForEach-Object { "$($_.problem) [$($_.runbook)]" }) -join '; ') }
Set-FleetOk 'the scheduled task, PowerShell and the module are as the schedule needs them'
