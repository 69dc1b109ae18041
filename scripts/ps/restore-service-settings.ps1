# /// fleet
# kind = "remedy"
# title = "Put start types of services back to what they were"
# about = "Takes back what a remedy changed, from its data.undo. Whether a service runs is left as it is."
# risk = "safe"
# idempotent = "yes"
# timeout = 120
# needs = ["admin"]
# undo = "restore-service-settings"
#
# [params.services]
# type = "list"
# required = true
# about = "Tables with name and start_type (Automatic, DelayedAutomatic, Manual, Disabled), as remedies write them"
#
# [returns.restored]
# type = "list"
# about = "Names of the services that were put back"
# ///
[CmdletBinding(SupportsShouldProcess = $true)]
param([Parameter(Mandatory = $true)][object[]]$services)

Assert-FleetAdministrator
# all of it is looked at before any of it is touched
foreach ($entry in $services) {
    $complete = $entry -is [Collections.IDictionary] -and $entry.Contains('name') -and $entry.Contains('start_type')
    if (-not $complete) { Stop-FleetFailed 'an entry of services lacks name or start_type; nothing was touched' }
    if ('Automatic', 'DelayedAutomatic', 'Manual', 'Disabled' -notcontains $entry.start_type) { Stop-FleetFailed "no such start type: $($entry.start_type); nothing was touched" }
    if ($null -eq (Get-FleetService $entry.name)) { Stop-FleetFailed "there is no service $($entry.name); nothing was touched" }
}
foreach ($entry in $services) {
    $now = (Get-FleetService $entry.name).StartType
    if ($now -eq $entry.start_type) { continue }
    Add-FleetItem 'restored' $entry.name
    if ($PSCmdlet.ShouldProcess($entry.name, "Set start type $($entry.start_type)")) { Add-FleetUndo 'services' (Get-FleetServiceEntry $entry.name); Set-FleetStartType $entry.name $entry.start_type; Set-FleetChanged "$($entry.name) is $($entry.start_type) again instead of $now" }
    else { Set-FleetChanged "would set $($entry.name) from $now to $($entry.start_type)" }
}
if ($FleetReply.outcome -ne 'changed') { Set-FleetOk "$(@($services).Count) services are as they were, nothing to do" }
