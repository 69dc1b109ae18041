"""Packs by the real snippets over real connections: sshd, and the lab's WinRM with a real PowerShell."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from fleet import catalog
from fleet.engine import fetch as module
from fleet.engine.fetch import STREAMS, Budget, Fetched, Source, fetch
from fleet.lab.fake_windows import FakeWindows, available
from fleet.lab.winrm_server import WinrmServer
from fleet.model import Completed, Outcome, Script, Secret, Shell, Snippet, SshSettings
from fleet.ports import SystemClock, SystemEntropy
from fleet.render import render
from fleet.transport import Limits, Transport
from fleet.transport.ssh import SshTransports
from fleet.transport.winrm import WinrmTransports
from tests.sshd import needs_sshd, running_sshd
from tests.transport.contract import ssh_host
from tests.transport.proxy import Proxy
from tests.transport.winrm_world import PASSWORD, USER
from tests.transport.winrm_world import host as winrm_host

SEGMENT = 524_288
SIZE = 12 * SEGMENT + 12_345
LIMITS = Limits(connect=5.0, login=10.0, grace=1.0)

STAGE = "abcdefghij0123456789"


@dataclass
class World:
    """A guest, and a wire to it that can be cut."""

    staged: Path
    """Folder in the guest."""
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
    environment = {"FLEET_ROOT": str(folder / "root"), "PATH": "/usr/bin:/bin"}
    staged = folder / "root" / "var" / "tmp" / f"fleet-collect-{STAGE}"
    with running_sshd(folder, environment=environment) as server, Proxy(server.port) as proxy:
        server.known_hosts.write_text(server.line(f"[127.0.0.1]:{proxy.port}"))
        settings = SshSettings(key_file=server.key_file, known_hosts=server.known_hosts)
        host = ssh_host(proxy.port, server.user, settings)
        openers = SshTransports(SystemClock(), LIMITS)
        yield World(staged, lambda: openers.open(host), Shell.SH, STREAMS.get("ssh", 1), proxy.cut)


@contextmanager
def winrm_world(folder: Path) -> Iterator[World]:
    guest = FakeWindows("guest", {USER: PASSWORD}, {}, folder)
    staged = folder / "guest.json.files" / "C" / "ProgramData" / "fleet" / "collect" / STAGE
    with WinrmServer([guest], scheme="http") as server, Proxy(server["guest"].port) as proxy:
        host = winrm_host(proxy.port, scheme="http")
        openers = WinrmTransports(SystemClock(), LIMITS)

        def shells() -> Sequence[object]:
            return server["guest"].shells.open

        yield World(
            staged,
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
        marks=[pytest.mark.pwsh, pytest.mark.skipif(not available(), reason="no pwsh on PATH")],
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


@pytest.fixture
def pack(world: World) -> Path:
    world.staged.mkdir(mode=0o700, parents=True)
    file = world.staged / "pack"
    file.write_bytes(os.urandom(SIZE))
    return file


@pytest.fixture(scope="module")
def send() -> Snippet:
    return catalog.load().snippet("collect-send")


Bring = Callable[..., Fetched]


@pytest.fixture
def bring(world: World, pack: Path, send: Snippet, tmp_path: Path) -> Bring:
    entropy = SystemEntropy()

    def ask(offset: int, length: int, encoding: str) -> Script:
        values = {"stage": STAGE, "offset": offset, "length": length, "encoding": encoding}
        arguments = catalog.bind(send, values)
        return render(send, arguments, shell=world.shell, check=False, nonce=entropy.token(32))

    def bring(stopping: Callable[[], bool] = lambda: False) -> Fetched:
        source = Source(pack.stat().st_size, ask, world.open, world.streams)
        budget, clock = Budget(SIZE, 8), SystemClock()
        with world.open() as first:
            return fetch(
                source, tmp_path / "pack", first=first, budget=budget, clock=clock, stopping=stopping
            )

    return bring


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_it_comes_as_it_is(world: World, pack: Path, bring: Bring) -> None:
    fetched = bring()
    assert (fetched.outcome, fetched.alive) == (Outcome.OK, True)
    assert digest(fetched.path) == digest(pack)
    assert world.arrived == SIZE
    assert world.opened == world.streams
    assert not world.left_behind()


def test_after_a_cut_in_the_middle_it_goes_on(world: World, pack: Path, bring: Bring) -> None:
    world.cut_at = SIZE // 2
    fetched = bring()
    assert fetched.outcome is Outcome.OK
    assert not fetched.alive
    assert digest(fetched.path) == digest(pack)
    assert world.arrived < SIZE + world.streams * SEGMENT
    assert not world.left_behind()


def test_a_guest_that_damages_what_is_not_text(
    world: World, pack: Path, bring: Bring, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.streams = 1
    plain = Watched.stream

    def stream(self: Watched, script: Script, sink: Callable[[bytes], None]) -> Completed:
        return plain(self, script, lambda data: sink(data.replace(b"\n", b"\r\n")))

    monkeypatch.setattr(Watched, "stream", stream)
    fetched = bring()
    assert fetched.outcome is Outcome.OK
    assert digest(fetched.path) == digest(pack)


def test_interrupted_it_keeps_whole_segments_and_the_connection(
    world: World, pack: Path, bring: Bring
) -> None:
    stop = threading.Event()

    def stopping() -> bool:
        if world.arrived > SIZE // 2:
            stop.set()
        return stop.is_set()

    fetched = bring(stopping)
    assert fetched.outcome is Outcome.NOT_RUN
    assert fetched.alive
    assert fetched.size % SEGMENT == 0
    assert fetched.path.read_bytes() == pack.read_bytes()[: fetched.size]
    assert not world.left_behind()
