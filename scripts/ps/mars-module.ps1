# /// fleet
# kind = "check"
# title = "The PowerShell module of the MARS agent is whole and can be found"
# about = "MSOnlineBackup, which the scheduled backup starts: no file of it is empty, it loads in a PowerShell of its own, and PSModulePath of the machine has its folder or the one above. Loading it tells more than a list of files, which differs between versions."
# severity = "error"
# idempotent = "yes"
# timeout = 120
# needs = ["admin"]
#
# [params.look]
# type = "list"
# default = ["files", "path"]
# pattern = 'files|path'
# about = "What to look at: files (the module is whole and loads), path (PSModulePath leads to it)"
#
# [returns.folder]
# type = "str"
# about = "Where the module belongs"
#
# [returns.files]
# type = "int"
# about = "How many files it has"
#
# [returns.loads]
# type = "bool"
# about = "Whether it can be loaded; null where it was not tried"
#
# [returns.on_path]
# type = "bool"
# about = "Whether PSModulePath of the machine leads to it"
# ///
[CmdletBinding()]
param([object[]]$look = @('files','path'))

Assert-FleetAdministrator
if ($null -eq (Get-FleetService 'obengine')) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
$folder = "$(Get-FleetMarsFolder)\bin\Modules\MSOnlineBackup"
$files = @(Get-FleetTree $folder 5 | Where-Object { -not $_.IsFolder }).Count
$onPath = Test-FleetModulePath $folder
Add-FleetData 'folder' $folder
Add-FleetData 'files' $files
Add-FleetData 'loads' $null
Add-FleetData 'on_path' $onPath
if ($look -contains 'files') {
    $problem, $loads = Get-FleetMarsModuleFault $folder
    Add-FleetData 'loads' $loads
    if ($problem) { Stop-FleetFailed $problem }
    Set-FleetOk "the module MSOnlineBackup loads ($files files)"
}
if ($look -notcontains 'path') { return }
if (-not $onPath) { Stop-FleetFailed "$(if ($look -contains 'files') { 'the module loads, but ' })PSModulePath of the machine has neither $folder nor the folder above" }
Set-FleetOk "$(if ($look -contains 'files') { "the module MSOnlineBackup loads ($files files), and " })PSModulePath leads to $(if ($look -contains 'files') { 'it' } else { $folder })"
