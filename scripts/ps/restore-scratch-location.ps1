# /// fleet
# kind = "remedy"
# title = "Have the MARS agent use the scratch folder that it had"
# about = "Takes back what move-scratch-folder or set-scratch-location changed, from its data.undo, with obengine stopped. What the agent has written into the new folder since is not in the old one: meant for a move that has to be taken back at once. Held while a job of the agent runs."
# risk = "service-interruption"
# idempotent = "yes"
# timeout = 600
# needs = ["admin"]
# undo = "restore-scratch-location"
#
# [params.values]
# type = "list"
# required = true
# about = "Tables with view, key, name, existed, type, value, as remedies write them"
#
# [returns.held]
# type = "list"
# about = "What a person has to wait for"
# ///
[CmdletBinding(SupportsShouldProcess = $true)]
param([Parameter(Mandatory = $true)][object[]]$values)

Assert-FleetAdministrator
if ($null -eq (Get-FleetService 'obengine')) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
# all of it is looked at before any of it is touched
$keys = @(Get-FleetScratchEntry | ForEach-Object { $_.key })
foreach ($entry in $values) {
    $complete = $entry -is [Collections.IDictionary] -and @('view', 'key', 'name', 'existed' | Where-Object { -not $entry.Contains($_) }).Count -eq 0
    if (-not $complete) { Stop-FleetFailed 'an entry of values lacks view, key, name or existed; nothing was touched' }
    if ($keys -notcontains $entry.key -or $entry.name -ne 'ScratchLocation' -or 64, 32 -notcontains $entry.view) { Stop-FleetFailed "$($entry.key), $($entry.name) does not name the scratch folder; nothing was touched" }
    if ($entry.existed -and ('String', 'ExpandString' -notcontains $entry.type -or -not (Get-FleetAcl ([string]$entry.value).TrimEnd('\')))) { Stop-FleetFailed "there is no folder $($entry.value); nothing was touched" }
}
$other = @($values | Where-Object {
    $now = Get-FleetRegistryEntry $_.key $_.name $_.view
    $now.existed -ne $_.existed -or $now.value -cne $_.value
})
if (-not $other.Count) { Set-FleetOk "$(@($values).Count) values are as they were, nothing to do"; return }
Stop-FleetForMarsJob
$what = @($other | ForEach-Object { "$($_.key -replace '^.*\\'): $(if ($_.existed) { $_.value } else { 'not set' })" }) -join ', '
if (-not $PSCmdlet.ShouldProcess($what, 'Put back, with obengine stopped')) { Set-FleetChanged "would stop obengine and put back $what"; return }
Set-FleetScratch $other {
    foreach ($entry in $other) { Add-FleetUndo 'values' (Get-FleetRegistryEntry $entry.key $entry.name $entry.view) }
}
Set-FleetChanged "put back $what"
