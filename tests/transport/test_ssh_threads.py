"""What many hosts share is only read: no connection disturbs the settings of another."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import paramiko
import pytest

from fleet.model import Address, Host, Os, Shell
from fleet.ports import SystemClock
from fleet.transport import Limits
from fleet.transport.ssh_files import SshFiles
from fleet.transport.ssh_login import Login

CONFIG = "Host h*\n  IdentityFile /nowhere/%h\n"


@pytest.fixture
def restless() -> Iterator[None]:
    """Threads change places as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def login(number: int, files: SshFiles, config: paramiko.SSHConfig) -> Login:
    host = Host(f"h{number}", Address(f"h{number}", 0), "ssh", Os.LINUX, Shell.SH, 22, user="ops")
    return Login(host, None, None, config, files, Limits(), SystemClock())


def test_connections_are_made_by_many_threads_at_once(tmp_path: Path, restless: None) -> None:
    path = tmp_path / "config"
    path.write_text(CONFIG)
    files = SshFiles()
    config = files.config(path)

    def make(number: int) -> list[str]:
        (connection,) = login(number, files, config)._route()
        return list(connection.connect_kwargs["key_filename"])

    with ThreadPoolExecutor(16) as pool:
        identities = list(pool.map(make, range(400)))
    assert identities == [[f"/nowhere/h{number}"] for number in range(400)], "each its own, and only that"
