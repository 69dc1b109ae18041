"""A simulated fleet on this machine: guests, the servers in front of them, and files to reach them by."""

from __future__ import annotations

import secrets
import shutil
import socket
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import yaml

from fleet.errors import UsageError
from fleet.lab.guest import Guest
from fleet.lab.ssh_server import SshServer
from fleet.lab.winrm_server import WinrmServer
from fleet.model import JsonValue

LINUX_USER = "ops"
WINDOWS_USER = "backupops"
DEAD = "lin-old"
"""In the inventory, but nothing answers at its address."""
LEGACY = "win-legacy"
"""Its password was changed and the inventory does not know."""


class Resident(Guest, Protocol):
    """A guest of the lab: it keeps a ledger of what was done to it."""

    @property
    def ledger(self) -> Sequence[str]:
        """What was done, one line each, in order."""
        ...


class Accounts:
    """The lab's passwords: new in every lab, in files that only its owner can read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700)
        self._values: dict[str, str] = {}
        for name in ("linux", "windows", "legacy"):
            self._values[name] = secrets.token_urlsafe(18)
            self._write(name, self._values[name])
        self._values["legacy"] = secrets.token_urlsafe(18)

    @property
    def linux(self) -> Mapping[str, str]:
        """Accounts of the Linux guests."""
        return {LINUX_USER: self._values["linux"]}

    @property
    def windows(self) -> Mapping[str, str]:
        """Accounts of the Windows guests."""
        return {WINDOWS_USER: self._values["windows"]}

    @property
    def legacy(self) -> Mapping[str, str]:
        """Accounts of the guest whose password is another one than its file says."""
        return {WINDOWS_USER: self._values["legacy"]}

    def _write(self, name: str, value: str) -> None:
        path = self._folder / name
        path.touch(mode=0o600)
        path.write_text(value + "\n", encoding="ascii")


class Lab:
    """Servers in front of guests, and a folder with an inventory that reaches them; a context manager.

    The folder has to be new or empty. It stays afterwards, for reading; the servers do not.
    """

    def __init__(self, folder: Path, linux: Sequence[Resident], windows: Sequence[Resident]) -> None:
        self.folder = folder
        self.inventory = folder / "inventory.yaml"
        self.guests: Mapping[str, Resident] = {guest.name: guest for guest in (*linux, *windows)}
        self._linux = linux
        self._windows = windows
        self._open = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            ssh = stack.enter_context(SshServer(self._linux))
            winrm = stack.enter_context(WinrmServer(self._windows))
            (self.folder / "known_hosts").write_text(ssh.known_hosts_text(), encoding="ascii")
            shutil.copyfile(winrm.authority.file, self.folder / "ca.pem")
            closed = stack.enter_context(_closed_port())
            hosts = {guest.name: {"ansible_port": ssh.addresses[guest.name][1]} for guest in self._linux}
            hosts[DEAD] = {"ansible_port": closed.getsockname()[1]}
            ports = {guest.name: winrm[guest.name].port for guest in self._windows}
            self.inventory.write_text(_inventory(hosts, ports), encoding="utf-8")
            self._open = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()


def new_folder(folder: Path) -> Path:
    """Make the folder of a lab. Raises ``UsageError`` where something is in it already."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        taken = any(folder.iterdir())
    except OSError as error:
        raise UsageError(f"{folder} can't be used: {error.strerror}; name another folder") from None
    if taken:
        raise UsageError(f"{folder} is not empty; a lab wants a new folder")
    return folder.resolve()


def _closed_port() -> socket.socket:
    """A port that refuses connections, and that nobody else gets as long as the socket lives."""
    reserved = socket.socket()
    reserved.bind(("127.0.0.1", 0))
    return reserved


def _inventory(linux: Mapping[str, dict[str, int]], windows: Mapping[str, int]) -> str:
    common: dict[str, JsonValue] = {"ansible_host": "127.0.0.1"}
    of_linux = {
        **common,
        "ansible_user": LINUX_USER,
        "ansible_become": True,
        "fleet_known_hosts": "known_hosts",
        "fleet_password": {"file": "secrets/linux"},
    }
    of_windows = {
        **common,
        "ansible_connection": "winrm",
        "ansible_user": WINDOWS_USER,
        "ansible_winrm_transport": "ntlm",
        "ansible_winrm_ca_trust_path": "ca.pem",
        "fleet_password": {"file": "secrets/windows"},
    }
    hosts: dict[str, JsonValue] = {name: {"ansible_port": port} for name, port in windows.items()}
    if LEGACY in hosts:
        hosts[LEGACY] |= {"fleet_password": {"file": "secrets/legacy"}}
    groups = {
        "linux": {"vars": of_linux, "hosts": dict(linux)},
        "windows": {"vars": of_windows, "hosts": hosts},
    }
    head = "# Simulated guests on this machine; good as long as the lab that wrote this runs.\n"
    return head + yaml.safe_dump({"all": {"children": groups}}, sort_keys=False)
