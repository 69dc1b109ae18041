# /// fleet
# kind = "check"
# title = "The scheduled task of the MARS agent can start a backup"
# about = "Tasks named Microsoft-OnlineBackup in \\Microsoft\\OnlineBackup, by their XML: the task and its triggers are enabled, and it runs as SYSTEM or as the local Administrators group. No task of that folder may start a second time while it runs. Also says how they ran last, in words."
# severity = "error"
# idempotent = "yes"
# timeout = 180
# needs = ["admin"]
#
# [params.look]
# type = "list"
# default = ["enabled", "account", "instances"]
# pattern = 'enabled|account|instances'
# about = "What to look at: enabled (the task and its triggers), account, instances (it does not start while it runs)"
#
# [returns.tasks]
# type = "list"
# about = "Each: name, and where it could be read enabled, accounts, instances (what happens when it runs already), triggers and disabled_triggers (how many); where Task Scheduler says it, last_run and next_run (UTC), last_result (in words) and missed_runs"
#
# [returns.problems]
# type = "list"
# about = "What is wrong with them, a sentence each"
# ///
[CmdletBinding()]
param([object[]]$look = @('enabled','account','instances'))

# "Task Scheduler Error and Success Constants" of Microsoft; what else it says is what the program of the task ended with
$words = @{ '0x0' = 'it ended well'; '0x41300' = 'it is ready'; '0x41301' = 'it is running'; '0x41302' = 'it is disabled'; '0x41303' = 'it has not run yet'; '0x41304' = 'there are no more runs'
    '0x41306' = 'it was ended by somebody'; '0x8004130f' = 'no account is known for it'; '0x8004131f' = 'it was running already'; '0x80041323' = 'the service is too busy'; '0x80041326' = 'it is disabled' }

function Get-Run([string]$Name) {
    $run = Get-FleetTaskRun "$FleetMarsTasks\$Name"
    if ($null -eq $run) { return @{} }
    $code = '0x{0:x}' -f $run.Result
    $text = if (-not $run.Last) { 'it has not run yet' } elseif ($words.ContainsKey($code)) { $words[$code] } else { "its program ended with $code" }
    @{ last_run = $run.Last; next_run = $run.Next; last_result = $text; missed_runs = $run.Missed }
}

Assert-FleetAdministrator
if ($null -eq (Get-FleetService 'obengine')) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
$problems = New-Object Collections.ArrayList
$shown = New-Object Collections.ArrayList
$backups = 0
foreach ($task in @(Get-FleetTask $FleetMarsTasks)) {
    $backups += [int]($task.Name -like 'Microsoft-OnlineBackup*')
    $entry = Get-Run $task.Name
    $entry.name = $task.Name
    [void]$shown.Add($entry)
    if ($task.Problem) { [void]$problems.Add("$($task.Name): $($task.Problem)"); continue }
    $entry.enabled, $entry.accounts, $entry.instances, $entry.triggers = $task.Enabled, $task.Accounts, $task.Instances, $task.Triggers.Count
    $entry.disabled_triggers = @($task.Triggers | Where-Object { -not $_.Enabled }).Count
    foreach ($fault in @(Get-FleetMarsTaskFault $task $look)) { [void]$problems.Add($fault.Text) }
}
Add-FleetData 'tasks' $shown
Add-FleetData 'problems' $problems
$ran = @($shown | Where-Object { $_.Contains('last_result') } | ForEach-Object { "$($_.name): $($_.last_result)$(if ($_.last_run) { " ($($_.last_run))" })$(if ($_.missed_runs) { ", $($_.missed_runs) starts were missed" })" }) -join '; '
if ($ran) { $ran = ". Last run: $ran" }
if (-not $backups) { Stop-FleetFailed "there is no task Microsoft-OnlineBackup: no backup is scheduled$(if ($problems.Count) { "; $($problems -join '; ')" })" }
if ($problems.Count) { Stop-FleetFailed "$($problems -join '; ')$ran" }
$sound = @(if ($look -contains 'enabled') { 'enabled' }; if ($look -contains 'account') { 'with the right account' }; if ($look -contains 'instances') { 'never twice at once' }) -join ', '
Set-FleetOk "$(@($shown | ForEach-Object { $_.name }) -join ', '): $sound$ran"
