# A fake Windows behind the contact functions of scripts/ps/_library.ps1, which this text follows.
#
# The whole guest is one JSON file, $FakePath: it is read when a script starts and written after every change,
# so a test or a lab plants a guest, runs snippets and reads what became of it. `ledger` has one line for
# everything that was done to the guest, in order. Time is a number in the file: waiting costs none.
# Runs in PowerShell 7 on the machine of the lab, never in a guest.
#
#   administrator, os {name, version, epoch}, clock, language (en de fr qps), ledger
#   services   name -> status, start_type, account, command_line, depends_on;
#              start: "hang", "crash" or "error N"; start_fails: how many starts fail (absent: all of them);
#              stop: "hang", "refuse" or "error N"; config: exit code of `sc config`
#   writers    name, id, service, state, error (0 none, 1 retryable ...), cured_by (starts of the service it
#              takes), stable_at (time), hidden; listed while its service runs
#   vssadmin   "answers", "missing", "hangs" or "silent"
#   registry   "64:HKLM\..." -> name -> type, value (Binary as a list of bytes)
#   processes  name, id; until: when it ends; a service: ended with its process
#   interfaces   ids of the network interfaces that are up; none: not told
#   reachable  "ADDRESS:PORT" of everything that accepts a connection
#   tunnels    "PROXY:PORT" or "PROXY:PORT HOST:PORT" -> number of the proxy's answer to CONNECT
#   load       processor and memory in use in percent, one pair a second; empty: WMI does not say
#   events     what wevtutil prints, one XML text an event; a query's window of time is not looked at
#   logs       names of the logs that there are; empty: every one that is asked for
#   tasks      path of a scheduled task -> its XML, as schtasks prints it
#   task_runs  path of a scheduled task -> last, next (UTC), result, missed; a task that is not there: nobody says
#   msdtc      "works", "stays" (uninstalling leaves the service) or "lost" (installing brings nothing)
#   files      path -> size
#   texts      path -> what stands in the file; old: how many seconds ago each was written, by path
#              (files are collected from the folder STATE.files beside the state, as STATE.files/C/Windows/win.ini:
#              what stands in files and texts is put there when it is missing)
#   acl        path of a folder or "64:HKLM\..." -> SDDL
#   certificates   thumbprint, subject, not_before and not_after (seconds from os.epoch), key_problem
#   disks      number, name, offline, reason
#   attributes   path of a folder or file -> names of its attributes, beside Directory
#   walk_seconds   how long it takes to walk through the files of a folder
#   in_use     paths of files that a program has open
#   drives     name, drive_type, format, read_only, problem
#   shadow_storage   volume, storage, used, maximum in bytes; a text: why WMI does not say
#   iscsi_sessions   how many are open; null: WMI does not say
#   volumes    beginning of paths -> drive_type, size, free of the volume on which they lie
#   defender   present, paths, processes, hidden (a policy hides them), managed (changes do not take)
#   made       path of a folder -> how many seconds ago it was made
#   holders    path, name, id: a program that has a file open, until a time
#   labels     of the volumes
#   keeps      paths whose attributes, and tasks whose settings, no program changes
#   robocopy   lost: a path that does not arrive; exit_code
#   hashes, versions   path of a file -> its SHA-256, its product version
#   programs   name of a program (or "vssadmin shadowstorage", "vssadmin resize") -> exit_code, output (lines), hangs, missing, registry (keys that come), reads (changes nothing);
#              gives: services and registry that are there when it has succeeded

$FakeState = [IO.File]::ReadAllText($FakePath) | ConvertFrom-Json -AsHashtable
$FakePlaced = @{}
Add-FleetData 'simulated' $true

function Save-Fake([string]$Ledger) {
    if ($Ledger) { $FakeState.ledger = @($FakeState.ledger) + $Ledger }
    [IO.File]::WriteAllText($FakePath, (ConvertTo-Json $FakeState -Depth 20))
}

function Find-Fake($Table, [string]$Key) {
    # The key as it is written in the table; names of Windows have no case.
    foreach ($each in @($Table.Keys)) { if ($each -eq $Key) { return $each } }
    $null
}

function Get-FakeService([string]$Name) {
    $key = Find-Fake $FakeState.services $Name
    if ($null -eq $key) { return $null }
    $service = $FakeState.services[$key]
    foreach ($default in @{ status = 'Running'; start_type = 'Automatic'; account = 'LocalSystem'; command_line = ''; depends_on = @() }.GetEnumerator()) {
        if (-not $service.ContainsKey($default.Key)) { $service[$default.Key] = $default.Value }
    }
    $service.name = $key
    $service
}

function Test-FakeBehaviour($Service, [string]$Verb) {
    # The misbehaviour planned for this start or stop, '' for none; counts start_fails down.
    if (-not $Service.ContainsKey($Verb)) { return '' }
    if ($Verb -eq 'start' -and $Service.ContainsKey('start_fails')) {
        if ($Service.start_fails -le 0) { return '' }
        $Service.start_fails--
    }
    $Service[$Verb]
}

function Test-FleetAdministrator { [bool]$FakeState.administrator }

function Get-FleetAccountSid([string]$Account) {
    $known = @{
        'LocalSystem' = 'S-1-5-18'; 'NT AUTHORITY\SYSTEM' = 'S-1-5-18'; 'SYSTEM' = 'S-1-5-18'; 'VORDEFINIERT\Administratoren' = 'S-1-5-32-544'; 'NT AUTHORITY\LocalService' = 'S-1-5-19'
        'NT AUTHORITY\NetworkService' = 'S-1-5-20'; 'NT AUTHORITY\NETWORK SERVICE' = 'S-1-5-20'; ('NT-AUTORIT' + [char]0xC4 + 'T\NETZWERKDIENST') = 'S-1-5-20'
    }
    if ($known.ContainsKey($Account)) { $known[$Account] } else { '' }
}

