# /// fleet
# kind = "remedy"
# title = "Restart the services behind VSS writers in a bad state"
# about = "Each service once, from a table keyed by writer id; what depends on it is stopped before and started again after. Held: while a backup runs or writers wait, and services whose restart is an outage. Left alone: missing writers, writers nobody knows, writers without a service of their own."
# risk = "service-interruption"
# idempotent = "yes"
# timeout = 1800
# needs = ["admin"]
# undo_note = "A restart can't be taken back; services that ran before are started again."
#
# [params.allow_high_impact]
# type = "bool"
# default = false
# about = "Restart services too whose restart is an outage for others. Directory (NTDS): other domain controllers have to be reachable; cluster: drain the node first; Exchange store: all mailboxes are disconnected"
# [params.restart_waiting]
# type = "bool"
# default = false
# about = "Treat writers that keep waiting as stuck; only when no product is taking a backup"
# [params.wait_seconds]
# type = "int"
# default = 30
# minimum = 0
# maximum = 120
# about = "How long to look again while writers are waiting"
# [params.settle_seconds]
# type = "int"
# default = 60
# minimum = 0
# maximum = 600
# about = "How long the writers may take to become stable after the restarts"
#
# [returns.writers]
# type = "list"
# about = "Each writer as seen last"
# [returns.missing]
# type = "list"
# about = "Writers that are not listed although their service runs"
# [returns.restarts]
# type = "list"
# about = "Each service restarted, or to be restarted: its writers, what depends on it, the problem if any"
# [returns.held]
# type = "list"
# about = "What a person has to allow"
# [returns.left_alone]
# type = "list"
# about = "What can't be helped by a restart, and why"
# [returns.down]
# type = "list"
# about = "Services that ran before and do not run now"
# [returns.roles]
# type = "list"
# about = "domain-controller, cluster-node, exchange, sql-server"
# ///
[CmdletBinding(SupportsShouldProcess = $true)]
param([bool]$allow_high_impact = $false, [bool]$restart_waiting = $false, [int]$wait_seconds = 30, [int]$settle_seconds = 60)

Assert-FleetAdministrator
Add-FleetData 'roles' @(Get-FleetRole)
Stop-FleetForBackup $false     # writers are looked at below
$list = Get-FleetSettledWriterList $wait_seconds
if ($list.Problem) { Stop-FleetFailed "$($list.Problem): the VSS service itself needs help first (restart-vss-service)" }
Add-FleetWriterData $list

$waiting = @($list.Writers | Where-Object { $_.Verdict -eq 'waiting' })
if ($waiting.Count -and -not $restart_waiting) {
    $names = @($waiting | ForEach-Object { Format-FleetWriter $_ }) -join '; '
    Add-FleetItem 'held' "writers wait, as during a backup: $names"
    Stop-FleetSkipped "writers wait, as during a backup: $names; nothing was touched. If no product is taking a backup: restart_waiting=true"
}

# which services, each once
$plan = @{}
foreach ($writer in $list.Writers) {
    if ($writer.Verdict -eq 'stable') { continue }
    $name = Format-FleetWriter $writer
    $service = if ($writer.Service) { Get-FleetService $writer.Service } else { $null }
    if (-not $writer.Known) { Add-FleetItem 'left_alone' "${name}: not in the table, and a service is not guessed" }
    elseif (-not $writer.Service) { Add-FleetItem 'left_alone' "${name}: has no service of its own; restart the machine in planned downtime" }
    elseif ($null -eq $service) { Add-FleetItem 'left_alone' "${name}: there is no service $($writer.Service) here" }
    elseif ($service.Status -eq 'Stopped') { Add-FleetItem 'left_alone' "${name}: $($writer.Service) does not run" }
    else {
        if (-not $plan.ContainsKey($service.Name)) { $plan[$service.Name] = @{ Writers = New-Object Collections.ArrayList; Impact = '' } }
        [void]$plan[$service.Name].Writers.Add($writer.Name)
        if ($writer.Impact -eq 'high') { $plan[$service.Name].Impact = 'high' }
    }
}
foreach ($gone in $list.Missing) { Add-FleetItem 'left_alone' "$($gone.Name): missing although $($gone.Service) runs; a restart often does not help" }

