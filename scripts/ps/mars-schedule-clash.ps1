# /// fleet
# kind = "check"
# title = "The MARS agent and Windows Server Backup do not start at the same time"
# about = "Compares the times of day and the days of both scheduled tasks, by their XML. The documents say only that the times have to differ; how long a backup takes is not known, hence the distance."
# severity = "warning"
# idempotent = "yes"
# timeout = 180
# needs = ["admin"]
#
# [params.apart]
# type = "int"
# default = 60
# minimum = 1
# maximum = 720
# about = "Minutes that have to lie between two starts"
#
# [returns.mars]
# type = "list"
# about = "When the MARS agent starts: HH:MM, and after it the days of a weekly schedule"
#
# [returns.windows_server_backup]
# type = "list"
# about = "When Windows Server Backup starts, in the same form"
#
# [returns.clashes]
# type = "list"
# about = "Starts that are too close, as a sentence each"
# ///
[CmdletBinding()]
param([int]$apart = 60)

# in the order of their numbers; the XML has these names in every language
$week = 'Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'

function Get-TaskStart([string]$Folder, [string]$Name) {
    # When the enabled triggers of enabled tasks start, in minutes since Sunday 0:00, and as text. A date with a zone is turned
    # into the time of this machine; one without is that already. Without days it is taken for daily: too often rather than too seldom.
    foreach ($task in @(Get-FleetTask $Folder | Where-Object { $_.Name -like $Name })) {
        if ($task.Problem) { Stop-FleetFailed "the times can't be compared: $($task.Name): $($task.Problem)" }
        foreach ($trigger in @($task.Triggers | Where-Object { $task.Enabled -and $_.Enabled -and $_.Start })) {
            $time = [Xml.XmlConvert]::ToDateTime($trigger.Start, [Xml.XmlDateTimeSerializationMode]::Local).TimeOfDay
            $days = @(0..6 | Where-Object { -not $trigger.Days.Count -or $trigger.Days -contains $week[$_] })
            New-Object PSObject -Property @{
                Minutes = @($days | ForEach-Object { 1440 * $_ + [int][Math]::Floor($time.TotalMinutes) })
                Text = '{0:00}:{1:00}{2}' -f $time.Hours, $time.Minutes, $(if ($trigger.Days.Count) { " $($trigger.Days -join ' ')" })
            }
        }
    }
}

function Get-Distance($One, $Other) {
    # The shortest, around the end of the week.
    $week = 7 * 1440
    $all = foreach ($from in $One.Minutes) { foreach ($to in $Other.Minutes) { $between = [Math]::Abs($from - $to); [Math]::Min($between, $week - $between) } }
    ($all | Measure-Object -Minimum).Minimum
}

Assert-FleetAdministrator
if ($null -eq (Get-FleetService 'obengine')) { Stop-FleetSkipped 'the MARS agent is not installed: there is no service obengine' }
$mars = @(Get-TaskStart '\Microsoft\OnlineBackup' 'Microsoft-OnlineBackup*')
# the task that `wbadmin enable backup` and its console make, as public scripts ask schtasks for it
$windows = @(Get-TaskStart '\Microsoft\Windows\Backup' 'Microsoft-Windows-WindowsBackup')
$clashes = New-Object Collections.ArrayList
foreach ($one in $mars) {
    foreach ($other in $windows) {
        if ((Get-Distance $one $other) -lt $apart) { [void]$clashes.Add("MARS $($one.Text), Windows Server Backup $($other.Text)") }
    }
}
Add-FleetData 'mars' @($mars | ForEach-Object { $_.Text })
Add-FleetData 'windows_server_backup' @($windows | ForEach-Object { $_.Text })
Add-FleetData 'clashes' $clashes
if ($clashes.Count) { Stop-FleetFailed "two backups start within $apart minutes: $($clashes -join '; ')" }
if (-not $mars.Count) { Stop-FleetSkipped 'the MARS agent has no schedule that is enabled, so there is nothing to compare' }
if (-not $windows.Count) { Set-FleetOk 'Windows Server Backup has no schedule' } else { Set-FleetOk "$apart minutes or more lie between the starts of both backups" }
