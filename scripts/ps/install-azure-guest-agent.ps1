# /// fleet
# kind = "remedy"
# title = "Install the Azure guest agent from the operator's package"
# about = "Installs the MSI that the operator has put onto the machine, over an older agent or anew. Its SHA-256 has to be the one that the operator names; what is installed is a copy that nobody but administrators can write. Left alone: an agent that is new enough and runs. Held without a package, and while a backup runs. Extensions pause meanwhile."
# risk = "service-interruption"
# idempotent = "yes"
# timeout = 1500
# needs = ["admin"]
# undo_note = "An older agent is not brought back: the machine has no package of it, and the platform updates the agent by itself."
#
# [params.agent_package]
# type = "str"
# default = ""
# about = "Where the MSI lies on the machine, as C:\\folder\\name.msi"
# [params.agent_sha256]
# type = "str"
# default = ""
# pattern = '([0-9A-Fa-f]{64})?'
# about = "SHA-256 of the MSI"
# [params.minimum_version]
# type = "str"
# default = "2.6.1198.718"
# pattern = '[0-9]{1,9}(\.[0-9]{1,9}){1,3}'
# about = "The version that the agent has to have afterwards; one that has it and runs is left alone"
# [params.reinstall]
# type = "bool"
# default = false
# about = "Install it although it runs and is new enough, because it does not answer"
#
# [returns.before]
# type = "dict"
# about = "version, and status of each service of the agent, as found"
# [returns.after]
# type = "dict"
# about = "The same afterwards"
# [returns.log]
# type = "str"
# about = "The log of the installer on the machine"
# [returns.restart_needed]
# type = "bool"
# about = "Whether Windows has to be restarted to end the installation"
# [returns.held]
# type = "list"
# about = "What a person has to do or wait for"
# ///
[CmdletBinding(SupportsShouldProcess = $true)]
param([string]$agent_package = '', [string]$agent_sha256 = '', [string]$minimum_version = '2.6.1198.718', [bool]$reinstall = $false)

$services = 'RdAgent', 'WindowsAzureGuestAgent'

function Get-Agent {
    $found = @{ version = (Get-FleetAgentVersion).Version }
    foreach ($name in $services) { $found[$name] = Get-FleetServiceStatus $name }
    $found
}

function Get-Fault($Agent) {
    # What is wrong with the agent; '' for nothing.
    foreach ($name in $services) {
        if ($Agent[$name] -eq 'Absent') { return "there is no service $name" }
        if ($Agent[$name] -ne 'Running') { return "$name is $($Agent[$name])" }
    }
    $version = ConvertTo-FleetVersion $Agent.version
    if ($null -eq $version -or $version -lt (ConvertTo-FleetVersion $minimum_version)) { return "its version is '$($Agent.version)', not $minimum_version or later" }
    ''
}

function Stop-Held([string]$Reason) { Add-FleetItem 'held' $Reason; Stop-FleetSkipped "$Reason; nothing was touched" }

Assert-FleetAdministrator
$before = Get-Agent
Add-FleetData 'before' $before
$fault = Get-Fault $before
if (-not $fault -and -not $reinstall) { Set-FleetOk "the Azure guest agent $($before.version) runs, nothing to do"; return }
if (-not $agent_package -or -not $agent_sha256) { Stop-Held 'the package of the agent is for the operator to supply: put the MSI onto the machine and set agent_package and agent_sha256' }
if ((Get-FleetFileSize $agent_package) -lt 0) { Stop-Held "there is no file $agent_package" }
$hash = Get-FleetFileHash $agent_package
if ($hash -ne $agent_sha256) { Stop-FleetFailed "$agent_package is not the package that was meant: its SHA-256 is $hash; nothing was touched" }
# what the package itself needs (Azure/azure-support-scripts, vmassist: StdRegProv of WMI)
if ((Get-FleetServiceStatus 'Winmgmt') -ne 'Running') { Stop-FleetFailed 'WMI (service Winmgmt) does not run, without which the package does not install; nothing was touched' }
$installer = Get-FleetService 'msiserver'
if ($installer -and $installer.StartType -eq 'Disabled') { Stop-FleetFailed 'Windows Installer (msiserver) is disabled; nothing was touched' }
Stop-FleetForBackup
$what = if ($fault) { $fault } else { 'on request' }
if (-not $PSCmdlet.ShouldProcess('Azure guest agent', "Install $agent_package")) { Set-FleetChanged "would install $agent_package ($what)"; return }

$folder = New-FleetPrivateFolder 'install-azure-guest-agent'
$copy, $log = "$folder\agent.msi", "$folder\msiexec.log"
Add-FleetData 'log' $log
try {
    Copy-FleetFile $agent_package $copy
    if ((Get-FleetFileHash $copy) -ne $agent_sha256) { Stop-FleetFailed "$agent_package was changed while it was copied; nothing was installed" }
    $done = Invoke-FleetNative 'msiexec.exe' @('/i', $copy, '/quiet', '/norestart', '/L*v', $log) 900
} finally { Remove-FleetFile $copy }
if (-not $done.Found) { Stop-FleetFailed 'msiexec.exe is missing' }
if ($done.TimedOut) { Stop-FleetFailed "the installer did not end within 900 s and may still be at work; see $log on the machine" }
# 3010: done, Windows wants a restart. 1618: another installation runs (Windows Installer, error codes)
if ($done.ExitCode -eq 1618) { Stop-FleetFailed 'another installation is running on the machine (1618); nothing was installed' }
if (0, 3010 -notcontains $done.ExitCode) { Stop-FleetFailed "the installer gave $($done.ExitCode); see $log on the machine" }
Add-FleetData 'restart_needed' ($done.ExitCode -eq 3010)
Set-FleetChanged "installed $agent_package$(if ($done.ExitCode -eq 3010) { ', Windows has to be restarted to end it' })"

# its services come up, and write the version, a little after the installer
$end = (Get-FleetTime) + 300
while ((Get-Fault (Get-Agent)) -and (Get-FleetTime) -lt $end) { Wait-FleetTime 5 }
$after = Get-Agent
Add-FleetData 'after' $after
$fault = Get-Fault $after
if ($fault) { Stop-FleetFailed "the agent is not well 300 s after it was installed: $fault" }
Set-FleetChanged "it runs as $($after.version)"
