"""Guests for tests of the WinRM transport: what a kept PowerShell does, done by Python and sh."""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
import select
import signal
import subprocess
import sys
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

from fleet.lab.winrm_server import Service, WinrmServer
from fleet.model import Address, Completed, Host, Os, Script, Secret, Shell, WinrmSettings
from fleet.ports import SystemClock
from fleet.render import powershell_command
from fleet.transport import Limits
from fleet.transport.winrm import WinrmTransport, WinrmTransports

USER, PASSWORD = "LAB\\operator", "p4ss w\u00f6rd!"

CHILD = """
import base64, subprocess, sys, zlib
for line in sys.stdin.buffer:
    text = zlib.decompress(base64.b64decode(line), wbits=-15)
    done = subprocess.run(["sh", "-s"], input=text, check=False)
    if text.startswith(b"# leave"):
        sys.exit(done.returncode)
"""
"""A line of base64 of deflate is a script, as for the bootstrap; it goes to sh instead of PowerShell.

After one that begins with ``# leave`` the process ends, as a PowerShell that crashed."""


class ChildProcess:
    """``subprocess.Popen`` whose ``kill`` takes the children along."""

    def __init__(self, arguments: list[str], folder: Path | None = None) -> None:
        pipe = subprocess.PIPE
        self._popen = subprocess.Popen(
            arguments, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True, cwd=folder
        )
        self.stdin = cast("BinaryIO", self._popen.stdin)
        self.stdout = cast("BinaryIO", self._popen.stdout)
        self.stderr = cast("BinaryIO", self._popen.stderr)

    def wait(self, timeout: float | None = None) -> int:
        return self._popen.wait(timeout)

    def poll(self) -> int | None:
        return self._popen.poll()

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()


class LineGuest:
    """A guest that takes the one command line there is."""

    def __init__(self, name: str = "win1", folder: Path | None = None) -> None:
        self.name = name
        self.folder = folder
        self.started = 0
        self.accounts: Mapping[str, str] = {USER: PASSWORD, "operator": PASSWORD}

    def spawn(self, command: str) -> ChildProcess:
        assert command == powershell_command()
        self.started += 1
        return ChildProcess([sys.executable, "-I", "-S", "-c", CHILD], self.folder)


def line(text: bytes) -> bytes:
    """A script as it goes over the wire."""
    packer = zlib.compressobj(wbits=-15)
    return base64.b64encode(packer.compress(text) + packer.flush()) + b"\n"


def script(
    body: str = "", *, after: str = "", timeout: float = 20, mutates: bool = False, raw: str | None = None
) -> Script:
    """A script whose body is sh; it answers with ``ok`` and then does what comes ``after``."""
    nonce = secrets.token_hex(8)
    said = f'{{"fleet":1,"nonce":"{nonce}","outcome":"ok","message":"","data":{{}},"seconds":0}}'
    text = f"{body}\nprintf '\\n%s\\n' '{said}'\n{after}" if raw is None else raw
    return Script(Shell.POWERSHELL, nonce, line(text.encode()), timeout, "test", "0" * 64, mutates)


def answered(completed: Completed, one: Script) -> bool:
    return f'"nonce":"{one.nonce}","outcome":"ok"'.encode() in completed.stdout.splitlines()[-1]


def host(
    service: Service | int,
    *,
    scheme: Literal["https", "http"] = "https",
    auth: Any = "ntlm",
    ca: Path | None = None,
    user: str | None = USER,
    address: str = "127.0.0.1",
    version: Literal[0, 4, 6] = 4,
    **settings: Any,
) -> Host:
    return Host(
        name="win1",
        address=Address(address, version),
        connection="winrm",
        os=Os.WINDOWS,
        shell=Shell.POWERSHELL,
        port=service if isinstance(service, int) else service.port,
        user=user,
        winrm=WinrmSettings(scheme=scheme, auth=auth, ca_trust_path=ca, **settings),
    )


QUICK = Limits(connect=3.0, login=5.0, grace=0.1, keep=65_536)


def connect(one: Host, password: str = PASSWORD, limits: Limits = QUICK) -> WinrmTransport:
    return WinrmTransports(SystemClock(), limits).open(one, Secret(password))


def wait_for_hang_up(transport: WinrmTransport) -> None:
    """Wait until this end has noticed that the other has hung up."""
    wire = transport._session._wire
    assert wire is not None
    assert select.select([wire._link], [], [], 5.0)[0]


class World:
    """A server with one guest, and how to reach it."""

    def __init__(self, guest: LineGuest, scheme: Literal["https", "http"], auth: str, **server: Any) -> None:
        self.guest = guest
        self.scheme = scheme
        self.auth = auth
        self.server = WinrmServer([guest], scheme=scheme, **server)

    def __enter__(self) -> World:
        self.server.__enter__()
        self.service = self.server[self.guest.name]
        return self

    def __exit__(self, *details: Any) -> None:
        self.server.__exit__(*details)

    @property
    def ca(self) -> Path | None:
        return self.server.authority.file if self.scheme == "https" else None

    def host(self, **settings: Any) -> Host:
        settings = {"scheme": self.scheme, "auth": self.auth, "ca": self.ca, **settings}
        return host(self.service, **settings)

    def open(self, password: str = PASSWORD, limits: Limits = QUICK, **settings: Any) -> WinrmTransport:
        return connect(self.host(**settings), password, limits)
