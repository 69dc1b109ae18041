"""What every transport is tested with: guests, and scripts said in words that each shell can be given.

A world is an opener together with a guest behind it. A transport joins the contract by adding its world
to ``WORLDS``; ``test_contract.py`` then holds it to everything that is written there.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from fleet import envelope
from fleet.lab.guest import Process
from fleet.lab.ssh_server import SshServer
from fleet.lab.winrm_server import WinrmServer
from fleet.model import Address, Completed, Host, Os, Reply, Script, Secret, Shell, SshSettings, WinrmSettings
from fleet.ports import SystemClock
from fleet.transport import Limits, Transport
from fleet.transport.fake import FakeTransports, Hang, Raw, Reaction
from fleet.transport.local import LocalTransports
from fleet.transport.ssh import SshTransports
from fleet.transport.winrm import WinrmTransports
from tests.sshd import needs_sshd, running_sshd
from tests.transport.proxy import Proxy
from tests.transport.winrm_world import PASSWORD, USER, LineGuest, line, wait_for_hang_up

GRACE = 0.3
LIMITS = Limits(connect=5.0, login=10.0, grace=GRACE)


# What a script does, in order.


@dataclass(frozen=True)
class Say:
    """Print bytes to stdout."""

    data: bytes


@dataclass(frozen=True)
class Complain:
    """Print bytes to stderr."""

    data: bytes


@dataclass(frozen=True)
class Flood:
    """Print so many bytes without a newline to stdout and stderr at the same time, then a newline."""

    out: int
    err: int


@dataclass(frozen=True)
class Digest:
    """Carry text to the guest and print what SHA-256 says of it there."""

    text: str


@dataclass(frozen=True)
class Exit:
    """End the script with this code, at once."""

    code: int


@dataclass(frozen=True)
class Sleep:
    """Do nothing for longer than any test lasts."""


@dataclass(frozen=True)
class Answer:
    """Print the envelope; ``nonce`` says whose if it is a forged one, ``keep`` cuts it short."""

    message: str = ""
    nonce: str | None = None
    keep: int | None = None


@dataclass(frozen=True)
class Pour:
    """Print what is in a file; every guest here is this machine."""

    file: Path


@dataclass(frozen=True)
class Touch:
    """Make a file."""

    file: Path


Step = Say | Complain | Flood | Digest | Exit | Sleep | Answer | Pour | Touch

SLEEP = f"20.{os.getpid()}"
"""Seconds, with a fraction that tells our sleepers from those of another test run."""

_nonces = (f"n{number}" for number in itertools.count(1))


def answer_line(nonce: str, message: str = "") -> bytes:
    fields = {"outcome": "ok", "message": message, "data": {}, "seconds": 0}
    return envelope.prefix(nonce) + json.dumps(fields)[1:].encode() + b"\n"


@dataclass(frozen=True)
class World:
    """A transport with a guest behind it."""

    name: str
    open: Callable[[], AbstractContextManager[Transport]]
    payload: Callable[[tuple[Step, ...], str], bytes]
    """Bytes for the shell's stdin that do these steps, for a nonce; each in a process state of its own."""
    shell: Shell = Shell.SH
    cut: Callable[[Transport], None] | None = None
    """Break the connection and wait until this end has noticed; None where there is no connection."""
    stderr_apart: bool = True
    """Whether stderr of the shell itself comes apart from stdout."""
    exit_codes: bool = True
    lives_on: bool = False
    """Whether what comes after an answer is the next script's log, because the process lives on."""
    facts: Mapping[str, Any] = field(default_factory=dict)

    def script(self, *steps: Step, timeout: float = 60.0, mutates: bool = False) -> Script:
        nonce = next(_nonces)
        return Script(self.shell, nonce, self.payload(steps, nonce), timeout, "test", "0" * 64, mutates)


def read(script: Script, completed: Completed) -> Reply:
    return envelope.parse(completed, script.nonce)


# POSIX sh


def sh_payload(steps: tuple[Step, ...], nonce: str) -> bytes:
    """As the real frame: a function, so that half of it runs nothing; a subshell for the body."""
    lines = [_sh_step(step, nonce) for step in steps]
    return b"fleet_frame() {\n(\n" + b"\n".join([*lines, b":"]) + b"\n) </dev/null\n}\nfleet_frame\n"


def _sh_step(step: Step, nonce: str) -> bytes:
    match step:
        case Say(data):
            return _sh_print(data)
        case Complain(data):
            return _sh_print(data) + b" >&2"
        case Flood(out, err):
            head = "head -c {} /dev/zero | tr '\\0' x"
            return f"{{ {head.format(out)}; }} & {{ {head.format(err)} >&2; }}; wait; echo".encode()
        case Digest(text):
            assert "\nFLEET_TEXT\n" not in text
            return b"sha256sum <<'FLEET_TEXT'\n" + text.encode() + b"\nFLEET_TEXT"
        case Exit(code):
            return f"exit {code}".encode()
        case Sleep():
            return f"exec sleep {SLEEP}".encode()
        case Pour(file):
            return f"cat {file}".encode()
        case Touch(file):
            return f": >{file}".encode()
        case Answer(message, other, keep):
            return _sh_print(answer_line(other or nonce, message)[:keep])


def _sh_print(data: bytes) -> bytes:
    return b"printf '%b' '" + b"".join(b"\\0%03o" % byte for byte in data) + b"'"


