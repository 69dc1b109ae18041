"""Faults of MARS servers with drives, files, shadow storage and restores, planted, and mended or found.

Each time a MARS server without the fault stands beside it: its ledger has to stay empty.
"""

from __future__ import annotations

import base64
import json
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
LIST = rf"{AGENT}\Temp\LastBackupFailedFiles0001.txt"
DEVICE = r"64:HKLM\SYSTEM\CurrentControlSet\Enum\ROOT\ISCSIPRT\0000"
TEMP = r"C:\Windows\Temp"
VOLUME = "\\\\?\\Volume{0a1b2c3d-0000-0000-0000-100000000000}\\"
DRIVER = {"Service": {"type": "String", "value": "iScsiPrt"}}


def job(number: int) -> str:
    """The event that tells how the last backup ended."""
    time = "<TimeCreated SystemTime='2026-11-18T10:00:00.000000000Z'/>"
    system = f"<System><EventID>{number}</EventID>{time}<Channel>CloudBackup/Operational</Channel></System>"
    return f"<Event>{system}</Event>"


def storage(used: int, maximum: int) -> dict[str, Any]:
    """What vssadmin prints of one area, in per cent."""
    shares = [f"   1 GB ({share}%)" for share in (used, used, maximum)]
    return {"exit_code": 0, "reads": True, "output": ["x", f"(C:){VOLUME}", f"(C:){VOLUME}", *shares]}


def policy(*paths: str) -> dict[str, Any]:
    """A module that gives a policy."""
    lines = [f"fleet 01 {base64.b64encode(path.encode('utf-16-le')).decode()}" for path in paths]
    return {"powershell.exe": {"exit_code": 0, "reads": True, "output": lines}}


SOUND: dict[str, Any] = {
    "services": {"obengine": {}, "MSiSCSI": {"status": "Stopped", "start_type": "Manual"}},
    "registry": {DEVICE: DRIVER},
    "events": [job(3)],
    "drives": [{"name": "C:"}, {"name": "D:", "format": "FAT32"}],
    "volumes": {"C:": {"drive_type": "Fixed", "size": 100_000_000_000, "free": 40_000_000_000}},
    "programs": {"vssadmin shadowstorage": storage(5, 10), **policy("C:\\Data")},
}

CURED = [
    Planted(
        "mars-windows-temp-tmp-flood",
        {
            "files": {rf"{TEMP}\{number}.tmp": 1 for number in range(8)},
            "old": {rf"{TEMP}\{number}.tmp": 90_000 for number in range(5)},
        },
        [rf"delete {TEMP}\{number}.tmp" for number in range(5)],
        allow="destructive",
    ),
    Planted(
        "mars-shadow-storage-insufficient",
        {
            "programs": {
                "vssadmin shadowstorage": storage(10, 10),
                "vssadmin resize": {
                    "exit_code": 0,
                    "gives": {"programs": {"vssadmin shadowstorage": storage(10, 20)}},
                },
            }
        },
        ["run vssadmin resize resize shadowstorage /for=C: /on=C: /maxsize=20%"],
    ),
    Planted(
        "mars-restore-volume-mount-fails",
        {
            "registry": {DEVICE: {"Service": "absent", "DeviceDesc": {"type": "String", "value": "x"}}},
            "services": {"MSiSCSI": {"start_type": "Disabled"}},
            "files": {r"C:\Windows\INF\iscsi.inf": 9000},
            "programs": {"pnputil.exe": {"exit_code": 0, "registry": {DEVICE: DRIVER}}},
        },
        [
            r"run pnputil.exe /add-driver C:\Windows\INF\iscsi.inf /install",
            "sc config MSiSCSI start= demand",
            "start MSiSCSI",
        ],
        allow="service-interruption",
    ),
]


def skipped(code: str) -> dict[str, Any]:
    """A last backup with warnings, because of one code."""
    return {"events": [job(10)], "texts": {LIST: f"D:\\a.bin {code}"}}


FOUND: dict[str, dict[str, Any]] = {
    "mars-unsupported-drives-and-attributes-excluded": {"programs": policy("C:\\Data", "D:\\")},
    "mars-backup-completed-with-warnings": {"events": [job(10)]},
    "mars-warning-0x80070002-file-not-found": skipped("0x80070003"),
    "mars-warning-0x80070005-access-denied": skipped("0x80070005"),
    "mars-warning-0x8007018b-cloud-file": skipped("0x8007018B"),
    "mars-warning-0x80070570-corrupt-file": skipped("0x80070570"),
}


