"""What keeps a MARS server from starting its backups, planted in the lab, mended or found.

Each time a MARS server without the fault stands beside it: its ledger has to stay empty.
"""

from __future__ import annotations

from typing import Any

import pytest

from fleet.catalog import load
from fleet.lab import fake_windows
from tests.lab.test_windows_faults import Pair, Planted
from tests.lab.test_windows_faults import pair as pair
from tests.powershell.test_cases import merge

pytestmark = [
    pytest.mark.pwsh,
    pytest.mark.skipif(not fake_windows.available(), reason="needs a PowerShell engine on PATH as pwsh"),
]

AGENT = r"C:\Program Files\Microsoft Azure Recovery Services Agent"
ENGINE = rf"{AGENT}\bin\cbengine.exe"
MODULE = rf"{AGENT}\bin\Modules\MSOnlineBackup"
TASK = r"\Microsoft\OnlineBackup\Microsoft-OnlineBackup"
OTHER_TASK = r"\Microsoft\Windows\Backup\Microsoft-Windows-WindowsBackup"
TREE = r"64:HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Schedule\TaskCache\Tree"
ENVIRONMENT = r"64:HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Environment"
POLICY = r"64:HKLM\SOFTWARE\Microsoft\PowerShell\1\ShellIds\Microsoft.PowerShell"
GROUP_POLICY = r"64:HKLM\SOFTWARE\Policies\Microsoft\Windows\PowerShell"
CONFIG = r"64:HKLM\SOFTWARE\Microsoft\Windows Azure Backup\Config"
DOTNET = r"64:HKLM\SOFTWARE\Microsoft\NET Framework Setup\NDP\v4\Full"
PACKAGE = (
    r"64:HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\Packages"
    r"\Package_for_RollupFix~31bf3856ad364e35~amd64~~17763.6414.1.11"
)
DONOR, INSTALLER = r"D:\donor", r"D:\in\MARSAgentInstaller.exe"
DIGEST = "ab" * 32
ID = {"Id": {"type": "String", "value": "{00000000-0000-4000-8000-000000000001}"}}
JOB = {"programs": {"powershell.exe": {"exit_code": 20, "reads": True}}}


def text(value: str) -> dict[str, Any]:
    return {"type": "String", "value": value}


def number(value: int) -> dict[str, Any]:
    return {"type": "DWord", "value": value}


def installed(epoch: int) -> dict[str, Any]:
    """An update of Windows, as the servicing store has it: 100 ns since 1601."""
    ticks = (epoch + 11_644_473_600) * 10**7
    halves = {"InstallTimeHigh": number(ticks >> 32), "InstallTimeLow": number(ticks & 0xFFFFFFFF)}
    return {"CurrentState": number(112), **halves}


def task(
    *, trigger: str = "true", enabled: str = "true", account: str = "S-1-5-18", instances: str = "IgnoreNew"
) -> str:
    """A scheduled task that starts every day at nine in the evening."""
    start = f"<Enabled>{trigger}</Enabled><StartBoundary>2026-11-01T21:00:00</StartBoundary>"
    day = "<ScheduleByDay><DaysInterval>1</DaysInterval></ScheduleByDay>"
    return (
        '<Task xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">'
        f"<Triggers><CalendarTrigger>{start}{day}</CalendarTrigger></Triggers>"
        f'<Principals><Principal id="Author"><UserId>{account}</UserId></Principal></Principals>'
        f"<Settings><Enabled>{enabled}</Enabled>"
        f"<MultipleInstancesPolicy>{instances}</MultipleInstancesPolicy></Settings>"
        '<Actions Context="Author"/></Task>'
    )


SOUND: dict[str, Any] = {
    "services": {
        "obengine": {"command_line": f'"{ENGINE}"'},
        "RdAgent": "absent",
        "WindowsAzureGuestAgent": "absent",
    },
    "reachable": [],
    "registry": {
        rf"{TREE}\Microsoft\OnlineBackup\Microsoft-OnlineBackup": ID,
        ENVIRONMENT: {"PSModulePath": text(rf"C:\Other;{AGENT}\bin\Modules")},
        DOTNET: {"Release": number(461814)},
        PACKAGE: installed(1_795_000_000 - 3 * 86400),
    },
    "tasks": {TASK: task()},
    "files": {rf"{MODULE}\MSOnlineBackup.psd1": 10, rf"{DONOR}\MSOnlineBackup.psd1": 12, INSTALLER: 9},
    "versions": {ENGINE: "2.0.9262.0"},
    "hashes": {INSTALLER: DIGEST},
    "programs": {"powershell.exe": {"exit_code": 0, "reads": True, "output": ["fleet-module AzureRM 3.7.0"]}},
}
"""A server with the agent on which nothing is wrong."""

