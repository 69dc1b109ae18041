# Library of the PowerShell snippets: what a snippet may call. Syntax and API of PowerShell 3.0.
#
# Answer (message and data become the envelope; everything else a snippet writes is log)
#   Set-FleetOk MESSAGE          all is well; says what was seen
#   Set-FleetChanged MESSAGE     something was changed, or in check mode would be; may be called for every step
#   Stop-FleetFailed MESSAGE     ends the snippet: failed. What Set-FleetChanged said before stays in the message
#   Stop-FleetSkipped MESSAGE    ends the snippet: it does not apply here, or it left everything as it was
#   Add-FleetData KEY VALUE      sets an entry of the data
#   Add-FleetItem KEY VALUE      adds to a list in the data. The list `held` is what a person has to allow:
#                                a skipped snippet that has one is reported as held
#   Add-FleetUndo PARAMETER VALUE    adds to the list that the undo snippet of the header takes as PARAMETER
#   Write-FleetLog TEXT          a line for the log
#
# The second half, below "contact", is the only place that touches Windows: a lab or a test puts functions
# of the same names in its place. What collects files above it goes through .NET, to the places that Get-FleetPlace names. Services are described by ServiceController and by their registry key, not
# by CIM, so that it works where WMI is what is broken. Nothing here reads text of a localised program.

# --- answer -----------------------------------------------------------------------------------------

function Set-FleetOk([string]$Message) { $FleetReply.message = $Message }

function Set-FleetChanged([string]$Message) {
    if ($FleetReply.outcome -eq 'changed') { $Message = $FleetReply.message + '; ' + $Message }
    $FleetReply.outcome = 'changed'
    $FleetReply.message = $Message
}

function Stop-FleetFailed([string]$Message) {
    if ($FleetReply.outcome -eq 'changed') { $Message = "$Message; done before that: $($FleetReply.message)" }
    $FleetReply.outcome = 'failed'
    $FleetReply.message = $Message
    $FleetReply.stopped = $true
    throw 'fleet:stop'
}

function Stop-FleetSkipped([string]$Message) {
    $FleetReply.outcome = 'skipped'
    $FleetReply.message = $Message
    $FleetReply.stopped = $true
    throw 'fleet:stop'
}

function Add-FleetData([string]$Key, $Value) { $FleetReply.data[$Key] = $Value }

function Add-FleetItem([string]$Key, $Value) {
    if (-not $FleetReply.data.ContainsKey($Key)) { $FleetReply.data[$Key] = New-Object Collections.ArrayList }
    [void]$FleetReply.data[$Key].Add($Value)
}

function Add-FleetUndo([string]$Parameter, $Value) {
    if (-not $FleetReply.data.ContainsKey('undo')) { $FleetReply.data['undo'] = @{} }
    if (-not $FleetReply.data.undo.ContainsKey($Parameter)) { $FleetReply.data.undo[$Parameter] = New-Object Collections.ArrayList }
    [void]$FleetReply.data.undo[$Parameter].Add($Value)
}

function Write-FleetLog([string]$Text) { Write-Verbose $Text }

# --- looking ----------------------------------------------------------------------------------------

function Assert-FleetAdministrator {
    if (-not (Test-FleetAdministrator)) { Stop-FleetFailed 'needs an administrator with full rights (elevated); nothing was touched' }
}

function Get-FleetBackupProcess {
    # What takes a snapshot now: the extension of Azure Backup, or Windows Server Backup. '' when neither runs.
    $found = @(foreach ($name in 'IaaSBcdrExtension', 'wbengine') { Get-FleetProcess $name })
    @($found | ForEach-Object { "$($_.Name) (process $($_.Id))" }) -join ', '
}

function Get-FleetExtensionFolder {
    # Folder of the newest version of the backup extension; '' when none was ever here.
    $root = 'C:\Packages\Plugins\Microsoft.Azure.RecoveryServices.VMSnapshot'
    $newest = Get-FleetFolderItem $root | Where-Object { $_.IsFolder -and $_.Name -match '^[0-9]{1,9}(\.[0-9]{1,9}){1,3}$' } | Sort-Object { [version]$_.Name } | Select-Object -Last 1
    if ($newest) { "$root\$($newest.Name)" } else { '' }
}

function Get-FleetExtensionPath {
    # The folders that antivirus software has to leave out: the extension's own and that of its logs.
    'C:\Packages\Plugins\Microsoft.Azure.RecoveryServices.VMSnapshot', 'C:\WindowsAzure\Logs\Plugins\Microsoft.Azure.RecoveryServices.VMSnapshot'
}

function Get-FleetAntivirusFilter {
    # Drivers of antivirus products other than Defender, as far as they are not disabled: file system filters of the
    # altitudes that Microsoft gives to antivirus software, 320000 to 329999.
    $root = 'HKLM\SYSTEM\CurrentControlSet\Services'
    $found = foreach ($name in @(Get-FleetRegistrySubKey $root)) {
        foreach ($instance in @(Get-FleetRegistrySubKey "$root\$name\Instances")) {
            $altitude = [string](Get-FleetRegistryValue "$root\$name\Instances\$instance" 'Altitude').Value
            if ($altitude -match '^32[0-9]{4}(\.[0-9]+)?$' -and $name -ne 'WdFilter' -and (Get-FleetRegistryValue "$root\$name" 'Start').Value -ne 4) { $name }
        }
    }
    $found | Sort-Object -Unique
}

function Get-FleetVcRuntime {
    # Version of the Visual C++ 2013 runtime for x64, which its installer registers in one of the two views; '' for none.
    foreach ($view in Get-FleetRegistryView) {
        $key = 'HKLM\SOFTWARE\Microsoft\VisualStudio\12.0\VC\Runtimes\x64'
        if ((Get-FleetRegistryValue $key 'Installed' $view).Value -eq 1) { return ([string](Get-FleetRegistryValue $key 'Version' $view).Value).TrimStart('v') }
    }
    ''
}

