"""Packs over real connections: sshd, and the lab's WinRM service with a real PowerShell behind it."""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from fleet.engine import fetch as module
from fleet.engine.fetch import STREAMS, Budget, Fetched, Source, fetch
from fleet.model import (
    Arguments,
    Completed,
    Kind,
    Outcome,
    Script,
    Secret,
    Shell,
    Snippet,
    SnippetText,
    SshSettings,
)
from fleet.ports import SystemClock, SystemEntropy
from fleet.render import powershell_command, render
from fleet.transport import Limits, Transport
from fleet.transport.ssh import SshTransports
from fleet.transport.winrm import WinrmTransports
from tests.sshd import needs_sshd, running_sshd
from tests.transport.contract import ssh_host
from tests.transport.proxy import Proxy
from tests.transport.winrm_world import PASSWORD, ChildProcess, LineGuest
from tests.transport.winrm_world import World as WinrmWorld

SEGMENT = 1_048_576
SIZE = 12 * SEGMENT + 12_345
LIMITS = Limits(connect=5.0, login=10.0, grace=1.0)

SH_BODY = """
part() { tail -c +$((offset + 1)) "$pack" | head -c "$length"; }
data sha256 "$(part | sha256sum | cut -c 1-64)"
if [ "$encoding" = raw ]; then part; else part | base64; fi
"""

PS_BODY = """[CmdletBinding()]
param($pack, $offset, $length, $encoding)
$file = [IO.File]::OpenRead($pack)
$file.Position = $offset
$bytes = (New-Object IO.BinaryReader $file).ReadBytes($length)
$file.Close()
$hash = [Security.Cryptography.SHA256]::Create().ComputeHash($bytes)
Add-FleetData 'sha256' (-join ($hash | ForEach-Object { $_.ToString('x2') }))
if ($encoding -eq 'base64') { $bytes = [Text.Encoding]::ASCII.GetBytes([Convert]::ToBase64String($bytes)) }
$stdout = [Console]::OpenStandardOutput()
$stdout.Write($bytes, 0, $bytes.Length)
$stdout.Flush()
"""

SEND = Snippet(
    "send",
    Kind.COLLECT,
    "sends a part",
    60,
    {
        Shell.SH: SnippetText(SH_BODY, Path("send.sh"), "0"),
        Shell.POWERSHELL: SnippetText(PS_BODY, Path("send.ps1"), "0"),
    },
)


class PwshGuest(LineGuest):
    """Starts what Windows would, by its name on this machine."""

    def spawn(self, command: str) -> ChildProcess:
        assert command == powershell_command()
        self.started += 1
        return ChildProcess(powershell_command("pwsh").split())


@dataclass
class World:
    """A guest, and a wire to it that can be cut."""

    connect: Callable[[], Transport]
    shell: Shell
    streams: int
    cut: Callable[[], None]
    left_behind: Callable[[], Sequence[object]] = tuple
    arrived: int = 0
    """Bytes of content, over all connections."""
    cut_at: int | None = None
    opened: int = 0

    def open(self) -> Watched:
        self.opened += 1
        return Watched(self, self.connect())

    def count(self, data: bytes) -> None:
        self.arrived += len(data)
        if self.cut_at is not None and self.arrived > self.cut_at:
            self.cut_at = None
            self.cut()


class Watched:
    """A connection whose content is counted on its way."""

    def __init__(self, world: World, transport: Transport) -> None:
        self._world = world
        self._transport = transport

    def stream(self, script: Script, sink: Callable[[bytes], None]) -> Completed:
        def count(data: bytes) -> None:
            self._world.count(data)
            sink(data)

        return self._transport.stream(script, count)

    def run(self, scripts: Sequence[Script]) -> Iterator[Completed]:
        return self._transport.run(scripts)

    def close(self) -> None:
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@contextmanager
def ssh_world(folder: Path) -> Iterator[World]:
    with running_sshd(folder) as server, Proxy(server.port) as proxy:
        server.known_hosts.write_text(server.line(f"[127.0.0.1]:{proxy.port}"))
        settings = SshSettings(key_file=server.key_file, known_hosts=server.known_hosts)
        host = ssh_host(proxy.port, server.user, settings)
        openers = SshTransports(SystemClock(), LIMITS)
        yield World(lambda: openers.open(host), Shell.SH, STREAMS.get("ssh", 1), proxy.cut)


