# /// fleet
# kind = "remedy"
# title = "Install a newer MARS agent over the old one, from the operator's installer"
# about = "Runs MARSAgentInstaller.exe /q /nu, which the operator has put onto the server. Its SHA-256 has to be the one that the operator names; what is run is a copy that nobody but administrators can write. Registration, schedule and passphrase stay. Held without an installer, and while a job of the agent runs. A server without the agent is left alone: the first installation belongs to the registration."
# risk = "service-interruption"
# idempotent = "yes"
# timeout = 1500
# needs = ["admin"]
# undo_note = "An older agent is not brought back: the server has no installer of it, and the vault may refuse it."
#
# [params.mars_installer]
# type = "str"
# default = ""
# about = "Where MARSAgentInstaller.exe lies on the server, as C:\\folder\\name.exe"
# [params.mars_sha256]
# type = "str"
# default = ""
# pattern = '([0-9A-Fa-f]{64})?'
# about = "SHA-256 of the installer"
# [params.minimum_version]
# type = "str"
# default = "2.0.9249.0"
# pattern = '[0-9]{1,9}(\.[0-9]{1,9}){1,3}'
# about = "The version that the agent has to have afterwards; one that has it is left alone"
#
# [returns.before]
# type = "dict"
# about = "version of the agent and status of obengine, as found"
# [returns.after]
# type = "dict"
# about = "The same afterwards"
# [returns.held]
# type = "list"
# about = "What a person has to do or wait for"
# ///
[CmdletBinding(SupportsShouldProcess = $true)]
param([string]$mars_installer = '', [string]$mars_sha256 = '', [string]$minimum_version = '2.0.9249.0')

function Get-Agent {
    $service = Get-FleetService 'obengine'
    $program = if ($service) { Get-FleetServiceProgram $service } else { '' }
    @{ version = $(if ($program) { Get-FleetProductVersion $program } else { '' }); status = $(if ($service) { $service.Status } else { 'Absent' }) }
}

function Test-NewEnough($Agent) {
    $version = ConvertTo-FleetVersion $Agent.version
    $null -ne $version -and $version -ge (ConvertTo-FleetVersion $minimum_version)
}

function Stop-Held([string]$Reason) { Add-FleetItem 'held' $Reason; Stop-FleetSkipped "$Reason; nothing was touched" }

Assert-FleetAdministrator
if ($null -eq (Get-FleetService 'obengine')) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
$before = Get-Agent
Add-FleetData 'before' $before
if (Test-NewEnough $before) { Set-FleetOk "the MARS agent is $($before.version) already, nothing to do"; return }
if (-not $mars_installer -or -not $mars_sha256) { Stop-Held 'the installer is for the operator to supply: put MARSAgentInstaller.exe onto the server and set mars_installer and mars_sha256' }
if ((Get-FleetFileSize $mars_installer) -lt 0) { Stop-Held "there is no file $mars_installer" }
$hash = Get-FleetFileHash $mars_installer
if ($hash -ne $mars_sha256) { Stop-FleetFailed "$mars_installer is not the installer that was meant: its SHA-256 is $hash; nothing was touched" }
Stop-FleetForMarsJob
if (-not $PSCmdlet.ShouldProcess('MARS agent', "Install $mars_installer")) { Set-FleetChanged "would install $mars_installer over the MARS agent $($before.version)"; return }
$copy = "$(New-FleetPrivateFolder 'install-mars-agent')\MARSAgentInstaller.exe"
try {
    Copy-FleetFile $mars_installer $copy
    if ((Get-FleetFileHash $copy) -ne $mars_sha256) { Stop-FleetFailed "$mars_installer was changed while it was copied; nothing was installed" }
    $done = Invoke-FleetNative $copy @('/q', '/nu') 1200
} finally { Remove-FleetFile $copy }
if (-not $done.Found) { Stop-FleetFailed "$copy was taken away before it could be run: by an antivirus product?" }
if ($done.TimedOut) { Stop-FleetFailed 'the installer did not end within 1200 s and was ended: look whether the agent is whole' }
$end = (Get-FleetTime) + 120
while (-not ((Test-NewEnough (Get-Agent)) -and (Get-Agent).status -eq 'Running') -and (Get-FleetTime) -lt $end) { Wait-FleetTime 5 }
$after = Get-Agent
Add-FleetData 'after' $after
if ($done.ExitCode -ne 0) { Stop-FleetFailed "the installer gave $($done.ExitCode); the agent is $($after.version), obengine is $($after.status)" }
Set-FleetChanged "installed $mars_installer"
if (-not (Test-NewEnough $after)) { Stop-FleetFailed "the agent is $($after.version) after it, not $minimum_version or later" }
if ($after.status -ne 'Running') { Stop-FleetFailed "the agent is $($after.version), but obengine is $($after.status)" }
Set-FleetChanged "the agent runs as $($after.version)"
