"""Engines for the PowerShell files, and the record of which file was proved on which engine.

`scripts/verified.json` is written by runs with FLEET_RECORD set, and read by every run to say which files
have changed since an engine last passed their tests.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from fleet.catalog import Catalog, load
from fleet.lab.fake_windows import ENGINE
from fleet.render import POWERSHELL_COMMAND, powershell_command
from tests.conftest import OUTER_ENVIRONMENT
from tests.powershell import record
from tests.powershell.engine import Engine

ROOT = Path(__file__).parents[2]
COMPILER = "x86_64-w64-mingw32-gcc"
QUIET = {"NO_COLOR": "1", "POWERSHELL_TELEMETRY_OPTOUT": "1", "POWERSHELL_UPDATECHECK": "Off"}


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    return load()


@pytest.fixture(scope="session")
def pwsh() -> Iterator[Engine]:
    """The engine of this machine."""
    if shutil.which(ENGINE) is None:
        pytest.skip("no PowerShell on PATH as pwsh")

    def start() -> subprocess.Popen[bytes]:
        command = powershell_command(ENGINE).split(" ")
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, env={**os.environ, **QUIET}, bufsize=0)

    engine = Engine(start)
    engine.identify()
    yield engine
    engine.close()


def _lab_folder() -> Path | None:
    named = OUTER_ENVIRONMENT.get("FLEET_WINDOWS_LAB")
    folder = Path(named) if named else ROOT.parent / "shared" / "windows_lab"
    return folder if (folder / "lab.py").is_file() else None


def _windows_build() -> Path | None:
    named = OUTER_ENVIRONMENT.get("WINDOWS_LAB_PWSH")
    if named:
        return Path(named)
    program = shutil.which("pwsh-windows")
    return Path(program).resolve().parent if program else None


@pytest.fixture(scope="session")
def windows_lab() -> Iterator[ModuleType]:
    """The developers' lab: guests under wine with a real registry and service manager."""
    folder, build = _lab_folder(), _windows_build()
    if folder is None:
        pytest.skip("no Windows lab: set FLEET_WINDOWS_LAB to its folder")
    if build is None:
        pytest.skip("no Windows build of PowerShell: set WINDOWS_LAB_PWSH to its folder")
    home = OUTER_ENVIRONMENT.get("HOME", "/")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WINDOWS_LAB_PWSH", str(build))
        cache = OUTER_ENVIRONMENT.get("WINDOWS_LAB_CACHE", f"{home}/.cache/windows_lab")
        patch.setenv("WINDOWS_LAB_CACHE", cache)
        patch.setattr(sys, "dont_write_bytecode", True)
        patch.syspath_prepend(str(folder))
        import lab  # type: ignore[import-not-found]

        if not Path(lab.WINE).is_file() or shutil.which(COMPILER) is None:
            pytest.skip("the Windows lab needs wine64 and gcc-mingw-w64-x86-64")
        yield lab


def guest_engine(guest: Any) -> Engine:
    """An engine in a guest of the lab, started as a remote shell would."""
    return Engine(lambda: guest.popen(POWERSHELL_COMMAND).process)


@pytest.fixture(scope="session")
def plain_guest(windows_lab: ModuleType) -> Iterator[Engine]:
    """The engine of a guest that nobody changes."""
    with windows_lab.Guest(roles=["azure"], language="de") as guest:
        engine = guest_engine(guest)
        engine.identify()
        yield engine
        engine.close()


@pytest.fixture(
    params=[
        pytest.param("pwsh", marks=pytest.mark.pwsh),
        pytest.param("plain_guest", marks=pytest.mark.windows_lab),
    ]
)
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine there is, one after the other."""
    found: Engine = request.getfixturevalue(request.param)
    record.covers(request.node, found, record.FRAME)
    return found


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    outcome: Any = yield
    record.note(item, outcome.get_result())


def pytest_sessionfinish() -> None:
    if OUTER_ENVIRONMENT.get("FLEET_RECORD"):
        record.write()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    terminalreporter.section("PowerShell files")
    for line in record.summary():
        terminalreporter.write_line(line)
