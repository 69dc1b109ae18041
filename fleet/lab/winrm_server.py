"""WinRM services on loopback in front of simulated guests: real HTTP, real TLS, real NTLM with sealing.

Each guest has a port of its own. A service can be told to misbehave, and keeps a record of what was asked
of it, so that a test counts requests and sees shells that were left behind.
"""

from __future__ import annotations

import ssl
import tempfile
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from fleet.lab.certificates import LabAuthority
from fleet.lab.guest import Guest
from fleet.lab.winrm_http import Handler, Listener
from fleet.lab.winrm_service import GuestService
from fleet.lab.winrm_shells import MAX_SHELLS, ShellHost


class WinrmServer:
    """Services for several guests; a context manager that leaves nothing behind."""

    def __init__(
        self,
        guests: Iterable[Guest],
        *,
        scheme: Literal["https", "http"] = "https",
        offers: tuple[str, ...] = ("Negotiate", "Basic"),
        names: tuple[str, ...] = ("localhost", "127.0.0.1"),
        days: int = 7,
        max_shells: int = MAX_SHELLS,
    ) -> None:
        """Prepare; ``names`` and ``days`` are those of the certificate, ``offers`` the ways to log in."""
        self._guests = list(guests)
        self._scheme = scheme
        self._offers = offers
        self._names = names
        self._days = days
        self._max_shells = max_shells
        self._services: dict[str, Service] = {}
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._authority: LabAuthority | None = None

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="fleet-lab-")
        folder = Path(self._folder.name)
        context = None
        if self._scheme == "https":
            self._authority = LabAuthority(folder)
            certificate, key = self._authority.issue("lab", self._names, days=self._days)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            context.load_verify_locations(self._authority.file)
            context.verify_mode = ssl.CERT_OPTIONAL
            pem = x509.load_pem_x509_certificate(certificate.read_bytes())
            binding = b"tls-server-end-point:" + pem.fingerprint(hashes.SHA256())
        else:
            binding = b""
        for number, guest in enumerate(self._guests):
            passwords = folder / f"{number}.ntlm"
            passwords.touch(mode=0o600)
            passwords.write_text(_password_file(guest))
            shells = ShellHost(guest, self._max_shells)
            service = Service(guest, context, binding, passwords, self._offers, shells)
            self._services[guest.name] = service
            service.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for service in self._services.values():
            service.stop()
        if self._folder is not None:
            self._folder.cleanup()

    def __getitem__(self, guest: str) -> Service:
        """Give the service of a guest."""
        return self._services[guest]

    @property
    def authority(self) -> LabAuthority:
        """Who issued the certificates (HTTPS only)."""
        if self._authority is None:
            raise LookupError("a lab over HTTP has no certificates")
        return self._authority


@dataclass
class Service(GuestService):
    """The WinRM service of one guest, on a port of its own."""

    def __post_init__(self) -> None:
        self._http = Listener(("127.0.0.1", 0), Handler)
        self._http.service = self
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), name="lab-winrm")

    @property
    def port(self) -> int:
        """Port on 127.0.0.1."""
        return int(self._http.server_address[1])

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Hang up, end what runs in the guest, and wait until everything has ended."""
        self.stopping = True
        self._http.shutdown()
        self.shells.close()
        self._http.hang_up()
        self._thread.join()
        self._http.server_close()
        self.shells.close()  # what a request had opened that was under way


def _password_file(guest: Guest) -> str:
    lines = []
    for user, password in guest.accounts.items():
        if ":" in user + password or "\n" in user + password:
            raise ValueError("a name or password of the lab can't hold a colon or a newline")
        domain, _, name = user.rpartition("\\")
        lines.append(f"{domain}:{name}:{password}\n")
    return "".join(lines)