function Get-FleetTime { [double]$FakeState.clock }

function Wait-FleetTime([double]$Seconds) { $FakeState.clock = [double]$FakeState.clock + $Seconds; Save-Fake }

function Get-FleetServiceName { @($FakeState.services.Keys) }

function Get-FleetService([string]$Name) {
    $service = Get-FakeService $Name
    if ($null -eq $service) { return $null }
    New-Object PSObject -Property @{
        Name = $service.name; Status = $service.status; CanStop = $service.status -eq 'Running' -and -not ($service.ContainsKey('stop') -and $service.stop -eq 'refuse')
        StartType = $service.start_type; Account = $service.account; CommandLine = $service.command_line
    }
}

function Get-FleetRunningDependent([string]$Name) {
    $found = New-Object Collections.ArrayList
    foreach ($key in @($FakeState.services.Keys)) {
        $service = Get-FakeService $key
        if (@($service.depends_on) -notcontains $Name -or $service.status -eq 'Stopped') { continue }
        foreach ($each in @(Get-FleetRunningDependent $key) + $key) { if ($found -notcontains $each) { [void]$found.Add($each) } }
    }
    $found
}

function Start-FleetService([string]$Name, [int]$TimeoutSeconds = 120) {
    $service = Get-FakeService $Name
    if ($null -eq $service) { return 'there is no such service' }
    if ($service.status -eq 'Running') { return '' }
    if ($service.start_type -eq 'Disabled') { return 'error 1058: the service is disabled' }
    foreach ($each in @($service.depends_on)) { if ($each -and (Start-FleetService $each $TimeoutSeconds)) { return 'error 1068: a dependency does not start' } }
    $planned = Test-FakeBehaviour $service 'start'
    if ($planned -eq 'hang') { $service.status = 'StartPending'; Save-Fake "start $Name, hangs"; Wait-FleetTime $TimeoutSeconds; return "still StartPending after $TimeoutSeconds s" }
    if ($planned) { $service.status = 'Stopped'; Save-Fake "start $Name, fails"; return $(if ($planned -eq 'crash') { 'it stopped again at once' } else { $planned }) }
    $service.status = 'Running'
    foreach ($writer in @($FakeState.writers)) {
        if ($writer.service -ne $service.name -or -not $writer.ContainsKey('cured_by') -or $writer.cured_by -le 0) { continue }
        $writer.cured_by--
        if ($writer.cured_by -eq 0) { $writer.state = 1; $writer.error = 0 }
    }
    Save-Fake "start $Name"
    ''
}

function Stop-FleetService([string]$Name, [int]$TimeoutSeconds = 120) {
    $service = Get-FakeService $Name
    if ($null -eq $service) { return 'there is no such service' }
    if ($service.status -eq 'Stopped') { return '' }
    if (@(Get-FleetRunningDependent $Name).Count) { return 'error 1051: a service that depends on it runs' }
    $planned = Test-FakeBehaviour $service 'stop'
    if ($planned -eq 'hang') { $service.status = 'StopPending'; Save-Fake "stop $Name, hangs"; Wait-FleetTime $TimeoutSeconds; return "still StopPending after $TimeoutSeconds s" }
    if ($planned) { Save-Fake "stop $Name, fails"; return $(if ($planned -eq 'refuse') { 'error 1052: not valid for this service' } else { $planned }) }
    $service.status = 'Stopped'
    Save-Fake "stop $Name"
    ''
}

function Get-FakeRegistryKey([string]$Key, [int]$View) { Find-Fake $FakeState.registry "${View}:$Key" }

function Get-FleetRegistryView { 64, 32 }

