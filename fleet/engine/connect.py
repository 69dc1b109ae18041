"""From a host of the inventory to an open connection, with its secrets resolved at the last moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Protocol

from fleet.credentials import MASKED_FROM, Vault
from fleet.engine.gate import CredentialGate
from fleet.errors import DeniedError, SecretError
from fleet.model import Host, Secret, SecretRef
from fleet.ports import Clock
from fleet.redact import Redactor
from fleet.transport import Limits, Transport


class Connections(Protocol):
    """What the engine needs of the network; a simulator brings its own."""

    def open(self, host: Host) -> Transport:
        """Connect and log in. Raises ``TransportError`` with ``sent`` false."""
        ...

    def redactor(self) -> Redactor:
        """What masks every secret that has been used so far."""
        ...

    def warnings(self) -> list[str]:
        """Sentences for the operator about what was used so far."""
        ...


class NetworkConnections:
    """The real network. What a whole run shares (known hosts, keys, secrets) is loaded once."""

    def __init__(self, clock: Clock, limits: Limits) -> None:
        self._clock = clock
        self._limits = limits
        self._vault = Vault(clock)
        self._gate = CredentialGate()
        self._openers: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._redactor = Redactor(())

    def open(self, host: Host) -> Transport:
        """Connect and log in. Raises ``TransportError`` with ``sent`` false."""
        try:
            password = self._secret(host.password)
            passphrase = self._secret(host.ssh.key_passphrase)
        except SecretError as error:
            raise DeniedError(f"nothing was sent: {error}") from error
        opener = self._opener(host.connection)
        with self._gate.passage(host):
            if host.connection == "ssh":
                transport: Transport = opener.open(host, password, passphrase)
            else:
                transport = opener.open(host, password)
            return transport

    def redactor(self) -> Redactor:
        """What masks every secret that has been used so far."""
        return self._redactor

    def warnings(self) -> list[str]:
        """Secrets that are too short to be masked."""
        return self._vault.warnings

    def _secret(self, reference: SecretRef | None) -> Secret | None:
        if reference is None:
            return None
        secret = self._vault.get(reference)
        if len(secret.reveal()) >= MASKED_FROM:
            self._redactor.add([secret])
        return secret

    def _opener(self, connection: str) -> Any:
        with self._lock:
            if connection not in self._openers:
                self._openers[connection] = _OPENERS[connection](self._clock, self._limits)
            return self._openers[connection]


def _ssh(clock: Clock, limits: Limits) -> Any:
    from fleet.transport.ssh import SshTransports

    return SshTransports(clock, limits)


def _winrm(clock: Clock, limits: Limits) -> Any:
    from fleet.transport.winrm import WinrmTransports

    return WinrmTransports(clock, limits)


def _local(clock: Clock, limits: Limits) -> Any:
    from fleet.transport.local import LocalTransports

    return LocalTransports(clock, limits)


# Imported when a host first needs them: paramiko and pywinrm take longer to load than most commands.
_OPENERS: dict[str, Callable[[Clock, Limits], Any]] = {"ssh": _ssh, "winrm": _winrm, "local": _local}
