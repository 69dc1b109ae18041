"""This machine: the shell that is wanted, sudo, and the end of everything that was started."""

from __future__ import annotations

import base64
import shutil
import subprocess
import zlib
from pathlib import Path

import pytest

from fleet import render
from fleet.errors import DeniedError, UnreachableError
from fleet.model import Address, Host, Os, Outcome, Script, Shell
from fleet.ports import SystemClock
from fleet.transport import Limits
from fleet.transport.local import LocalTransports
from tests.transport.contract import Answer, Say, World, local_world, read


def host(shell: Shell = Shell.SH, *, become: bool = False) -> Host:
    return Host("here", Address("localhost"), "local", Os.LINUX, shell, 0, become=become)


def openers() -> LocalTransports:
    return LocalTransports(SystemClock(), Limits(grace=0.3))


@pytest.fixture
def world(tmp_path: Path) -> World:
    with local_world(tmp_path) as made:
        return made


def stub_sudo(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    (folder / "sudo").write_text(f"#!/bin/sh\n{text}\n")
    (folder / "sudo").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_sudo_that_asks(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stub_sudo(tmp_path / "bin", "echo 'sudo: a password is required' >&2; exit 1", monkeypatch)
    with openers().open(host(become=True)) as transport, pytest.raises(DeniedError, match="NOPASSWD"):
        list(transport.run([world.script(Answer())]))


def test_sudo_that_lets_us(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stub_sudo(tmp_path / "bin", 'test "$1 $2" = "-n --" || exit 9; shift 2; exec "$@"', monkeypatch)
    script = world.script(Say(b"as root\n"), Answer())
    with openers().open(host(become=True)) as transport:
        (completed,) = transport.run([script])
    assert read(script, completed).log.raw == "as root"


def test_a_shell_that_is_not_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnreachableError, match="there is no pwsh on this machine"):
        openers().open(host(Shell.POWERSHELL))


def test_what_a_script_leaves_running_does_not_hold_the_answer_up(world: World) -> None:
    script = world.script(Answer("done"))
    held = b"sleep 20 &\necho $!\n" + script.payload
    script = Script(Shell.SH, script.nonce, held, 60.0, "test", "0" * 64)
    with openers().open(host()) as transport:
        (completed,) = transport.run([script])
    assert read(script, completed).message.raw == "done"
    assert completed.exit_code == 0
    assert completed.seconds < 5
    subprocess.run(["kill", completed.stdout.split()[0]], check=True)


@pytest.mark.pwsh
@pytest.mark.skipif(shutil.which("pwsh") is None, reason="needs a PowerShell engine on PATH as pwsh")
def test_powershell() -> None:
    assert "powershell" in render.POWERSHELL_COMMAND
    payload = _powershell_line(
        """[Console]::Out.WriteLine('{"fleet":1,"nonce":"n1","outcome":"ok","message":"hi","data":{},"seconds":0}')"""
    )
    script = Script(Shell.POWERSHELL, "n1", payload, 60.0, "test", "0" * 64)
    with openers().open(host(Shell.POWERSHELL)) as transport:
        (completed,) = transport.run([script])
    assert read(script, completed).outcome is Outcome.OK


def _powershell_line(text: str) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    whole = f"{text}\n# fleet: end\n".encode()
    return base64.b64encode(packer.compress(whole) + packer.flush()) + b"\n"