function Get-FleetMarsFolder {
    # Where the MARS agent is installed, as its setup wrote it down, or where it goes when nobody says otherwise.
    $path = [string](Get-FleetRegistryValue 'HKLM\SOFTWARE\Microsoft\Windows Azure Backup\Setup' 'InstallPath').Value
    if ($path) { $path.TrimEnd('\') } else { 'C:\Program Files\Microsoft Azure Recovery Services Agent' }
}

function ConvertFrom-FleetTask([string]$Xml) {
    # Of a task's XML, whose elements and defaults no language changes: Enabled, Accounts (as written: names or SIDs), Instances
    # (MultipleInstancesPolicy) and Triggers: Enabled, Start (as written, '' unless of a calendar) and Days (of a weekly one).
    $document = New-Object Xml.XmlDocument
    $document.XmlResolver = $null
    $document.LoadXml(($Xml -replace '^[^<]*(<\?[^>]*>\s*)?' -replace '\sxmlns="[^"]*"'))
    $text = { param($node, $path) [string]$node.CreateNavigator().Evaluate("string($path)") }
    $instances = & $text $document 'Task/Settings/MultipleInstancesPolicy'
    New-Object PSObject -Property @{
        Enabled = 'false', '0' -notcontains (& $text $document 'Task/Settings/Enabled')
        Accounts = @($document.SelectNodes('Task/Principals/Principal/UserId | Task/Principals/Principal/GroupId') | ForEach-Object { $_.InnerText })
        Instances = if ($instances) { $instances } else { 'IgnoreNew' }
        Triggers = @($document.SelectNodes('Task/Triggers/*') | ForEach-Object {
            New-Object PSObject -Property @{
                Enabled = 'false', '0' -notcontains (& $text $_ 'Enabled'); Start = & $text $_ 'self::CalendarTrigger/StartBoundary'
                Days = @($_.SelectNodes('ScheduleByWeek/DaysOfWeek/*') | ForEach-Object { $_.Name })
            }
        })
    }
}

function Get-FleetTask([string]$Folder) {
    # Tasks of a folder of Task Scheduler, such as \Microsoft\OnlineBackup: its registry knows their names, schtasks the rest.
    # Name, Problem (why the rest is not known, '' when it is), Xml (as schtasks prints it), and what ConvertFrom-FleetTask gives.
    $tree = "HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Schedule\TaskCache\Tree$Folder"
    foreach ($name in @(Get-FleetRegistrySubKey $tree | Where-Object { (Get-FleetRegistryValue "$tree\$_" 'Id').Exists })) {
        $done = Invoke-FleetNative 'schtasks.exe' @('/query', '/tn', "$Folder\$name", '/xml') 30
        $task, $problem, $xml = (New-Object PSObject), '', ''
        if (-not $done.Found) { $problem = 'schtasks.exe is missing' }
        elseif ($done.TimedOut) { $problem = 'schtasks gave no answer within 30 s' }
        elseif ($done.ExitCode -ne 0) { $problem = "schtasks can't read it (exit code $($done.ExitCode))" }
        else { try { $xml = $done.Output -join "`n"; $task = ConvertFrom-FleetTask $xml } catch { $problem = "schtasks gave no XML of it: $_" } }
        Add-Member -InputObject $task -MemberType NoteProperty -Name Name -Value $name
        Add-Member -InputObject $task -MemberType NoteProperty -Name Xml -Value $xml
        Add-Member -InputObject $task -MemberType NoteProperty -Name Problem -Value $problem -PassThru
    }
}

function Get-FleetTaskXml([string]$Path, [string]$Printed) {
    # XML of a task as Task Scheduler keeps it, in a file. What schtasks prints went through a code page, and is as good only where
    # nothing of it can have been lost. '' where the text can't be had as it is.
    $windows = [string](Get-FleetRegistryValue 'HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion' 'SystemRoot').Value
    if (-not $windows) { $windows = 'C:\Windows' }
    $text = Get-FleetFileText "$windows\System32\Tasks$Path"
    if ($text) { $text } elseif (($Printed -replace '<\?[^>]*\?>') -match '[^\t\r\n -~]|\?') { '' } else { $Printed }
}

function Set-FleetTask([string]$Path, [string]$Xml) {
    # Puts a task with this XML in the place of the one that is there, or makes it. Gives '' or what went wrong.
    $folder = New-FleetPrivateFolder 'tasks' ([guid]::NewGuid().ToString('N'))
    try {
        $stream = New-FleetFile "$folder\task.xml"
        $bytes = [byte[]]([Text.Encoding]::Unicode.GetPreamble() + [Text.Encoding]::Unicode.GetBytes($Xml))
        try { $stream.Write($bytes, 0, $bytes.Length) } finally { $stream.Close() }
        $done = Invoke-FleetNative 'schtasks.exe' @('/create', '/tn', $Path, '/xml', "$folder\task.xml", '/f') 60
    } finally { [void](Remove-FleetTree $folder $false) }
    if (-not $done.Found) { 'schtasks.exe is missing' } elseif ($done.TimedOut) { 'schtasks did not end within 60 s' } elseif ($done.ExitCode -ne 0) { "schtasks did not take it (exit code $($done.ExitCode))" } else { '' }
}

$FleetMarsTasks = '\Microsoft\OnlineBackup'

function Get-FleetMarsTaskFault($Task, [object[]]$Look) {
    # What is wrong with a task of the MARS agent, as Part and Text. No task of its folder may start a second time while it runs; one
    # that backs up has to be enabled with its triggers, and to run as SYSTEM or as the local Administrators group.
    $fault = { param($part, $text) if ($Look -contains $part) { New-Object PSObject -Property @{ Part = $part; Text = $text } } }
    if ($Task.Instances -ne 'IgnoreNew') { & $fault 'instances' "$($Task.Name) may start while it runs ($($Task.Instances), not IgnoreNew)" }
    if ($Task.Name -notlike 'Microsoft-OnlineBackup*') { return }
    $off = @($Task.Triggers | Where-Object { -not $_.Enabled }).Count
    if (-not $Task.Enabled) { & $fault 'enabled' "$($Task.Name) is disabled" }
    if (-not $Task.Triggers.Count) { & $fault 'enabled' "$($Task.Name) has no trigger" }
    elseif ($off) { & $fault 'enabled' "$($Task.Name): $off of $($Task.Triggers.Count) triggers are disabled" }
    # an account as a SID, or as a name that only this Windows knows
    $allowed = 'S-1-5-18', 'S-1-5-32-544'
    $others = @($Task.Accounts | Where-Object { $allowed -notcontains $_ -and $allowed -notcontains (Get-FleetAccountSid $_) })
    if ($others.Count -or -not $Task.Accounts.Count) { & $fault 'account' "$($Task.Name) runs as $(if ($others.Count) { $others -join ', ' } else { 'nobody named' }), not as SYSTEM or the local Administrators group" }
}

function Get-FleetMarsModuleFault([string]$Folder) {
    # What is wrong with the files of the module of the MARS agent, in words; '' for nothing. Loading it tells more than a list of
    # files, which differs between versions. The second value is whether it loads, $null where that was not tried.
    $files = @(Get-FleetTree $Folder 5 | Where-Object { -not $_.IsFolder })
    $empty = @($files | Where-Object { $_.Size -eq 0 } | ForEach-Object { $_.Name })
    if (-not $files.Count) { return "there is no module MSOnlineBackup in $Folder", $null }
    if (@($files | Where-Object { $_.Path -eq "$Folder\MSOnlineBackup.psd1" }).Count -eq 0) { return "$Folder\MSOnlineBackup.psd1 is missing", $null }
    if ($empty.Count) { return "files of the module are empty: $($empty -join ', ')", $null }
    # What may run scripts here is another matter (mars-powershell), hence Bypass. Every other exit code is one of PowerShell itself.
    $windows = [string](Get-FleetRegistryValue 'HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion' 'SystemRoot').Value
    if (-not $windows) { $windows = 'C:\Windows' }
    $command = "`$ErrorActionPreference = 'Stop'; try { Import-Module -Name '$("$Folder\MSOnlineBackup.psd1".Replace("'", "''"))' } catch { exit 17 }"
    $done = Invoke-FleetNative "$windows\System32\WindowsPowerShell\v1.0\powershell.exe" @('-NoProfile', '-NonInteractive', '-ExecutionPolicy', 'Bypass', '-Command', $command) 90
    if (-not $done.Found) { return 'powershell.exe is missing, so the module can not be tried', $null }
    if ($done.TimedOut) { return 'the module did not load within 90 s', $null }
    if (0, 17 -notcontains $done.ExitCode) { return "PowerShell ended with exit code $($done.ExitCode), so whether the module loads is not known", $null }
    if ($done.ExitCode) { "the module in $Folder does not load: it is damaged or not complete", $false } else { '', $true }
}

$FleetEnvironment = 'HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Environment'

function Test-FleetModulePath([string]$Folder) {
    # Whether PSModulePath of the machine has a folder, or the one above it, which is what PowerShell itself wants.
    $programs = [string](Get-FleetRegistryValue 'HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion' 'ProgramFilesDir').Value
    $value = [string](Get-FleetTextEntry $FleetEnvironment 'PSModulePath').value
    $entries = @($value -split ';' | ForEach-Object { $_.Trim().Trim('"').TrimEnd('\') -replace '^%ProgramFiles%', $programs.Replace('$', '$$') })
    $entries -contains $Folder -or $entries -contains ($Folder -replace '\\[^\\]+$')
}

function Get-FleetExecutionPolicy {
    # Scripts of PowerShell by the scopes that count for the account SYSTEM, the first that is set wins: Scope and Policy, '' where it
    # is not set. EnableScripts 0 of a group policy forbids them whatever stands beside it.
    $ours, $policies = 'Microsoft\PowerShell\1\ShellIds\Microsoft.PowerShell', 'Policies\Microsoft\Windows\PowerShell'
    foreach ($scope in @(@('MachinePolicy', "HKLM\SOFTWARE\$policies"), @('UserPolicy', "HKU\S-1-5-18\Software\$policies"), @('CurrentUser', "HKU\S-1-5-18\Software\$ours"), @('LocalMachine', "HKLM\SOFTWARE\$ours"))) {
        $policy = [string](Get-FleetTextEntry $scope[1] 'ExecutionPolicy').value
        $off = (Get-FleetTextEntry $scope[1] 'EnableScripts').value
        if ($scope[0] -like '*Policy' -and $null -ne $off -and $off -eq 0) { $policy = 'Restricted' }
        New-Object PSObject -Property @{ Scope = $scope[0]; Policy = $(if ($policy -eq 'Undefined') { '' } else { $policy }) }
    }
}

function Get-FleetWinHttpProxy {
    # The value is a header of 12 bytes (bit 2 of the last number: a proxy is set), then the length of its text and the text.
    $value = (Get-FleetRegistryValue 'HKLM\Software\Microsoft\Windows\CurrentVersion\Internet Settings\Connections' 'WinHttpSettings').Value
    if ($value -isnot [byte[]] -or $value.Length -lt 16 -or -not ($value[8] -band 2)) { return }
    $length = [BitConverter]::ToInt32($value, 12)
    if ($length -gt 0 -and $length -le $value.Length - 16) { [Text.Encoding]::ASCII.GetString($value, 16, $length) }
}

function ConvertFrom-FleetProxyText([string]$Text) {
    # "host:port", "http=host:port;https=host:port" or an address with a login: Name, Port and Text (host:port) of each.
    foreach ($part in $Text -split '[;\s]+') {
        $bare = $part -replace '^[a-z]+=' -replace '^[a-z0-9]+://' -replace '^.*@' -replace '/.*$'
        if ($bare -match '^(\[[0-9a-f:.]+\]|[^:]+)(?::([0-9]{1,5}))?$') {
            $port = if ($Matches[2]) { [int]$Matches[2] } else { 80 }
            New-Object PSObject -Property @{ Name = $Matches[1].Trim('[', ']'); Port = $port; Text = "$($Matches[1]):$port" }
        }
    }
}

$FleetSystemInternet = 'HKU\S-1-5-18\Software\Microsoft\Windows\CurrentVersion\Internet Settings'

function Get-FleetSystemProxy {
    # The proxy that programs of the SYSTEM account use for HTTPS, as ConvertFrom-FleetProxyText gives it ($null for none), From
    # (SYSTEM or WinHTTP), Bypass (patterns of hosts) and Script: whether a script is asked instead, which nobody can do here.
    $found = @{ Proxy = $null; From = ''; Bypass = @(); Script = [bool](Get-FleetRegistryValue $FleetSystemInternet 'AutoConfigURL').Value }
    $texts = @{}
    if ((Get-FleetRegistryValue $FleetSystemInternet 'ProxyEnable').Value -eq 1) {
        $texts.SYSTEM = [string](Get-FleetRegistryValue $FleetSystemInternet 'ProxyServer').Value
        $found.Bypass = @([string](Get-FleetRegistryValue $FleetSystemInternet 'ProxyOverride').Value -split '[;\s]+' | Where-Object { $_ })
    }
    $texts.WinHTTP = [string](Get-FleetWinHttpProxy)
    foreach ($from in 'SYSTEM', 'WinHTTP') {
        # "http=...;https=...": that of HTTPS counts
        $text = [string]$texts[$from]
        if ($text -match '=') { $text = [regex]::Match($text, '(?i)(?:^|[;\s])https=([^;\s]+)').Groups[1].Value }
        $proxy = ConvertFrom-FleetProxyText $text | Select-Object -First 1
        if ($proxy -and -not $found.Proxy) { $found.Proxy = $proxy; $found.From = $from }
    }
    New-Object PSObject -Property $found
}

function Get-FleetTrustedSite([object[]]$Domain) {
    # Which of these domains are trusted sites (zone 2) of SYSTEM or of the machine, Trusted and Missing, by the List that counts:
    # EscDomains with Internet Explorer's enhanced security, Domains without; and Policy, where one assigns sites to zones.
    $settings = 'Microsoft\Windows\CurrentVersion\Internet Settings'
    $found = @{ List = 'Domains'; Policy = ''; Trusted = @(); Missing = @() }
    if ((Get-FleetRegistryValue "$FleetSystemInternet\ZoneMap" 'IEHarden').Value -eq 1) { $found.List = 'EscDomains' }
    $policies = @(foreach ($root in 'HKU\S-1-5-18\Software', 'HKLM\SOFTWARE') { "$root\Policies\$settings\ZoneMapKey" })
    foreach ($policy in $policies) { if (@(Get-FleetRegistryValueName $policy).Count) { $found.Policy = $policy } }
    foreach ($each in $Domain) {
        # a key for the domain, its value named after a scheme or * for all; in the policy a value named after the pattern of the site
        $zones = @(
            foreach ($root in 'HKU\S-1-5-18\Software', 'HKLM\SOFTWARE') { foreach ($scheme in 'https', '*') { (Get-FleetRegistryValue "$root\$settings\ZoneMap\$($found.List)\$each" $scheme).Value } }
            foreach ($policy in $policies) {
                foreach ($name in @(Get-FleetRegistryValueName $policy)) { if ($name -match "^((https|\*)://)?\*\.$([regex]::Escape($each))/?$") { (Get-FleetRegistryValue $policy $name).Value } }
            }
        )
        if (@($zones | Where-Object { $_ -eq 2 }).Count) { $found.Trusted += $each } else { $found.Missing += $each }
    }
    New-Object PSObject -Property $found
}

function Get-FleetFileDownload {
    # Whether SYSTEM may download files in the Internet zone (1803 in zone 3; 0 yes, 3 no), by the first place that says so: a policy
    # of the machine, one of SYSTEM, and then its own setting, or the machine's where a policy makes only that count. Value ($null:
    # nobody says, which is yes), Key, and Policy: whether a policy decides.
    $zone = 'Microsoft\Windows\CurrentVersion\Internet Settings\Zones\3'
    foreach ($root in 'HKLM\SOFTWARE\Policies', 'HKU\S-1-5-18\Software\Policies') {
        $value = (Get-FleetRegistryValue "$root\$zone" '1803').Value
        if ($null -ne $value) { return New-Object PSObject -Property @{ Value = $value; Key = "$root\$zone"; Policy = $true } }
    }
    $machine = (Get-FleetRegistryValue 'HKLM\SOFTWARE\Policies\Microsoft\Windows\CurrentVersion\Internet Settings' 'Security_HKLM_only').Value -eq 1
    $key = if ($machine) { "HKLM\SOFTWARE\$zone" } else { "HKU\S-1-5-18\Software\$zone" }
    New-Object PSObject -Property @{ Value = (Get-FleetRegistryValue $key '1803').Value; Key = $key; Policy = $false }
}

function Get-FleetExtensionWork {
    # What the backup extension says to be at: its newest status file, when that is of the last two hours and tells
    # "transitioning" (one of four words that no language changes); '' otherwise. An older one was left by a crash.
    $folder = Get-FleetExtensionFolder
    if (-not $folder) { return '' }
    $newest = Get-FleetFolderItem "$folder\status" | Where-Object { $_.Name -match '^[0-9]+\.status$' } | Sort-Object Changed | Select-Object -Last 1
    if (-not $newest -or (Get-FleetSystem).Epoch - $newest.Changed -gt 7200) { return '' }
    if ((Get-FleetFileText "$folder\status\$($newest.Name)") -match '"status"\s*:\s*"transitioning"') { "the extension is at work ($($newest.Name))" } else { '' }
}

function Get-FleetBackupSign([bool]$Writers) {
    # Why a backup has to be taken for running: a process, the extension's own status, writers that wait for one.
    # The writers are asked only while VSS runs: in a backup it does, and asking would start it. '' for no sign.
    $running = Get-FleetBackupProcess
    if (-not $running) { $running = Get-FleetExtensionWork }
    if (-not $running -and $Writers -and (Get-FleetServiceStatus 'VSS') -eq 'Running') {
        $waiting = @((Get-FleetWriterList).Writers | Where-Object { $_.Verdict -eq 'waiting' } | ForEach-Object { Format-FleetWriter $_ })
        if ($waiting.Count) { $running = "writers wait, as during a backup: $($waiting -join '; ')" }
    }
    $running
}

function Stop-FleetForBackup([bool]$Writers = $true) {
    # Ends a remedy, held, while a backup runs: a restart now would break it. Most snapshots take less than a
    # minute, so it looks again for that long; not in check mode, where nothing depends on it.
    $end = (Get-FleetTime) + 60
    while ($true) {
        $running = Get-FleetBackupSign $Writers
        if (-not $running) { return }
        if ($WhatIfPreference -or (Get-FleetTime) -ge $end) { break }
        Write-FleetLog "a backup is running: $running; looking again"
        Wait-FleetTime 15
    }
    Add-FleetItem 'held' "a backup is running: $running"
    Stop-FleetSkipped "a backup is running: $running; nothing was touched, do it again afterwards"
}

function Get-FleetMarsJob {
    # What the MARS agent is at, '' for nothing: asked as its documents do, by Get-OBJob, which lists the jobs that run, in a
    # PowerShell of its own. Without its service no job runs. Where it can't be asked (the module is damaged, so no backup
    # starts by schedule either) its log tells: a start (1) that is newer than every end (3, 10, 11, 18) of the last day.
    if ('Absent', 'Stopped' -contains (Get-FleetServiceStatus 'obengine')) { return '' }
    $windows = [string](Get-FleetRegistryValue 'HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion' 'SystemRoot').Value
    if (-not $windows) { $windows = 'C:\Windows' }
    $manifest = "$(Get-FleetMarsFolder)\bin\Modules\MSOnlineBackup\MSOnlineBackup.psd1".Replace("'", "''")
    $command = "`$ErrorActionPreference = 'Stop'; try { Import-Module -Name '$manifest'; `$jobs = @(Get-OBJob | Where-Object { `$_ }) } catch { exit 17 }; if (`$jobs.Count) { exit 20 }; exit 0"
    $done = Invoke-FleetNative "$windows\System32\WindowsPowerShell\v1.0\powershell.exe" @('-NoProfile', '-NonInteractive', '-ExecutionPolicy', 'Bypass', '-Command', $command) 60
    if ($done.TimedOut) { return 'the agent did not say within 60 s whether a job runs (Get-OBJob)' }
    if ($done.ExitCode -eq 20) { return 'Get-OBJob lists a job that runs' }
    if ($done.Found -and $done.ExitCode -eq 0) { return '' }
    Write-FleetLog "Get-OBJob can't be asked (exit code $($done.ExitCode)); by the log"
    $query = "*[System[(EventID=1 or EventID=3 or EventID=10 or EventID=11 or EventID=18) and TimeCreated[timediff(@SystemTime) <= 86400000]]]"
    $done = Invoke-FleetNative 'wevtutil.exe' @('qe', 'CloudBackup/Operational', "/q:$query", '/f:xml', '/c:20', '/rd:true') 30
    if (-not $done.Found -or $done.ExitCode -ne 0) { return '' }
    $last = ($done.Output -join "`n") -split '(?<=</Event>)' | Where-Object { $_ -match '<EventID' } | ForEach-Object { ConvertFrom-FleetEvent $_ } | Sort-Object Time | Select-Object -Last 1
    if ($last -and $last.Id -eq 1) { "a backup began ($($last.Time)) and did not end" } else { '' }
}

function Stop-FleetForMarsJob {
    # Ends a remedy, held, while the MARS agent is at work. Its jobs take hours, so nobody waits for the end here.
    $running = Get-FleetMarsJob
    if (-not $running) { return }
    Add-FleetItem 'held' "a job of the MARS agent is running: $running"
    Stop-FleetSkipped "a job of the MARS agent is running: $running; nothing was touched, do it again afterwards"
}

function Get-FleetRole {
    # What a restart here may hit beside this machine.
    if ((Get-FleetRegistryValue 'HKLM\SYSTEM\CurrentControlSet\Control\ProductOptions' 'ProductType').Value -eq 'LanmanNT' -or (Get-FleetService 'NTDS')) { 'domain-controller' }
    $cluster = Get-FleetService 'ClusSvc'
    if ($cluster -and $cluster.StartType -ne 'Disabled') { 'cluster-node' }
    if (Get-FleetService 'MSExchangeADTopology') { 'exchange' }
    if (@(Get-FleetServiceName | Where-Object { $_ -eq 'MSSQLSERVER' -or $_ -like 'MSSQL$*' })) { 'sql-server' }
}

function Get-FleetEvent([string]$Log, [string]$Provider, [int[]]$Id, [int]$Hours) {
    # XML of the newest 200 events of a provider, by number and not by text; nothing when the log can't be read.
    $ids = @($Id | ForEach-Object { "EventID=$_" }) -join ' or '
    $query = "*[System[Provider[@Name='$Provider'] and ($ids) and TimeCreated[timediff(@SystemTime) <= $(3600000 * $Hours)]]]"
    $done = Invoke-FleetNative 'wevtutil.exe' @('qe', $Log, "/q:$query", '/f:xml', '/c:200', '/rd:true') 30
    if ($done.ExitCode -eq 0) { ($done.Output -join "`n") -split '(?<=</Event>)' | Where-Object { $_ -match '<EventID' } }
}

function ConvertFrom-FleetEvent([string]$Xml) {
    # Provider, Id, Time (UTC, sorts as text) and Data (its strings in order) of an event. Not as XML, which refuses
    # the control characters that programs write into events.
    $one = { param($pattern) [regex]::Match($Xml, $pattern).Groups[1].Value }
    New-Object PSObject -Property @{
        Provider = & $one '<Provider Name=[''"]([^''"]*)'; Id = [int](& $one '<EventID[^>]*>([0-9]+)<'); Time = & $one 'SystemTime=[''"]([^''"]*)'
        Data = @([regex]::Matches($Xml, '<Data[^>/]*>([^<]*)</Data>') | ForEach-Object { [Net.WebUtility]::HtmlDecode($_.Groups[1].Value) })
    }
}

function Test-FleetNetworkService([string]$Account) {
    # By SID, because the name of the account is translated on some systems; in English no system may know it.
    ($Account -replace '\s') -eq 'NTAUTHORITY\NetworkService' -or (Get-FleetAccountSid $Account) -eq 'S-1-5-20'
}

function ConvertTo-FleetVersion([string]$Text) {
    # The leading numbers of a text, compared number by number; $null for none.
    if ($Text -match '^\s*([0-9]{1,9}(\.[0-9]{1,9}){1,3})') { [version]$Matches[1] } else { $null }
}

function Get-FleetServiceProgram($Service) {
    # Path of its program, without quotation marks and arguments; '' when its command line has none.
    if ($Service.CommandLine -match '^\s*"([^"]+)"') { $Matches[1] } elseif ($Service.CommandLine -match '^\s*(.+?\.exe)') { $Matches[1] } else { '' }
}

function Get-FleetAgentVersion {
    # What the Azure guest agent is: Registry as it says itself, Program as the file of the service RdAgent says, and
    # Version, the one to go by ('' when it is not installed). Before 2.7 the file lay in C:\WindowsAzure\Packages.
    $found = @{ Registry = [string](Get-FleetRegistryValue 'HKLM\SOFTWARE\Microsoft\Virtual Machine\Guest' 'GuestAgentVersion').Value; Program = ''; Version = '' }
    $service = Get-FleetService 'RdAgent'
    if ($service) {
        foreach ($each in @(Get-FleetServiceProgram $service) + 'C:\WindowsAzure\Packages\WaAppAgent.exe') { if ($each -and -not $found.Program) { $found.Program = Get-FleetProductVersion $each } }
        $found.Version = if ($found.Registry) { $found.Registry } else { $found.Program }
    }
    New-Object PSObject -Property $found
}

function Get-FleetDotNetKey([int]$View) {
    # Keys of the installed versions of .NET Framework that read SchUseStrongCrypto (v2.0.50727, v4.0.30319).
    $root = 'HKLM\SOFTWARE\Microsoft\.NETFramework'
    Get-FleetRegistrySubKey $root $View | Where-Object { $_ -match '^v[0-9]+\.[0-9]+\.[0-9]+$' } | ForEach-Object { "$root\$_" }
}

function Get-FleetRegistryEntry([string]$Key, [string]$Name, [int]$View) {
    # A value as restore-registry-values takes it; Binary as base64.
    $found = Get-FleetRegistryValue $Key $Name $View
    $value = $found.Value
    if ($found.Type -eq 'Binary') { $value = [Convert]::ToBase64String($value) }
    $entry = @{ view = $View; key = $Key; name = $Name; existed = $found.Exists; type = $found.Type; value = $value }
    if (-not $found.Exists -and -not (Test-FleetRegistryKey $Key $View)) { $entry.key_existed = $false }
    $entry
}

function Get-FleetShadowArea {
    # Where shadow copies are kept: Problem ('' when vssadmin answered) and Areas: Volume, Storage (\\?\Volume{...}\), For and On (as
    # vssadmin takes them: a letter or a folder; '' without one), Used, Allocated, Maximum in per cent of the storage volume, and
    # UsedBytes, MaximumBytes ($null where WMI does not say, 2^64-1 without a limit). vssadmin is read by ids and per cent only.
    $answer = @{ Problem = ''; Areas = @() }
    $done = Invoke-FleetNative 'vssadmin.exe' @('list', 'shadowstorage') 60
    if (-not $done.Found) { $answer.Problem = 'vssadmin.exe is missing' }
    elseif ($done.TimedOut) { $answer.Problem = 'vssadmin gave no answer within 60 s' }
    if ($answer.Problem) { return New-Object PSObject -Property $answer }
    $exact = @(try { Get-FleetShadowStorage } catch { Write-FleetLog "no sizes from WMI: $_" })
    # two volumes, one below the other, and three lines with a share of the second in brackets make an area
    $volume = '(?:\(([A-Za-z]:[^()]*)\))?(\\\\\?\\Volume\{[0-9A-Fa-f-]{36}\}\\)\s*$'
    $lines = @($done.Output | Where-Object { $_.Trim() })
    $answer.Areas = @(for ($at = 0; $at -lt $lines.Count - 4; $at++) {
        if ($lines[$at] -notmatch $volume) { continue }
        $found = @{ For = [string]$Matches[1]; Volume = $Matches[2]; UsedBytes = $null; MaximumBytes = $null }
        if ($lines[$at + 1] -notmatch $volume) { continue }
        $found.On, $found.Storage = [string]$Matches[1], $Matches[2]
        $shares = @($lines[($at + 2)..($at + 4)] | ForEach-Object { [regex]::Match($_, '\(\s*%?\s*([0-9]{1,3})\s*%?\s*\)\s*$') } | Where-Object { $_.Success } | ForEach-Object { [int]$_.Groups[1].Value })
        if ($shares.Count -ne 3) { $answer.Problem = "vssadmin gave no shares for $($found.Volume)"; break }
        $found.Used, $found.Allocated, $found.Maximum = $shares
        foreach ($each in @($exact | Where-Object { $_.Volume -eq $found.Volume -and $_.Storage -eq $found.Storage })) { $found.UsedBytes, $found.MaximumBytes = $each.Used, $each.Maximum }
        New-Object PSObject -Property $found
        $at += 4
    })
    # exit code 1: nothing is there to be listed; 2: vssadmin itself failed
    if (-not $answer.Areas.Count -and -not $answer.Problem -and 0, 1 -notcontains $done.ExitCode) { $answer.Problem = "vssadmin could not list the storage (exit code $($done.ExitCode))" }
    New-Object PSObject -Property $answer
}

function Test-FleetShadowFull($Area, [int]$Percent) {
    # By bytes where they are known. Per cent are whole numbers: of a maximum below ten of them nothing can be told.
    if ($null -ne $Area.MaximumBytes -and $Area.MaximumBytes -ne [uint64]::MaxValue) { return 100.0 * $Area.UsedBytes -ge [double]$Percent * $Area.MaximumBytes }
    $Area.Maximum -ge 10 -and 100 * $Area.Used -ge $Percent * $Area.Maximum
}

function Format-FleetShadowUse($Area) {
    $bytes = ''
    if ($null -ne $Area.MaximumBytes -and $Area.MaximumBytes -ne [uint64]::MaxValue) { $bytes = " ($([Math]::Round($Area.UsedBytes / 1MB)) of $([Math]::Round($Area.MaximumBytes / 1MB)) MB)" }
    "$($Area.Used) % of $($Area.Maximum) % used$bytes"
}

function Get-FleetShadowEntry($Area) {
    # An area as restore-shadow-storage takes it: in bytes where they are known, otherwise in whole per cent.
    $maximum = "$($Area.Maximum)%"
    if ($null -ne $Area.MaximumBytes) { $maximum = if ($Area.MaximumBytes -eq [uint64]::MaxValue) { 'UNBOUNDED' } else { [string]$Area.MaximumBytes } }
    @{ volume = $Area.For; storage = $Area.On; maximum = $maximum }
}

function Set-FleetShadowMaximum($Area, [string]$Maximum) {
    # Bytes, N% or UNBOUNDED, and looks whether it took. Gives '' or what went wrong.
    $name = "the area of $($Area.For) on $($Area.On)"
    $done = Invoke-FleetNative 'vssadmin.exe' @('resize', 'shadowstorage', "/for=$($Area.For)", "/on=$($Area.On)", "/maxsize=$Maximum") 60
    if ($done.TimedOut) { return "vssadmin did not resize $name within 60 s" }
    if ($done.ExitCode -ne 0) { return "vssadmin did not resize $name (exit code $($done.ExitCode))" }
    $now = (Get-FleetShadowArea).Areas | Where-Object { $_.Volume -eq $Area.Volume -and $_.Storage -eq $Area.Storage } | Select-Object -First 1
    if ($null -eq $now) { return "$name is not listed any more" }
    $took = if ($Maximum -eq 'UNBOUNDED') { $now.Maximum -ge 100 }
    elseif ($Maximum -like '*%') { [Math]::Abs($now.Maximum - [int]$Maximum.TrimEnd('%')) -le 1 }
    else { $null -eq $now.MaximumBytes -or [Math]::Abs([double]$now.MaximumBytes - [double]$Maximum) -le 67108864 }
    if (-not $took) { return "the maximum of $name is $($now.Maximum) % after it was set to $Maximum" }
    ''
}

function Get-FleetIscsiDevice {
    # Devices with the hardware id of the Microsoft iSCSI Initiator: Instance and Driver ('' for an unknown device).
    $root = 'HKLM\SYSTEM\CurrentControlSet\Enum\ROOT\ISCSIPRT'
    foreach ($name in @(Get-FleetRegistrySubKey $root)) { New-Object PSObject -Property @{ Instance = $name; Driver = [string](Get-FleetRegistryValue "$root\$name" 'Service').Value } }
}

function Get-FleetTextEntry([string]$Key, [string]$Name) {
    # A value of the registry that 64-bit programs see (on 32-bit Windows: the only one), as Get-FleetRegistryEntry gives it.
    Get-FleetRegistryEntry $Key $Name @(Get-FleetRegistryView)[0]
}

function Test-FleetTextEntry($Entry, [string]$Value) { $Entry.type -eq 'String' -and $Entry.value -eq $Value }

function Format-FleetEntry($Entry) { "$($Entry.name) $(if ($Entry.existed) { "is $($Entry.value) ($($Entry.type))" } else { 'is not set' })" }

function Set-FleetText($Before, [string]$Value) {
    # Writes a text (REG_SZ) over an entry, makes its key where there is none, and reads it back.
    if ($Before.Contains('key_existed')) { New-FleetRegistryKey $Before.key $Before.view }
    Set-FleetRegistryValue $Before.key $Before.name 'String' $Value $Before.view
    if (-not (Test-FleetTextEntry (Get-FleetRegistryEntry $Before.key $Before.name $Before.view) $Value)) { Stop-FleetFailed "$($Before.name) in $($Before.key) is not $Value after it was set" }
}

function Set-FleetNumber($Before, [long]$Value) {
    # As Set-FleetText, a REG_DWORD.
    if ($Before.Contains('key_existed')) { New-FleetRegistryKey $Before.key $Before.view }
    Set-FleetRegistryValue $Before.key $Before.name 'DWord' $Value $Before.view
    $now = Get-FleetRegistryValue $Before.key $Before.name $Before.view
    if ($now.Type -ne 'DWord' -or $now.Value -ne $Value) { Stop-FleetFailed "$($Before.name) in $($Before.key) is not $Value after it was set" }
}

function ConvertFrom-FleetSddl([string]$Sddl) {
    # What stands in the permissions of an SDDL text: Protected, and Entries with Type (A, D), Inherited, Flags,
    # Mask (a number) and Sid. The names of rights and accounts in SDDL are the same in every language.
    $rights = @{ FA = 0x1f01ff; FR = 0x120089; FW = 0x120116; FX = 0x1200a0; KA = 0xf003f; KR = 0x20019; KW = 0x20006; KX = 0x20019
        GA = 0x10000000; GX = 0x20000000; GW = 0x40000000; GR = 0x80000000L; SD = 0x10000; RC = 0x20000; WD = 0x40000; WO = 0x80000
        CC = 1; DC = 2; LC = 4; SW = 8; RP = 0x10; WP = 0x20; DT = 0x40; LO = 0x80; CR = 0x100 }
    $accounts = @{ WD = 'S-1-1-0'; SY = 'S-1-5-18'; BA = 'S-1-5-32-544'; BU = 'S-1-5-32-545'; AU = 'S-1-5-11'; NS = 'S-1-5-20'; LS = 'S-1-5-19'; CO = 'S-1-3-0'; IU = 'S-1-5-4'; AN = 'S-1-5-7'; AC = 'S-1-15-2-1' }
    $result = @{ Protected = $false; Entries = @() }
    if ($Sddl -cnotmatch 'D:([A-Z]*)((?:\([^)]*\))*)') { return New-Object PSObject -Property $result }
    $flags, $list = $Matches[1], $Matches[2]
    $result.Protected = ($flags -creplace 'AI|AR') -ceq 'P'
    $result.Entries = @(foreach ($found in [regex]::Matches($list, '\(([^)]*)\)')) {
        $type, $inherit, $right, $object, $from, $sid = $found.Groups[1].Value -split ';'
        $mask = 0L
        if ($right -match '^0x') { $mask = [Convert]::ToInt64($right, 16) }
        elseif ($right -match '^[0-9]+$') { $mask = [long]$right }
        else { foreach ($pair in [regex]::Matches($right, '..')) { if ($rights.ContainsKey($pair.Value)) { $mask = $mask -bor $rights[$pair.Value] } } }
        if ($accounts.ContainsKey($sid)) { $sid = $accounts[$sid] }
        New-Object PSObject -Property @{ Type = $type; Flags = $inherit; Inherited = @([regex]::Matches($inherit, '..') | ForEach-Object { $_.Value }) -ccontains 'ID'; Mask = $mask; Sid = $sid }
    })
    New-Object PSObject -Property $result
}

$FleetMachineKeys = 'C:\ProgramData\Microsoft\Crypto\RSA\MachineKeys'

# The default, from vmassist of Azure's support scripts: Everyone may list and add, Administrators may do all.
$FleetMachineKeysDefault = 'O:SYG:SYD:PAI(A;;0x12019f;;;WD)(A;;FA;;;BA)'

function Get-FleetMachineKeysState {
    # Sddl ('' where there is no such folder), Problems in words, and Others: SIDs that by default have no entry.
    $sddl = Get-FleetAcl $FleetMachineKeys
    $state = @{ Sddl = $sddl; Problems = New-Object Collections.ArrayList; Others = @() }
    if (-not $sddl) { [void]$state.Problems.Add("there is no folder $FleetMachineKeys"); return New-Object PSObject -Property $state }
    $acl = ConvertFrom-FleetSddl $sddl
    if (-not $acl.Protected) { [void]$state.Problems.Add('it inherits from the folder above') }
    $usual = @{ 'S-1-1-0' = 0x12019f; 'S-1-5-32-544' = 0x1f01ff }
    foreach ($sid in 'S-1-1-0', 'S-1-5-32-544') {
        $has = 0L
        foreach ($entry in @($acl.Entries | Where-Object { $_.Type -ceq 'A' -and $_.Sid -eq $sid })) { $has = $has -bor $entry.Mask }
        if ($has -ne $usual[$sid]) { [void]$state.Problems.Add(('{0} has 0x{1:x}, not 0x{2:x}' -f $sid, $has, $usual[$sid])) }
    }
    foreach ($entry in @($acl.Entries | Where-Object { $_.Type -cne 'A' })) { [void]$state.Problems.Add("$($entry.Sid) has an entry of type $($entry.Type)") }
    $state.Others = @($acl.Entries | Where-Object { -not $usual.ContainsKey($_.Sid) } | ForEach-Object { $_.Sid } | Sort-Object -Unique)
    if ($state.Others.Count) { [void]$state.Problems.Add("entries of others: $($state.Others -join ', ')") }
    New-Object PSObject -Property $state
}

function Get-FleetExtensionCertificate {
    # Certificates that carry the settings of extensions, with Verdict: '' (can be used), expired, not valid yet, broken (its
    # key is not there or can't be opened) or duplicate (a newer one of the same generator can be used).
    $subjects = 'DC=Windows Azure CRP Certificate Generator', 'DC=Windows Azure Service Management for Extensions'
    $now = (Get-FleetSystem).Epoch
    $seen = @{}
    foreach ($certificate in @(Get-FleetCertificate | Where-Object { $subjects -contains $_.Subject } | Sort-Object NotAfter, Thumbprint -Descending)) {
        $verdict = ''
        if ($certificate.NotAfter -lt $now) { $verdict = 'expired' }
        elseif ($certificate.NotBefore -gt $now) { $verdict = 'not valid yet' }
        elseif ($certificate.KeyProblem) { $verdict = 'broken' }
        elseif ($seen.ContainsKey($certificate.Subject)) { $verdict = 'duplicate' }
        else { $seen[$certificate.Subject] = $true }
        Add-Member -InputObject $certificate -MemberType NoteProperty -Name Verdict -Value $verdict -PassThru
    }
}

function Format-FleetCertificate($Certificate) {
    "$($Certificate.Subject -replace '^DC=') $($Certificate.Thumbprint.Substring(0, 8)) $($Certificate.Verdict)$(if ($Certificate.Verdict -eq 'broken') { ": $($Certificate.KeyProblem)" })"
}

# --- acting on services -----------------------------------------------------------------------------

function Get-FleetStopProblem([string]$Name) {
    # Why a service and what depends on it can't be stopped and brought back; '' when nothing speaks against it.
    foreach ($each in @(Get-FleetRunningDependent $Name) + $Name) {
        $service = Get-FleetService $each
        if ($null -eq $service) { return "there is no service $each" }
        if ($service.Status -like '*Pending') { return "$each is $($service.Status)" }
        if ($service.Status -eq 'Stopped') { continue }
        if (-not $service.CanStop) { return "$each does not accept a stop" }
        if ($service.StartType -eq 'Disabled') { return "$each runs but is disabled: it could not be started again" }
    }
    ''
}

function Start-FleetServiceTwice([string]$Name, [int]$TimeoutSeconds) {
    # A service that a restart took down must come back; one failed start is often a matter of timing.
    $problem = Start-FleetService $Name $TimeoutSeconds
    if (-not $problem) { return '' }
    Write-FleetLog "${Name}: first start failed: $problem"
    Wait-FleetTime 3
    Start-FleetService $Name $TimeoutSeconds
}

function Restart-FleetService([string]$Name, [int]$TimeoutSeconds = 120, [scriptblock]$Between = {}) {
    # Stops what depends on it, then it, does what is given, and starts it and then those, in reverse order. Gives
    # Problem ('' when all went well), Dependents (what was stopped with it) and Down (what ran before and does not now).
    # What was stopped is started again even when the script is cut off by its deadline in between, or ends there.
    $touched = New-Object Collections.ArrayList
    $problem = Get-FleetStopProblem $Name
    $names = if ($problem) { @() } else { @(Get-FleetRunningDependent $Name) + $Name }
    $cut = $true
    try {
        foreach ($each in $names) {
            Write-FleetLog "stop $each"
            [void]$touched.Insert(0, $each)
            $problem = Stop-FleetService $each $TimeoutSeconds
            if ($problem) { $problem = "$each could not be stopped: $problem"; break }
        }
        if (-not $problem) { [void](& $Between) }
        $cut = $false
    } finally {
        if ($cut) { for ($left = 60; $left -gt 0 -and (Get-FleetServiceStatus $touched[0]) -eq 'StopPending'; $left--) { Wait-FleetTime 1 } }
        foreach ($each in @($touched | Where-Object { (Get-FleetServiceStatus $_) -eq 'Stopped' })) {
            Write-FleetLog "start $each"
            $failure = Start-FleetServiceTwice $each $TimeoutSeconds
            if ($failure -and -not $problem) { $problem = "$each could not be started: $failure" }
        }
        if ($cut -and $problem) { $FleetReply.message = "$($FleetReply.message); $problem" }
    }
    $down = @($touched | Where-Object { (Get-FleetServiceStatus $_) -ne 'Running' })
    New-Object PSObject -Property @{ Problem = $problem; Dependents = @($touched | Where-Object { $_ -ne $Name }); Down = $down }
}

function Set-FleetServiceConfig([string]$Name, [string[]]$Setting) {
    # `sc.exe config`, which changes the service database itself. Gives '' or what went wrong.
    $done = Invoke-FleetNative 'sc.exe' (@('config', $Name) + $Setting)
    if ($done.ExitCode -eq 0) { return '' }
    if ($done.TimedOut) { return "sc.exe config $Name did not end within its time" }
    "sc.exe config $Name gave exit code $($done.ExitCode)"
}

function Get-FleetServiceEntry([string]$Name) {
    # The start type of a service as restore-service-settings takes it.
    @{ name = $Name; start_type = (Get-FleetService $Name).StartType }
}

function Set-FleetStartType([string]$Name, [string]$StartType) {
    # Automatic, DelayedAutomatic, Manual or Disabled.
    $word = @{ Automatic = 'auto'; DelayedAutomatic = 'delayed-auto'; Manual = 'demand'; Disabled = 'disabled' }[$StartType]
    $problem = Set-FleetServiceConfig $Name @('start=', $word)
    if ($problem) { Stop-FleetFailed $problem }
}

# --- scratch folder of the MARS agent ----------------------------------------------------------------

$FleetMarsConfig = 'HKLM\SOFTWARE\Microsoft\Windows Azure Backup\Config'

function Get-FleetScratchEntry {
    # Both values that name the scratch folder, as restore-registry-values takes them: that of the agent, that of its provider.
    Get-FleetTextEntry $FleetMarsConfig 'ScratchLocation'
    Get-FleetTextEntry "$FleetMarsConfig\CloudBackupProvider" 'ScratchLocation'
}

function Get-FleetTree([string]$Folder, [int]$Depth) {
    # What lies in a folder, and in those in it for so many levels, as Get-FleetFolderItem gives it, and its Path; a link is not followed.
    foreach ($item in @(Get-FleetFolderItem $Folder)) {
        Add-Member -InputObject $item -MemberType NoteProperty -Name Path -Value "$($Folder.TrimEnd('\'))\$($item.Name)" -PassThru
        if ($item.IsFolder -and $Depth -gt 0 -and $item.Attributes -notcontains 'ReparsePoint') { Get-FleetTree $item.Path ($Depth - 1) }
    }
}

function Get-FleetItem([string]$Path) {
    # One file or folder, as Get-FleetTree gives it; nothing where it is not.
    $parent, $name = [regex]::Match($Path, '^(.*\\)([^\\]+)$').Groups[1, 2] | ForEach-Object { $_.Value }
    Get-FleetTree $parent 0 | Where-Object { $_.Name -eq $name }
}

function Get-FleetScratchFault([string]$Folder) {
    # What of a scratch folder the agent can't bear, as Get-FleetTree gives it, and Wrong: the attributes in question. Of the folder
    # itself and of virtual disks in it all four count; of folders in it those that new files take over.
    foreach ($item in @(Get-FleetItem $Folder) + @(Get-FleetTree $Folder 4)) {
        $whole = $item.Path -eq $Folder -or (-not $item.IsFolder -and $item.Name -match '\.vhdx?$')
        if (-not $whole -and -not $item.IsFolder) { continue }
        $wrong = @($(if ($whole) { 'Encrypted', 'Compressed', 'SparseFile', 'ReparsePoint' } else { 'Encrypted', 'Compressed' }) | Where-Object { $item.Attributes -contains $_ })
        if ($wrong.Count) { Add-Member -InputObject $item -MemberType NoteProperty -Name Wrong -Value $wrong -PassThru }
    }
}

function Get-FleetScratchShortage([double]$Size, [double]$Free, [int]$Percent, [int]$Data, [int]$State) {
    # Why so much free space (bytes) of a volume is too little for the scratch folder, '' when it is enough: a share of the
    # volume, and of the data to be backed up with what a system state takes beside it (both in GB of 2^30 bytes).
    if (100 * $Free -lt $Percent * $Size) { return "$Percent % is the least" }
    $needed = 0.01 * $Percent * $Data + $State
    if ($Free -ge 1073741824 * $needed) { return '' }
    $parts = @(if ($Data) { "$Percent % of the $Data GB to be backed up" }) + @(if ($State) { "$State GB for the system state" })
    "$([Math]::Floor(10 * $needed) / 10) GB is the least, $($parts -join ' and ')"
}

function Get-FleetScratchRightProblem([string]$Sddl) {
    # Why the agent, which is the system, may not do all in a folder, in words. The system has what is given to it, to
    # Administrators, to Authenticated Users and to Everyone.
    $entries = @((ConvertFrom-FleetSddl $Sddl).Entries | Where-Object { 'S-1-5-18', 'S-1-5-32-544', 'S-1-5-11', 'S-1-1-0' -contains $_.Sid -and $_.Flags -cnotmatch '^(..)*IO' })
    $rights = 0L
    foreach ($entry in @($entries | Where-Object { $_.Type -ceq 'A' })) { $rights = $rights -bor $entry.Mask }
    if (($rights -band 0x1f01ff) -ne 0x1f01ff -and -not ($rights -band 0x10000000)) { 'the system has no full control of it' }
    foreach ($entry in @($entries | Where-Object { $_.Type -ceq 'D' })) { "rights in it are denied to $($entry.Sid)" }
}

function Set-FleetItemAttribute([string]$Path, [string]$Attribute, [bool]$On) {
    # Compressed or Encrypted, by the programs of Windows, whose words are not read. Gives '' or what went wrong.
    $program, $argument = if ($Attribute -eq 'Compressed') { 'compact.exe', @($(if ($On) { '/c' } else { '/u' }), '/a', '/q', $Path) } else { 'cipher.exe', @($(if ($On) { '/e' } else { '/d' }), '/h', $Path) }
    $done = Invoke-FleetNative $program $argument 1800
    if (-not $done.Found) { return "$program is missing" }
    if ($done.TimedOut) { return "$program did not end within 1800 s" }
    if ((@(Get-FleetItem $Path | ForEach-Object { $_.Attributes }) -contains $Attribute) -eq $On) { return '' }
    "$Path is $(if ($On) { 'not ' })$Attribute after $program (exit code $($done.ExitCode))"
}

function Set-FleetScratchEntry($Entry) {
    # Writes a value as it stands, or takes it away, with a key that was made for it.
    if ($Entry.existed) {
        New-FleetRegistryKey $Entry.key $Entry.view
        Set-FleetRegistryValue $Entry.key $Entry.name $Entry.type $Entry.value $Entry.view
    } else {
        Remove-FleetRegistryValue $Entry.key $Entry.name $Entry.view
        if ($Entry.Contains('key_existed')) { [void](Remove-FleetRegistryKey $Entry.key $Entry.view) }
    }
}

function Set-FleetScratch($Wanted, [scriptblock]$First = {}) {
    # Stops obengine, does what is given, writes the values that differ, and starts obengine. When it does not start with them, they
    # are put back. Ends the snippet when something fails.
    if ((Get-FleetService 'obengine').StartType -eq 'Disabled') { Stop-FleetFailed 'obengine is disabled and could not be started again; nothing was touched' }
    $written = New-Object Collections.ArrayList
    $restart = Restart-FleetService 'obengine' 120 {
        [void](& $First)
        foreach ($entry in $Wanted) {
            $before = Get-FleetRegistryEntry $entry.key $entry.name $entry.view
            if ($before.existed -eq $entry.existed -and $before.value -ceq $entry.value) { continue }
            [void]$written.Add($before)
            Set-FleetScratchEntry $entry
        }
    }
    if (-not $restart.Problem) { return }
    if (-not $written.Count) { Stop-FleetFailed $restart.Problem }
    foreach ($entry in $written) { Set-FleetScratchEntry $entry }
    $problem = Start-FleetServiceTwice 'obengine' 120
    Stop-FleetFailed "$($restart.Problem); the values are as they were, and obengine $(if ($problem) { "does not run: $problem" } else { 'runs' })"
}

function Get-FleetMarsExclusion($Defender) {
    # What antivirus software has to leave out for the MARS agent, Processes and Folders, and what of it Defender does not:
    # MissingProcesses and MissingFolders. A process may be named without its folder.
    $engine = Get-FleetServiceProgram (Get-FleetService 'obengine')
    if ($engine -notmatch '^[A-Za-z]:\\.+\\bin\\[^\\]+$') { $engine = 'C:\Program Files\Microsoft Azure Recovery Services Agent\bin\cbengine.exe' }
    $bin = [regex]::Match($engine, '^(.+)\\[^\\]+$').Groups[1].Value
    $scratch = ([string](Get-FleetRegistryValue $FleetMarsConfig 'ScratchLocation').Value).TrimEnd('\')
    if (-not $scratch) { $scratch = "$([regex]::Match($bin, '^(.+)\\[^\\]+$').Groups[1].Value)\Scratch" }
    $compilers = @(foreach ($framework in 'Framework', 'Framework64') {
        $root = "C:\Windows\Microsoft.NET\$framework"
        foreach ($version in @(Get-FleetFolderItem $root | Where-Object { $_.IsFolder -and $_.Name -like 'v*' })) {
            $path = "$root\$($version.Name)\csc.exe"
            if ((Get-FleetFileSize $path) -ge 0) { $path }
        }
    })
    $found = @{ Processes = @($engine) + $compilers; Folders = @($bin, $scratch) }
    $named = @($Defender.Processes | ForEach-Object { ConvertFrom-FleetExclusion $_ })
    $paths = @($Defender.Paths | ForEach-Object { ConvertFrom-FleetExclusion $_ })
    $found.MissingProcesses = @($found.Processes | Where-Object { $named -notcontains ($_ -split '\\')[-1] -and -not (Test-FleetExclusion $_ $named) })
    $found.MissingFolders = @($found.Folders | Where-Object { -not (Test-FleetExclusion $_ $paths) })
    New-Object PSObject -Property $found
}

function ConvertFrom-FleetExclusion([string]$Text) {
    # With the values that these variables have on a server; of any other nothing is known here.
    $Text -replace '^%ProgramFiles%', 'C:\Program Files' -replace '^%(SystemRoot|windir)%', 'C:\Windows' -replace '^%SystemDrive%', 'C:'
}

function Test-FleetExclusion([string]$Path, [object[]]$Exclusion) {
    # An exclusion is a path, or one of a folder above; * stands for characters of one part, ? for one of them.
    foreach ($each in $Exclusion) {
        $pattern = [regex]::Escape($each.TrimEnd('\')) -replace '\\\*', '[^\\]*' -replace '\\\?', '[^\\]'
        if ($Path -match "^$pattern(\\|$)") { return $true }
    }
    $false
}

# --- VSS writers ------------------------------------------------------------------------------------

# Name, id, service, what its restart hits, and whether it must be listed while its service runs. Sources:
# "In-Box VSS Writers" of Microsoft (ids, CryptSvc, ddpvssvc), public writer tables that agree with each other
# (services), CSS-Exchange issue 2093 (MSExchangeRepl). ADAM and MSMQ are named after their instance.
$FleetWriterTable = @'
ASR Writer|be000cbe-11fe-4426-9c58-531aa6355fc4|VSS|low|listed
Registry Writer|afbab4a2-367d-4d15-a586-71dbb18f8485|VSS|low|listed
COM+ REGDB Writer|542da469-d3e1-473c-9f4f-7847f01fc64f|VSS|low|listed
Shadow Copy Optimization Writer|4dc3bdd4-ab48-4d07-adb0-3bee2926fd7f|VSS|low|listed
System Writer|e8132975-6f93-4464-a53e-1050253ae220|CryptSvc|low|listed
WMI Writer|a6ad56c2-b509-4e6c-bb19-49d8f43532f0|Winmgmt|medium|listed
BITS Writer|4969d978-be47-48b0-b100-f328f07ac1e0|BITS|low|listed
Task Scheduler Writer|d61d61c8-d73a-4eee-8cdd-f6f9786b7124|VSS|low|
Performance Counters Writer|0bada1de-01a9-4625-8278-69e735f39dd2|VSS|low|
VSS Metadata Store Writer|75dfb225-e2e4-4d39-9ac9-ffaff65ddf06|VSS|low|
MSSearch Service Writer|cd3f2362-8bef-46c7-9181-d62844cdc0b2|WSearch|low|listed
IIS Config Writer|2a40fd15-dfca-4aa8-a654-1f8c654603f6|AppHostSvc|medium|listed
IIS Metabase Writer|59b1f0cf-90ef-465f-9609-6ca8b2938366|IISADMIN|high|listed
SqlServerWriter|a65faa63-5ea8-4ebc-9dbd-a0c4db26912a|SQLWriter|low|listed
MSDEWriter|f8544ac1-0611-4fa5-b04b-f7ee00b03277||low|
NTDS|b2014c9e-8711-4c5c-a5a9-3cf384484757|NTDS|high|
DFS Replication service writer|2707761b-2324-473d-88eb-eb007a359533|DFSR|medium|listed
FRS Writer|d76f5a28-3092-4589-ba48-2958fb88ce29|NtFrs|medium|listed
FSRM Writer|12ce4370-5bb7-4c58-a76a-e5d5097e3674|srmsvc|low|listed
Dedup Writer|41db4dbf-6046-470e-8ad5-d5081dfb1b70|ddpvssvc|low|listed
Dhcp Jet Writer|be9ac81e-3619-421f-920f-4c6fea9e93ad|DHCPServer|high|listed
WINS Jet Writer|f08c1483-8407-4a26-8c26-6c267a629741|WINS|medium|listed
Certificate Authority|6f5b15b5-da24-4d88-b737-63063e3a1f86|CertSvc|high|
NPS VSS Writer|35e81631-13e1-48db-97fc-d5bc721bb18a|EventSystem|high|
TermServLicensing|5382579c-98df-47a7-ac6c-98a6d7106e09|TermServLicensing|low|listed
TS Gateway Writer|368753ec-572e-4fc7-b4b9-ccd9bdc624cb|TSGateway|high|
WDS VSS Writer|82cb5521-68db-4626-83a4-7fc6f88853e9|WDSServer|medium|listed
WIDWriter|8d5194e1-e455-434a-b2e5-51296cce67df|WIDWriter|low|listed
Sync Share Service VSS writer|d46bf321-fdba-4a35-8ec3-454df03bc86a|SyncShareSvc|medium|
Windows Server Storage VSS Writer||WseStorageSvc|low|
Microsoft Hyper-V VSS Writer|66841cd4-6ded-4f4b-8f17-fd23f8ddc3de|vmms|medium|listed
Cluster Database|41e12264-35d8-479b-8e5c-9b23d1dad37e|ClusSvc|high|listed
Cluster Shared Volume VSS Writer|1072ae1c-e5a7-4ea1-9e4a-6f7964656570|ClusSvc|high|
MSMQ Writer|7e47b561-971a-46e6-96b9-696eeaa53b2a|MSMQ|high|listed
ADAM Writer|dd846aaa-a1b6-42a8-aaf8-03dcb6114bfd|ADAM|high|
ADFS VSS Writer|772c45f8-ae01-4f94-940c-94961864acad|adfssrv|high|
AD RMS Writer|886c43b1-d455-4428-a37f-4d6b9e43f50f||high|
Microsoft Exchange Writer|76fe1ac4-15f7-4bcd-987e-8e1acb462fb7|MSExchangeRepl|medium|listed
Microsoft Exchange Replica Writer||MSExchangeRepl|medium|
SharePoint Services Writer||SPWriter|low|
OSearch VSS Writer||OSearch|medium|
OSearch14 VSS Writer||OSearch14|medium|
OSearch15 VSS Writer||OSearch15|medium|
OSearch16 VSS Writer||OSearch16|medium|
SPSearch VSS Writer||SPSearch|medium|
SPSearch4 VSS Writer||SPSearch4|medium|
SMS Writer||SMS_SITE_VSS_WRITER|low|
'@

$FleetWriterStates = @('unknown', 'stable', 'waiting for freeze', 'waiting for thaw', 'waiting for post-snapshot', 'waiting for backup complete',
    'failed at identify', 'failed at prepare backup', 'failed at prepare snapshot', 'failed at freeze', 'failed at thaw',
    'failed at post-snapshot', 'failed at backup complete', 'failed at pre-restore', 'failed at post-restore', 'failed at backup shutdown')

function Get-FleetWriterTable {
    foreach ($line in $FleetWriterTable -split '\r?\n') {
        $name, $id, $service, $impact, $listed = $line -split '\|'
        New-Object PSObject -Property @{ Name = $name; Id = $id; Service = $service; Impact = $impact; Listed = $listed -eq 'listed' }
    }
}

function ConvertFrom-FleetWriterList([string[]]$Line) {
    # Two ids one below the other make a writer; its name stands in the line above, then the state as a number
    # in brackets, then the last error. No word of it is read, so it holds for every language.
    $id = '\{([0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})\}\s*$'
    $lines = @($Line | Where-Object { $_.Trim() })
    for ($at = 1; $at -lt $lines.Count - 3; $at++) {
        if ($lines[$at] -notmatch $id) { continue }
        $found = @{ Id = $Matches[1].ToLowerInvariant() }
        if ($lines[$at + 1] -notmatch $id) { continue }
        $found.Instance = $Matches[1].ToLowerInvariant()
        if ($lines[$at + 2] -notmatch '\[\s*([0-9]{1,3})\s*\]') { continue }
        $found.State = [int]$Matches[1]
        # the label ends with the first colon; the quotation marks of the language go
        $found.Name = (($lines[$at - 1] -split '[:\uff1a]', 2)[-1]).Trim().Trim([char[]](34, 39, 0xab, 0xbb, 0x2018, 0x2019, 0x201a, 0x201c, 0x201d, 0x201e, 0x2039, 0x203a, 0xa0)).Trim()
        $found.LastError = (($lines[$at + 3] -split '[:\uff1a]', 2)[-1]).Trim()
        New-Object PSObject -Property $found
    }
}

function Get-FleetNoErrorText($Writers) {
    # What "no error" reads in this language: the text that most stable writers share. $null when that is not
    # clear. The English words are known, because after a failed backup most writers may have the same error.
    $stable = @($Writers | Where-Object { $_.State -eq 1 })
    if (@($stable | Where-Object { $_.LastError -eq 'No error' }).Count) { return 'No error' }
    $most = @($stable | Group-Object LastError | Sort-Object Count -Descending)
    if ($most.Count -and $most[0].Count -ge 3 -and 2 * $most[0].Count -gt $stable.Count) { return $most[0].Name }
    $null
}

function Resolve-FleetWriter($Writer, $Table, [bool]$OldExchange) {
    # The row of the table for a writer, by id before name; $null for one that nobody knows.
    $row = @($Table | Where-Object { $_.Name -eq $Writer.Name -and (-not $_.Id -or $_.Id -eq $Writer.Id) }) + @($Table | Where-Object { $_.Id -and $_.Id -eq $Writer.Id }) | Select-Object -First 1
    if ($null -eq $row) { return $null }
    $service, $impact = $row.Service, $row.Impact
    if ($row.Service -eq 'ADAM') { $service = if ($Writer.Name -match '^ADAM \(?(.+?)\)? Writer$') { 'ADAM_' + $Matches[1] } else { '' } }
    if ($row.Service -eq 'MSMQ' -and $Writer.Name -match '\((.+)\)$') { $service = $Matches[1] }
    if ($OldExchange -and $row.Name -eq 'Microsoft Exchange Writer') { $service, $impact = 'MSExchangeIS', 'high' }
    New-Object PSObject -Property @{ Service = $service; Impact = $impact }
}

function Get-FleetWriterList([int]$TimeoutSeconds = 60) {
    # Asks vssadmin. Gives Problem ('' when it answered) and Writers: Name, Id, Instance, State, LastError,
    # Verdict (stable, waiting, failed, last-error), Service, Impact, Known; and Missing: writers whose service runs.
    $answer = @{ Problem = ''; Writers = @(); Missing = @() }
    $done = Invoke-FleetNative 'vssadmin.exe' @('list', 'writers') $TimeoutSeconds
    if (-not $done.Found) { $answer.Problem = 'vssadmin.exe is missing' }
    elseif ($done.TimedOut) { $answer.Problem = "vssadmin gave no answer within $TimeoutSeconds s" }
    else {
        $answer.Writers = @(ConvertFrom-FleetWriterList $done.Output)
        if (-not $answer.Writers.Count) { $answer.Problem = "vssadmin listed no writers (exit code $($done.ExitCode))" }
    }
    if ($answer.Problem) { return New-Object PSObject -Property $answer }
    $table = @(Get-FleetWriterTable)
    $fine = Get-FleetNoErrorText $answer.Writers
    $old = @($answer.Writers | Where-Object { $_.Name -eq 'Microsoft Exchange Replica Writer' }).Count -gt 0
    foreach ($writer in $answer.Writers) {
        $row = Resolve-FleetWriter $writer $table $old
        $verdict = 'failed'
        if ($writer.State -ge 2 -and $writer.State -le 5) { $verdict = 'waiting' }
        if ($writer.State -eq 1) { $verdict = if ($null -eq $fine -or $writer.LastError -eq $fine) { 'stable' } else { 'last-error' } }
        $word = if ($writer.State -lt $FleetWriterStates.Count) { $FleetWriterStates[$writer.State] } else { 'not a known state' }
        $more = @{ Verdict = $verdict; StateText = $word; Known = $null -ne $row; Service = ''; Impact = '' }
        if ($row) { $more.Service = $row.Service; $more.Impact = $row.Impact }
        foreach ($key in $more.Keys) { Add-Member -InputObject $writer -MemberType NoteProperty -Name $key -Value $more[$key] }
    }
    $ids = @($answer.Writers | ForEach-Object { $_.Id })
    $answer.Missing = @($table | Where-Object { $_.Listed -and $ids -notcontains $_.Id } | Where-Object { (Get-FleetServiceStatus $_.Service) -eq 'Running' })
    New-Object PSObject -Property $answer
}

function Get-FleetServiceStatus([string]$Name) {
    $service = Get-FleetService $Name
    if ($service) { $service.Status } else { 'Absent' }
}

function Get-FleetSettledWriterList([int]$WaitSeconds) {
    # Looks again while writers are waiting or missing: 2 to 5 are normal for the length of a snapshot.
    $end = (Get-FleetTime) + $WaitSeconds
    while ($true) {
        $list = Get-FleetWriterList
        $restless = $list.Missing.Count -or @($list.Writers | Where-Object { $_.Verdict -eq 'waiting' }).Count
        if ($list.Problem -or -not $restless -or (Get-FleetTime) -ge $end) { return $list }
        Write-FleetLog 'writers are waiting or missing; looking again'
        Wait-FleetTime ([Math]::Min(10, [Math]::Max(1, $end - (Get-FleetTime))))
    }
}

function Format-FleetWriter($Writer) {
    $text = "$($Writer.Name) $($Writer.StateText) [$($Writer.State)]"
    if ($Writer.Verdict -eq 'last-error') { $text += ", last error: $($Writer.LastError)" }
    $text
}

function Add-FleetWriterData($List) {
    Add-FleetData 'writers' @($List.Writers | ForEach-Object { @{ name = $_.Name; id = $_.Id; state = $_.State; last_error = $_.LastError; verdict = $_.Verdict; service = $_.Service; known = $_.Known } })
    Add-FleetData 'missing' @($List.Missing | ForEach-Object { $_.Name })
}

# --- collecting -------------------------------------------------------------------------------------

function ConvertTo-FleetEscaped([string]$Text) {
    # Every byte of its UTF-8 outside 0x21-0x7e, and %, as %XX. Half a surrogate pair, which a name may have, has three bytes.
    if (-not [regex]::IsMatch($Text, '[^\x21-\x24\x26-\x7e]')) { return $Text }
    $out = New-Object Text.StringBuilder
    foreach ($found in [regex]::Matches($Text, '[\x21-\x24\x26-\x7e]+|[\ud800-\udbff][\udc00-\udfff]|[\s\S]')) {
        $value = $found.Value
        $number = [int]$value[0]
        if ($number -ge 0x21 -and $number -le 0x7e -and $number -ne 0x25) { [void]$out.Append($value); continue }
        $bytes = if ($value.Length -eq 1 -and $number -ge 0xd800 -and $number -le 0xdfff) { 0xed, (0x80 -bor (($number -shr 6) -band 0x3f)), (0x80 -bor ($number -band 0x3f)) }
        else { [Text.Encoding]::UTF8.GetBytes($value) }
        foreach ($byte in $bytes) { [void]$out.AppendFormat('%{0:X2}', [int]$byte) }
    }
    $out.ToString()
}

function ConvertFrom-FleetEscaped([string]$Text) {
    $half = [Text.RegularExpressions.MatchEvaluator] { param($m) [string][char](0xd000 -bor (([Convert]::ToInt32($m.Groups[1].Value, 16) -band 0x3f) * 64) -bor ([Convert]::ToInt32($m.Groups[2].Value, 16) -band 0x3f)) }
    $rest = [Text.RegularExpressions.MatchEvaluator] { param($m) [Text.Encoding]::UTF8.GetString([byte[]]@($m.Value.Substring(1) -split '%' | ForEach-Object { [Convert]::ToByte($_, 16) })) }
    [regex]::Replace([regex]::Replace($Text, '%[Ee][Dd]%([ABab][0-9A-Fa-f])%([89ABab][0-9A-Fa-f])', $half), '(?:%[0-9A-Fa-f]{2})+', $rest)
}

function Get-FleetPathProblem([string]$Path) {
    # Why a path, or a pattern of paths, is not looked at; '' when nothing speaks against it. odd-name: it is not whole (shares and
    # \\?\ are not taken), or Windows reads it otherwise than it stands: devices, streams, dots and blanks at an end. special: the
    # drive is one of the network.
    if ($Path -notmatch '^[A-Za-z]:\\') { return 'odd-name' }
    foreach ($part in $Path.Substring(3).Split('\')) {
        if (-not $part -or [regex]::IsMatch($part, '[\x00-\x1f<>:"/|]|[. ]$')) { return 'odd-name' }
        if ([regex]::IsMatch($part, '^(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9\xb9\xb2\xb3]) *(\.|$)', [Text.RegularExpressions.RegexOptions]'IgnoreCase, CultureInvariant')) { return 'odd-name' }
    }
    if (Get-FleetPlace $Path) { '' } else { 'special' }
}

function Get-FleetCause($ErrorRecord) {
    $cause = $ErrorRecord.Exception
    while ($cause.InnerException) { $cause = $cause.InnerException }
    $cause
}

function Get-FleetFileProblem($ErrorRecord) {
    # Of a file or program that could not be reached: gone, denied, special (a device) or failed:N, N being the number that Windows gave.
    $cause = Get-FleetCause $ErrorRecord
    if ($cause -is [IO.FileNotFoundException] -or $cause -is [IO.DirectoryNotFoundException] -or $cause -is [IO.DriveNotFoundException]) { return 'gone' }
    if ($cause -is [UnauthorizedAccessException] -or $cause -is [Security.SecurityException]) { return 'denied' }
    if ($cause -is [IO.PathTooLongException]) { return 'failed:206' }
    if ($cause -is [NotSupportedException]) { return 'special' }
    $number = if ($cause -is [ComponentModel.Win32Exception]) { $cause.NativeErrorCode } else { [Runtime.InteropServices.Marshal]::GetHRForException($cause) -band 0xffff }
    if ($number -eq 5) { 'denied' } else { "failed:$number" }
}

function Get-FleetEntry([string]$Path, [bool]$Below) {
    # What stands at a path, or below it in this one folder, as .NET gives it; nothing where nothing is, and an error where nobody may look.
    $place = Get-FleetPlace $Path
    if ($Below) { return (New-Object IO.DirectoryInfo $place).GetFileSystemInfos() }
    try { $attributes = [IO.File]::GetAttributes($place) } catch { if ((Get-FleetFileProblem $_) -eq 'gone') { return }; throw }
    if (($attributes -band [IO.FileAttributes]::Directory) -ne 0) { New-Object IO.DirectoryInfo $place } else { New-Object IO.FileInfo $place }
}

function Open-FleetFile([string]$Path, [bool]$Own) {
    # To be read while others write, rename and delete it. Gives Problem ('' or a code) and Stream. Judged by its attributes before, and by
    # where it really is afterwards: a link on its way, put there in between, is found. Files that are elsewhere (offline) are not fetched.
    # Own: one that fleet put into its private folder, where nobody else puts links; ProgramData itself may be one.
    $result = @{ Problem = Get-FleetPathProblem $Path; Stream = $null }
    if (-not $result.Problem) {
        try {
            $place = Get-FleetPlace $Path
            $attributes = [int][IO.File]::GetAttributes($place)
            if ($attributes -band 0x400) { $result.Problem = 'link' }
            elseif ($attributes -band 0x441050) { $result.Problem = 'special' }     # Directory, Device, Offline, RecallOnOpen, RecallOnDataAccess
            else {
                $result.Stream = New-Object IO.FileStream $place, ([IO.FileMode]::Open), ([IO.FileAccess]::Read), ([IO.FileShare]'ReadWrite, Delete'), 65536
                if (-not $Own -and -not [string]::Equals((Get-FleetFinalPath $result.Stream), $Path, [StringComparison]::OrdinalIgnoreCase)) { $result.Problem = 'link'; $result.Stream.Close() }
            }
        } catch {
            $result.Problem = Get-FleetFileProblem $_
            if ($result.Stream) { $result.Stream.Close() }
        }
    }
    New-Object PSObject -Property $result
}

function New-FleetFile([string]$Path) {
    # A new file, which must not be there, for writing and reading; nobody else may open it meanwhile.
    New-Object IO.FileStream (Get-FleetPlace $Path), ([IO.FileMode]::CreateNew), ([IO.FileAccess]::ReadWrite), ([IO.FileShare]::None), 65536
}

function New-FleetGzip($Stream) {
    # What is written to it goes into the stream, compressed; the stream stays open.
    New-Object IO.Compression.GZipStream $Stream, ([IO.Compression.CompressionMode]::Compress), $true
}

function Remove-FleetTree([string]$Path, [bool]$OnlyEmpty) {
    # A file, or a folder with all that is in it; a link is removed itself, and what it leads to stays. Gives '' when it is gone, otherwise
    # why it is not.
    $place = Get-FleetPlace $Path
    for ($try = 1; $try -le 5; $try++) {
        try {
            $attributes = [int][IO.File]::GetAttributes($place)
            if ($attributes -band 0x10) { [IO.Directory]::Delete($place, (-not $OnlyEmpty -and -not ($attributes -band 0x400))) } else { [IO.File]::Delete($place) }
            return ''
        } catch {
            if ((Get-FleetFileProblem $_) -eq 'gone') { return '' }
            $problem = Get-FleetCause $_
            if ($OnlyEmpty) { break }
            if ($try -lt 5) { Wait-FleetTime 1 }
        }
    }
    $problem.Message
}

function Write-FleetStdout([byte[]]$Bytes, [int]$Count) {
    # Past all logging: exactly these bytes.
    $stdout = [Console]::OpenStandardOutput()
    $stdout.Write($Bytes, 0, $Count)
    $stdout.Flush()
}

function ConvertTo-FleetJsonText([string]$Text) {
    # A JSON string; only what JSON forbids is written otherwise.
    $Text = $Text.Replace('\', '\\').Replace('"', '\"')
    if ([regex]::IsMatch($Text, '[\x00-\x1f\x7f\ud800-\udfff]')) {
        $Text = $Text.Replace("`r", '\r').Replace("`n", '\n').Replace("`t", '\t')
        $Text = [regex]::Replace($Text, '[\x00-\x1f\x7f]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]', [Text.RegularExpressions.MatchEvaluator] { param($m) '\u{0:x4}' -f [int]$m.Value[0] })
    }
    '"' + $Text + '"'
}

function ConvertTo-FleetEventLine([string]$Xml) {
    # An event as an object of JSON on one line: time in UTC, id, provider, level, record, message (null when it was not rendered), properties.
    # Not read as XML, see ConvertFrom-FleetEvent.
    $plain = { param($found) [Net.WebUtility]::HtmlDecode($found.Value) }
    $number = { param($pattern) $found = [regex]::Match($Xml, $pattern).Groups[1].Value; if ($found) { $found } else { 'null' } }
    $event = ConvertFrom-FleetEvent $Xml
    $message = [regex]::Match($Xml, '<Message>([^<]*)</Message>').Groups[1]
    $values = foreach ($found in [regex]::Matches($Xml, '<Data(?:\s+Name=[''"]([^''"]*)[''"])?[^>]*?(?:/>|>([^<]*)</Data>)')) {
        $value = ConvertTo-FleetJsonText (& $plain $found.Groups[2])
        if ($found.Groups[1].Success) { '{' + (ConvertTo-FleetJsonText (& $plain $found.Groups[1])) + ':' + $value + '}' } else { $value }
    }
    '{"time":' + (ConvertTo-FleetJsonText $event.Time) + ',"id":' + $event.Id + ',"provider":' + (ConvertTo-FleetJsonText $event.Provider) +
        ',"level":' + (& $number '<Level>([0-9]+)<') + ',"record":' + (& $number '<EventRecordID>([0-9]+)<') +
        ',"message":' + $(if ($message.Success) { ConvertTo-FleetJsonText (& $plain $message) } else { 'null' }) + ',"properties":[' + (@($values) -join ',') + ']}'
}

# --- contact ----------------------------------------------------------------------------------------

function Test-FleetAdministrator {
    $identity = [Security.Principal.WindowsIdentity]::GetCurrent()
    (New-Object Security.Principal.WindowsPrincipal $identity).IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)
}

function Get-FleetAccountSid([string]$Account) {
    # SID of an account as a service names it; '' when nobody has that name.
    if ($Account -eq 'LocalSystem') { return 'S-1-5-18' }
    try { return (New-Object Security.Principal.NTAccount $Account).Translate([Security.Principal.SecurityIdentifier]).Value } catch { Write-FleetLog "no SID for ${Account}: $_" }
    ''
}

function Get-FleetTime { [Diagnostics.Stopwatch]::GetTimestamp() / [Diagnostics.Stopwatch]::Frequency }

function Wait-FleetTime([double]$Seconds) { Start-Sleep -Milliseconds ([int](1000 * $Seconds)) }

function Get-FleetController([string]$Name) {
    # $null where there is no such service. The constructor takes display names too, hence the comparison.
    if (-not ('System.ServiceProcess.ServiceController' -as [type])) { Add-Type -AssemblyName System.ServiceProcess }
    $controller = New-Object ServiceProcess.ServiceController $Name
    try { if ($controller.ServiceName -eq $Name -and $null -ne $controller.Status) { return $controller } } catch {
        $problem = Get-FleetServiceProblem $_ 1060
        if ($problem -like 'error 5:*') { throw "service ${Name}: $problem" }
    }
    $null
}

function Get-FleetServiceName {
    if (-not ('System.ServiceProcess.ServiceController' -as [type])) { Add-Type -AssemblyName System.ServiceProcess }
    [ServiceProcess.ServiceController]::GetServices() | ForEach-Object { $_.ServiceName }
}

function Get-FleetService([string]$Name) {
    # Name, Status, CanStop, StartType (Automatic, DelayedAutomatic, Manual, Disabled), Account, CommandLine; $null where there is none.
    $controller = Get-FleetController $Name
    if ($null -eq $controller) { return $null }
    $key = "HKLM\SYSTEM\CurrentControlSet\Services\$Name"
    $start = (Get-FleetRegistryValue $key 'Start').Value
    $type = if ($start -eq 2) { 'Automatic' } elseif ($start -eq 3) { 'Manual' } elseif ($start -eq 4) { 'Disabled' } else { 'Driver' }
    if ($start -eq 2 -and (Get-FleetRegistryValue $key 'DelayedAutostart').Value -eq 1) { $type = 'DelayedAutomatic' }
    New-Object PSObject -Property @{
        Name = $controller.ServiceName; Status = [string]$controller.Status; CanStop = $controller.CanStop; StartType = $type
        Account = [string](Get-FleetRegistryValue $key 'ObjectName').Value; CommandLine = [string](Get-FleetRegistryValue $key 'ImagePath').Value
    }
}

function Get-FleetRunningDependent([string]$Name) {
    # All that depends on it, directly or not, and is not stopped, in the order in which it has to be stopped.
    $controller = Get-FleetController $Name
    if ($null -eq $controller) { return }
    $found = New-Object Collections.ArrayList
    foreach ($dependent in @($controller.DependentServices | Where-Object { [string]$_.Status -ne 'Stopped' })) {
        foreach ($each in @(Get-FleetRunningDependent $dependent.ServiceName) + $dependent.ServiceName) {
            if ($found -notcontains $each) { [void]$found.Add($each) }
        }
    }
    $found
}

function Get-FleetServiceProblem($ErrorRecord, [int]$Harmless) {
    # '' for the error of that number; otherwise number and text.
    $cause = $ErrorRecord.Exception
    while ($cause.InnerException) { $cause = $cause.InnerException }
    if ($cause -isnot [ComponentModel.Win32Exception]) { return $cause.Message }
    if ($cause.NativeErrorCode -eq $Harmless) { return '' }
    "error $($cause.NativeErrorCode): $($cause.Message)"
}

function Wait-FleetServiceStatus($Controller, [string]$Status, [int]$TimeoutSeconds) {
    # '' once it has that status; a start that ends in Stopped is over at once.
    $end = (Get-FleetTime) + $TimeoutSeconds
    while ($true) {
        $Controller.Refresh()
        $now = [string]$Controller.Status
        if ($now -eq $Status) { return '' }
        if ($Status -eq 'Running' -and $now -eq 'Stopped') { return 'it stopped again at once' }
        if ((Get-FleetTime) -ge $end) { return "still $now after $TimeoutSeconds s" }
        Wait-FleetTime 0.2
    }
}

function Start-FleetService([string]$Name, [int]$TimeoutSeconds = 120) {
    # '' when it runs, otherwise what went wrong. 1056: it runs already.
    $controller = Get-FleetController $Name
    if ($null -eq $controller) { return 'there is no such service' }
    try { $controller.Start() } catch {
        $problem = Get-FleetServiceProblem $_ 1056
        if ($problem) { return $problem }
    }
    Wait-FleetServiceStatus $controller 'Running' $TimeoutSeconds
}

function Stop-FleetService([string]$Name, [int]$TimeoutSeconds = 120) {
    # '' when it is stopped, otherwise what went wrong. 1062: it does not run.
    $controller = Get-FleetController $Name
    if ($null -eq $controller) { return 'there is no such service' }
    try { $controller.Stop() } catch {
        $problem = Get-FleetServiceProblem $_ 1062
        if ($problem) { return $problem }
    }
    Wait-FleetServiceStatus $controller 'Stopped' $TimeoutSeconds
}

function Open-FleetRegistryKey([string]$Key, [int]$View, [bool]$Writable) {
    # By OpenBaseKey, so that both views are reached whatever the bitness of this process. $null where there is no key.
    $root, $path = $Key -split '\\', 2
    $hive = @{ HKLM = 'LocalMachine'; HKU = 'Users' }[$root]
    [Microsoft.Win32.RegistryKey]::OpenBaseKey($hive, "Registry$View").OpenSubKey($path, $Writable)
}

function Get-FleetRegistryView {
    if ([Environment]::Is64BitOperatingSystem) { 64, 32 } else { 32 }
}

function Get-FleetRegistrySubKey([string]$Key, [int]$View = 64) {
    $opened = Open-FleetRegistryKey $Key $View $false
    if ($opened) { $opened.GetSubKeyNames(); $opened.Close() }
}

function Get-FleetRegistryValueName([string]$Key, [int]$View = 64) {
    $opened = Open-FleetRegistryKey $Key $View $false
    if ($opened) { $opened.GetValueNames(); $opened.Close() }
}

function Get-FleetRegistryValue([string]$Key, [string]$Name, [int]$View = 64) {
    # Exists, Type (DWord, String, ...) and Value; text is not expanded, a number is unsigned.
    $found = @{ Exists = $false; Type = $null; Value = $null }
    $opened = Open-FleetRegistryKey $Key $View $false
    if ($opened) {
        $value = $opened.GetValue($Name, $null, [Microsoft.Win32.RegistryValueOptions]::DoNotExpandEnvironmentNames)
        if ($null -ne $value) {
            $found = @{ Exists = $true; Type = [string]$opened.GetValueKind($Name); Value = $value }
            if ($value -is [int]) { $found.Value = [BitConverter]::ToUInt32([BitConverter]::GetBytes($value), 0) }
        }
        $opened.Close()
    }
    New-Object PSObject -Property $found
}

function Set-FleetRegistryValue([string]$Key, [string]$Name, [string]$Type, $Value, [int]$View = 64) {
    # Only below a key that exists.
    $opened = Open-FleetRegistryKey $Key $View $true
    if ($null -eq $opened) { throw "there is no key $Key in the $View-bit registry" }
    if ($Type -eq 'DWord') { $Value = [BitConverter]::ToInt32([BitConverter]::GetBytes([uint32]$Value), 0) }
    $opened.SetValue($Name, $Value, [Microsoft.Win32.RegistryValueKind]$Type)
    $opened.Close()
}

function Remove-FleetRegistryValue([string]$Key, [string]$Name, [int]$View = 64) {
    $opened = Open-FleetRegistryKey $Key $View $true
    if ($opened) { $opened.DeleteValue($Name, $false); $opened.Close() }
}

function Get-FleetProcess([string]$Name) {
    # Name and Id of the processes of that name, without .exe.
    [Diagnostics.Process]::GetProcessesByName($Name) | ForEach-Object { New-Object PSObject -Property @{ Name = $_.ProcessName; Id = $_.Id } }
}

function Stop-FleetProcess([int]$Id) { Stop-Process -Id $Id -Force }

function New-FleetRegistryKey([string]$Key, [int]$View = 64) {
    $root, $path = $Key -split '\\', 2
    $hive = @{ HKLM = 'LocalMachine'; HKU = 'Users' }[$root]
    [Microsoft.Win32.RegistryKey]::OpenBaseKey($hive, "Registry$View").CreateSubKey($path).Close()
}

function Remove-FleetRegistryKey([string]$Key, [int]$View = 64) {
    # Only one that is empty; gives whether it is gone.
    $opened = Open-FleetRegistryKey $Key $View $false
    if ($null -eq $opened) { return $true }
    $full = $opened.ValueCount + $opened.SubKeyCount
    $opened.Close()
    if ($full) { return $false }
    $parent, $name = [regex]::Match($Key, '^(.*)\\([^\\]+)$').Groups[1, 2] | ForEach-Object { $_.Value }
    $opened = Open-FleetRegistryKey $parent $View $true
    $opened.DeleteSubKey($name, $false)
    $opened.Close()
    $true
}

function Test-FleetRegistryKey([string]$Key, [int]$View = 64) {
    $opened = Open-FleetRegistryKey $Key $View $false
    if ($opened) { $opened.Close() }
    $null -ne $opened
}

function Get-FleetFolderItem([string]$Path) {
    # What lies in a folder: Name, IsFolder, Changed (seconds since 1970), Size (bytes; of a folder 0), Attributes (names, as .NET
    # has them; bits that it has no names for, such as those of OneDrive, are left out); nothing where there is no such folder.
    if (-not [IO.Directory]::Exists($Path)) { return }
    $start = New-Object DateTime 1970, 1, 1, 0, 0, 0, ([DateTimeKind]::Utc)
    foreach ($item in (New-Object IO.DirectoryInfo $Path).GetFileSystemInfos()) {
        $folder = $item -is [IO.DirectoryInfo]
        New-Object PSObject -Property @{
            Name = $item.Name; IsFolder = $folder; Changed = ($item.LastWriteTimeUtc - $start).TotalSeconds; Size = $(if ($folder) { 0 } else { $item.Length })
            Attributes = @([string][IO.FileAttributes]([int]$item.Attributes -band 0x7fff) -split ', ')
        }
    }
}

function Get-FleetFolderBirth([string]$Path) {
    # When a folder was made, in seconds since 1970; $null where there is none.
    if (-not [IO.Directory]::Exists($Path)) { return $null }
    ([IO.Directory]::GetCreationTimeUtc($Path) - (New-Object DateTime 1970, 1, 1, 0, 0, 0, ([DateTimeKind]::Utc))).TotalSeconds
}

function Find-FleetMarkedFile([string]$Folder, [int[]]$Mark, [int]$Seconds) {
    # Walks through a folder and all below it, links left aside, for so many seconds: Looked (how many files and folders),
    # Complete, Denied (folders that can't be read) and Found: Path and Attributes (a number) of what has a mark. A mark is two
    # numbers: all bits of the first and none of the second. At 10000 found it ends. What Windows itself links for old
    # programs (hidden, system, ReparsePoint) is not found.
    $end = (Get-FleetTime) + $Seconds
    $result = @{ Looked = 0; Complete = $true; Denied = 0; Found = New-Object Collections.ArrayList }
    $folders = New-Object Collections.Stack
    $folders.Push($Folder.TrimEnd('\') + '\')
    while ($folders.Count -and $result.Complete) {
        $here = $folders.Pop()
        try {
            foreach ($item in (New-Object IO.DirectoryInfo $here).EnumerateFileSystemInfos()) {
                if (($result.Looked -band 255) -eq 255 -and (Get-FleetTime) -gt $end -or $result.Found.Count -ge 10000) { $result.Complete = $false; break }
                $result.Looked++
                $bits = [int]$item.Attributes
                if (($bits -band 0x410) -eq 0x10) { $folders.Push("$here$($item.Name)\") }
                if (($bits -band 0x406) -eq 0x406) { continue }
                for ($at = 0; $at -lt $Mark.Count; $at += 2) {
                    if (($bits -band $Mark[$at]) -ne $Mark[$at] -or $bits -band $Mark[$at + 1]) { continue }
                    [void]$result.Found.Add((New-Object PSObject -Property @{ Path = "$here$($item.Name)"; Attributes = $bits }))
                    break
                }
            }
        } catch { $result.Denied++; Write-FleetLog "${here}: $_" }
    }
    New-Object PSObject -Property $result
}

function Remove-FleetOldFile([string]$Path, [double]$Before) {
    # Deletes a file that nobody has open and that was neither made nor written since (seconds since 1970); it is asked on the
    # handle that deletes it, so that nothing comes in between, and a link is not followed. 0: deleted; -1: newer; -2: no plain
    # file; otherwise the system's number (32: in use, 5: denied, 2: gone).
    if (-not ('Fleet.OldFile' -as [type])) {
        Add-Type -Namespace Fleet -Name OldFile -MemberDefinition @'
[DllImport("kernel32.dll", CharSet = CharSet.Unicode, SetLastError = true)] static extern IntPtr CreateFile(string path, uint access, uint share, IntPtr security, uint how, uint flags, IntPtr template);
[DllImport("kernel32.dll", SetLastError = true)] static extern bool GetFileInformationByHandle(IntPtr file, byte[] found);
[DllImport("kernel32.dll", SetLastError = true)] static extern bool SetFileInformationByHandle(IntPtr file, int kind, byte[] value, uint size);
[DllImport("kernel32.dll")] static extern bool CloseHandle(IntPtr file);
public static int Remove(string path, long before) {
    IntPtr file = CreateFile(path, 0x00010080, 0, IntPtr.Zero, 3, 0x00200000, IntPtr.Zero);
    if (file == new IntPtr(-1)) return Marshal.GetLastWin32Error();
    try {
        byte[] found = new byte[52];
        if (!GetFileInformationByHandle(file, found)) return Marshal.GetLastWin32Error();
        if ((BitConverter.ToUInt32(found, 0) & 0x410) != 0) return -2;
        if (BitConverter.ToInt64(found, 4) >= before || BitConverter.ToInt64(found, 20) >= before) return -1;
        return SetFileInformationByHandle(file, 4, new byte[] { 1 }, 1) ? 0 : Marshal.GetLastWin32Error();
    } finally { CloseHandle(file); }
}
'@
    }
    $time = (New-Object DateTime 1970, 1, 1, 0, 0, 0, ([DateTimeKind]::Utc)).AddSeconds($Before).ToFileTimeUtc()
    [Fleet.OldFile]::Remove($Path, $time)
}

function Get-FleetDrive {
    # Drives with a letter: Name (C:), DriveType (Fixed, Removable, Network ...), Format (NTFS, FAT32; '' when it can't be read),
    # ReadOnly, and Problem: '' or the system's number, of which 0x80310000 means locked by BitLocker and 0x15 no medium.
    if (-not ('Fleet.Drive' -as [type])) {
        Add-Type -Namespace Fleet -Name Drive -MemberDefinition @'
[DllImport("kernel32.dll", CharSet = CharSet.Unicode, SetLastError = true)] static extern bool GetVolumeInformation(string root, IntPtr name, uint room, IntPtr serial, IntPtr longest, out uint flags, System.Text.StringBuilder format, uint size);
public static int Ask(string root, System.Text.StringBuilder format, out uint flags) { return GetVolumeInformation(root, IntPtr.Zero, 0, IntPtr.Zero, IntPtr.Zero, out flags, format, 64) ? 0 : Marshal.GetLastWin32Error(); }
'@
    }
    foreach ($drive in [IO.DriveInfo]::GetDrives()) {
        $format, $flags = (New-Object Text.StringBuilder 64), [uint32]0
        $number = [Fleet.Drive]::Ask($drive.Name, $format, [ref]$flags)
        New-Object PSObject -Property @{
            Name = $drive.Name.TrimEnd('\'); DriveType = [string]$drive.DriveType; Format = $format.ToString()
            ReadOnly = ($flags -band 0x80000) -ne 0; Problem = $(if ($number) { '0x{0:x}' -f $number } else { '' })
        }
    }
}

function Get-FleetShadowStorage {
    # As WMI says: Volume and Storage (\\?\Volume{...}\), Used and Maximum in bytes. Throws where WMI does not work.
    $name = { param($reference) '\\?\' + [regex]::Match([string]$reference.DeviceID, 'Volume\{[0-9A-Fa-f-]{36}\}').Value + '\' }
    foreach ($each in Get-CimInstance -ClassName 'Win32_ShadowStorage' -ErrorAction Stop) {
        New-Object PSObject -Property @{ Volume = & $name $each.Volume; Storage = & $name $each.DiffVolume; Used = [uint64]$each.UsedSpace; Maximum = [uint64]$each.MaxSpace }
    }
}

function Get-FleetIscsiSession {
    # How many iSCSI sessions are open, by the storage API of Windows 2012 and newer; $null where it does not say.
    try { @(Get-CimInstance -Namespace 'root/Microsoft/Windows/Storage' -ClassName 'MSFT_iSCSISession' -ErrorAction Stop).Count } catch { Write-FleetLog "no iSCSI sessions from WMI: $_"; $null }
}

function Get-FleetVolume([string]$Path) {
    # What a folder lies on: DriveType (Fixed, Network, Removable ...), Size and Free in bytes, those of a volume that is mounted
    # in a folder, too; $null where there is no such folder or nobody says.
    if (-not [IO.Directory]::Exists($Path)) { return $null }
    if (-not ('Fleet.Volume' -as [type])) {
        Add-Type -Namespace Fleet -Name Volume -MemberDefinition '[DllImport("kernel32.dll", CharSet = CharSet.Unicode, SetLastError = true)] public static extern bool GetDiskFreeSpaceEx(string folder, out ulong own, out ulong size, out ulong free);'
    }
    $own = $size = $free = [uint64]0
    if (-not [Fleet.Volume]::GetDiskFreeSpaceEx($Path.TrimEnd('\') + '\', [ref]$own, [ref]$size, [ref]$free)) { return $null }
    $type = if ($Path -like '\\*') { 'Network' } else { [string](New-Object IO.DriveInfo $Path.Substring(0, 1)).DriveType }
    New-Object PSObject -Property @{ DriveType = $type; Size = $size; Free = $free }
}

function Get-FleetFileText([string]$Path) {
    # Of at most 1 MB, also while another program writes it; '' where there is no such file.
    if (-not [IO.File]::Exists($Path)) { return '' }
    $stream = New-Object IO.FileStream $Path, ([IO.FileMode]::Open), ([IO.FileAccess]::Read), ([IO.FileShare]'ReadWrite, Delete')
    $buffer = New-Object char[] 1048576
    $reader = New-Object IO.StreamReader $stream
    try { New-Object string $buffer, 0, $reader.ReadBlock($buffer, 0, $buffer.Length) } finally { $reader.Close() }
}

function Get-FleetInterfaceId {
    # Ids of the network interfaces that are there and up, as their keys of the registry have them; the registry keeps
    # those of machines that this one once was, too.
    [Net.NetworkInformation.NetworkInterface]::GetAllNetworkInterfaces() |
        Where-Object { [string]$_.OperationalStatus -eq 'Up' -and [string]$_.NetworkInterfaceType -ne 'Loopback' } | ForEach-Object { $_.Id }
}

function Test-FleetTcp([string]$Address, [int]$Port, [int]$TimeoutSeconds) {
    # Whether something accepts a connection there in time.
    $client = New-Object Net.Sockets.TcpClient
    try {
        $connecting = $client.BeginConnect($Address, $Port, $null, $null)
        if (-not $connecting.AsyncWaitHandle.WaitOne(1000 * $TimeoutSeconds)) { return $false }
        $client.EndConnect($connecting)
        return $true
    } catch { Write-FleetLog "${Address}:${Port}: $_" } finally { $client.Close() }
    $false
}

function Test-FleetTunnel([string]$Address, [int]$Port, [string]$Target, [int]$TimeoutSeconds) {
    # Asks an HTTP proxy for a way to HOST:PORT and gives the number of its answer (200: it is open, 407: it wants a login); 0 for none.
    $client = New-Object Net.Sockets.TcpClient
    try {
        $connecting = $client.BeginConnect($Address, $Port, $null, $null)
        if (-not $connecting.AsyncWaitHandle.WaitOne(1000 * $TimeoutSeconds)) { return 0 }
        $client.EndConnect($connecting)
        $stream = $client.GetStream()
        $stream.ReadTimeout = $stream.WriteTimeout = 1000 * $TimeoutSeconds
        $request = [Text.Encoding]::ASCII.GetBytes("CONNECT $Target HTTP/1.1`r`nHost: $Target`r`n`r`n")
        $stream.Write($request, 0, $request.Length)
        $answer = ''
        while ($answer.Length -lt 12) {
            $byte = $stream.ReadByte()
            if ($byte -lt 0) { return 0 }
            $answer += [char]$byte
        }
        if ($answer -match '^HTTP/1\.[01] ([0-9]{3})$') { return [int]$Matches[1] }
    } catch { Write-FleetLog "${Address}:${Port}, ${Target}: $_" } finally { $client.Close() }
    0
}

function Get-FleetLoad {
    # Processor and Memory in use now, in percent: as WMI says, whose classes have English names everywhere, or where
    # it is broken as the kernel says. $null where neither does.
    try {
        $processor = Get-CimInstance Win32_PerfFormattedData_PerfOS_Processor -Filter "Name='_Total'" -ErrorAction Stop
        $memory = Get-CimInstance Win32_OperatingSystem -ErrorAction Stop
        return New-Object PSObject -Property @{
            Processor = [double]$processor.PercentProcessorTime
            Memory = 100.0 * (1 - $memory.FreePhysicalMemory / $memory.TotalVisibleMemorySize)
        }
    } catch { Write-FleetLog "no load from WMI: $_" }
    try { Get-FleetKernelLoad } catch { Write-FleetLog "no load from the kernel: $_"; $null }
}

function Get-FleetKernelLoad {
    # GetSystemTimes, twice: its kernel time holds the idle time. GlobalMemoryStatusEx: MEMORYSTATUSEX has its length
    # at 0 and dwMemoryLoad, in percent, at 4.
    if (-not ('Fleet.Kernel' -as [type])) {
        Add-Type -Namespace Fleet -Name Kernel -MemberDefinition @'
[DllImport("kernel32.dll", SetLastError = true)] public static extern bool GetSystemTimes(out long idle, out long kernel, out long user);
[DllImport("kernel32.dll", SetLastError = true)] public static extern bool GlobalMemoryStatusEx([In, Out] byte[] status);
'@
    }
    $times = @(foreach ($second in 0, 1) {
        if ($second) { Wait-FleetTime 1 }
        $idle, $kernel, $user = 0L, 0L, 0L
        if (-not [Fleet.Kernel]::GetSystemTimes([ref]$idle, [ref]$kernel, [ref]$user)) { throw 'GetSystemTimes failed' }
        @{ Idle = $idle; All = $kernel + $user }
    })
    $status = New-Object byte[] 64
    $status[0] = 64
    if (-not [Fleet.Kernel]::GlobalMemoryStatusEx($status)) { throw 'GlobalMemoryStatusEx failed' }
    $all = [Math]::Max(1, $times[1].All - $times[0].All)
    New-Object PSObject -Property @{ Processor = 100.0 * (1 - ($times[1].Idle - $times[0].Idle) / $all); Memory = [double][BitConverter]::ToUInt32($status, 4) }
}

function Get-FleetAcl([string]$Path) {
    # Owner, group and permissions of a folder as SDDL; '' where there is no such folder.
    if ([IO.Directory]::Exists($Path)) { (Get-Acl -LiteralPath $Path).Sddl } else { '' }
}

function Set-FleetAcl([string]$Path, [string]$Sddl) {
    # Of the folder alone: what lies in it keeps its own.
    $security = New-Object Security.AccessControl.DirectorySecurity
    $security.SetSecurityDescriptorSddlForm($Sddl)
    Set-Acl -LiteralPath $Path -AclObject $security
}

function Get-FleetRegistryAcl([string]$Key, [int]$View = 64) {
    # Owner and permissions of a key as SDDL; '' where there is no such key.
    $opened = Open-FleetRegistryKey $Key $View $false
    if ($null -eq $opened) { return '' }
    try { $opened.GetAccessControl([Security.AccessControl.AccessControlSections]'Access, Owner').GetSecurityDescriptorSddlForm([Security.AccessControl.AccessControlSections]'Access, Owner') } finally { $opened.Close() }
}

function Open-FleetCertificateStore([string]$How) {
    $store = New-Object Security.Cryptography.X509Certificates.X509Store 'My', 'LocalMachine'
    $store.Open($How)
    $store
}

function Get-FleetCertificateProblem($Certificate) {
    # Why its private key can't be used, '' when nothing speaks against it. .NET Framework does not open every kind
    # of key this way (NTE_BAD_PROV_TYPE, not supported), which says nothing about the key.
    if (-not $Certificate.HasPrivateKey) { return 'no private key' }
    try { [void]$Certificate.PrivateKey } catch {
        $cause = $_.Exception
        while ($cause.InnerException) { $cause = $cause.InnerException }
        $number = '0x{0:x8}' -f [Runtime.InteropServices.Marshal]::GetHRForException($cause)
        if ($number -match '^0x(8009(?!0014)|80070005|80070002)') { return "its key can't be opened, $number" }
        Write-FleetLog "certificate $($Certificate.Thumbprint): $number, $($cause.Message)"
    }
    ''
}

function Get-FleetCertificate {
    # The computer's personal store: Thumbprint, Subject, NotBefore and NotAfter (seconds since 1970), KeyProblem, and
    # Public: the certificate without its key, as base64.
    $start = New-Object DateTime 1970, 1, 1, 0, 0, 0, ([DateTimeKind]::Utc)
    $store = Open-FleetCertificateStore 'OpenExistingOnly'
    try {
        foreach ($each in $store.Certificates) {
            New-Object PSObject -Property @{
                Thumbprint = $each.Thumbprint; Subject = $each.Subject; KeyProblem = Get-FleetCertificateProblem $each; Public = [Convert]::ToBase64String($each.RawData)
                NotBefore = ($each.NotBefore.ToUniversalTime() - $start).TotalSeconds; NotAfter = ($each.NotAfter.ToUniversalTime() - $start).TotalSeconds
            }
        }
    } finally { $store.Close() }
}

function Remove-FleetCertificate([string]$Thumbprint) {
    # From the computer's personal store; its key stays where it is.
    $store = Open-FleetCertificateStore 'ReadWrite'
    try { foreach ($each in @($store.Certificates | Where-Object { $_.Thumbprint -eq $Thumbprint })) { $store.Remove($each) } } finally { $store.Close() }
}

function Add-FleetCertificate([string]$Public) {
    # Gives its thumbprint.
    $certificate = New-Object Security.Cryptography.X509Certificates.X509Certificate2 (, [Convert]::FromBase64String($Public))
    $store = Open-FleetCertificateStore 'ReadWrite'
    try { $store.Add($certificate) } finally { $store.Close() }
    $certificate.Thumbprint
}

function Get-FleetDisk {
    # Number, Name, Offline and Reason (VDS_DISK_OFFLINE_REASON) of the disks, by the storage API of Windows 2012 and newer.
    foreach ($each in Get-CimInstance -Namespace 'root/Microsoft/Windows/Storage' -ClassName 'MSFT_Disk') {
        New-Object PSObject -Property @{ Number = [int]$each.Number; Name = [string]$each.FriendlyName; Offline = [bool]$each.IsOffline; Reason = [int]$each.OfflineReason }
    }
}

function Get-FleetDefender {
    # Present: whether Microsoft Defender runs; Readable: whether its exclusions may be seen; Paths: what it leaves out, and
    # Processes: whose files.
    # An administrator from whom a policy hides them gets one line that begins N/A instead, in every language.
    $found = @{ Present = (Get-FleetServiceStatus 'WinDefend') -eq 'Running' -and $null -ne (Get-Command Get-MpPreference -ErrorAction SilentlyContinue); Readable = $true; Paths = @(); Processes = @() }
    if ($found.Present) {
        $settings = Get-MpPreference
        $found.Paths = @($settings.ExclusionPath | Where-Object { $_ })
        $found.Processes = @($settings.ExclusionProcess | Where-Object { $_ })
    }
    $found.Readable = @($found.Paths + $found.Processes | Where-Object { $_ -like 'N/A*' }).Count -eq 0
    New-Object PSObject -Property $found
}

function Add-FleetDefenderPath([string]$Path) { Add-MpPreference -ExclusionPath $Path }

function Remove-FleetDefenderPath([string]$Path) { Remove-MpPreference -ExclusionPath $Path }

function Add-FleetDefenderProcess([string]$Name) { Add-MpPreference -ExclusionProcess $Name }

function Remove-FleetDefenderProcess([string]$Name) { Remove-MpPreference -ExclusionProcess $Name }

function Get-FleetFileHolder([string[]]$Path) {
    # Which programs have one of these files open, as Restart Manager knows: Name and Id. Drivers, and so the filters of
    # antivirus products, are no programs. RM_PROCESS_INFO has 668 bytes and begins with the number of the process.
    if (-not ('Fleet.RestartManager' -as [type])) {
        Add-Type -Namespace Fleet -Name RestartManager -MemberDefinition @'
[DllImport("rstrtmgr.dll", CharSet = CharSet.Unicode)] public static extern int RmStartSession(out uint session, int flags, System.Text.StringBuilder key);
[DllImport("rstrtmgr.dll", CharSet = CharSet.Unicode)] public static extern int RmRegisterResources(uint session, uint files, string[] names, uint programs, IntPtr program, uint services, IntPtr service);
[DllImport("rstrtmgr.dll")] public static extern int RmGetList(uint session, out uint needed, ref uint count, [In, Out] byte[] list, out uint reasons);
[DllImport("rstrtmgr.dll")] public static extern int RmEndSession(uint session);
'@
    }
    if (-not $Path.Count) { return }
    $session, $needed, $reasons, $count = [uint32]0, [uint32]0, [uint32]0, [uint32]0
    $number = [Fleet.RestartManager]::RmStartSession([ref]$session, 0, (New-Object Text.StringBuilder 64))
    if ($number) { throw "Restart Manager gives no session, error $number" }
    try {
        $number = [Fleet.RestartManager]::RmRegisterResources($session, [uint32]$Path.Count, $Path, 0, [IntPtr]::Zero, 0, [IntPtr]::Zero)
        $list = New-Object byte[] 668
        if (-not $number) { $number = [Fleet.RestartManager]::RmGetList($session, [ref]$needed, [ref]$count, $list, [ref]$reasons) }
        for ($try = 0; $number -eq 234 -and $try -lt 5; $try++) {     # there are more than fit
            $count = [uint32]($needed + 8)
            $list = New-Object byte[] ([int](668 * $count))
            $number = [Fleet.RestartManager]::RmGetList($session, [ref]$needed, [ref]$count, $list, [ref]$reasons)
        }
        if ($number) { throw "Restart Manager does not say who uses the files, error $number" }
        for ($at = 0; $at -lt $count; $at++) {
            $id = [BitConverter]::ToInt32($list, 668 * $at)
            try { New-Object PSObject -Property @{ Id = $id; Name = [Diagnostics.Process]::GetProcessById($id).ProcessName } } catch { Write-FleetLog "process $id has ended" }
        }
    } finally { [void][Fleet.RestartManager]::RmEndSession($session) }
}

function Get-FleetVolumeLabel {
    # Labels of the volumes that are there, those without a letter, too, by the storage API of Windows 2012 and newer; none
    # where it does not say.
    try { Get-CimInstance -Namespace 'root/Microsoft/Windows/Storage' -ClassName 'MSFT_Volume' -ErrorAction Stop | ForEach-Object { [string]$_.FileSystemLabel } } catch { Write-FleetLog "no labels of volumes: $_" }
}

function New-FleetPrivateFolder([string]$Purpose, [string]$Name = [guid]::NewGuid().ToString('N')) {
    # A new folder below ProgramData\fleet that only the system and administrators can read, as is all above it.
    # Users may create folders in ProgramData, so one that was there before may be a trap: a link is refused, any
    # other is taken over, and what is put in goes into a folder whose name nobody knew, and that was not there.
    $path = [Environment]::GetFolderPath('CommonApplicationData')
    foreach ($part in 'fleet', $Purpose, $Name) {
        $path = [IO.Path]::Combine($path, $part)
        if ($part -eq $Name -and ([IO.Directory]::Exists($path) -or [IO.File]::Exists($path))) { throw "$path is there already; nothing was touched" }
        [void][IO.Directory]::CreateDirectory($path)
        if (([IO.File]::GetAttributes($path) -band [IO.FileAttributes]::ReparsePoint) -ne 0) { throw "$path is a link, which fleet never makes; nothing was touched" }
        $security = New-Object Security.AccessControl.DirectorySecurity
        $security.SetSecurityDescriptorSddlForm('O:BAD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)')
        Set-Acl -LiteralPath $path -AclObject $security
    }
    $path
}

function Get-FleetPrivatePath([string]$Purpose) {
    # Where New-FleetPrivateFolder makes folders of that purpose.
    [IO.Path]::Combine([Environment]::GetFolderPath('CommonApplicationData'), "fleet\$Purpose")
}

function Get-FleetPlace([string]$Path) {
    # The name under which .NET reaches a path of a disk of this machine, also one of more than 259 characters where .NET can (4.6.2
    # and newer). '' where the drive is one of the network.
    if ([string](New-Object IO.DriveInfo $Path.Substring(0, 1)).DriveType -eq 'Network') { return '' }
    if ([IO.Directory]::Exists('\\?\' + [Environment]::SystemDirectory)) { "\\?\$Path" } else { $Path }
}

function Get-FleetFinalPath($Stream) {
    # Where an open file really is, all links on the way resolved.
    if (-not ('Fleet.FinalPath' -as [type])) {
        Add-Type -Namespace Fleet -Name FinalPath -MemberDefinition '[DllImport("kernel32.dll", CharSet = CharSet.Unicode, SetLastError = true)] public static extern uint GetFinalPathNameByHandle(Microsoft.Win32.SafeHandles.SafeFileHandle file, System.Text.StringBuilder path, uint length, uint flags);'
    }
    $path = New-Object Text.StringBuilder 33000
    if ([Fleet.FinalPath]::GetFinalPathNameByHandle($Stream.SafeFileHandle, $path, 33000, 0) -eq 0) { throw (New-Object ComponentModel.Win32Exception 1) }
    $path.ToString() -replace '^\\\\\?\\(?=[A-Za-z]:)'
}

function New-FleetFolder([string]$Path) { [void][IO.Directory]::CreateDirectory($Path) }

function Get-FleetTaskRun([string]$Path) {
    # How a task ran: Last and Next (UTC, '' for never), Result (a number), Missed (how many starts). Nothing where Task Scheduler does not say.
    try {
        $service = New-Object -ComObject 'Schedule.Service'
        $service.Connect()
        $task = $service.GetFolder('\').GetTask($Path)
        $last, $next = $task.LastRunTime, $task.NextRunTime | ForEach-Object { if ($_ -and $_.Year -gt 2000) { $_.ToUniversalTime().ToString('yyyy-MM-ddTHH:mm:ssZ', [Globalization.CultureInfo]::InvariantCulture) } else { '' } }
        New-Object PSObject -Property @{ Last = $last; Next = $next; Result = [uint32]([long]$task.LastTaskResult -band 0xffffffffL); Missed = [int]$task.NumberOfMissedRuns }
    } catch { Write-FleetLog "Task Scheduler does not say how $Path ran: $_" }
}

function Get-FleetFileSize([string]$Path) {
    # In bytes; -1 where there is no such file.
    if ([IO.File]::Exists($Path)) { (New-Object IO.FileInfo $Path).Length } else { -1 }
}

function Get-FleetFileHash([string]$Path) {
    # SHA-256 in small letters; '' where there is no such file. By the system's own provider, which FIPS mode allows.
    if (-not [IO.File]::Exists($Path)) { return '' }
    $stream = [IO.File]::OpenRead($Path)
    try { -join ((New-Object Security.Cryptography.SHA256CryptoServiceProvider).ComputeHash($stream) | ForEach-Object { $_.ToString('x2') }) } finally { $stream.Close() }
}

function Get-FleetProductVersion([string]$Path) {
    # As the properties of a program show it; '' where it has none or is not there.
    if ([IO.File]::Exists($Path)) { [string][Diagnostics.FileVersionInfo]::GetVersionInfo($Path).ProductVersion } else { '' }
}

function Copy-FleetFile([string]$From, [string]$To) { [IO.File]::Copy($From, $To) }

function Remove-FleetFile([string]$Path) { [IO.File]::Delete($Path) }

function Get-FleetSystem {
    $version = 'HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion'
    New-Object PSObject -Property @{
        Name = [string](Get-FleetRegistryValue $version 'ProductName').Value
        Version = [Environment]::OSVersion.Version.ToString()
        Epoch = ([DateTime]::UtcNow - (New-Object DateTime 1970, 1, 1, 0, 0, 0, ([DateTimeKind]::Utc))).TotalSeconds
    }
}

function ConvertTo-FleetArgument([string]$Text) {
    # Quoted as CommandLineToArgvW reads it.
    if ($Text -and -not [regex]::IsMatch($Text, '[\s"]')) { return $Text }
    '"' + [regex]::Replace([regex]::Replace($Text, '(\\*)"', '$1$1\"'), '(\\+)$', '$1$1') + '"'
}

function Stop-FleetProcessTree($Process) {
    # Kill($true) takes children along but is not in .NET Framework.
    try {
        if ($Process.GetType().GetMethod('Kill', [type[]]@([bool]))) { $Process.Kill($true) }
        else {
            $start = New-Object Diagnostics.ProcessStartInfo (Join-Path ([Environment]::SystemDirectory) 'taskkill.exe'), "/T /F /PID $($Process.Id)"
            $start.UseShellExecute = $false
            $start.CreateNoWindow = $true
            [void][Diagnostics.Process]::Start($start).WaitForExit(5000)
        }
    } catch { Write-FleetLog "process $($Process.Id) can't be ended: $_" }
}

function Invoke-FleetNative([string]$Program, [string[]]$Argument = @(), [int]$TimeoutSeconds = 60, [scriptblock]$Take) {
    # Runs a program of Windows without a shell, stdin closed. Gives Found, TimedOut, ExitCode and the lines of
    # Output (both streams). At its deadline, or when the snippet is stopped, it and its children are ended.
    # With Take, no Output is kept: Take gets the bytes as they come, how many, and of which stream (0 or 1), and has it ended
    # by giving $false (Ended).
    # Both streams are read by BeginRead: ReadToEndAsync is newer than .NET 4.0, which 3.0 runs on.
    $path = if ($Program -match '[\\/]') { $Program } else { Join-Path ([Environment]::SystemDirectory) $Program }
    $result = @{ Found = [IO.File]::Exists($path); TimedOut = $false; Ended = $false; ExitCode = $null; Output = @() }
    if (-not $result.Found) { return New-Object PSObject -Property $result }
    $start = New-Object Diagnostics.ProcessStartInfo $path, (@($Argument | ForEach-Object { ConvertTo-FleetArgument $_ }) -join ' ')
    $start.UseShellExecute = $false
    $start.CreateNoWindow = $true
    $start.RedirectStandardInput = $start.RedirectStandardOutput = $start.RedirectStandardError = $true
    Write-FleetLog "run $path $($start.Arguments)"
    $clock = [Diagnostics.Stopwatch]::StartNew()
    $process = [Diagnostics.Process]::Start($start)
    try {
        $process.StandardInput.Close()
        $pipes = @(foreach ($reader in $process.StandardOutput, $process.StandardError) {
            @{ Stream = $reader.BaseStream; Encoding = $reader.CurrentEncoding; Buffer = New-Object byte[] 65536; Bytes = New-Object IO.MemoryStream; Read = $null; Open = $true }
        })
        $pipes[0].Number, $pipes[1].Number = 0, 1
        $ended = $null
        while (@($pipes | Where-Object { $_.Open }).Count -or -not $process.HasExited) {
            $moved = $false
            foreach ($pipe in @($pipes | Where-Object { $_.Open })) {
                if ($null -eq $pipe.Read) { $pipe.Read = $pipe.Stream.BeginRead($pipe.Buffer, 0, 65536, $null, $null) }
                if (-not $pipe.Read.IsCompleted) { continue }
                $count = $pipe.Stream.EndRead($pipe.Read)
                $pipe.Read = $null
                $pipe.Open = $count -gt 0
                if (-not $Take) { $pipe.Bytes.Write($pipe.Buffer, 0, $count) }
                elseif ($count -and -not (& $Take $pipe.Buffer $count $pipe.Number)) { $result.Ended = $true; break }
                $moved = $true
            }
            if ($result.Ended) { break }
            if ($process.HasExited -and $null -eq $ended) { $ended = $clock.Elapsed.TotalSeconds }
            if ($null -ne $ended -and $clock.Elapsed.TotalSeconds -gt $ended + 2) { break }     # a grandchild holds the pipe
            if (-not $process.HasExited -and $clock.Elapsed.TotalSeconds -gt $TimeoutSeconds) { $result.TimedOut = $true; break }
            if ($moved) { continue }
            $reads = @($pipes | Where-Object { $_.Read } | ForEach-Object { $_.Read.AsyncWaitHandle })
            if ($reads.Count) { [void][Threading.WaitHandle]::WaitAny([Threading.WaitHandle[]]$reads, 20) } else { Start-Sleep -Milliseconds 20 }
        }
        if (-not $result.TimedOut -and -not $result.Ended) { $result.ExitCode = $process.ExitCode }
        $result.Output = @($pipes | ForEach-Object { $_.Encoding.GetString($_.Bytes.ToArray()) -split '\r?\n' } | Where-Object { $_.Length })
    } finally {
        if (-not $process.HasExited) { Stop-FleetProcessTree $process }
    }
    New-Object PSObject -Property $result
}
