"""Faults of the MARS agent's scratch folder and of its antivirus exclusions, planted in the lab and mended.

Each time a guest without the fault stands beside it: its ledger has to stay empty.
"""

from __future__ import annotations

import base64
from typing import Any

import pytest

from fleet.lab import fake_windows
from tests.lab.test_windows_faults import Pair, event
from tests.lab.test_windows_faults import pair as pair
from tests.powershell.test_cases import merge

pytestmark = [
    pytest.mark.pwsh,
    pytest.mark.skipif(not fake_windows.available(), reason="needs a PowerShell engine on PATH as pwsh"),
]

CONFIG = r"HKLM\SOFTWARE\Microsoft\Windows Azure Backup\Config"
PROVIDER = rf"{CONFIG}\CloudBackupProvider"
AGENT = r"C:\Program Files\Microsoft Azure Recovery Services Agent"
OLD, NEW = r"D:\Scratch", r"E:\MARS\Scratch"
VHD = rf"{OLD}\disks\one.vhd"


def named(key: str, folder: str) -> dict[str, Any]:
    return {f"64:{key}": {"ScratchLocation": {"type": "String", "value": folder}}}


def volume(free: int, kind: str = "Fixed") -> dict[str, Any]:
    return {"drive_type": kind, "size": 1000, "free": free}


SOUND: dict[str, Any] = {
    "services": {"obengine": {"command_line": rf'"{AGENT}\bin\cbengine.exe"'}},
    "registry": {**named(CONFIG, OLD), **named(PROVIDER, OLD)},
    "volumes": {"D:\\": volume(300), "E:\\": volume(900)},
    "files": {rf"{OLD}\OnlineBackup.KEK": 10, VHD: 20},
    "acl": {OLD: "D:PAI(A;OICI;FA;;;SY)"},
    "defender": {"processes": ["cbengine.exe"], "paths": [AGENT, OLD]},
}
"""A server with the agent on which nothing is wrong."""

ALLOW = ("--apply", "--allow", "service-interruption")
TO = ("-p", f"scratch_to={NEW}")
MOVED = [
    "stop obengine",
    f"robocopy {OLD} to {NEW}",
    rf"set 64:{CONFIG}\ScratchLocation = {NEW}",
    rf"set 64:{PROVIDER}\ScratchLocation = {NEW}",
    "start obengine",
]
ONE_NAME = ["stop obengine", rf"set 64:{PROVIDER}\ScratchLocation = {OLD}", "start obengine"]
CLEARED = ["stop obengine", f"clear Compressed of {VHD}", "start obengine"]
COMPRESSED = {"attributes": {VHD: ["Compressed"]}}
MOVED_HALF = {"registry": named(PROVIDER, r"E:\gone")}
BY_THE_LADDER: dict[str, tuple[str, dict[str, Any], list[str]]] = {
    "compressed": ("mars-scratch-attributes", COMPRESSED, CLEARED),
    "two names": ("mars-scratch-location-valid", MOVED_HALF, ONE_NAME),
    "cache: two names": ("mars-cache-folder-misconfigured", MOVED_HALF, ONE_NAME),
    "bitmap: compressed": ("mars-sal-bitmap-error", COMPRESSED, CLEARED),
    "checksums: two names": ("mars-sal-checksum-store-init-failed", MOVED_HALF, ONE_NAME),
    "disk: compressed": ("mars-sal-vhd-init-error", COMPRESSED, CLEARED),
}
BY_A_MOVE: dict[str, tuple[str, dict[str, Any]]] = {
    "no room": ("mars-scratch-free-space", {"volumes": {"D:\\": volume(30)}}),
    "no room, as a code": ("SalLowDiskSpace", {"volumes": {"D:\\": volume(30)}}),
    "a link": ("mars-scratch-attributes", {"attributes": {OLD: ["ReparsePoint"]}}),
    "a removable disk": ("mars-scratch-location-valid", {"volumes": {"D:\\": volume(300, "Removable")}}),
}
RUNNING = {"programs": {"powershell.exe": {"exit_code": 20, "reads": True}}}
"""Get-OBJob lists a job."""

