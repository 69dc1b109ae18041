# /// fleet
# kind = "remedy"
# title = "Put registry values back to what they were"
# about = "Takes back what a remedy changed, from its data.undo: a value that was there gets its type and content, one that was absent is removed, and so is its key where that was absent too and is empty now."
# risk = "safe"
# idempotent = "yes"
# timeout = 60
# needs = ["admin"]
# undo = "restore-registry-values"
#
# [params.values]
# type = "list"
# required = true
# about = "Tables with view (64 or 32), key, name, existed, type, value, and key_existed = false where there was no such key, as remedies write them"
#
# [returns.restored]
# type = "list"
# about = "Each value put back: view, key, name"
# ///
[CmdletBinding(SupportsShouldProcess = $true)]
param([Parameter(Mandatory = $true)][object[]]$values)

Assert-FleetAdministrator
# all of it is looked at before any of it is touched
foreach ($entry in $values) {
    $complete = $entry -is [Collections.IDictionary] -and @('view', 'key', 'name', 'existed' | Where-Object { -not $entry.Contains($_) }).Count -eq 0
    if (-not $complete) { Stop-FleetFailed 'an entry of values lacks view, key, name or existed; nothing was touched' }
    if (64, 32 -notcontains $entry.view -or $entry.key -notmatch '^HK(LM|U)\\.') { Stop-FleetFailed "no such view or key: $($entry.view), $($entry.key); nothing was touched" }
    if ($entry.existed -and 'DWord', 'QWord', 'String', 'ExpandString', 'MultiString', 'Binary' -notcontains $entry.type) { Stop-FleetFailed "no such type: $($entry.type); nothing was touched" }
}
foreach ($entry in $values) {
    $before = Get-FleetRegistryEntry $entry.key $entry.name $entry.view
    $same = $before.existed -eq $entry.existed -and (-not $entry.existed -or ($before.type -eq $entry.type -and (@($before.value) -join "`n") -ceq (@($entry.value) -join "`n")))
    if ($same) { continue }
    Add-FleetItem 'restored' @{ view = $entry.view; key = $entry.key; name = $entry.name }
    $what = if ($entry.existed) { "$($entry.name) to what it was" } else { "remove $($entry.name)" }
    if (-not $PSCmdlet.ShouldProcess("$($entry.key), $($entry.view) bit", $what)) { Set-FleetChanged "would put back $($entry.name) in $($entry.key) ($($entry.view) bit)"; continue }
    Add-FleetUndo 'values' $before
    if ($entry.existed) {
        $value = switch ($entry.type) { 'Binary' { , [Convert]::FromBase64String($entry.value) } 'MultiString' { , [string[]]@($entry.value) } default { $entry.value } }
        if ($before.Contains('key_existed')) { New-FleetRegistryKey $entry.key $entry.view }
        Set-FleetRegistryValue $entry.key $entry.name $entry.type $value $entry.view
    } else {
        Remove-FleetRegistryValue $entry.key $entry.name $entry.view
        if ($entry.Contains('key_existed') -and -not $entry.key_existed -and -not (Remove-FleetRegistryKey $entry.key $entry.view)) { Write-FleetLog "$($entry.key) holds other values by now and stays" }
    }
    Set-FleetChanged "put back $($entry.name) in $($entry.key) ($($entry.view) bit)"
}
if ($FleetReply.outcome -ne 'changed') { Set-FleetOk "$(@($values).Count) values are as they were, nothing to do" }
