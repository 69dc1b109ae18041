# /// fleet
# kind = "remedy"
# title = "Let the Distributed Transaction Coordinator run as Network Service"
# about = "Sets the account of MSDTC, restarts it with what depends on it, and starts COM+ System Application anew. Distributed transactions under way are broken off. Held while a backup runs and on cluster nodes, where MSDTC belongs to the cluster."
# risk = "service-interruption"
# idempotent = "yes"
# timeout = 900
# needs = ["admin"]
# undo_note = "The password of an account is not known to fleet; which account it was stands in the data as account_before."
#
# [returns.account_before]
# type = "str"
# about = "Account of MSDTC, as found"
# [returns.held]
# type = "list"
# about = "What a person has to wait for or do"
# [returns.down]
# type = "list"
# about = "Services that ran before and do not run now"
# ///
[CmdletBinding(SupportsShouldProcess = $true)]
param()

Assert-FleetAdministrator
$service = Get-FleetService 'MSDTC'
if ($null -eq $service) { Stop-FleetFailed 'there is no service MSDTC; reinstall-msdtc brings it back' }
Add-FleetData 'account_before' $service.Account
if (Test-FleetNetworkService $service.Account) { Set-FleetOk 'MSDTC runs as Network Service already, nothing to do'; return }
if ($service.StartType -eq 'Disabled') { Stop-FleetFailed 'MSDTC is disabled; start-comsysapp enables it' }
Stop-FleetForBackup
if (@(Get-FleetRole) -contains 'cluster-node') {
    Add-FleetItem 'held' 'a cluster node: MSDTC is set up through the cluster'
    Stop-FleetSkipped "MSDTC runs as $($service.Account); this is a cluster node, where that is set up through the cluster"
}
$problem = if ($service.Status -eq 'Stopped') { '' } else { Get-FleetStopProblem 'MSDTC' }
if ($problem) { Stop-FleetFailed "$problem; nothing was touched" }
$with = @(Get-FleetRunningDependent 'MSDTC') -join ', '
if (-not $PSCmdlet.ShouldProcess("MSDTC (now $($service.Account))", 'Set account NT AUTHORITY\NetworkService and restart')) {
    Set-FleetChanged "would let MSDTC run as Network Service instead of $($service.Account) and restart it$(if ($with) { " with $with" })"
    return
}
$problem = Set-FleetServiceConfig 'MSDTC' @('obj=', 'NT AUTHORITY\NetworkService', 'password=', '')
if ($problem) { Stop-FleetFailed $problem }
Set-FleetChanged "MSDTC runs as Network Service instead of $($service.Account)"
foreach ($name in 'MSDTC', 'COMSysApp') {
    if ((Get-FleetServiceStatus $name) -eq 'Running') {
        $done = Restart-FleetService $name
        if ($done.Down.Count) { Add-FleetData 'down' $done.Down }
        if ($done.Problem) { Stop-FleetFailed $done.Problem }
        Set-FleetChanged "restarted $name"
    } else {
        $problem = Start-FleetServiceTwice $name 120
        if ($problem) { Stop-FleetFailed "$name does not start: $problem" }
        Set-FleetChanged "started $name"
    }
}
