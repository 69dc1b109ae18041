# /// fleet
# kind = "check"
# title = "Processor and memory have room for a snapshot"
# about = "Above 90 percent a snapshot waits until its time is over. The average of some seconds; a load of a moment is none."
# severity = "warning"
# idempotent = "yes"
# timeout = 180
#
# [params.max_load]
# type = "int"
# default = 90
# minimum = 1
# maximum = 100
# about = "Percent that may be in use, of each"
#
# [params.load_seconds]
# type = "int"
# default = 10
# minimum = 1
# maximum = 120
# about = "How long to look"
#
# [returns.processor]
# type = "int"
# about = "Percent of processor time in use"
#
# [returns.memory]
# type = "int"
# about = "Percent of memory in use"
# ///
[CmdletBinding()]
param([int]$max_load = 90, [int]$load_seconds = 10)

$readings = New-Object Collections.ArrayList
$end = (Get-FleetTime) + $load_seconds
do {
    $reading = Get-FleetLoad
    if ($null -eq $reading) { Stop-FleetSkipped 'neither WMI nor the kernel says how busy this machine is' }
    [void]$readings.Add($reading)
    Wait-FleetTime 2
} while ((Get-FleetTime) -lt $end)
$processor = [int][Math]::Floor(($readings | Measure-Object Processor -Average).Average)
$memory = [int][Math]::Floor(($readings | Measure-Object Memory -Average).Average)
Add-FleetData 'processor' $processor
Add-FleetData 'memory' $memory
$used = "processor $processor percent over $load_seconds s, memory $memory percent"
if ($processor -gt $max_load -or $memory -gt $max_load) { Stop-FleetFailed "too busy for a snapshot: $used; $max_load is the limit" }
Set-FleetOk $used