RUNBOOKS = {*(planted.runbook for planted in CURED), *FOUND}

FEW = {"mars-windows-temp-tmp-flood": ("-p", "max_temp_files=5")}
"""So that a flood is one of eight files, not of sixty thousand."""


@pytest.mark.parametrize("planted", CURED, ids=lambda planted: planted.runbook)
def test_it_is_cured_and_the_server_beside_it_is_left_alone(pair: Pair, planted: Planted) -> None:
    pair.plant(SOUND, merge(SOUND, planted.bad))
    how = (*FEW.get(planted.runbook, ()), "--apply", "--allow", planted.allow)
    assert pair.run("fix", planted.runbook, *how) == 0
    assert pair.ledger("bad") == planted.ledger
    assert pair.run("fix", planted.runbook, *how) == 0
    assert pair.ledger("bad") == planted.ledger, "a second run changes nothing"
    assert pair.ledger("good") == []


@pytest.mark.parametrize("id", FOUND)
def test_it_is_found_and_left_to_a_person(pair: Pair, id: str) -> None:
    pair.plant(SOUND, merge(SOUND, FOUND[id]))
    assert pair.run("check", id) == 1
    assert pair.ledger("bad") == pair.ledger("good") == []
    pair.plant(SOUND, SOUND)
    assert pair.run("check", id) == 0


def test_what_deletes_is_held_until_it_is_allowed(pair: Pair) -> None:
    pair.plant(SOUND, merge(SOUND, CURED[0].bad))
    id = CURED[0].runbook
    assert pair.run("fix", id, *FEW[id], "--apply", "--allow", "service-interruption") == 4
    assert pair.ledger("bad") == []


def test_an_area_without_room_to_grow_and_an_initiator_in_use_are_held(pair: Pair) -> None:
    tight = {"volumes": {"C:": {"free": 15_000_000_000}}}
    pair.plant(SOUND, merge(merge(SOUND, CURED[1].bad), tight))
    assert pair.run("fix", CURED[1].runbook, "--apply") == 4
    runs = {"services": {"MSiSCSI": {"status": "Running"}}}
    pair.plant(SOUND, merge(SOUND, {**runs, "iscsi_sessions": 1}))
    force = ("-p", "force=true", "--apply", "--allow", "service-interruption")
    assert pair.run("fix", "restart-iscsi-initiator", *force) == 4
    assert pair.ledger("bad") == []


@pytest.mark.parametrize("planted", CURED, ids=lambda planted: planted.runbook)
def test_a_job_of_the_agent_holds_the_server(pair: Pair, planted: Planted) -> None:
    busy = {"programs": {"powershell.exe": {"exit_code": 20, "reads": True}}}
    pair.plant(SOUND, merge(merge(SOUND, planted.bad), busy))
    how = (*FEW.get(planted.runbook, ()), "--apply", "--allow", planted.allow)
    assert pair.run("fix", planted.runbook, *how) == 4
    assert pair.ledger("bad") == []


@pytest.mark.parametrize("id", sorted(RUNBOOKS))
def test_a_server_without_the_agent_is_skipped(
    pair: Pair, id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    other = {"services": {"obengine": "absent"}}
    bad = next((planted.bad for planted in CURED if planted.runbook == id), FOUND.get(id))
    pair.plant(merge(SOUND, other), merge(merge(SOUND, bad), other))
    capsys.readouterr()
    look = id if id in FOUND else str(load().runbook(id).detect)
    assert pair.run("check", look, "--format", "json") == 0
    results = json.loads(capsys.readouterr().out)["results"]
    assert [result["outcome"] for result in results] == ["skipped", "skipped"]
    assert all("the MARS agent is not installed" in result["message"] for result in results)
    assert pair.ledger("bad") == pair.ledger("good") == []


def test_each_of_them_is_answered_by_the_catalogue() -> None:
    books = load().runbooks
    assert all(books[planted.runbook].ladder for planted in CURED)
    assert all(books[id].detect and not books[id].ladder for id in FOUND)