function Get-FleetRegistrySubKey([string]$Key, [int]$View = 64) {
    @($FakeState.registry.Keys) | Where-Object { $_ -like "${View}:$Key\*" } | ForEach-Object { $_.Substring("${View}:$Key\".Length).Split('\')[0] } | Sort-Object -Unique
}

function Get-FleetRegistryValueName([string]$Key, [int]$View = 64) {
    $found = Get-FakeRegistryKey $Key $View
    if ($found) { @($FakeState.registry[$found].Keys) }
}

function Get-FleetRegistryValue([string]$Key, [string]$Name, [int]$View = 64) {
    $found = Get-FakeRegistryKey $Key $View
    $entryName = if ($found) { Find-Fake $FakeState.registry[$found] $Name } else { $null }
    if ($null -eq $entryName) { return New-Object PSObject -Property @{ Exists = $false; Type = $null; Value = $null } }
    $entry = $FakeState.registry[$found][$entryName]
    $value = if ($entry.type -eq 'Binary') { , [byte[]]@($entry.value) } else { $entry.value }
    New-Object PSObject -Property @{ Exists = $true; Type = $entry.type; Value = $value }
}

function Set-FleetRegistryValue([string]$Key, [string]$Name, [string]$Type, $Value, [int]$View = 64) {
    $found = Get-FakeRegistryKey $Key $View
    if ($null -eq $found) { throw "there is no key $Key in the $View-bit registry" }
    $FakeState.registry[$found][$Name] = @{ type = $Type; value = $(if ($Type -eq 'Binary') { , @($Value | ForEach-Object { [int]$_ }) } else { $Value }) }
    Save-Fake "set ${View}:$Key\$Name = $Value"
}

function Remove-FleetRegistryValue([string]$Key, [string]$Name, [int]$View = 64) {
    $found = Get-FakeRegistryKey $Key $View
    $entryName = if ($found) { Find-Fake $FakeState.registry[$found] $Name } else { $null }
    if ($null -ne $entryName) { $FakeState.registry[$found].Remove($entryName); Save-Fake "remove ${View}:$Key\$Name" }
}

function Get-FleetProcess([string]$Name) {
    @($FakeState.processes) | Where-Object { $_ -and $_.name -eq $Name -and -not ($_.ContainsKey('until') -and $FakeState.clock -ge $_.until) } | ForEach-Object { New-Object PSObject -Property @{ Name = $_.name; Id = $_.id } }
}

function Stop-FleetProcess([int]$Id) {
    foreach ($process in @($FakeState.processes | Where-Object { $_.id -eq $Id -and $_.ContainsKey('service') })) {
        (Get-FakeService $process.service).status = 'Stopped'
        [void]$FakeState.services[$process.service].Remove('start')
    }
    $FakeState.processes = @($FakeState.processes | Where-Object { $_.id -ne $Id })
    Save-Fake "end process $Id"
}

function New-FleetRegistryKey([string]$Key, [int]$View = 64) {
    if (-not (Get-FakeRegistryKey $Key $View)) { $FakeState.registry["${View}:$Key"] = @{}; Save-Fake "make key ${View}:$Key" }
}

function Test-FleetRegistryKey([string]$Key, [int]$View = 64) {
    $null -ne (Get-FakeRegistryKey $Key $View) -or @(Get-FleetRegistrySubKey $Key $View).Count -gt 0
}

function Remove-FleetRegistryKey([string]$Key, [int]$View = 64) {
    $found = Get-FakeRegistryKey $Key $View
    if ($null -eq $found) { return $true }
    if ($FakeState.registry[$found].Count -or @(Get-FleetRegistrySubKey $Key $View).Count) { return $false }
    $FakeState.registry.Remove($found)
    Save-Fake "remove key ${View}:$Key"
    $true
}

function Get-FleetFolderItem([string]$Path) {
    # Folders are there when something lies in them.
    $Path = $Path.TrimEnd('\')
    $paths = @(@($FakeState.files.Keys) + @($FakeState.texts.Keys) | Where-Object { $_ -like "$Path\*" })
    foreach ($name in @($paths | ForEach-Object { $_.Substring($Path.Length + 1).Split('\')[0] } | Sort-Object -Unique)) {
        $age = if ($FakeState.old.ContainsKey("$Path\$name")) { $FakeState.old["$Path\$name"] } else { 0 }
        New-Object PSObject -Property @{ Name = $name; IsFolder = $paths -notcontains "$Path\$name"; Changed = (Get-FleetSystem).Epoch - $age; Size = [long]$FakeState.files["$Path\$name"]; Attributes = @($FakeState.attributes["$Path\$name"] | Where-Object { $_ }) }
    }
}

function Get-FleetFolderBirth([string]$Path) {
    if (-not @(Get-FleetFolderItem $Path).Count) { return $null }
    (Get-FleetSystem).Epoch - $(if ($FakeState.made.ContainsKey($Path)) { $FakeState.made[$Path] } else { 100000000 })
}

function Get-FleetVolume([string]$Path) {
    # The longest beginning wins, as a volume that is mounted in a folder does.
    $key = @($FakeState.volumes.Keys) | Where-Object { $Path -like "$_*" } | Sort-Object Length | Select-Object -Last 1
    if ($key) { New-Object PSObject -Property @{ DriveType = $FakeState.volumes[$key].drive_type; Size = [uint64]$FakeState.volumes[$key].size; Free = [uint64]$FakeState.volumes[$key].free } }
}

function Find-FleetMarkedFile([string]$Folder, [int[]]$Mark, [int]$Seconds) {
    # Of the table of attributes; `walk_seconds` is how long it takes.
    $start = $Folder.TrimEnd('\') + '\'
    $numbers = @{ ReadOnly = 1; Hidden = 2; System = 4; Directory = 0x10; Archive = 0x20; SparseFile = 0x200; ReparsePoint = 0x400; Compressed = 0x800; Offline = 0x1000; Encrypted = 0x4000; RecallOnOpen = 0x40000; RecallOnDataAccess = 0x400000 }
    $below = @($FakeState.attributes.Keys | Where-Object { $_.StartsWith($start, [StringComparison]::OrdinalIgnoreCase) } | Sort-Object)
    $found = foreach ($path in $below) {
        $bits = 0
        foreach ($each in @($FakeState.attributes[$path])) { $bits = $bits -bor $numbers[$each] }
        for ($at = 0; $at -lt $Mark.Count; $at += 2) {
            if (($bits -band $Mark[$at]) -eq $Mark[$at] -and -not ($bits -band $Mark[$at + 1])) { New-Object PSObject -Property @{ Path = $path; Attributes = $bits }; break }
        }
    }
    New-Object PSObject -Property @{ Looked = $below.Count; Complete = $FakeState.walk_seconds -le $Seconds; Denied = 0; Found = @($found | Where-Object { $_ }) }
}

function Remove-FleetOldFile([string]$Path, [double]$Before) {
    if (-not $FakeState.files.ContainsKey($Path)) { return 2 }
    if (@($FakeState.in_use) -contains $Path) { return 32 }
    if (@($FakeState.attributes[$Path]) -contains 'ReparsePoint') { return -2 }
    $age = if ($FakeState.old.ContainsKey($Path)) { $FakeState.old[$Path] } else { 0 }
    if ((Get-FleetSystem).Epoch - $age -ge $Before) { return -1 }
    Remove-FleetFile $Path
    0
}

function Get-FleetDrive {
    foreach ($each in @($FakeState.drives)) { New-Object PSObject -Property @{ Name = $each.name; DriveType = $(if ($each.ContainsKey('drive_type')) { $each.drive_type } else { 'Fixed' }); Format = $(if ($each.ContainsKey('format')) { $each.format } else { 'NTFS' }); ReadOnly = [bool]$each['read_only']; Problem = [string]$each['problem'] } }
}

function Get-FleetShadowStorage {
    if ($FakeState.shadow_storage -is [string]) { throw $FakeState.shadow_storage }
    foreach ($each in @($FakeState.shadow_storage)) { New-Object PSObject -Property @{ Volume = $each.volume; Storage = $each.storage; Used = [uint64]$each.used; Maximum = [uint64]$each.maximum } }
}

function Get-FleetIscsiSession { $FakeState.iscsi_sessions }

function Get-FleetFileText([string]$Path) { if ($FakeState.texts.ContainsKey($Path)) { $FakeState.texts[$Path] } else { '' } }

function Get-FleetInterfaceId { @($FakeState.interfaces) | Where-Object { $_ } }

function Test-FleetTcp([string]$Address, [int]$Port, [int]$TimeoutSeconds) {
    $open = @($FakeState.reachable) -contains "${Address}:$Port"
    if (-not $open) { Wait-FleetTime $TimeoutSeconds }
    $open
}

function Test-FleetTunnel([string]$Address, [int]$Port, [string]$Target, [int]$TimeoutSeconds) {
    foreach ($each in "${Address}:$Port $Target", "${Address}:$Port") { if ($FakeState.tunnels.ContainsKey($each)) { return [int]$FakeState.tunnels[$each] } }
    Wait-FleetTime $TimeoutSeconds
    0
}

function Get-FleetLoad {
    # The reading of now: the list goes round, one entry a second.
    $readings = @($FakeState.load)
    if (-not $readings.Count) { return $null }
    $now = $readings[[int][Math]::Floor($FakeState.clock) % $readings.Count]
    New-Object PSObject -Property @{ Processor = [double]$now[0]; Memory = [double]$now[1] }
}

function Get-FleetAcl([string]$Path) { if ($FakeState.acl.ContainsKey($Path)) { $FakeState.acl[$Path] } else { '' } }

function Set-FleetAcl([string]$Path, [string]$Sddl) {
    if ($FakeState.acl.ContainsKey("stays:$Path")) { return }
    $FakeState.acl[$Path] = $Sddl
    Save-Fake "set rights of ${Path}: $Sddl"
}

function Get-FleetRegistryAcl([string]$Key, [int]$View = 64) { Get-FleetAcl "${View}:$Key" }

function Get-FleetCertificate {
    foreach ($each in @($FakeState.certificates)) {
        New-Object PSObject -Property @{
            Thumbprint = $each.thumbprint; Subject = $each.subject; NotBefore = $FakeState.os.epoch + $each.not_before; NotAfter = $FakeState.os.epoch + $each.not_after
            KeyProblem = [string]$each['key_problem']; Public = $(if ($each.ContainsKey('public')) { $each.public } else { [Convert]::ToBase64String([Text.Encoding]::ASCII.GetBytes((ConvertTo-Json $each -Compress))) })
        }
    }
}

function Remove-FleetCertificate([string]$Thumbprint) {
    $FakeState.certificates = @($FakeState.certificates | Where-Object { $_.thumbprint -ne $Thumbprint })
    Save-Fake "delete certificate $Thumbprint"
}

function Add-FleetCertificate([string]$Public) {
    $certificate = [Text.Encoding]::ASCII.GetString([Convert]::FromBase64String($Public)) | ConvertFrom-Json -AsHashtable
    $certificate.public = $Public
    $FakeState.certificates = @($FakeState.certificates) + $certificate
    Save-Fake "add certificate $($certificate.thumbprint)"
    $certificate.thumbprint
}

function Get-FleetDisk { foreach ($each in @($FakeState.disks)) { New-Object PSObject -Property @{ Number = $each.number; Name = $each.name; Offline = [bool]$each['offline']; Reason = [int]$each['reason'] } } }

function Get-FleetDefender {
    $planned = $FakeState.defender
    $hidden = $planned.ContainsKey('hidden')
    New-Object PSObject -Property @{ Present = [bool]$planned['present']; Readable = -not $hidden; Paths = $(if ($hidden) { , @('N/A: hidden') } else { , @($planned['paths'] | Where-Object { $_ }) }); Processes = @($planned['processes'] | Where-Object { $_ }) }
}

function Add-FleetDefenderPath([string]$Path) {
    if (-not $FakeState.defender.ContainsKey('managed')) { $FakeState.defender.paths = @(@($FakeState.defender['paths'] | Where-Object { $_ }) + $Path) }
    Save-Fake "Defender leaves out $Path"
}

function Remove-FleetDefenderPath([string]$Path) {
    $FakeState.defender.paths = @($FakeState.defender['paths'] | Where-Object { $_ -and $_ -ne $Path })
    Save-Fake "Defender looks at $Path again"
}

function Add-FleetDefenderProcess([string]$Name) {
    if (-not $FakeState.defender.ContainsKey('managed')) { $FakeState.defender.processes = @(@($FakeState.defender['processes'] | Where-Object { $_ }) + $Name) }
    Save-Fake "Defender leaves out the process $Name"
}

function Remove-FleetDefenderProcess([string]$Name) {
    $FakeState.defender.processes = @($FakeState.defender['processes'] | Where-Object { $_ -and $_ -ne $Name })
    Save-Fake "Defender looks at the process $Name again"
}

function Get-FleetFileHolder([string[]]$Path) {
    @($FakeState.holders) | Where-Object { $_ -and $Path -contains $_.path -and -not ($_.ContainsKey('until') -and $FakeState.clock -ge $_.until) } | ForEach-Object { New-Object PSObject -Property @{ Name = $_.name; Id = $_.id } }
}

function Get-FleetVolumeLabel { @($FakeState.labels) | Where-Object { $_ } }

function New-FleetPrivateFolder([string]$Purpose, [string]$Name = '0') {
    $path = "C:\ProgramData\fleet\$Purpose\$Name"
    if ($Name -ne '0' -and [IO.Directory]::Exists((Get-FleetPlace $path))) { throw "$path is there already; nothing was touched" }
    if ($Name -ne '0') { [void][IO.Directory]::CreateDirectory((Get-FleetPlace $path)) }
    Save-Fake "make a private folder for $Purpose"
    $path
}

function Get-FleetPrivatePath([string]$Purpose) { "C:\ProgramData\fleet\$Purpose" }

function Get-FleetPlace([string]$Path) {
    $root = "$FakePath.files"
    if (-not $FakePlaced.Count) {
        $FakePlaced.done = $true
        foreach ($each in @(@($FakeState.texts.Keys) + @($FakeState.files.Keys) | Where-Object { $_ })) { Add-FakePlace $each (Get-FleetPlace $each) }
    }
    if ($FakeState.volumes.ContainsKey($Path.Substring(0, 3)) -and $FakeState.volumes[$Path.Substring(0, 3)].drive_type -eq 'Network') { return '' }
    $root + '/' + $Path.Substring(0, 1).ToUpperInvariant() + $Path.Substring(2).Replace('\', '/')
}

function Add-FakePlace([string]$Path, [string]$Place) {
    if (-not $Place -or [IO.File]::Exists($Place)) { return }
    [void][IO.Directory]::CreateDirectory([IO.Path]::GetDirectoryName($Place))
    $stream = [IO.File]::Create($Place)
    if ($FakeState.texts.ContainsKey($Path)) {
        $bytes = [Text.Encoding]::UTF8.GetBytes([string]$FakeState.texts[$Path])
        $stream.Write($bytes, 0, $bytes.Length)
    } else { $stream.SetLength([long]$FakeState.files[$Path]) }
    $stream.Close()
    $age = if ($FakeState.old.ContainsKey($Path)) { $FakeState.old[$Path] } else { 0 }
    [IO.File]::SetLastWriteTimeUtc($Place, (New-Object DateTime 1970, 1, 1, 0, 0, 0, ([DateTimeKind]::Utc)).AddSeconds((Get-FleetSystem).Epoch - $age))
}

function Get-FleetFinalPath($Stream) {
    # Where the descriptor leads, in the words of Windows.
    $path = (Get-Item -LiteralPath "/proc/self/fd/$($Stream.SafeFileHandle.DangerousGetHandle())" -Force).Target
    if ($path -is [array]) { $path = $path[0] }
    $root = "$FakePath.files/"
    if (-not $path.StartsWith($root, [StringComparison]::Ordinal)) { return $path }
    $path.Substring($root.Length, 1) + ':' + $path.Substring($root.Length + 1).Replace('/', '\')
}

function New-FleetFolder([string]$Path) { Save-Fake }

function Format-FakeTime($Time) { if ($Time -is [DateTime]) { $Time.ToUniversalTime().ToString('yyyy-MM-ddTHH:mm:ssZ') } else { [string]$Time } }     # JSON of PowerShell makes a date of it

function Get-FleetTaskRun([string]$Path) {
    $planned = $FakeState.task_runs[$Path]
    if ($planned) { New-Object PSObject -Property @{ Last = (Format-FakeTime $planned['last']); Next = (Format-FakeTime $planned['next']); Result = [uint32]$planned['result']; Missed = [int]$planned['missed'] } }
}

function Get-FleetFileSize([string]$Path) { if ($FakeState.files.ContainsKey($Path)) { $FakeState.files[$Path] } else { -1 } }

function Get-FleetFileHash([string]$Path) { [string]$FakeState.hashes[$Path] }

function Get-FleetProductVersion([string]$Path) { [string]$FakeState.versions[$Path] }

function Copy-FleetFile([string]$From, [string]$To) {
    $FakeState.files[$To] = $FakeState.files[$From]
    if ($FakeState.hashes.ContainsKey($From)) { $FakeState.hashes[$To] = $FakeState.hashes[$From] }
    Save-Fake "copy $From to $To"
}

function Remove-FleetFile([string]$Path) {
    $FakeState.files.Remove($Path)
    Save-Fake "delete $Path"
}

function Get-FleetSystem { New-Object PSObject -Property @{ Name = $FakeState.os.name; Version = $FakeState.os.version; Epoch = [double]$FakeState.os.epoch + [double]$FakeState.clock } }

function New-FakeResult([string[]]$Output = @(), [int]$ExitCode = 0) { New-Object PSObject -Property @{ Found = $true; TimedOut = $false; ExitCode = $ExitCode; Output = @($Output) } }

function Invoke-FleetNative([string]$Program, [string[]]$Argument = @(), [int]$TimeoutSeconds = 60, [scriptblock]$Take) {
    $result = Invoke-FakeNative $Program $Argument $TimeoutSeconds
    Add-Member -InputObject $result -MemberType NoteProperty -Name Ended -Value $false
    if (-not $Take) { return $result }
    foreach ($line in $result.Output) {
        $bytes = [Text.Encoding]::UTF8.GetBytes("$line`r`n")
        for ($at = 0; $at -lt $bytes.Length -and -not $result.Ended; $at += 65536) {
            $count = [Math]::Min(65536, $bytes.Length - $at)
            $piece = New-Object byte[] $count
            [Array]::Copy($bytes, $at, $piece, 0, $count)
            $result.Ended = -not (& $Take $piece $count 0)
        }
    }
    $result.Output = @()
    if ($result.Ended) { $result.ExitCode = $null }
    $result
}

function Invoke-FakeNative([string]$Program, [string[]]$Argument, [int]$TimeoutSeconds) {
    Write-FleetLog "run $Program $Argument"
    switch ($Program) {
        'vssadmin.exe' { return $(if ($Argument[1] -eq 'writers') { Invoke-FakeVssadmin $TimeoutSeconds } else { Invoke-FakeProgram "vssadmin $(if ($Argument[0] -eq 'list') { $Argument[1] } else { $Argument[0] })" $Argument $TimeoutSeconds }) }
        'sc.exe' { return Invoke-FakeConfig $Argument }
        'compact.exe' { return Invoke-FakeAttribute 'Compressed' ($Argument[0] -eq '/c') $Argument }
        'cipher.exe' { return Invoke-FakeAttribute 'Encrypted' ($Argument[0] -eq '/e') $Argument }
        'robocopy.exe' { return Invoke-FakeRobocopy $Argument }
        'msdtc.exe' { return Invoke-FakeMsdtc $Argument[0] }
        'schtasks.exe' { if ($FakeState.tasks.Count) { return Invoke-FakeSchtasks $Argument } }
        'wevtutil.exe' { if (-not $FakeState.programs.ContainsKey($Program)) { return Invoke-FakeWevtutil $Argument } }
        'reg.exe' {
            if ($Argument[0] -eq 'query') { return $(if ($FakeState.programs.ContainsKey($Program)) { Invoke-FakeProgram $Program $Argument $TimeoutSeconds } else { Read-FakeRegistry $Argument }) }
            $FakeState.files[$Argument[2]] = 1000
            Save-Fake "export $($Argument[1]) to $($Argument[2])"
            return New-FakeResult
        }
    }
    Invoke-FakeProgram ($Program -split '\\')[-1] $Argument $TimeoutSeconds
}

function Invoke-FakeProgram([string]$Name, [string[]]$Argument, [int]$TimeoutSeconds) {
    $result = @{ Found = $false; TimedOut = $false; ExitCode = $null; Output = @() }
    if ($FakeState.programs.ContainsKey($Name) -and -not $FakeState.programs[$Name].ContainsKey('missing')) {
        $planned = $FakeState.programs[$Name]
        $result.Found = $true
        $result.Output = @($planned['output'] | Where-Object { $null -ne $_ })
        if ($planned.ContainsKey('hangs')) { $result.TimedOut = $true; Wait-FleetTime $TimeoutSeconds } else { $result.ExitCode = [int]$planned['exit_code'] }
        if (@(0, 3010) -contains $result.ExitCode -and $planned.ContainsKey('gives')) {
            foreach ($table in $planned.gives.GetEnumerator()) { foreach ($entry in $table.Value.GetEnumerator()) { $FakeState[$table.Key][$entry.Key] = $entry.Value } }
        }
        if ($planned.ContainsKey('registry')) { foreach ($key in $planned.registry.Keys) { $FakeState.registry[$key] = $planned.registry[$key] } }
        if (-not $planned.ContainsKey('reads')) { Save-Fake "run $Name $Argument" }
    }
    New-Object PSObject -Property $result
}

function Invoke-FakeAttribute([string]$Attribute, [bool]$On, [string[]]$Argument) {
    # compact and cipher: of one path, the last argument; `keeps` lists those that stay as they are.
    $path = $Argument[-1]
    $now = @($FakeState.attributes[$path] | Where-Object { $_ -and $_ -ne $Attribute })
    if (@($FakeState.keeps) -contains $path) { return New-FakeResult @() 1 }
    $FakeState.attributes[$path] = @($now + @($Attribute | Where-Object { $On }))
    Save-Fake "$(if ($On) { 'set' } else { 'clear' }) $Attribute of $path"
    New-FakeResult
}

function Invoke-FakeRobocopy([string[]]$Argument) {
    # Files, their times and the rights of folders; `robocopy`: lost (a path that does not arrive), exit_code.
    $from, $to = $Argument[0], $Argument[1]
    $planned = $FakeState.robocopy
    foreach ($table in 'files', 'texts', 'old', 'acl') {
        foreach ($path in @($FakeState[$table].Keys | Where-Object { $_ -eq $from -or $_ -like "$from\*" })) {
            if ($planned['lost'] -ne $path) { $FakeState[$table][$to + $path.Substring($from.Length)] = $FakeState[$table][$path] }
        }
    }
    Save-Fake "robocopy $from to $to"
    New-FakeResult @() $(if ($planned.ContainsKey('exit_code')) { $planned.exit_code } else { 1 })
}

function Invoke-FakeSchtasks([string[]]$Argument) {
    # /query /tn PATH /xml, or /create /tn PATH /xml FILE /f, which `keeps` may refuse.
    $path = $Argument[2]
    $key = Find-Fake $FakeState.tasks $path
    if ($Argument[0] -eq '/create') {
        if (@($FakeState.keeps) -contains $path) { return New-FakeResult @('ERROR') 1 }
        $FakeState.tasks[$(if ($key) { $key } else { $path })] = [IO.File]::ReadAllText((Get-FleetPlace $Argument[4]))
        Save-Fake "write task $path"
        return New-FakeResult
    }
    if ($null -eq $key) { return New-FakeResult @('ERROR') 1 }
    New-FakeResult @($FakeState.tasks[$key] -split "`n")
}

function Test-FakeEvent([string]$Xml, [string]$Log, [string]$Query) {
    # Whether the log and the numbers and providers of a query name this event; one that says no log or provider is in all.
    $channel, $provider = [regex]::Match($Xml, '<Channel>([^<]*)').Groups[1].Value, [regex]::Match($Xml, "Provider Name='([^']*)").Groups[1].Value
    $id = [regex]::Match($Xml, '<EventID[^>]*>([0-9]+)').Groups[1].Value
    $named = [regex]::Match($Query, "@Name='$([regex]::Escape($provider))'\](?: and \(([^)]*)\))?")
    $ids = if ($provider -and $named.Success) { $named.Groups[1].Value } else { $Query }
    (-not $channel -or $channel -eq $Log) -and (-not $provider -or $named.Success -or $Query -notlike '*@Name=*') -and ($ids -notlike '*EventID=*' -or $ids -match "EventID=$id\b")
}

function Invoke-FakeWevtutil([string[]]$Argument) {
    # qe LOG /q:QUERY, or epl LOG FILE /q:QUERY, which writes a text and no .evtx. 15007: there is no such log.
    $logs = @($FakeState['logs'] | Where-Object { $_ })
    if ($logs.Count -and $logs -notcontains $Argument[1]) { return New-FakeResult @('ERROR') 15007 }
    $query = @($Argument | Where-Object { $_ -like '/q:*' })[0]
    $found = @($FakeState.events | Where-Object { $_ -and (Test-FakeEvent $_ $Argument[1] $query) })
    if ($Argument[0] -ne 'epl') { return New-FakeResult $found }
    [IO.File]::WriteAllText((Get-FleetPlace $Argument[2]), "ElfFile$([char]0)simulated`n" + ($found -join "`n"))
    New-FakeResult
}

function Read-FakeRegistry([string[]]$Argument) {
    # reg.exe query KEY, with /v NAME, /s and /reg:32; 1 where there is nothing.
    $view = if ($Argument -contains '/reg:32') { '32' } else { '64' }
    $name = if ($Argument -contains '/v') { $Argument[[array]::IndexOf($Argument, '/v') + 1] } else { '*' }
    $types = @{ DWord = 'REG_DWORD'; QWord = 'REG_QWORD'; String = 'REG_SZ'; ExpandString = 'REG_EXPAND_SZ'; MultiString = 'REG_MULTI_SZ'; Binary = 'REG_BINARY' }
    $lines = @(foreach ($key in @($FakeState.registry.Keys | Sort-Object)) {
        if ($key -ne "${view}:$($Argument[1])" -and -not ($Argument -contains '/s' -and $key -like "${view}:$($Argument[1])\*")) { continue }
        $values = @(foreach ($value in @($FakeState.registry[$key].Keys | Sort-Object | Where-Object { $_ -like $name })) {
            $entry = $FakeState.registry[$key][$value]
            "    $value    $($types[[string]$entry.type])    $(if ($entry.type -eq 'DWord') { '0x{0:x}' -f [long]$entry.value } else { @($entry.value) -join '\0' })"
        })
        if ($values.Count -or $name -eq '*') { ''; $key.Substring(3) -replace '^HKLM', 'HKEY_LOCAL_MACHINE' -replace '^HKU', 'HKEY_USERS'; $values }
    })
    if ($lines.Count) { New-FakeResult $lines } else { New-FakeResult @('ERROR') 1 }
}

function Read-FakeService([string[]]$Argument) {
    # sc.exe qc NAME, or sc.exe query of all.
    if ($Argument[0] -eq 'query') { return New-FakeResult @(foreach ($key in @($FakeState.services.Keys | Sort-Object)) { ''; "SERVICE_NAME: $key"; "        STATE              : $((Get-FakeService $key).status)" }) }
    $service = Get-FakeService $Argument[1]
    if ($null -eq $service) { return New-FakeResult @('[SC] EnumQueryServicesStatus:OpenService FAILED 1060:') 1060 }
    New-FakeResult @('[SC] QueryServiceConfig SUCCESS', '', "SERVICE_NAME: $($service.name)", "        START_TYPE         : $($service.start_type)", "        SERVICE_START_NAME : $($service.account)")
}

function Invoke-FakeConfig([string[]]$Argument) {
    # sc.exe config NAME, then pairs of `setting=` and value.
    if ($Argument[0] -ne 'config') { return Read-FakeService $Argument }
    $service = Get-FakeService $Argument[1]
    if ($null -eq $service) { return New-FakeResult @('[SC] OpenService 1060') 1060 }
    if ($service.ContainsKey('config')) { Save-Fake "sc $Argument, refused"; return New-FakeResult @('[SC] ChangeServiceConfig') $service.config }
    for ($at = 2; $at -lt $Argument.Count; $at += 2) {
        $value = $Argument[$at + 1]
        switch ($Argument[$at]) {
            'start=' { $service.start_type = @{ auto = 'Automatic'; 'delayed-auto' = 'DelayedAutomatic'; demand = 'Manual'; disabled = 'Disabled' }[$value] }
            'obj=' { $service.account = $value; if ($service.ContainsKey('start') -and $service.start -eq 'error 1069') { [void]$service.Remove('start') } }
        }
    }
    Save-Fake "sc $Argument"
    New-FakeResult
}

function Invoke-FakeMsdtc([string]$Verb) {
    Save-Fake "msdtc $Verb"
    if ($Verb -eq '-uninstall') { if ($FakeState.msdtc -ne 'stays') { [void]$FakeState.services.Remove('MSDTC') } }
    elseif ($FakeState.msdtc -ne 'lost') { $FakeState.services['MSDTC'] = @{ status = 'Stopped'; start_type = 'Manual'; account = 'NT AUTHORITY\NetworkService'; depends_on = @() } }
    Save-Fake
    New-FakeResult
}

# What vssadmin prints. English, German and French follow public examples of its output; qps, Windows' own
# pseudo language, proves that no word is read.
$FakeWords = @{
    en = @{ Name = "Writer name: '{0}'"; Id = 'Writer Id: {0}'; Instance = 'Writer Instance Id: {0}'; State = 'State: [{0}] {1}'; Error = 'Last error: {0}'
        States = 'Unknown', 'Stable', 'Waiting for freeze', 'Frozen', 'Waiting for post-snapshot', 'Waiting for completion', 'Failed'; Errors = 'No error', 'Retryable error', 'Non-retryable error', 'Timed out' }
    de = @{ Name = 'Verfassername: "{0}"'; Id = 'Verfasserkennung: {0}'; Instance = 'Verfasserinstanzkennung: {0}'; State = 'Status: [{0}] {1}'; Error = 'Letzter Fehler: {0}'
        States = 'Unbekannt', 'Stabil', 'Warten auf Fixierung', 'Fixiert', 'Warten auf Nachbereitung', 'Warten auf Abschluss', 'Fehler'; Errors = 'Kein Fehler', 'Wiederholbarer Fehler', 'Nicht wiederholbarer Fehler', ('Zeit' + [char]0xFC + 'berschreitung') }
    fr = @{ Name = "Nom du r$([char]0xE9)dacteur$([char]0xA0): '{0}'"; Id = "ID du r$([char]0xE9)dacteur$([char]0xA0): {0}"; Instance = "ID d'instance du r$([char]0xE9)dacteur$([char]0xA0): {0}"; State = "$([char]0xC9)tat$([char]0xA0): [{0}] {1}"; Error = "Derni$([char]0xE8)re erreur$([char]0xA0): {0}"
        States = 'Inconnu', 'Stable', 'En attente pour figer', ('Gel' + [char]0xE9), 'En attente', 'En attente de la conclusion', ([char]0xC9 + 'chec'); Errors = 'Aucune erreur', ('Erreur r' + [char]0xE9 + 'cup' + [char]0xE9 + 'rable'), 'Erreur non r' + [char]0xE9 + 'cup' + [char]0xE9 + 'rable', ('D' + [char]0xE9 + 'lai d' + [char]0xE9 + 'pass' + [char]0xE9) }
    qps = @{ Name = "[!!! Wr$([char]0xEF)ter$([char]0xFF1A) $([char]0xAB){0}$([char]0xBB)"; Id = '[Id !!!: {0}'; Instance = '[Instance !!!: {0}'; State = '[!!! $tat: [ {0} ] {1}'; Error = '[!!! Error: {0}'
        States = 'u', 's', 'wf', 'f', 'wp', 'wc', 'x'; Errors = 'n0', 'r3', 'n4', 't1' }
}

function Invoke-FakeVssadmin([int]$TimeoutSeconds) {
    if ($FakeState.vssadmin -eq 'missing') { return New-Object PSObject -Property @{ Found = $false; TimedOut = $false; ExitCode = $null; Output = @() } }
    if ($FakeState.vssadmin -eq 'hangs') { Wait-FleetTime $TimeoutSeconds; return New-Object PSObject -Property @{ Found = $true; TimedOut = $true; ExitCode = $null; Output = @('vssadmin 1.1') } }
    if ($FakeState.vssadmin -eq 'silent' -or ((Get-FleetServiceStatus 'VSS') -ne 'Running' -and (Start-FleetService 'VSS'))) { return New-FakeResult @('vssadmin 1.1', 'Error') 2 }
    $words = $FakeWords[$FakeState.language]
    $lines = New-Object Collections.ArrayList
    [void]$lines.Add('vssadmin 1.1')
    foreach ($writer in @($FakeState.writers)) {
        if ($writer.ContainsKey('hidden') -and $writer.hidden -or (Get-FleetServiceStatus $writer.service) -eq 'Stopped') { continue }
        if ($writer.ContainsKey('stable_at') -and (Get-FleetTime) -ge $writer.stable_at) { $writer.state = 1; $writer.error = 0 }
        $wrong = if ($writer.ContainsKey('error')) { $writer.error } else { 0 }
        [void]$lines.Add(($words.Name -f $writer.name))
        [void]$lines.Add('   ' + ($words.Id -f "{$($writer.id)}"))
        [void]$lines.Add('   ' + ($words.Instance -f '{00000000-0000-0000-0000-00000000beef}'))
        [void]$lines.Add('   ' + ($words.State -f $writer.state, $words.States[[Math]::Min(6, $writer.state)]))
        [void]$lines.Add('   ' + ($words.Error -f $words.Errors[$wrong]))
        [void]$lines.Add('')
    }
    New-FakeResult $lines.ToArray()
}
