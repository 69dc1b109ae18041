# /// fleet
# kind = "check"
# title = "The scheduled task of the MARS agent can start a backup"
# about = "Tasks named Microsoft-OnlineBackup in \\Microsoft\\OnlineBackup, by their XML: the task and its triggers are enabled, and it runs as SYSTEM or as the local Administrators group. No task of that folder may start a second time while it runs."
# severity = "error"
# idempotent = "yes"
# timeout = 180
# needs = ["admin"]
#
# [returns.tasks]
# type = "list"
# about = "Each: name, and where it could be read enabled, accounts, instances (what happens when it runs already), triggers and disabled_triggers (how many)"
#
# [returns.problems]
# type = "list"
# about = "What is wrong with them, a sentence each"
# ///
[CmdletBinding()]
param()

Assert-FleetAdministrator
if ($null -eq (Get-FleetService 'obengine')) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
$allowed = 'S-1-5-18', 'S-1-5-32-544'
$problems = New-Object Collections.ArrayList
$shown = New-Object Collections.ArrayList
$backups = 0
foreach ($task in @(Get-FleetTask '\Microsoft\OnlineBackup')) {
    $isBackup = $task.Name -like 'Microsoft-OnlineBackup*'
    $backups += [int]$isBackup
    if ($task.Problem) {
        [void]$shown.Add(@{ name = $task.Name })
        [void]$problems.Add("$($task.Name): $($task.Problem)")
        continue
    }
    $off = @($task.Triggers | Where-Object { -not $_.Enabled }).Count
    [void]$shown.Add(@{ name = $task.Name; enabled = $task.Enabled; accounts = $task.Accounts; instances = $task.Instances; triggers = $task.Triggers.Count; disabled_triggers = $off })
    if ($task.Instances -ne 'IgnoreNew') { [void]$problems.Add("$($task.Name) may start while it runs ($($task.Instances), not IgnoreNew)") }
    if (-not $isBackup) { continue }
    if (-not $task.Enabled) { [void]$problems.Add("$($task.Name) is disabled") }
    if (-not $task.Triggers.Count) { [void]$problems.Add("$($task.Name) has no trigger") }
    elseif ($off) { [void]$problems.Add("$($task.Name): $off of $($task.Triggers.Count) triggers are disabled") }
    # an account as a SID, or as a name that only this Windows knows
    $others = @($task.Accounts | Where-Object { $allowed -notcontains $_ -and $allowed -notcontains (Get-FleetAccountSid $_) })
    if ($others.Count -or -not $task.Accounts.Count) { [void]$problems.Add("$($task.Name) runs as $(if ($others.Count) { $others -join ', ' } else { 'nobody named' }), not as SYSTEM or the local Administrators group") }
}
Add-FleetData 'tasks' $shown
Add-FleetData 'problems' $problems
if (-not $backups) { Stop-FleetFailed "there is no task Microsoft-OnlineBackup: no backup is scheduled$(if ($problems.Count) { "; $($problems -join '; ')" })" }
if ($problems.Count) { Stop-FleetFailed ($problems -join '; ') }
Set-FleetOk "$(@($shown | ForEach-Object { $_.name }) -join ', '): enabled, with the right account, never twice at once"
