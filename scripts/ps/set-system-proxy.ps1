# /// fleet
# kind = "remedy"
# title = "Set or clear the proxy of the SYSTEM account and of WinHTTP"
# about = "Written where both keep it in the registry, with no desktop and no psexec: ProxyEnable, ProxyServer, ProxyOverride, AutoConfigURL, DefaultConnectionSettings and SavedLegacySettings of SYSTEM, and WinHttpSettings of the machine. With a proxy, it has to accept connections. Where nobody says which is right, only the details of a proxy that is not in use are removed. Held where the settings are those of the machine by policy, where a login stands in what is entered now, and while a job of the MARS agent runs. Every program that runs as SYSTEM follows, mostly at its next start; a login of a proxy is never written."
# risk = "service-interruption"
# idempotent = "yes"
# timeout = 180
# needs = ["admin"]
# undo = "restore-registry-values"
#
# [params.proxy]
# type = "str"
# default = ""
# pattern = '|none|(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._-]{1,253}):[0-9]{1,5}'
# about = "What has to be set, as HOST:PORT; none: no proxy; empty: not known"
#
# [params.bypass]
# type = "str"
# default = ""
# pattern = '[0-9A-Za-z.*:;<>_-]{0,500}'
# about = "Hosts that are reached without the proxy, such as *.corp.example;<local>; empty: as SYSTEM has it"
#
# [returns.written]
# type = "list"
# about = "Names of the values that were, or would be, written or removed"
# [returns.held]
# type = "list"
# about = "What a person has to say, see to, or wait for"
# ///
[CmdletBinding(SupportsShouldProcess = $true)]
param([string]$proxy = '', [string]$bypass = '')

function Stop-Held([string]$Reason, [string]$Message) { Add-FleetItem 'held' $Reason; Stop-FleetSkipped "$Message; nothing was touched" }

function Get-Settings($Before, [int]$Version, [string]$Proxy, [string]$Bypass, [int]$Rest) {
    # As WinINET and WinHTTP keep them: a version, a counter, flags (1 direct, 2 a proxy), then texts with their length before them;
    # WinINET has the address of a script, and 32 bytes, behind that.
    $count = 0
    if ($Before.type -eq 'Binary') { $old = [Convert]::FromBase64String($Before.value); if ($old.Length -ge 8) { $Version = [BitConverter]::ToInt32($old, 0); $count = ([BitConverter]::ToUInt32($old, 4) + 1) -band 0x7fffffff } }
    $stream = New-Object IO.MemoryStream
    $writer = New-Object IO.BinaryWriter $stream
    foreach ($number in $Version, $count, $(if ($Proxy) { 3 } else { 1 })) { $writer.Write([uint32]$number) }
    foreach ($text in $Proxy, $Bypass) { $writer.Write([uint32]$text.Length); $writer.Write([Text.Encoding]::ASCII.GetBytes($text)) }
    $writer.Write([byte[]](New-Object byte[] $Rest))
    , $stream.ToArray()
}

function Test-Same($Before, $Wanted) {
    if ($null -eq $Wanted.value) { return -not $Before.existed }
    if ($Before.type -ne $Wanted.type) { return $false }
    if ($Wanted.type -ne 'Binary') { return $Before.value -eq $Wanted.value }
    # neither version nor counter; what stands behind the texts is of no weight either
    $old = [Convert]::FromBase64String($Before.value)
    $length = $Wanted.value.Length
    $old.Length -ge $length -and [Convert]::ToBase64String($old, 8, $length - 8) -eq [Convert]::ToBase64String($Wanted.value, 8, $length - 8)
}

function New-Wanted($Before, [string]$Type, $Value) { New-Object PSObject -Property @{ Before = $Before; type = $Type; value = $Value } }

function Get-Wanted([string]$Server, [string]$Except) {
    # Every value there has to be: its entry as found (Before), type, and value ($null: it has to go). What is absent means no proxy.
    $view = @(Get-FleetRegistryView)[0]
    New-Wanted (Get-FleetTextEntry $FleetSystemInternet 'ProxyEnable') 'DWord' $(if ($Server) { 1 } else { 0 })
    New-Wanted (Get-FleetTextEntry $FleetSystemInternet 'ProxyServer') 'String' $(if ($Server) { $Server })
    if ($Server -and $Except) { New-Wanted (Get-FleetTextEntry $FleetSystemInternet 'ProxyOverride') 'String' $Except }
    New-Wanted (Get-FleetTextEntry $FleetSystemInternet 'AutoConfigURL') 'String' $null
    foreach ($name in 'DefaultConnectionSettings', 'SavedLegacySettings') {
        $before = Get-FleetTextEntry "$FleetSystemInternet\Connections" $name
        New-Wanted $before 'Binary' (Get-Settings $before 70 $Server $Except 36)
    }
    $machine = 'HKLM\Software\Microsoft\Windows\CurrentVersion\Internet Settings\Connections'
    foreach ($each in @(Get-FleetRegistryView)) {
        $before = Get-FleetRegistryEntry $machine 'WinHttpSettings' $each
        if ($each -eq $view -or $before.existed) { New-Wanted $before 'Binary' (Get-Settings $before 40 $Server $Except 0) }
    }
}

