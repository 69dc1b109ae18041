# /// fleet
# kind = "remedy"
# title = "Compress and encrypt again what was before"
# about = "Takes back what clear-scratch-attributes changed, from its data.undo, while obengine is stopped. What is encrypted is so with a key of the account that runs this. Held while a job of the agent runs."
# risk = "service-interruption"
# idempotent = "yes"
# timeout = 3600
# needs = ["admin"]
# undo_note = "clear-scratch-attributes takes both off again."
#
# [params.items]
# type = "list"
# required = true
# about = "Tables with path and attributes (Compressed, Encrypted), as the remedy writes them"
#
# [returns.restored]
# type = "list"
# about = "What was, or would be, changed, each: path, attributes"
# [returns.held]
# type = "list"
# about = "What a person has to wait for"
# ///
[CmdletBinding(SupportsShouldProcess = $true)]
param([Parameter(Mandatory = $true)][object[]]$items)

Assert-FleetAdministrator
if ($null -eq (Get-FleetService 'obengine')) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
# all of it is looked at before any of it is touched
$jobs = @(foreach ($entry in $items) {
    $complete = $entry -is [Collections.IDictionary] -and $entry.Contains('path') -and $entry.Contains('attributes')
    if (-not $complete) { Stop-FleetFailed 'an entry of items lacks path or attributes; nothing was touched' }
    $unknown = @($entry.attributes | Where-Object { 'Compressed', 'Encrypted' -notcontains $_ })
    if ($unknown.Count -or $entry.path -notmatch '^[A-Za-z]:\\[^\\]') { Stop-FleetFailed "no such attribute or path: $($unknown -join ', '), $($entry.path); nothing was touched" }
    $now = Get-FleetItem $entry.path
    if ($null -eq $now) { Stop-FleetFailed "there is no $($entry.path); nothing was touched" }
    $missing = @($entry.attributes | Where-Object { $now.Attributes -notcontains $_ })
    if ($missing.Count) { @{ path = $entry.path; attributes = $missing } }
})
if (-not $jobs.Count) { Set-FleetOk "$(@($items).Count) files and folders are as they were, nothing to do"; return }
Stop-FleetForMarsJob
$what = @($jobs | ForEach-Object { "$($_.path) ($($_.attributes -join ', '))" }) -join ', '
foreach ($job in $jobs) { Add-FleetItem 'restored' @{ path = $job.path; attributes = $job.attributes } }
if (-not $PSCmdlet.ShouldProcess($what, 'Set attributes, with obengine stopped')) { Set-FleetChanged "would stop obengine and set attributes of $what"; return }
$problems = New-Object Collections.ArrayList
Set-FleetScratch @() {
    foreach ($job in $jobs) {
        foreach ($attribute in $job.attributes) {
            $problem = Set-FleetItemAttribute $job.path $attribute $true
            if ($problem) { [void]$problems.Add($problem) } else { Set-FleetChanged "$($job.path) is $attribute again" }
        }
    }
}
if ($problems.Count) { Stop-FleetFailed ($problems -join '; ') }
