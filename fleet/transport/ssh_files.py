"""Files an SSH login needs: known_hosts, keys, ssh_config. Each is read once a run and shared."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fabric
import paramiko

from fleet.errors import DeniedError
from fleet.model import Secret, printable
from fleet.transport.ssh_known_hosts import KnownHosts, KnownHostsError


class SshFiles:
    """Files that are read once a run. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cache: dict[object, Any] = {}

    def known_hosts(self, path: Path | None) -> KnownHosts:
        """Parsed known_hosts, by default the user's."""
        target = path or _users_known_hosts()
        return self._once(("known_hosts", target), lambda: _load_known_hosts(target))  # type: ignore[no-any-return]

    def key(self, path: Path, passphrase: Secret | None) -> paramiko.PKey:
        """Private key, and the certificate that stands beside it."""
        return self._once(("key", path, passphrase), lambda: _load_key(path, passphrase))  # type: ignore[no-any-return]

    def config(self, path: Path) -> paramiko.SSHConfig:
        """Parsed ssh_config."""
        return self._once(("config", path), lambda: _load_config(path))  # type: ignore[no-any-return]

    def _once(self, name: object, load: Callable[[], Any]) -> Any:
        with self._lock:
            if name not in self._cache:
                self._cache[name] = load()
            return self._cache[name]


def _users_known_hosts() -> Path:
    try:
        return Path.home() / ".ssh" / "known_hosts"
    except RuntimeError:
        raise DeniedError(
            "no home folder is known, so there is no known_hosts: set fleet_known_hosts. Nothing was sent"
        ) from None


def _load_known_hosts(path: Path) -> KnownHosts:
    try:
        return KnownHosts.load(path)
    except KnownHostsError as error:
        raise DeniedError(f"nothing was sent: {error}") from None


def _load_key(path: Path, passphrase: Secret | None) -> paramiko.PKey:
    try:
        mode = path.stat().st_mode
        if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
            raise DeniedError(f"the key {path} can be read by others; chmod 600 {path}. Nothing was sent")
        password: Any = None if passphrase is None else passphrase.reveal().encode()  # its stubs say str
        return paramiko.PKey.from_path(path, password)
    except OSError as error:
        raise DeniedError(f"the key {path} can't be read: {error.strerror}. Nothing was sent") from None
    except (ValueError, TypeError, paramiko.SSHException, paramiko.pkey.UnknownKeyType):
        hint = "its passphrase is needed or wrong" if passphrase is None else "the passphrase is wrong"
        raise DeniedError(
            f"the key {path} can't be used: {hint} (fleet_key_passphrase), or it is no private key. "
            "Nothing was sent"
        ) from None


def _load_config(path: Path) -> paramiko.SSHConfig:
    try:
        return paramiko.SSHConfig.from_path(str(path))
    except OSError as error:
        raise DeniedError(f"{path} can't be read: {error.strerror}. Nothing was sent") from None
    except Exception as error:  # noqa: BLE001 (its parser raises bare Exceptions)
        raise DeniedError(f"{path} is no ssh_config: {printable(str(error))}. Nothing was sent") from None


def fabric_config(ssh_config: paramiko.SSHConfig) -> fabric.Config:
    """Give settings that come from nowhere else: no fabric.yaml, no environment, no other ssh_config.

    Every connection needs its own: Fabric writes into them while it makes one, and builds them anew
    meanwhile, so that another thread would find them empty.
    """
    return fabric.Config(lazy=True, ssh_config=ssh_config)