# WMI last, because other things on the machine ask it; VSS before that, because it asks all writers
$order = @($plan.Keys | Sort-Object @{ Expression = { @{ VSS = 1; Winmgmt = 2 }[$_] } }, @{ Expression = { $_ } })
$outages = @(Get-FleetWriterTable | Where-Object { $_.Impact -eq 'high' -and $_.Service } | ForEach-Object { $_.Service })
$acted = New-Object Collections.ArrayList
$problems = New-Object Collections.ArrayList
$down = New-Object Collections.ArrayList
foreach ($name in $order) {
    $dependents = @(Get-FleetRunningDependent $name)
    $reason = ''
    if ($plan[$name].Impact -eq 'high') { $reason = "the restart of $name is an outage for others" }
    foreach ($each in $dependents) { if ($outages -contains $each) { $reason = "the restart of $name takes $each down" } }
    if ($reason -and -not $allow_high_impact) { Add-FleetItem 'held' "$($plan[$name].Writers -join ', '): $reason; allow_high_impact=true"; continue }
    $with = if ($dependents.Count) { " with $($dependents -join ', ')" } else { '' }
    $restart = @{ service = $name; writers = $plan[$name].Writers; dependents = $dependents; problem = '' }
    Add-FleetItem 'restarts' $restart
    if (-not $PSCmdlet.ShouldProcess("$name$with", 'Restart')) {
        $restart.problem = Get-FleetStopProblem $name
        if ($restart.problem) { [void]$problems.Add($restart.problem) } else { Set-FleetChanged "would restart $name$with for $($plan[$name].Writers -join ', ')" }
        continue
    }
    $running = Get-FleetBackupSign $false
    if ($running) { Add-FleetItem 'held' "a backup began meanwhile: $running"; break }
    $done = Restart-FleetService $name
    $restart.problem = $done.Problem
    foreach ($each in $done.Down) { [void]$down.Add($each) }
    if ($done.Problem) { [void]$problems.Add($done.Problem) } else { Set-FleetChanged "restarted $name$with"; [void]$acted.Add($name) }
    if ($down.Count) { break }
}
if ($down.Count) { Add-FleetData 'down' $down; Stop-FleetFailed "NOT RUNNING NOW, but before: $($down -join ', '): $($problems -join '; ')" }

# look again until every writer of the restarted services is listed and stable
if ($acted.Count) {
    $end = (Get-FleetTime) + $settle_seconds
    do {
        Wait-FleetTime 3
        $list = Get-FleetWriterList
        $listed = @($list.Writers | ForEach-Object { $_.Name })
        $ill = @($list.Writers | Where-Object { $_.Verdict -ne 'stable' } | ForEach-Object { $_.Name })
        $still = @($acted | ForEach-Object { $plan[$_].Writers } | Where-Object { $ill -contains $_ -or $listed -notcontains $_ } | Sort-Object -Unique)
    } while ($still.Count -and (Get-FleetTime) -lt $end)
    if ($list.Problem) { Stop-FleetFailed $list.Problem }
    Add-FleetWriterData $list
    foreach ($name in $still) {
        $seen = @($list.Writers | Where-Object { $_.Name -eq $name -and $_.Verdict -ne 'stable' } | ForEach-Object { Format-FleetWriter $_ }) + "$name is not listed"
        [void]$problems.Add("$($seen[0]) after the restart")
    }
}
if ($problems.Count) { Stop-FleetFailed "$($problems -join '; '). What is left is a restart of the machine in planned downtime" }

if ($FleetReply.outcome -eq 'changed') {
    foreach ($key in 'held', 'left_alone') {
        if ($FleetReply.data.ContainsKey($key)) { Set-FleetChanged "$($key.Replace('_', ' ')): $($FleetReply.data[$key] -join '; ')" }
    }
    return
}
if ($FleetReply.data.ContainsKey('held')) { Stop-FleetSkipped "held: $($FleetReply.data.held -join '; ')" }
if ($FleetReply.data.ContainsKey('left_alone')) { Stop-FleetSkipped "nothing a restart could help: $($FleetReply.data.left_alone -join '; ')" }
Set-FleetOk "$($list.Writers.Count) writers are stable, nothing to do"
