"""A real OpenSSH server for tests: on a free port of the loopback, with its own keys, and gone afterwards.

The system's own sshd, its keys and its configuration are not touched. Works for any user; as root too,
where logins go to root with a key.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin")
REASON = "needs a real OpenSSH server: apt-get install openssh-server"

needs_sshd = [pytest.mark.sshd, pytest.mark.skipif(SSHD is None, reason=REASON)]
"""Marks for a module: ``pytestmark = needs_sshd``."""

OPTIONS: Mapping[str, str] = {
    "AuthorizedKeysFile": "{folder}/authorized_keys",
    "HostKey": "{folder}/host_key",
    "KbdInteractiveAuthentication": "no",
    "ListenAddress": "127.0.0.1",
    "MaxStartups": "200:30:400",
    "PasswordAuthentication": "no",
    "PermitRootLogin": "prohibit-password",
    "PidFile": "none",
    "PrintMotd": "no",
    "StrictModes": "no",
    "UsePAM": "no",
}


@dataclass(frozen=True)
class Sshd:
    """A running server and what a client needs to log in to it."""

    address: str
    port: int
    user: str
    key_file: Path
    known_hosts: Path
    host_key: Path
    log: Path

    def line(self, name: str | None = None) -> str:
        """This server's line for a known_hosts, under its own or another name."""
        public = self.host_key.with_suffix(".pub").read_text().split()[:2]
        return f"{name or f'[{self.address}]:{self.port}'} {' '.join(public)}\n"


@contextmanager
def running_sshd(
    folder: Path,
    *,
    environment: Mapping[str, str] | None = None,
    options: Mapping[str, str] | None = None,
    key_type: str = "ed25519",
) -> Iterator[Sshd]:
    """Start a server whose files are in ``folder``; ``environment`` is what its sessions see.

    For a fake root: ``environment={"FLEET_ROOT": str(root), "PATH": f"{stubs}:/usr/bin:/bin"}``.
    ``options`` add to or replace those of sshd_config(5) above; ``{folder}`` stands for the folder.
    """
    assert SSHD is not None, REASON
    folder.mkdir(parents=True, exist_ok=True)
    _generate_key(folder / "host_key", key_type)
    _generate_key(folder / "client_key", "ed25519")
    shutil.copy(folder / "client_key.pub", folder / "authorized_keys")
    port = free_port()
    settings = {**OPTIONS, **(options or {}), "Port": str(port)}
    # SHLVL: else bash as a login shell reads the developer's .bashrc (its SSH_SOURCE_BASHRC)
    session = {"SHLVL": "1", **(environment or {})}
    settings["SetEnv"] = " ".join(f'"{name}={value}"' for name, value in session.items())
    lines = [f"{name} {value}".replace("{folder}", str(folder)) for name, value in settings.items()]
    (folder / "sshd_config").write_text("\n".join(lines) + "\n")
    if os.geteuid() == 0:
        # compiled into Debian's sshd; a system without a running sshd of its own lacks it
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    log = folder / "sshd.log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            [SSHD, "-D", "-e", "-f", folder / "sshd_config"], stdin=subprocess.DEVNULL, stderr=said
        )
    try:
        _wait_until_listening(process, port, log)
        server = Sshd(
            "127.0.0.1",
            port,
            getpass.getuser(),
            folder / "client_key",
            folder / "known_hosts",
            folder / "host_key",
            log,
        )
        server.known_hosts.write_text(server.line())
        yield server
    finally:
        process.terminate()
        process.wait(10)


def free_port() -> int:
    """Give a port that nothing listened on a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _generate_key(path: Path, kind: str) -> None:
    if not path.exists():
        command = ["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "fleet-test", "-f", str(path)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def _wait_until_listening(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    tick = threading.Event()
    for _ in range(1000):
        if process.poll() is not None:
            break
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), 1):
            return
        tick.wait(0.01)
    raise RuntimeError(f"sshd did not start: {log.read_text()}")
