"""The scratch folder of the MARS agent in a guest with a real registry, service manager and files.

Each test compares the whole guest before and after: what changed is what was meant, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from fleet.catalog import Catalog
from tests.powershell.engine import Engine
from tests.powershell.windows_guest import Windows, left_as_found, one_guest

pytestmark = pytest.mark.windows_lab

CONFIG = r"HKLM\SOFTWARE\Microsoft\Windows Azure Backup\Config"
PROVIDER = rf"{CONFIG}\CloudBackupProvider"
OLD = r"C:\Program Files\Microsoft Azure Recovery Services Agent\Scratch"
NEW = r"C:\Data\MARS scratch"
VHD = rf"{OLD}\disks\one.vhd"
ROBOCOPY = r"C:\windows\system32\robocopy.exe"
ENGINE = r"C:\Program Files\Microsoft Azure Recovery Services Agent\bin\cbengine.exe"
OVERRIDES = r"HKCU\Software\Wine\DllOverrides"
COPY = rf"""
[void][IO.Directory]::CreateDirectory('{NEW}\disks')
foreach ($name in 'OnlineBackup.KEK', 'disks\one.vhd') {{ [IO.File]::Copy("{OLD}\$name", "{NEW}\$name") }}
"""
"""What robocopy does; wine has a program of that name which copies nothing."""


@pytest.fixture(scope="module")
def shared(windows_lab: ModuleType) -> Iterator[tuple[Any, Engine]]:
    with one_guest(windows_lab, "mars") as both:
        yield both


@pytest.fixture
def windows(
    shared: tuple[Any, Engine], windows_lab: ModuleType, catalog: Catalog, request: pytest.FixtureRequest
) -> Iterator[Windows]:
    """The guest, whose registry has to be left as it was found."""
    with left_as_found(windows_lab, Windows(windows_lab, *shared, catalog, request.node)) as guest:
        yield guest


@pytest.fixture
def copied(windows: Windows, windows_lab: ModuleType) -> Iterator[None]:
    """A whole copy of the folder, and a robocopy that is content with it."""
    own = windows.guest.read(ROBOCOPY)
    windows.guest.remove(ROBOCOPY)
    windows.guest.write(ROBOCOPY, windows.guest.read(ENGINE))
    windows.guest.set_reg(OVERRIDES, {"robocopy.exe": "native,builtin"})
    windows.guest.program("robocopy.exe", ExitCode=1)
    windows.guest.write(VHD, "a virtual disk")
    windows.body(COPY)
    yield
    for path in (ROBOCOPY, VHD, rf"{NEW}\disks\one.vhd", rf"{NEW}\OnlineBackup.KEK"):
        windows.guest.remove(path)
    windows.guest.write(ROBOCOPY, own)
    windows.guest.unset_reg(OVERRIDES, "robocopy.exe")
    windows.guest.unset_reg(rf"{windows_lab.LAB}\Programs\robocopy.exe")


def restarts(changes: Any) -> dict[str, tuple[int, int]]:
    """Takes the stops and starts of each service out of the changes; its settings are as they were."""
    services = changes.pop("services", {})
    assert all(set(change) <= {"starts", "stops"} for change in services.values()), services
    return {
        name: (len(change.get("stops", [])), len(change.get("starts", [])))
        for name, change in services.items()
    }


def values(changes: Any) -> dict[str, list[str]]:
    """What became of the values of the scratch folder, by the last part of their keys."""
    registry = changes.pop("registry", {})
    assert all(set(change) == {"ScratchLocation"} for change in registry.values()), registry
    return {
        key.rsplit("\\", 1)[1]: [entry and entry[1] for entry in change["ScratchLocation"]]
        for key, change in registry.items()
    }


@pytest.mark.usefixtures("copied")
def test_the_folder_is_moved_and_the_undo_leads_back(windows: Windows) -> None:
    windows.look()
    assert windows.run("move-scratch-folder", "skipped").data["held"]
    windows.run("move-scratch-folder", "changed", check=True, scratch_to=NEW, minimum_percent=1)
    assert windows.changes() == {}
    reply = windows.run("move-scratch-folder", "changed", scratch_to=NEW, minimum_percent=1)
    changes = windows.changes()
    assert restarts(changes) == {"obengine": (1, 1)}
    assert values(changes) == {"Config": [OLD, NEW], "CloudBackupProvider": [OLD, NEW]}
    assert changes == {}, "the old folder stays"
    whole: list[Any] = ["place", "attributes", "rights", "key", "holders"]
    assert windows.run("mars-scratch-valid", "ok", look=whole).data["scratch"] == NEW
    windows.run("move-scratch-folder", "ok", scratch_to=NEW)
    assert windows.changes() == {}
    windows.run("restore-scratch-location", "changed", **reply.data["undo"])
    changes = windows.changes()
    assert restarts(changes) == {"obengine": (1, 1)}
    assert values(changes) == {"Config": [NEW, OLD], "CloudBackupProvider": [NEW, OLD]}
    assert changes == {}


@pytest.mark.usefixtures("copied")
def test_an_agent_that_does_not_start_in_the_new_place_gets_its_old_one_back(windows: Windows) -> None:
    windows.guest.behave("obengine", StartFail=1053, StartFailTimes=2)
    windows.look()
    said = windows.run("move-scratch-folder", "failed", scratch_to=NEW, minimum_percent=1).message.raw
    assert "the values are as they were, and obengine runs" in said
    changes = windows.changes()
    assert values(changes) == {}
    assert restarts(changes) == {"obengine": (1, 1)}
    windows.guest.behave("obengine")


def test_a_copy_that_fails_leaves_the_agent_where_it_was(windows: Windows) -> None:
    windows.look()
    said = windows.run("move-scratch-folder", "failed", scratch_to=r"C:\New", minimum_percent=1).message.raw
    assert said.startswith(r"the copy in C:\New is not whole: robocopy failed, exit code 16; the agent uses")
    changes = windows.changes()
    assert restarts(changes) == {"obengine": (1, 1)}
    assert changes == {}


def test_a_folder_that_was_moved_in_one_place_only_gets_one_name(windows: Windows) -> None:
    windows.guest.set_reg(PROVIDER, {"ScratchLocation": r"C:\gone"})
    windows.look()
    reply = windows.run("set-scratch-location", "changed")
    changes = windows.changes()
    assert restarts(changes) == {"obengine": (1, 1)}
    assert values(changes) == {"CloudBackupProvider": [r"C:\gone", OLD]}
    assert changes == {}
    windows.run("set-scratch-location", "ok")
    assert reply.data["undo"]["values"][0]["value"] == r"C:\gone"
    gone = windows.run("restore-scratch-location", "failed", **reply.data["undo"]).message.raw
    assert gone == r"there is no folder C:\gone; nothing was touched"
    assert windows.changes() == {}


def test_where_a_program_is_missing_the_agent_still_comes_back(windows: Windows) -> None:
    windows.look()
    items: list[Any] = [{"path": OLD, "attributes": ["Compressed"]}]
    said = windows.run("restore-scratch-attributes", "failed", items=items).message.raw
    assert said == "compact.exe is missing"
    changes = windows.changes()
    assert restarts(changes) == {"obengine": (1, 1)}
    assert changes == {}


def test_what_is_not_compressed_or_watched_is_left_alone(windows: Windows) -> None:
    windows.look()
    windows.run("clear-scratch-attributes", "ok")
    windows.run("set-mars-exclusions", "skipped")
    assert windows.run("mars-scratch-valid", "ok", look=["holders"]).data["holders"] == []
    assert windows.changes() == {}


MODULE = r"C:\Program Files\Microsoft Azure Recovery Services Agent\bin\Modules\MSOnlineBackup\MSOnlineBackup"
CMDLETS = r"""
function Get-OBPolicy { 'a policy' }
function Get-OBFileSpec {
    foreach ($each in 'D:\', 'C:\Daten\Büro\', 'C:\Gone', 'C:\Left out') {
        $out = $each -eq 'C:\Left out'
        New-Object PSObject -Property @{ FileSpec = $each; IsExclude = $out; IsRecursive = $true }
    }
}
"""


def test_a_protected_folder_made_after_the_last_good_backup_is_found(
    windows: Windows, windows_lab: ModuleType
) -> None:
    manifest = windows.guest.read(f"{MODULE}.psd1")
    windows.guest.write(f"{MODULE}.psd1", "@{ ModuleVersion = '1.0'; RootModule = 'MSOnlineBackup.psm1' }")
    windows.guest.write(f"{MODULE}.psm1", b"\xef\xbb\xbf" + CMDLETS.encode())
    windows.guest.write("C:\\Daten\\Büro\\a.txt", "x")
    job = {"log": "CloudBackup/Operational", "provider": "CloudBackup", "level": 4, "id": 3, "text": "-"}
    windows_lab.write_events(windows.guest.drive, [{**job, "minutes_ago": 60}])
    windows.look()
    data = windows.run("mars-protected-folders", "failed").data
    assert (data["made_anew"], data["missing"]) == (["C:\\Daten\\Büro"], [r"C:\Gone"])
    windows_lab.write_events(windows.guest.drive, [{**job, "minutes_ago": -5}])
    windows.run("mars-protected-folders", "ok")
    assert windows.changes() == {}
    windows.guest.write(f"{MODULE}.psm1", "throw 'damaged'")
    windows.run("mars-protected-folders", "skipped")
    windows.guest.remove(f"{MODULE}.psm1")
    windows.guest.write(f"{MODULE}.psd1", manifest)
