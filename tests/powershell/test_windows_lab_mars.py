"""What a sweep looks at on a MARS server, in one guest with a real registry, files and services."""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from fleet.catalog import Catalog
from tests.powershell.conftest import guest_engine
from tests.powershell.engine import Engine
from tests.powershell.test_windows_lab import Windows

pytestmark = pytest.mark.windows_lab

CONFIG = r"HKLM\SOFTWARE\Microsoft\Windows Azure Backup\Config"
SCRATCH = r"C:\Program Files\Microsoft Azure Recovery Services Agent\Scratch"
SERVICING = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing"


@pytest.fixture(scope="module")
def shared(windows_lab: ModuleType) -> Iterator[tuple[Any, Engine]]:
    with windows_lab.Guest(roles=["mars"]) as guest:
        engine = guest_engine(guest)
        try:
            engine.identify()
            yield guest, engine
        finally:
            engine.close()


@pytest.fixture
def windows(
    shared: tuple[Any, Engine], windows_lab: ModuleType, catalog: Catalog, request: pytest.FixtureRequest
) -> Windows:
    """The guest."""
    guest, engine = shared
    return Windows(windows_lab, guest, engine, catalog, request.node)


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