HELD_OPEN = {"holders": [{"path": VHD, "name": "OtherBackup", "id": 9}]}
ONLY_FOUND: dict[str, tuple[str, dict[str, Any]]] = {
    "checksums": ("mars-sal-checksum-store-init-failed", HELD_OPEN),
    "virtual disk": ("mars-sal-vhd-init-error", HELD_OPEN),
    "no key file": ("mars-scratch-location-valid", {"files": {rf"{OLD}\OnlineBackup.KEK": "absent"}}),
}
RUNBOOKS = {
    "mars-antivirus-exclusions",
    "mars-critical-inconsistency-folder-recreated",
    "mars-sal-low-disk-space",  # by its code
    *(id for id, *_ in BY_THE_LADDER.values()),
    *(id for id, _ in BY_A_MOVE.values() if id.startswith("mars-")),
}
"""Those that are planted here."""


def plant(pair: Pair, bad: dict[str, Any]) -> None:
    pair.plant(SOUND, merge(SOUND, bad))


@pytest.mark.parametrize("case", BY_THE_LADDER)
def test_it_is_mended_by_the_ladder(pair: Pair, case: str) -> None:
    id, bad, done = BY_THE_LADDER[case]
    plant(pair, bad)
    assert pair.run("fix", id, *ALLOW) == 0
    assert pair.ledger("bad") == done
    assert pair.ledger("good") == []


def test_that_the_agent_is_stopped_has_to_be_allowed_and_a_second_run_changes_nothing(pair: Pair) -> None:
    id, bad, done = BY_THE_LADDER["compressed"]
    plant(pair, bad)
    assert pair.run("fix", id, "--apply") == 4
    assert pair.ledger("bad") == []
    assert pair.run("fix", id, *ALLOW) == 0
    assert pair.run("fix", id, *ALLOW) == 0
    assert pair.ledger("bad") == done


def test_nothing_is_moved_until_somebody_says_where_to(pair: Pair) -> None:
    id, bad = BY_A_MOVE["no room"]
    plant(pair, bad)
    assert pair.run("fix", id, *ALLOW) == 4
    assert pair.ledger("bad") == []


@pytest.mark.parametrize("case", BY_A_MOVE)
def test_the_folder_is_moved_to_where_it_was_said(pair: Pair, case: str) -> None:
    id, bad = BY_A_MOVE[case]
    plant(pair, bad)
    assert pair.run("fix", id, *TO, *ALLOW) == 0
    assert pair.ledger("bad") == MOVED
    assert pair.ledger("good") == []


@pytest.mark.parametrize("case", ONLY_FOUND)
def test_it_is_found_and_left_to_a_person(pair: Pair, case: str) -> None:
    id, bad = ONLY_FOUND[case]
    plant(pair, bad)
    assert pair.run("fix", id, *ALLOW) != 0
    assert pair.ledger("bad") == pair.ledger("good") == []


def test_exclusions_wait_for_those_who_answer_for_security(pair: Pair) -> None:
    plant(pair, {"defender": {"processes": [], "paths": [AGENT]}})
    assert pair.run("fix", "mars-antivirus-exclusions", *ALLOW) == 4
    assert pair.ledger("bad") == []
    assert pair.run("fix", "set-mars-exclusions", "--apply") == 0
    engine = rf"{AGENT}\bin\cbengine.exe"
    assert pair.ledger("bad") == [f"Defender leaves out the process {engine}", f"Defender leaves out {OLD}"]
    assert pair.run("check", "mars-av") == 0
    assert pair.ledger("good") == []


def test_a_protected_folder_that_was_made_anew_is_found(pair: Pair) -> None:
    policy = f"path={base64.b64encode(b'D:' + bytes([92]) + b'Data').decode()}"
    server = merge(
        SOUND,
        {
            "files": {r"D:\Data\a.txt": 1},
            "events": [event("CloudBackup", 3)],
            "programs": {"powershell.exe": {"exit_code": 0, "reads": True, "output": [policy]}},
        },
    )
    pair.plant(server, merge(server, {"made": {r"D:\Data": -9e6}}))
    assert pair.run("check", "mars-critical-inconsistency-folder-recreated") == 1
    pair.plant(server, server)
    assert pair.run("check", "mars-protected-folders") == 0
    assert pair.ledger("bad") == pair.ledger("good") == []


def test_a_running_job_holds_the_guest(pair: Pair) -> None:
    plant(pair, {**COMPRESSED, **RUNNING})
    assert pair.run("fix", "mars-scratch-attributes", *ALLOW) == 4
    assert pair.ledger("bad") == pair.ledger("good") == []


def test_a_server_without_the_agent_is_skipped(pair: Pair) -> None:
    pair.plant(None, {})
    for id in ("mars-scratch-attributes", "mars-scratch-free-space", "mars-antivirus-exclusions"):
        assert pair.run("fix", id, *ALLOW) == 0
    assert pair.ledger("bad") == pair.ledger("good") == []
