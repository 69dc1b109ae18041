"""A fake guest as a server sees it: the constant command line, streams, an end, and honest answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fleet.catalog import Catalog
from fleet.envelope import parse
from fleet.lab import ps_frame
from fleet.lab.fake_windows import FakeWindows, available, from_model, with_fake_library
from fleet.lab.windows_state import Service, WindowsState, Writer
from fleet.model import Completed, Outcome
from fleet.render import POWERSHELL_COMMAND
from tests.powershell.engine import Engine, snippet_of

WRITER = "e8132975-6f93-4464-a53e-1050253ae220"


def guest(folder: Path) -> FakeWindows:
    """A guest whose one writer failed."""
    state = WindowsState(
        services={"VSS": Service(), "CryptSvc": Service(depends_on=("VSS",))},
        writers=[Writer("System Writer", WRITER, "CryptSvc", state=9, last_error="Timed out")],
    )
    return FakeWindows("win", {"ops": "secret"}, from_model(state), folder)


def ended(process: Any) -> int:
    """Exit code of a process whose streams are closed then."""
    code: int = process.wait(60)
    for stream in (process.stdin, process.stdout, process.stderr):
        stream.close()
    return code


@pytest.mark.pwsh
def test_a_fault_is_mended_over_the_streams_of_a_process(
    pwsh: Engine, catalog: Catalog, tmp_path: Path
) -> None:
    assert available()
    windows = guest(tmp_path)
    process = windows.spawn(POWERSHELL_COMMAND)
    assert process.stdin
    assert process.stdout
    script = pwsh.named(catalog, "restart-vss-writers", {"wait_seconds": 0})
    process.stdin.write(script.payload)
    process.stdin.close()
    reply = parse(Completed(process.stdout.read(), b"", None, 0.0), script.nonce)
    assert reply.outcome is Outcome.CHANGED
    assert reply.data["simulated"] is True
    assert windows.state["ledger"] == ["stop CryptSvc", "start CryptSvc"]
    assert ended(process) == 0


@pytest.mark.pwsh
@pytest.mark.usefixtures("pwsh")  # skips where there is no engine
def test_a_process_that_is_killed_has_ended(tmp_path: Path) -> None:
    process = guest(tmp_path).spawn(POWERSHELL_COMMAND)
    assert process.poll() is None
    process.kill()
    assert ended(process) != 0


def test_another_command_line_is_no_program_here(tmp_path: Path) -> None:
    process = guest(tmp_path).spawn("cmd /c whoami")
    assert process.stderr
    assert b"'cmd' is not recognized" in process.stderr.read()
    assert ended(process) == 9009


def test_the_state_is_a_file_that_only_the_guest_has(tmp_path: Path) -> None:
    first = guest(tmp_path)
    assert json.loads((tmp_path / "win.json").read_text("utf-8")) == first.state
    assert first.state["writers"][0]["cured_by"] == 1
    assert first.state["administrator"] is True


@pytest.mark.pwsh
def test_only_contact_is_replaced_in_a_frame(pwsh: Engine, tmp_path: Path) -> None:
    script = pwsh.script(snippet_of("Set-FleetOk 'x'"))
    before = ps_frame.unpack(script.payload)
    after = ps_frame.unpack(with_fake_library(script.payload, tmp_path / "state.json"))
    added = after.split(ps_frame.MARKER)[1].split("$body = ")[0]
    assert added.startswith("$library += '")
    assert after.replace(added, "") == before


def test_a_line_that_is_no_frame_is_refused() -> None:
    with pytest.raises(ps_frame.FrameError):
        with_fake_library(b"bm90IGEgZnJhbWU=\n", Path("state.json"))