def line_payload(steps: tuple[Step, ...], nonce: str) -> bytes:
    """As a line for the kept process; one without an answer of its own ends that, as a crash would."""
    answers = any(isinstance(step, Answer) and step.nonce is None and step.keep is None for step in steps)
    leave = b"" if answers else b"# leave\n"
    ends = b"exit $?\n" if leave else b""
    return line(leave + sh_payload(steps, nonce) + ends)


def digest_line(text: str) -> bytes:
    return hashlib.sha256(text.encode() + b"\n").hexdigest().encode()


class SubprocessGuest:
    """A guest of the lab that is simply this machine."""

    name = "guest"
    accounts: Mapping[str, str] = {"root": "correct horse"}

    def spawn(self, command: str) -> Process:
        return cast("Process", GroupProcess(command))


class GroupProcess(subprocess.Popen[bytes]):
    """A process that is killed with all it started."""

    def __init__(self, command: str) -> None:
        pipe = subprocess.PIPE
        super().__init__(["sh", "-c", command], stdin=pipe, stdout=pipe, stderr=pipe, process_group=0)

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)


def ssh_host(port: int, user: str, settings: SshSettings, *, become: bool = False) -> Host:
    return Host(
        "guest", Address("127.0.0.1", 4), "ssh", Os.LINUX, Shell.SH, port, user, become=become, ssh=settings
    )


# Worlds


@contextmanager
def fake_world(folder: Path) -> Iterator[World]:
    """The fake, told to answer what a real shell says."""

    def answers(host: Host, script: Script) -> Reaction:
        with GroupProcess("sh -s") as process:
            try:
                stdout, stderr = process.communicate(script.payload, timeout=script.timeout + GRACE)
            except subprocess.TimeoutExpired:
                process.kill()
                return Hang(*process.communicate())
        return Raw(stdout, stderr, process.returncode)

    network = FakeTransports(answers)
    host = Host("guest", Address("fake"), "fake", Os.LINUX, Shell.SH, 0)
    yield World("fake", lambda: network.open(host), sh_payload)


@contextmanager
def local_world(folder: Path) -> Iterator[World]:
    """This machine."""
    host = Host("guest", Address("localhost"), "local", Os.LINUX, Shell.SH, 0)
    openers = LocalTransports(SystemClock(), LIMITS)
    yield World("local", lambda: openers.open(host), sh_payload)


@contextmanager
def lab_world(folder: Path) -> Iterator[World]:
    """ssh to the lab's server, with a password."""
    with SshServer([SubprocessGuest()]) as server, Proxy(server.addresses["guest"][1]) as proxy:
        port = server.addresses["guest"][1]
        known_hosts = folder / "known_hosts"
        known_hosts.write_text(server.known_hosts_text().replace(f":{port} ", f":{proxy.port} "))
        host = ssh_host(proxy.port, "root", SshSettings(known_hosts=known_hosts))
        openers = SshTransports(SystemClock(), LIMITS)
        yield World(
            "ssh-lab",
            lambda: openers.open(host, Secret("correct horse")),
            sh_payload,
            cut=lambda transport: _cut(proxy, transport),
        )


@contextmanager
def sshd_world(folder: Path) -> Iterator[World]:
    """ssh to a real OpenSSH server, with a key."""
    with running_sshd(folder) as server, Proxy(server.port) as proxy:
        server.known_hosts.write_text(server.line(f"[127.0.0.1]:{proxy.port}"))
        settings = SshSettings(key_file=server.key_file, known_hosts=server.known_hosts)
        host = ssh_host(proxy.port, server.user, settings)
        openers = SshTransports(SystemClock(), LIMITS)
        yield World(
            "ssh-sshd",
            lambda: openers.open(host),
            sh_payload,
            cut=lambda transport: _cut(proxy, transport),
        )


def _cut(proxy: Proxy, transport: Any) -> None:
    proxy.cut()
    for link in transport._links:
        link.transport.join(5.0)


@contextmanager
def winrm_world(folder: Path) -> Iterator[World]:
    """winrm to the lab's server over HTTPS, with NTLM."""
    with WinrmServer([LineGuest("guest")]) as server, Proxy(server["guest"].port) as proxy:
        settings = WinrmSettings(ca_trust_path=server.authority.file)
        address = Address("127.0.0.1", 4)
        host = Host("guest", address, "winrm", Os.WINDOWS, Shell.POWERSHELL, proxy.port, USER, winrm=settings)
        openers = WinrmTransports(SystemClock(), LIMITS)

        def cut(transport: Any) -> None:
            proxy.cut()
            wait_for_hang_up(transport)

        yield World(
            "winrm-lab",
            lambda: openers.open(host, Secret(PASSWORD)),
            line_payload,
            shell=Shell.POWERSHELL,
            lives_on=True,
            cut=cut,
        )


WorldFactory = Callable[[Path], AbstractContextManager[World]]

WORLDS: list[Any] = [
    pytest.param(fake_world, id="fake"),
    pytest.param(local_world, id="local"),
    pytest.param(lab_world, id="ssh-lab"),
    pytest.param(winrm_world, id="winrm-lab"),
    pytest.param(sshd_world, id="ssh-sshd", marks=needs_sshd),
]
"""Factories of worlds; a new transport adds its own here."""