Assert-FleetAdministrator
if ($null -eq (Get-FleetService 'obengine')) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
if ((Get-FleetRegistryValue 'HKLM\SOFTWARE\Policies\Microsoft\Windows\CurrentVersion\Internet Settings' 'ProxySettingsPerUser').Value -eq 0) {
    Stop-Held 'a group policy makes the proxy of the machine that of all users (ProxySettingsPerUser)' 'a group policy makes the proxy of the machine that of all users (ProxySettingsPerUser): change it there'
}
$on = (Get-FleetRegistryValue $FleetSystemInternet 'ProxyEnable').Value -eq 1
$left = [string](Get-FleetRegistryValue $FleetSystemInternet 'ProxyServer').Value
$script = [string](Get-FleetRegistryValue $FleetSystemInternet 'AutoConfigURL').Value
$winhttp = [string](Get-FleetWinHttpProxy)
if (-not $proxy) {
    $own = @(if ($on) { ConvertFrom-FleetProxyText $left | ForEach-Object { $_.Text } | Sort-Object -Unique }) -join ' '
    $other = @(ConvertFrom-FleetProxyText $winhttp | ForEach-Object { $_.Text } | Sort-Object -Unique) -join ' '
    if ((-not $on -and -not $left -and ($script -or -not $other)) -or ($on -and $own -and ($script -or $own -eq $other))) { Set-FleetOk 'the proxy of SYSTEM is no other than that of WinHTTP, nothing to do'; return }
    if ($on -or $script -or $winhttp) { Stop-Held 'nobody has said which proxy is right: proxy=HOST:PORT or none' 'which proxy is right nobody has said: -p proxy=HOST:PORT or none' }
}
if ("$left$script" -match '@' -or $script -match '[?#]') { Stop-Held 'a login or a key stands in what is entered now, which the record of this change would keep: take it out by hand' 'a login or a key stands in the proxy that is entered now, which the record of this change would keep: take it out by hand' }
$server = if ($proxy -eq 'none') { '' } else { $proxy }
$except = if ($bypass) { $bypass } elseif ($server) { [string](Get-FleetRegistryValue $FleetSystemInternet 'ProxyOverride').Value } else { '' }
$wanted = @(Get-Wanted $server $except | Where-Object { ($server -or $_.Before.existed) -and -not (Test-Same $_.Before $_) })
if (-not $wanted.Count) { Set-FleetOk "SYSTEM and WinHTTP use $(if ($server) { $server } else { 'no proxy' }) already, nothing to do"; return }
if ($server) {
    $target = @(ConvertFrom-FleetProxyText $server)[0]
    if (-not (Test-FleetTcp $target.Name $target.Port 10)) { Stop-FleetFailed "$server accepts no connection; nothing was touched" }
}
Stop-FleetForMarsJob
$text = "SYSTEM and WinHTTP use $(if ($server) { $server } else { 'no proxy' })"
Add-FleetData 'written' @($wanted | ForEach-Object { $_.Before.name })
if (-not $PSCmdlet.ShouldProcess('the proxy of SYSTEM and WinHTTP', "Set $(if ($server) { $server } else { 'none' })")) { Set-FleetChanged "would write $(@($wanted | ForEach-Object { $_.Before.name }) -join ', '), so that $text"; return }
foreach ($each in $wanted) {
    $before = $each.Before
    Add-FleetUndo 'values' $before
    if ($null -eq $each.value) { Remove-FleetRegistryValue $before.key $before.name $before.view }
    else {
        if ($before.Contains('key_existed')) { New-FleetRegistryKey $before.key $before.view }
        Set-FleetRegistryValue $before.key $before.name $each.type $each.value $before.view
    }
    if (-not (Test-Same (Get-FleetRegistryEntry $before.key $before.name $before.view) $each)) { Stop-FleetFailed "$($before.name) in $($before.key) is not what it was set to" }
}
Set-FleetChanged "$text; programs that run follow at their next start, obengine too"
