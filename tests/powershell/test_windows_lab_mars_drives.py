"""What a MARS server backs up from and restores with, in one guest of the Windows lab."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from fleet.catalog import Catalog
from fleet.model import ParamValue
from tests.powershell.engine import Engine
from tests.powershell.windows_guest import LAB, Windows, one_guest

pytestmark = pytest.mark.windows_lab

MODULE = r"C:\Program Files\Microsoft Azure Recovery Services Agent\bin\Modules\MSOnlineBackup\MSOnlineBackup"
POLICY = """
function Get-OBPolicy { [pscustomobject]@{ Name = 'policy' } }
function Get-OBFileSpec { param([Parameter(ValueFromPipeline)]$Policy)
    [pscustomobject]@{ FileSpec = 'C:\\D\u00e4ten'; IsExclude = $false; IsRecursive = $true }
    [pscustomobject]@{ FileSpec = 'C:\\D\u00e4ten\\out'; IsExclude = $true; IsRecursive = $true } }
"""
TEMP = r"C:\Windows\Temp"
DEVICE = r"HKLM\SYSTEM\CurrentControlSet\Enum\ROOT\ISCSIPRT\0000"


@pytest.fixture(scope="module")
def shared(windows_lab: ModuleType) -> Iterator[tuple[Any, Engine]]:
    with one_guest(windows_lab, "mars") as both:
        yield both


@pytest.fixture
def windows(
    shared: tuple[Any, Engine], windows_lab: ModuleType, catalog: Catalog, request: pytest.FixtureRequest
) -> Windows:
    """The guest."""
    return Windows(windows_lab, *shared, catalog, request.node)


def test_old_tmp_files_go_and_what_is_new_in_use_or_of_another_name_stays(windows: Windows) -> None:
    guest, old = windows.guest, time.time() - 30 * 3600
    for name in ("a.tmp", "b.TMP", "used.tmp", "a.tmpx", "setup.log", r"below\c.tmp"):
        guest.write(rf"{TEMP}\{name}", "x" * 1000)
        os.utime(guest.path(rf"{TEMP}\{name}"), (old, old))
    guest.write(rf"{TEMP}\new.tmp", "x")
    # opened so that others may delete it, which would take it away once it is closed
    opened = rf"[IO.File]::Open('{TEMP}\used.tmp', 'Open', 'Read', [IO.FileShare]'ReadWrite, Delete')"
    windows.body(f"[AppDomain]::CurrentDomain.SetData('held', {opened})")
    assert windows.run("windows-temp-files", "failed", max_temp_files=3).data["old_files"] == 3
    windows.look()
    windows.run("remove-old-temp-files", "changed", check=True, max_temp_files=3)
    assert windows.changes() == {}
    data = windows.run("remove-old-temp-files", "changed", max_temp_files=3, batch=1).data
    assert {key: data[key] for key in ("before", "deleted", "bytes", "in_use", "kept", "after")} == {
        "before": 4,
        "deleted": 2,
        "bytes": 2000,
        "in_use": 1,
        "kept": 0,
        "after": 2,
    }
    (changed,) = windows.changes().items()
    assert changed[0] == "files"
    assert set(changed[1]) == {rf"{TEMP}\a.tmp", rf"{TEMP}\b.TMP"}
    windows.run("remove-old-temp-files", "ok", max_temp_files=3)
    windows.run("windows-temp-files", "ok", max_temp_files=3)
    windows.body("[AppDomain]::CurrentDomain.GetData('held').Close()")
    assert guest.read(rf"{TEMP}\used.tmp"), "still there when it is closed"


def test_a_full_area_gets_a_larger_limit_and_its_old_one_back(windows: Windows) -> None:
    size, area = 100 << 30, rf"{LAB}\Storage\00"
    planted = {"VolumeSize": size, "Used": 19 * size // 100, "Allocated": 20 * size // 100}
    qwords = {name: ("qword", value) for name, value in {**planted, "Maximum": 20 * size // 100}.items()}
    windows.guest.set_reg(area, qwords)
    values: dict[str, ParamValue] = {"add_percent": 5, "keep_percent": 1}
    for language in ("de", "fr", "sv", "en"):
        windows.guest.set_reg(LAB, {"Language": language})
        assert "19 % of 20 % used" in windows.run("shadow-storage", "failed").message.raw
    windows.look()
    windows.run("resize-shadow-storage", "changed", True, **values)
    assert windows.guest.value(area, "Maximum") == 20 * size // 100
    undo = windows.run("resize-shadow-storage", "changed", False, **values).data["undo"]
    assert undo == {"areas": [{"volume": "C:", "storage": "C:", "maximum": "20%"}]}
    assert windows.guest.value(area, "Maximum") == 25 * size // 100
    windows.run("resize-shadow-storage", "ok", False, **values)
    windows.run("shadow-storage", "ok")
    windows.run("restore-shadow-storage", "changed", **undo)
    assert windows.guest.value(area, "Maximum") == 20 * size // 100
    windows.run("restore-shadow-storage", "ok", **undo)
    assert windows.changes() == {}


def test_an_area_that_would_fill_its_volume_or_lose_copies_is_held(windows: Windows) -> None:
    size, area = 100 << 30, rf"{LAB}\Storage\00"
    planted = {"VolumeSize": size, "Used": size // 2, "Allocated": size // 2, "Maximum": size // 2}
    windows.guest.set_reg(area, {name: ("qword", value) for name, value in planted.items()})
    assert windows.run("resize-shadow-storage", "skipped", keep_percent=90).data["held"]
    less = [{"volume": "C:", "storage": "C:", "maximum": "40%"}]
    assert windows.run("restore-shadow-storage", "skipped", areas=less).data["held"]
    assert windows.guest.value(area, "Maximum") == size // 2


def test_the_policy_is_read_in_a_powershell_of_its_own_and_its_files_are_looked_at(windows: Windows) -> None:
    assert "offline, or deleted" in windows.run("mars-drives", "failed", paths=["Q:\\"]).message.raw
    assert windows.run("mars-drives", "failed", seconds=0).message.raw.startswith("the agent did not give")
    windows.guest.write(f"{MODULE}.psm1", POLICY.encode("utf-8-sig"))
    windows.guest.write(f"{MODULE}.psd1", "@{ ModuleVersion = '1.0'; RootModule = 'MSOnlineBackup.psm1' }")
    for name in (r"a.txt", r"b\c.txt", r"out\d.txt"):
        windows.guest.write("C:\\D\u00e4ten\\" + name, "x")
    assert windows.body("Add-FleetData 'job' (Get-FleetMarsJob)")["job"] == "", "nor does it know Get-OBJob"
    windows.look()
    data = windows.run("mars-drives", "ok").data
    assert data["drives"] == [{"path": "C:\\D\u00e4ten", "problem": ""}]
    assert (data["looked"], data["complete"]) == (5, True)
    assert windows.changes() == {}


def test_files_are_found_by_their_bits_and_a_walk_ends_in_time(windows: Windows) -> None:
    """wine knows no links and no placeholders, so it is the read-only bit here."""
    for number in range(300):
        windows.guest.write(rf"C:\Walk\{number % 7}\{number}.txt", "x")
    windows.body(r"[IO.File]::SetAttributes('C:\Walk\3\10.txt', 'ReadOnly')")
    found = "Add-FleetData 'paths' @($walk.Found | ForEach-Object { $_.Path }); "
    rest = "Add-FleetData 'looked' $walk.Looked; Add-FleetData 'complete' $walk.Complete"
    data = windows.body(rf"$walk = Find-FleetMarkedFile 'C:\Walk\' @(1, 0) 30; {found}{rest}")
    assert (data["paths"], data["looked"], data["complete"]) == ([r"C:\Walk\3\10.txt"], 307, True)
    data = windows.body(rf"$walk = Find-FleetMarkedFile 'C:\Walk' @(1, 1) 30; {found}{rest}")
    assert data["paths"] == []
    data = windows.body(rf"$walk = Find-FleetMarkedFile 'C:\Walk' @(1, 0) -1; {found}{rest}")
    assert (data["looked"], data["complete"]) == (255, False)


def test_drives_say_what_they_are(windows: Windows) -> None:
    drives = windows.body("Add-FleetData 'drives' @(Get-FleetDrive)")["drives"]
    (system,) = [drive for drive in drives if drive["Name"] == "C:"]
    assert {key: system[key] for key in ("DriveType", "Format", "ReadOnly", "Problem")} == {
        "DriveType": "Fixed",
        "Format": "NTFS",
        "ReadOnly": False,
        "Problem": "",
    }


def test_a_job_that_runs_holds_every_remedy(windows: Windows) -> None:
    windows.guest.write(f"{MODULE}.psd1", "@{ ModuleVersion = '1.0'; RootModule = 'MSOnlineBackup.psm1' }")
    windows.guest.write(f"{MODULE}.psm1", "function Get-OBJob { }")
    assert windows.body("Add-FleetData 'job' (Get-FleetMarsJob)")["job"] == ""
    windows.guest.write(f"{MODULE}.psm1", "function Get-OBJob { [pscustomobject]@{ JobId = 1 } }")
    windows.guest.set_reg(DEVICE, {"DeviceDesc": "x"})
    windows.guest.configure("MSiSCSI", start="disabled")
    held = windows.run("restart-iscsi-initiator", "skipped").data["held"]
    assert held == ["a job of the MARS agent is running: Get-OBJob lists a job that runs"]
    windows.guest.configure("MSiSCSI", start="manual")
    windows.guest.write(f"{MODULE}.psm1", POLICY.encode("utf-8-sig"))


def test_a_disabled_initiator_may_start_again_and_a_running_one_is_left_alone(windows: Windows) -> None:
    windows.guest.set_reg(DEVICE, {"DeviceDesc": "x"})
    assert "unknown device" in windows.run("mars-iscsi", "failed").message.raw
    windows.run("install-iscsi-driver", "failed")
    windows.guest.set_reg(DEVICE, {"Service": "iScsiPrt"})
    windows.run("install-iscsi-driver", "ok")
    windows.run("mars-iscsi", "ok")
    windows.guest.configure("MSiSCSI", start="disabled")
    windows.look()
    windows.run("mars-iscsi", "failed")
    windows.run("restart-iscsi-initiator", "changed", check=True)
    assert windows.changes() == {}
    undo = windows.run("restart-iscsi-initiator", "changed").data["undo"]
    changes = windows.changes()
    assert set(changes["services"]) == {"MSiSCSI"}
    assert len(changes["services"]["MSiSCSI"]["starts"]) == 1
    windows.run("mars-iscsi", "ok")
    windows.run("restart-iscsi-initiator", "ok")
    held = windows.run("restart-iscsi-initiator", "skipped", force=True).data["held"]
    assert held == ["Windows does not say whether iSCSI sessions are open"], "there is no WMI here"
    assert windows.changes() == {}
    windows.run("restore-service-settings", "changed", **undo)
    assert windows.guest.service("MSiSCSI")["start"] == "disabled"
