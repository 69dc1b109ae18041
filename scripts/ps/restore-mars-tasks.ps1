# /// fleet
# kind = "remedy"
# title = "Put scheduled tasks of the MARS agent back to what they were"
# about = "Takes back what repair-mars-tasks changed, from its data.undo. A task that ran under an account with a stored password can't be put back: nobody but its owner has that password, so Task Scheduler is told by hand. Held while a job of the agent runs."
# risk = "safe"
# idempotent = "yes"
# timeout = 300
# needs = ["admin"]
# undo = "restore-mars-tasks"
#
# [params.tasks]
# type = "list"
# required = true
# about = "Tables with name and xml, as repair-mars-tasks writes them"
#
# [returns.restored]
# type = "list"
# about = "Names of the tasks that were, or would be, put back"
# [returns.held]
# type = "list"
# about = "What a person has to wait for or see to"
# ///
[CmdletBinding(SupportsShouldProcess = $true)]
param([Parameter(Mandatory = $true)][object[]]$tasks)

function Get-Same([string]$Xml) { ($Xml -replace '^[^<]+') -replace '\s+' }

Assert-FleetAdministrator
if ($null -eq (Get-FleetService 'obengine')) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
$now = @{}
foreach ($task in @(Get-FleetTask $FleetMarsTasks)) { $now[$task.Name] = $task }
# all of it is looked at before any of it is touched
foreach ($entry in $tasks) {
    if ($entry -isnot [Collections.IDictionary] -or -not $entry.Contains('name') -or -not $entry.Contains('xml')) { Stop-FleetFailed 'an entry of tasks lacks name or xml; nothing was touched' }
    if (-not $now.ContainsKey($entry.name)) { Stop-FleetFailed "there is no task $($entry.name) any more; nothing was touched" }
    try { [void](ConvertFrom-FleetTask $entry.xml) } catch { Stop-FleetFailed "xml of $($entry.name) is none; nothing was touched" }
    if ($entry.xml -match '<LogonType>\s*(Password|InteractiveTokenOrPassword)\s*<') { Stop-FleetFailed "$($entry.name) ran with a stored password, which only a person can enter: set its account in Task Scheduler; nothing was touched" }
}
$changed = @($tasks | Where-Object { (Get-Same (Get-FleetTaskXml "$FleetMarsTasks\$($_.name)" $now[$_.name].Xml)) -cne (Get-Same $_.xml) })
if (-not $changed.Count) { Set-FleetOk "$(@($tasks).Count) tasks are as they were, nothing to do"; return }
Stop-FleetForMarsJob
foreach ($entry in $changed) {
    $path = "$FleetMarsTasks\$($entry.name)"
    $before = Get-FleetTaskXml $path $now[$entry.name].Xml
    if (-not $before) { Stop-FleetFailed "$($entry.name) has characters that can't be read as they are: set it in Task Scheduler" }
    Add-FleetItem 'restored' $entry.name
    if (-not $PSCmdlet.ShouldProcess($path, 'Put back')) { Set-FleetChanged "would put back $($entry.name)"; continue }
    Add-FleetUndo 'tasks' @{ name = $entry.name; xml = $before }
    $problem = Set-FleetTask $path $entry.xml
    if ($problem) { Stop-FleetFailed "$($entry.name) could not be written: $problem" }
    Set-FleetChanged "put back $($entry.name)"
}