WRITTEN = ["make a private folder for tasks", f"write task {TASK}"]
APPENDED = rf"set {ENVIRONMENT}\PSModulePath = C:\Other;{AGENT}\bin\Modules;{MODULE}"
DAMAGED = {"files": {rf"{MODULE}\MSOnlineBackup.psd1": 0}}
KEPT = r"C:\ProgramData\fleet\undo\0\MSOnlineBackup\MSOnlineBackup.psd1"
INSTALL = r"C:\ProgramData\fleet\install-mars-agent\0\MARSAgentInstaller.exe"
NO_PATH = {"registry": {ENVIRONMENT: {"PSModulePath": text(r"C:\Other")}}}
OLD = {
    "versions": {ENGINE: "2.0.9000.0"},
    "programs": {"MARSAgentInstaller.exe": {"exit_code": 0, "gives": {"versions": {ENGINE: "2.0.9300.0"}}}},
}
RESTRICTED = {"registry": {POLICY: {"ExecutionPolicy": text("Restricted")}}}

CURED = [
    Planted(
        "mars-service-running",
        {"services": {"obengine": {"status": "Stopped", "start_type": "Disabled"}}},
        ["sc config obengine start= auto", "start obengine"],
        allow="service-interruption",
    ),
    Planted("mars-task-trigger-enabled", {"tasks": {TASK: task(trigger="false", enabled="false")}}, WRITTEN),
    Planted("mars-task-account", {"tasks": {TASK: task(account=r"LAB\somebody")}}, WRITTEN),
    Planted("mars-job-already-in-progress", {"tasks": {TASK: task(instances="Parallel")}}, WRITTEN),
    Planted("mars-psmodulepath", NO_PATH, [APPENDED]),
    Planted(
        "mars-scheduled-backup-not-running",
        {**NO_PATH, "tasks": {TASK: task(trigger="false")}},
        [*WRITTEN, APPENDED],
    ),
]

WITH_WORDS: dict[str, tuple[dict[str, Any], list[str], list[str]]] = {
    "mars-msonlinebackup-module-files": (
        DAMAGED,
        ["-p", f"module_from={DONOR}"],
        [
            "make a private folder for undo",
            rf"copy {MODULE}\MSOnlineBackup.psd1 to {KEPT}",
            rf"delete {MODULE}\MSOnlineBackup.psd1",
            rf"copy {DONOR}\MSOnlineBackup.psd1 to {MODULE}\MSOnlineBackup.psd1",
        ],
    ),
    "mars-agent-version-current": (
        OLD,
        [
            "-p",
            f"mars_installer={INSTALLER}",
            "-p",
            f"mars_sha256={DIGEST}",
            "--allow",
            "service-interruption",
        ],
        [
            "make a private folder for install-mars-agent",
            f"copy {INSTALLER} to {INSTALL}",
            "run MARSAgentInstaller.exe /q /nu",
            f"delete {INSTALL}",
        ],
    ),
}
"""Held until somebody says where the healthy copy, or the installer, is."""

FOUND: dict[str, dict[str, Any]] = {
    "mars-schedule-conflict-windows-server-backup": {
        "registry": {rf"{TREE}\Microsoft\Windows\Backup\Microsoft-Windows-WindowsBackup": ID},
        "tasks": {OTHER_TASK: task()},
    },
    "mars-offline-backup-azure-powershell-370": {
        "programs": {"powershell.exe": {"output": ["fleet-module AzureRM 6.13.1"]}}
    },
    "mars-os-updates-current": {"registry": {PACKAGE: installed(1_795_000_000 - 90 * 86400)}},
    "mars-dotnet-452": {"registry": {DOTNET: {"Release": number(378_675)}}},
    "mars-reregister-server-prereqs": {"registry": {CONFIG: {"ScratchLocation": text(r"D:\Scratch")}}},
    "mars-agent-on-azure-vm": {"services": {"RdAgent": {"status": "Running"}}},
}
"""What people see to: schedules, installers, updates, the vault, settings of Azure."""

