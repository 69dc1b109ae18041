# /// fleet
# kind = "remedy"
# title = "Reinstall the Distributed Transaction Coordinator"
# about = "The last resort when COM+ can't talk to MSDTC. Exports its registry keys, uninstalls and installs it, brings back start type, dependents and COM+ System Application. Unfinished distributed transactions are lost: ask the owners of the databases. Held while a backup runs and on cluster nodes."
# risk = "destructive"
# idempotent = "check"
# timeout = 1800
# needs = ["admin"]
# undo_note = "Unfinished distributed transactions are lost; the registry keys as they were are kept on the machine, in the files that data.exports names."
#
# [params.force]
# type = "bool"
# default = false
# about = "Reinstall it although it runs as Network Service and COM+ System Application runs"
#
# [returns.before]
# type = "dict"
# about = "Status, start_type and account of MSDTC, as found; empty when there was no such service"
# [returns.exports]
# type = "list"
# about = "Files on the machine that hold its registry keys as they were"
# [returns.settings_changed]
# type = "list"
# about = "Values of MSDTC's security settings that differ from before"
# [returns.held]
# type = "list"
# about = "What a person has to wait for or do"
# [returns.down]
# type = "list"
# about = "Services that ran before and do not run now"
# ///
[CmdletBinding(SupportsShouldProcess = $true)]
param([bool]$force = $false)

$settings = 'HKLM\SOFTWARE\Microsoft\MSDTC'
$stopped = New-Object Collections.ArrayList

function Get-Settings {
    $found = @{}
    foreach ($name in @(Get-FleetRegistryValueName "$settings\Security")) { $found[$name] = [string](Get-FleetRegistryValue "$settings\Security" $name).Value }
    $found
}

function Start-Again {
    foreach ($each in $stopped) { if ((Get-FleetServiceStatus $each) -eq 'Stopped') { [void](Start-FleetServiceTwice $each 120) } }
}

function Stop-Here([string]$Message) {
    Start-Again
    $down = @($stopped | Where-Object { (Get-FleetServiceStatus $_) -ne 'Running' })
    if ($down.Count) { Add-FleetData 'down' $down; $Message += "; NOT RUNNING NOW, but before: $($down -join ', ')" }
    Stop-FleetFailed $Message
}

Assert-FleetAdministrator
$service = Get-FleetService 'MSDTC'
Add-FleetData 'before' @{}
if ($service) {
    Add-FleetData 'before' @{ status = $service.Status; start_type = $service.StartType; account = $service.Account }
    $healthy = $service.Status -eq 'Running' -and (Test-FleetNetworkService $service.Account) -and (Get-FleetServiceStatus 'COMSysApp') -eq 'Running'
    if ($healthy -and -not $force) { Set-FleetOk 'MSDTC runs as Network Service and COM+ System Application runs, nothing to do'; return }
}
Stop-FleetForBackup
if (@(Get-FleetRole) -contains 'cluster-node') {
    Add-FleetItem 'held' 'a cluster node: MSDTC has a procedure of its own there'
    Stop-FleetSkipped 'this is a cluster node; MSDTC has a procedure of its own there, nothing was touched'
}
if ($service -and $service.Status -ne 'Stopped') {
    $problem = Get-FleetStopProblem 'MSDTC'
    if ($problem) { Stop-FleetFailed "$problem; nothing was touched" }
}
$with = @(Get-FleetRunningDependent 'MSDTC')
if (-not $PSCmdlet.ShouldProcess('MSDTC', 'Export the registry keys, uninstall, install, start')) {
    Set-FleetChanged "would reinstall MSDTC$(if ($with.Count) { ' and restart ' + ($with -join ', ') })"
    return
}

# nothing is touched before what is there now is safe
$folder = New-FleetPrivateFolder 'undo'
foreach ($export in @(@('settings', $settings), @('service', 'HKLM\SYSTEM\CurrentControlSet\Services\MSDTC'))) {
    if ($export[0] -eq 'service' -and -not $service) { continue }
    $file = "$folder\msdtc-$($export[0]).reg"
    $done = Invoke-FleetNative 'reg.exe' @('export', $export[1], $file, '/y')
    if ($done.ExitCode -ne 0 -or (Get-FleetFileSize $file) -le 0) { Stop-FleetFailed "$($export[1]) can't be exported to $file; nothing was touched" }
    Add-FleetItem 'exports' $file
}
$before = Get-Settings

try {
    if ($service) {
        foreach ($name in $with + 'MSDTC') {
            if ((Get-FleetServiceStatus $name) -eq 'Stopped') { continue }
            [void]$stopped.Insert(0, $name)
            $problem = Stop-FleetService $name 120
            if ($problem) { Stop-Here "$name could not be stopped: $problem; MSDTC was not reinstalled" }
        }
        $done = Invoke-FleetNative 'msdtc.exe' @('-uninstall') 120
        for ($left = 30; $left -gt 0 -and (Get-FleetService 'MSDTC'); $left--) { Wait-FleetTime 1 }
        if (Get-FleetService 'MSDTC') { Stop-Here "msdtc -uninstall (exit code $($done.ExitCode)) left the service there; restart the machine in planned downtime and run this again" }
        Set-FleetChanged 'uninstalled MSDTC'
    }
    $done = Invoke-FleetNative 'msdtc.exe' @('-install') 120
    for ($left = 30; $left -gt 0 -and -not (Get-FleetService 'MSDTC'); $left--) { Wait-FleetTime 1 }
    $installed = Get-FleetService 'MSDTC'
    if ($null -eq $installed) { Stop-Here "MSDTC IS NOT INSTALLED NOW: msdtc -install gave exit code $($done.ExitCode); restart the machine and run this again" }
    Set-FleetChanged 'installed MSDTC'

    $type = if ($service -and $service.StartType -ne 'Disabled') { $service.StartType } else { 'DelayedAutomatic' }
    if ($installed.StartType -ne $type) { Set-FleetStartType 'MSDTC' $type }
    if (-not (Test-FleetNetworkService $installed.Account)) {
        $problem = Set-FleetServiceConfig 'MSDTC' @('obj=', 'NT AUTHORITY\NetworkService', 'password=', '')
        if ($problem) { Stop-Here $problem }
    }
    if ($stopped -notcontains 'MSDTC') { [void]$stopped.Insert(0, 'MSDTC') }
    foreach ($name in $stopped.ToArray()) {
        $problem = Start-FleetServiceTwice $name 120
        if ($problem) { Stop-Here "$name does not start: $problem" }
    }
    Set-FleetChanged "started $($stopped -join ', ')"
} finally { Start-Again }     # for a script that is cut off by its deadline in between

$after = Get-Settings
$differ = @(@($before.Keys) + @($after.Keys) | Sort-Object -Unique | Where-Object { $before[$_] -ne $after[$_] })
Add-FleetData 'settings_changed' $differ
if ($differ.Count) { Set-FleetChanged "security settings that differ from before, see the export: $($differ -join ', ')" }

if ((Get-FleetServiceStatus 'COMSysApp') -eq 'Running') {
    $done = Restart-FleetService 'COMSysApp'
    if ($done.Problem) { Stop-Here $done.Problem }
} else {
    $problem = Start-FleetServiceTwice 'COMSysApp' 120
    if ($problem) { Stop-Here "COMSysApp does not start: $problem" }
}
Set-FleetChanged 'started COM+ System Application anew'
