"""A real OpenSSH server in front of a root that holds the files of Debian's own ``waagent`` package."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fleet.lab.fake_root import FakeRoot
from tests.sshd import Sshd, running_sshd

PACKAGE = Path(sys.prefix) / "waagent"
"""Where ./dev test unpacks the package."""


@pytest.fixture(scope="session")
def waagent_package() -> Path:
    """The unpacked files of the Debian package."""
    if not (PACKAGE / "etc/waagent.conf").exists():
        pytest.skip("needs the files of the Debian package waagent: ./dev test fetches them with apt-get")
    return PACKAGE


@dataclass(frozen=True)
class Guest:
    """A guest behind a real sshd: the folder it lives in and an inventory that reaches it."""

    root: FakeRoot
    server: Sshd
    inventory: Path

    @property
    def conf(self) -> Path:
        return self.root.path("/etc/waagent.conf")


@pytest.fixture
def guest(waagent_package: Path, tmp_path: Path) -> Iterator[Guest]:
    """Only the service manager and the agent's process are stand-ins; its files and the sshd are real."""
    conf = (waagent_package / "etc/waagent.conf").read_text()
    root = FakeRoot(tmp_path / "root", "deb1", accounts={}, conf=conf)
    for source in waagent_package.rglob("*"):
        target = root.path(str(source.relative_to(waagent_package)))
        if source.is_file() and not target.exists() and source.suffix != ".deb":
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    environment = {
        "FLEET_ROOT": str(root.path("/")),
        "PATH": f"{root.path('/.lab/bin')}:{os.environ['PATH']}",
        "TMPDIR": str(root.path("/tmp")),
    }
    with running_sshd(tmp_path / "sshd", environment=environment) as server:
        inventory = tmp_path / "inv.yaml"
        inventory.write_text(
            "all:\n"
            "  hosts:\n"
            "    deb1:\n"
            f"      ansible_host: {server.address}\n"
            f"      ansible_port: {server.port}\n"
            f"      ansible_user: {server.user}\n"
            f"      ansible_ssh_private_key_file: {server.key_file}\n"
            f"      fleet_known_hosts: {server.known_hosts}\n"
        )
        yield Guest(root, server, inventory)