CANNOT_BE = {"mars-powershell-version-3": "fleet itself needs PowerShell 3: an older one answers nothing"}

RUNBOOKS = {
    *(planted.runbook for planted in CURED),
    *WITH_WORDS,
    *FOUND,
    *CANNOT_BE,
    "mars-execution-policy",
}


@pytest.mark.parametrize("planted", CURED, ids=lambda planted: planted.runbook)
def test_it_is_cured_and_the_server_beside_it_is_left_alone(pair: Pair, planted: Planted) -> None:
    pair.plant(SOUND, merge(SOUND, planted.bad))
    assert pair.run("fix", planted.runbook, "--apply", "--allow", planted.allow) == 0
    assert pair.ledger("bad") == planted.ledger
    assert pair.ledger("good") == []


@pytest.mark.parametrize("id", WITH_WORDS)
def test_what_needs_a_file_of_the_operator_is_held_until_it_is_named(pair: Pair, id: str) -> None:
    bad, words, ledger = WITH_WORDS[id]
    pair.plant(SOUND, merge(SOUND, bad))
    assert pair.run("fix", id, "--apply", "--allow", "service-interruption") == 4
    assert pair.ledger("bad") == []
    assert pair.run("fix", id, "--apply", *words) == 0
    assert pair.ledger("bad") == ledger
    assert pair.ledger("good") == []


def test_a_restricted_policy_is_held_until_those_agree_who_answer_for_it(pair: Pair) -> None:
    pair.plant(SOUND, merge(SOUND, RESTRICTED))
    assert pair.run("fix", "mars-execution-policy", "--apply") == 4
    assert pair.ledger("bad") == []
    assert pair.run("fix", "set-execution-policy", "--apply") == 0
    assert pair.ledger("bad") == [rf"set {POLICY}\ExecutionPolicy = RemoteSigned"]
    assert pair.run("fix", "mars-execution-policy", "--apply") == 0
    assert pair.ledger("good") == []


def test_a_policy_of_the_group_is_for_the_group(pair: Pair) -> None:
    pair.plant(SOUND, merge(SOUND, {"registry": {GROUP_POLICY: {"ExecutionPolicy": text("Restricted")}}}))
    assert pair.run("fix", "set-execution-policy", "--apply") == 1
    assert pair.ledger("bad") == []


@pytest.mark.parametrize("id", FOUND)
def test_it_is_found_and_left_to_a_person(pair: Pair, id: str) -> None:
    pair.plant(SOUND, merge(SOUND, FOUND[id]))
    assert pair.run("check", id) == 1
    assert pair.ledger("bad") == pair.ledger("good") == []
    pair.plant(SOUND, SOUND)
    assert pair.run("check", id) == 0


@pytest.mark.parametrize("id", ["mars-scheduled-backup-not-running", "mars-agent-version-current"])
def test_nothing_is_touched_while_a_job_runs(pair: Pair, id: str) -> None:
    bad = next((planted.bad for planted in CURED if planted.runbook == id), OLD)
    pair.plant(SOUND, merge(merge(SOUND, bad), JOB))
    words = WITH_WORDS[id][1][:4] if id in WITH_WORDS else []
    assert pair.run("fix", id, "--apply", "--allow", "service-interruption", *words) in {1, 4}
    assert pair.ledger("bad") == []


@pytest.mark.parametrize("id", ["mars-service-running", "mars-scheduled-backup-not-running"])
def test_a_server_without_the_agent_is_skipped(pair: Pair, id: str) -> None:
    other = {"services": {"obengine": "absent"}}
    pair.plant(merge(SOUND, other), merge(SOUND, other))
    assert pair.run("fix", id, "--apply", "--allow", "destructive") == 0
    assert pair.ledger("bad") == pair.ledger("good") == []


def test_dotnet_is_looked_for_on_servers_with_the_agent_only(pair: Pair) -> None:
    other = {"services": {"obengine": "absent"}, "registry": {DOTNET: "absent"}}
    pair.plant(merge(SOUND, other), merge(SOUND, other))
    assert pair.run("check", "mars-dotnet-452") == 0


def test_each_of_them_is_answered_by_the_catalogue() -> None:
    books = load().runbooks
    assert all(books[planted.runbook].ladder for planted in CURED)
    assert all(books[id].ladder for id in WITH_WORDS)
    assert all(books[id].detect and not books[id].ladder for id in [*FOUND, *CANNOT_BE])
