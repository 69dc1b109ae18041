"""What a sweep looks at on a MARS server, in one guest with a real registry, files and services."""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from fleet.catalog import Catalog
from tests.powershell.engine import Engine
from tests.powershell.windows_guest import Windows, one_guest

pytestmark = pytest.mark.windows_lab

CONFIG = r"HKLM\SOFTWARE\Microsoft\Windows Azure Backup\Config"
SCRATCH = r"C:\Program Files\Microsoft Azure Recovery Services Agent\Scratch"
AGENT = r"C:\Program Files\Microsoft Azure Recovery Services Agent"
TREE = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Schedule\TaskCache\Tree\Microsoft"
SYSTEM_INTERNET = r"HKU\S-1-5-18\Software\Microsoft\Windows\CurrentVersion\Internet Settings"
ENVIRONMENT = r"HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Environment"
SERVICING = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing"


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


def test_the_version_is_that_of_the_program_that_the_service_runs(windows: Windows) -> None:
    windows.look()
    version = windows.run("mars-version", "ok").data["version"]
    assert version == "2.0.9262.0"
    windows.run("mars-version", "failed", minimum_version="2.0.9262.1")
    assert windows.changes() == {}


def test_the_scratch_folder_has_a_volume_with_a_size_and_a_place(windows: Windows) -> None:
    windows.look()
    data = windows.run("mars-scratch-space", "ok", minimum_percent=1, wanted_percent=1).data
    assert data["scratch"] == SCRATCH
    assert 0 < data["free_bytes"] < data["size_bytes"]
    assert windows.run("mars-scratch-valid", "ok").data["unsupported"] == []
    assert windows.changes() == {}


def test_a_scratch_folder_that_was_moved_in_one_place_or_is_gone_is_found(windows: Windows) -> None:
    windows.guest.set_reg(CONFIG, {"ScratchLocation": r"C:\gone"})
    windows.run("mars-scratch-space", "failed")
    assert "two scratch folders" in windows.run("mars-scratch-valid", "failed").message.raw
    windows.guest.set_reg(rf"{CONFIG}\CloudBackupProvider", {"ScratchLocation": "C:\\Gone\\"})
    assert "is not there" in windows.run("mars-scratch-valid", "failed").message.raw
    for key in (CONFIG, rf"{CONFIG}\CloudBackupProvider"):
        windows.guest.set_reg(key, {"ScratchLocation": SCRATCH})


def test_an_update_is_dated_by_the_servicing_store_and_a_restart_is_seen(windows: Windows) -> None:
    assert windows.run("mars-updates", "failed").data["newest"] == ""
    installed = int(time.time() - 3 * 86400 - 3600 + 11644473600) * 10**7  # FILETIME
    package = rf"{SERVICING}\Packages\Package_for_RollupFix~31bf3856ad364e35~amd64~~17763.6414.1.11"
    high, low = installed >> 32, installed & 0xFFFFFFFF
    windows.guest.set_reg(package, {"CurrentState": 112, "InstallTimeHigh": high, "InstallTimeLow": low})
    assert windows.run("mars-updates", "ok").data["age_days"] == 3
    windows.guest.set_reg(rf"{SERVICING}\RebootPending", {})
    assert windows.run("mars-updates", "failed").data["restart_pending"] == ["servicing"]


def test_without_antivirus_software_nothing_has_to_be_left_out(windows: Windows) -> None:
    windows.run("mars-av", "ok")


def test_the_scheduled_task_is_known_by_the_registry_and_read_by_schtasks(windows: Windows) -> None:
    windows.guest.set_reg(rf"{TREE}\OnlineBackup\Microsoft-OnlineBackup", {"Id": "{1}"})
    windows.guest.set_reg(rf"{TREE}\Windows\Backup\Microsoft-Windows-WindowsBackup", {"Id": "{2}"})
    windows.look()
    (task,) = windows.run("mars-task", "ok").data["tasks"]
    assert (task["accounts"], task["instances"], task["triggers"]) == (["S-1-5-18"], "IgnoreNew", 1)
    clash = windows.run("mars-schedule-clash", "failed").data["clashes"]
    assert clash == ["MARS 22:00, Windows Server Backup 22:00"]
    assert windows.changes() == {}


def test_the_last_job_is_the_newest_event_of_the_agents_log(
    windows: Windows, windows_lab: ModuleType
) -> None:
    windows_lab.write_events(windows.guest.drive, [])
    assert "no backup" in windows.run("mars-last-job", "failed").message.raw
    job = {"log": "CloudBackup/Operational", "provider": "CloudBackup", "level": 4, "text": "-"}
    ended = [{**job, "id": 11, "minutes_ago": 90}, {**job, "id": 3, "minutes_ago": 60}]
    windows_lab.write_events(windows.guest.drive, ended)
    assert windows.run("mars-last-job", "ok").data["event"] == 3
    windows.guest.write(rf"{AGENT}\temp\LastBackupFailedFiles0001.txt", "C:\\Data\\open.pst 0x80070020\r\n")
    windows_lab.write_events(windows.guest.drive, [*ended, {**job, "id": 10, "minutes_ago": 30}])
    left_out = windows.run("mars-last-job", "failed").data["failed_files"]
    assert left_out == [{"code": "0x80070020", "count": 1, "drives": ["C:"]}]
    windows.run("mars-last-job", "failed", codes=["0x80070020"])
    windows.run("mars-last-job", "ok", codes=["0x80070570"])


def test_the_module_is_loaded_in_a_powershell_of_its_own_and_looked_for_on_the_path(windows: Windows) -> None:
    manifest = rf"{AGENT}\bin\Modules\MSOnlineBackup\MSOnlineBackup.psd1"
    windows.guest.write(manifest, "@{ ModuleVersion = '1.0' }")
    windows.guest.set_reg(ENVIRONMENT, {"PSModulePath": rf"C:\Other;{AGENT}\bin\Modules"})
    windows.look()
    windows.run("mars-module", "ok")
    assert windows.changes() == {}
    windows.guest.set_reg(ENVIRONMENT, {"PSModulePath": r"C:\Other"})
    data = windows.run("mars-module", "failed").data
    assert (data["loads"], data["on_path"]) == (True, False)
    windows.guest.write(manifest, "@{ ModuleVersion = ")
    assert windows.run("mars-module", "failed").data["loads"] is False


def test_proxy_and_trusted_sites_are_read_from_the_hive_of_system(windows: Windows) -> None:
    windows.guest.set_reg(SYSTEM_INTERNET, {"ProxyEnable": 1, "ProxyServer": "proxy.example:8080"})
    windows.run("mars-proxy", "ok", proxy="proxy.example:8080")
    windows.guest.set_reg(rf"{SYSTEM_INTERNET}\ZoneMap\Domains\windows.net", {"https": 2})
    assert windows.run("mars-trusted-sites", "failed").data["trusted"] == ["windows.net"]
