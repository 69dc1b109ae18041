# /// fleet
# kind = "remedy"
# title = "Let the scheduled tasks of the MARS agent start backups"
# about = "In \\Microsoft\\OnlineBackup: enables the task Microsoft-OnlineBackup and all its triggers, has it run as SYSTEM where it runs as neither SYSTEM nor the local Administrators group, and keeps every task of the folder from starting a second time while it runs. The rest of a task stays as it is. A task or a trigger that is not there comes from the schedule in the console of the agent, not from here. An account with a stored password can't be put back afterwards, because nobody can read that password. Held while a job of the agent runs."
# risk = "safe"
# idempotent = "yes"
# timeout = 300
# needs = ["admin"]
# undo = "restore-mars-tasks"
#
# [params.look]
# type = "list"
# default = ["enabled", "account", "instances"]
# pattern = 'enabled|account|instances'
# about = "What to put right: enabled (the task and its triggers), account, instances (it does not start while it runs)"
#
# [returns.repaired]
# type = "list"
# about = "Each task that was, or would be, changed: name, faults (what was wrong)"
# [returns.held]
# type = "list"
# about = "What a person has to wait for or see to"
# ///
[CmdletBinding(SupportsShouldProcess = $true)]
param([object[]]$look = @('enabled','account','instances'))

function Edit-TaskXml([string]$Xml, [object[]]$Part) {
    # The same XML with these parts put right.
    $document = New-Object Xml.XmlDocument
    $document.XmlResolver = $null
    $document.PreserveWhitespace = $true
    $document.LoadXml(($Xml -replace '^[^<]+'))
    $names = New-Object Xml.XmlNamespaceManager $document.NameTable
    $names.AddNamespace('t', $document.DocumentElement.NamespaceURI)
    if ($Part -contains 'instances') { foreach ($node in $document.SelectNodes('t:Task/t:Settings/t:MultipleInstancesPolicy', $names)) { $node.InnerText = 'IgnoreNew' } }
    if ($Part -contains 'enabled') { foreach ($node in $document.SelectNodes('t:Task/t:Settings/t:Enabled | t:Task/t:Triggers/*/t:Enabled', $names)) { $node.InnerText = 'true' } }
    if ($Part -contains 'account') {
        foreach ($principal in $document.SelectNodes('t:Task/t:Principals/t:Principal', $names)) {
            foreach ($node in @($principal.ChildNodes | Where-Object { 'UserId', 'GroupId', 'LogonType', 'RunLevel' -contains $_.LocalName })) { [void]$principal.RemoveChild($node) }
            foreach ($pair in @(@('UserId', 'S-1-5-18'), @('RunLevel', 'HighestAvailable'))) {
                $principal.AppendChild($document.CreateElement($pair[0], $principal.NamespaceURI)).InnerText = $pair[1]
            }
        }
    }
    $document.OuterXml
}

Assert-FleetAdministrator
if ($null -eq (Get-FleetService 'obengine')) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
$tasks = @(Get-FleetTask $FleetMarsTasks)
if (-not @($tasks | Where-Object { $_.Name -like 'Microsoft-OnlineBackup*' }).Count) { Stop-FleetFailed 'there is no task Microsoft-OnlineBackup: set the schedule in the console of the agent (Schedule Backup); nothing was touched' }
$unknown = @($tasks | Where-Object { $_.Problem } | ForEach-Object { "$($_.Name): $($_.Problem)" })
if ($unknown.Count) { Stop-FleetFailed "$($unknown -join '; '); nothing was touched" }
$faults = @{}
foreach ($task in $tasks) { $faults[$task.Name] = @(Get-FleetMarsTaskFault $task $look) }
$wrong = @($tasks | Where-Object { $faults[$_.Name].Count })
if (-not $wrong.Count) { Set-FleetOk "$($tasks.Count) tasks are as they should be, nothing to do"; return }
Stop-FleetForMarsJob
foreach ($task in $wrong) {
    $path = "$FleetMarsTasks\$($task.Name)"
    $before = Get-FleetTaskXml $path $task.Xml
    if (-not $before) { Stop-FleetFailed "$($task.Name) has characters that can't be read as they are: set it in Task Scheduler" }
    $after = Edit-TaskXml $before @($faults[$task.Name] | ForEach-Object { $_.Part })
    $left = @(Get-FleetMarsTaskFault (Add-Member -InputObject (ConvertFrom-FleetTask $after) -MemberType NoteProperty -Name Name -Value $task.Name -PassThru) $look | ForEach-Object { $_.Text })
    if ($left.Count) { Stop-FleetFailed "$($left -join '; '): set the schedule in the console of the agent (Schedule Backup); $($task.Name) was not touched" }
    $text = @($faults[$task.Name] | ForEach-Object { $_.Text })
    Add-FleetItem 'repaired' @{ name = $task.Name; faults = $text }
    if (-not $PSCmdlet.ShouldProcess($path, "Put right: $($text -join '; ')")) { Set-FleetChanged "would put right: $($text -join '; ')"; continue }
    Add-FleetUndo 'tasks' @{ name = $task.Name; xml = $before }
    $problem = Set-FleetTask $path $after
    if ($problem) { Stop-FleetFailed "$($task.Name) could not be written: $problem" }
    $now = @(Get-FleetTask $FleetMarsTasks | Where-Object { $_.Name -eq $task.Name })
    $left = @(if (-not $now.Count) { 'it is gone' } elseif ($now[0].Problem) { $now[0].Problem } else { Get-FleetMarsTaskFault $now[0] $look | ForEach-Object { $_.Text } })
    if ($left.Count) { Stop-FleetFailed "$($task.Name) after it was written: $($left -join '; ')" }
    Set-FleetChanged "put right: $($text -join '; ')"
}