@contextmanager
def winrm_world(_: Path) -> Iterator[World]:
    with WinrmWorld(PwshGuest(), "http", "ntlm") as one, Proxy(one.service.port) as proxy:
        host = replace(one.host(), port=proxy.port)
        openers = WinrmTransports(SystemClock(), LIMITS)

        def shells() -> Sequence[object]:
            return one.service.shells.open

        yield World(
            lambda: openers.open(host, Secret(PASSWORD)),
            Shell.POWERSHELL,
            STREAMS["winrm"],
            proxy.cut,
            shells,
        )


WORLDS: list[Any] = [
    pytest.param(ssh_world, id="ssh", marks=needs_sshd),
    pytest.param(
        winrm_world,
        id="winrm",
        marks=[pytest.mark.pwsh, pytest.mark.skipif(shutil.which("pwsh") is None, reason="no pwsh on PATH")],
    ),
]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEGMENT", SEGMENT)
    monkeypatch.setattr(module, "LARGE", 4 * SEGMENT)


@pytest.fixture(params=WORLDS)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with request.param(tmp_path_factory.mktemp("world")) as made:
        yield made


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("guest") / "pack"
    file.write_bytes(os.urandom(SIZE))
    return file


def bring(world: World, pack: Path, folder: Path, stopping: Callable[[], bool] = lambda: False) -> Fetched:
    entropy = SystemEntropy()

    def ask(offset: int, length: int, encoding: str) -> Script:
        arguments = Arguments({"pack": str(pack), "offset": offset, "length": length, "encoding": encoding})
        return render(SEND, arguments, shell=world.shell, check=False, nonce=entropy.token(32))

    source = Source(pack.stat().st_size, ask, world.open, world.streams)
    with world.open() as first:
        return fetch(
            source,
            folder / "pack",
            first=first,
            budget=Budget(SIZE, 8),
            clock=SystemClock(),
            stopping=stopping,
        )


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_it_comes_as_it_is(world: World, pack: Path, tmp_path: Path) -> None:
    fetched = bring(world, pack, tmp_path)
    assert (fetched.outcome, fetched.alive) == (Outcome.OK, True)
    assert digest(fetched.path) == digest(pack)
    assert world.arrived == SIZE
    assert world.opened == world.streams
    assert not world.left_behind()


def test_after_a_cut_in_the_middle_it_goes_on(world: World, pack: Path, tmp_path: Path) -> None:
    world.cut_at = SIZE // 2
    fetched = bring(world, pack, tmp_path)
    assert fetched.outcome is Outcome.OK
    assert not fetched.alive
    assert digest(fetched.path) == digest(pack)
    assert world.arrived < SIZE + world.streams * SEGMENT
    assert not world.left_behind()


def test_a_guest_that_damages_what_is_not_text(
    world: World, pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Watched.stream

    def stream(self: Watched, script: Script, sink: Callable[[bytes], None]) -> Completed:
        return plain(self, script, lambda data: sink(data.replace(b"\n", b"\r\n")))

    monkeypatch.setattr(Watched, "stream", stream)
    fetched = bring(world, pack, tmp_path)
    assert fetched.outcome is Outcome.OK
    assert digest(fetched.path) == digest(pack)


def test_interrupted_it_keeps_whole_segments_and_the_connection(
    world: World, pack: Path, tmp_path: Path
) -> None:
    stop = threading.Event()

    def stopping() -> bool:
        if world.arrived > SIZE // 2:
            stop.set()
        return stop.is_set()

    fetched = bring(world, pack, tmp_path, stopping)
    assert fetched.outcome is Outcome.NOT_RUN
    assert fetched.alive
    assert fetched.size % SEGMENT == 0
    assert fetched.path.read_bytes() == pack.read_bytes()[: fetched.size]
    assert not world.left_behind()
