"""WinRM services on loopback in front of simulated guests: real HTTP, real TLS, real NTLM with sealing.

Each guest has a port of its own. Over HTTP only sealed messages are taken, as on Windows with
``AllowUnencrypted=false``. A service can be told to misbehave, and keeps a record of what was asked of it, so
that a test counts requests and sees shells that were left behind.
"""

from __future__ import annotations

import base64
import gzip
import os
import socket
import ssl
import struct
import tempfile
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import spnego
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from spnego.channel_bindings import GssChannelBindings
from spnego.exceptions import SpnegoError

from fleet.lab.certificates import LabAuthority
from fleet.lab.guest import Guest
from fleet.lab.winrm_shells import (
    MAX_SHELLS,
    NO_RIGHT,
    NO_SHELL,
    FaultReply,
    ShellHost,
    envelope,
    fault,
    identity,
)
from fleet.transport.winrm_xml import XmlError

_SEALED = (
    'multipart/encrypted;protocol="application/HTTP-SPNEGO-session-encrypted";boundary="Encrypted Boundary"'
)
_SOAP = "application/soap+xml;charset=UTF-8"
_BOUNDARY = b"--Encrypted Boundary"
_MAX_BODY = 512_000
"""Bytes of one request; more gets HTTP 413, as MaxEnvelopeSizekb does."""

_DRIP = 0.05
"""Seconds between two bytes of a dripping reply."""

_ENVIRONMENT = threading.Lock()
"""pyspnego's acceptor finds passwords only through the environment variable NTLM_USER_FILE; it is set for the
moment in which it looks, under this lock, and names a file that only the lab's passwords are in."""


class Fault(StrEnum):
    """How a service may misbehave."""

    PLAIN = "a reply in the clear"
    REDIRECT = "a redirect to another port"
    GZIP = "a small reply that unpacks to a big one"
    CUT_BEFORE = "hangs up without carrying the request out"
    CUT_AFTER = "carries the request out and hangs up without a reply"
    CUT_HALF = "hangs up in the middle of the reply"
    STALE = "hangs up after the reply, between two requests"
    QUOTA = "a quota, as a WSManFault"
    WMI_QUOTA = "a quota, as an MSFT_WmiError"
    NO_SHELL = "says that there is no such shell"
    NO_RIGHT = "denies the operation"
    DRIP = "a byte now and then, without end"
    ENDLESS = "a header without end"
    BIG = "a reply of 3 MB"
    UNAVAILABLE = "HTTP 503"
    UNAUTHORIZED = "HTTP 401"
    BAD_REQUEST = "HTTP 400"
    NOT_FOUND = "HTTP 404"
    NOT_XML = "a reply that is no XML"
    DTD = "a reply with a document type and entities"
    DEEP = "a reply that is nested too deep"
    CONTROL = "a fault with control characters in its text"
    OTHER_QUESTION = "the reply to another question"
    NO_EXIT_CODE = "the end of a command without its exit code"
    FORGED = "a sealed reply with a flipped bit"


_STATUS = {
    Fault.UNAVAILABLE: 503,
    Fault.UNAUTHORIZED: 401,
    Fault.BAD_REQUEST: 400,
    Fault.NOT_FOUND: 404,
}
_FAULTS = {
    Fault.QUOTA: FaultReply(2150859174, "w:QuotaLimit", "The maximum number of operations was exceeded."),
    Fault.WMI_QUOTA: FaultReply(2150859173, "w:QuotaLimit", "Too many shells.", wmi=True),
    Fault.NO_SHELL: FaultReply(NO_SHELL, "w:InvalidSelectors", "The shell was not found on the server."),
    Fault.NO_RIGHT: FaultReply(NO_RIGHT, "w:AccessDenied", "Access is denied."),
    Fault.CONTROL: FaultReply(5011, "w:InternalError", "said \x01\x1b[31mred"),
}
_BODIES = {
    Fault.NOT_XML: b"<html><body>It works!",
    Fault.DTD: b'<!DOCTYPE s [<!ENTITY a "aaaaaaaaaa">]><s>&a;</s>',
    Fault.DEEP: b"<a>" * 10_000 + b"</a>" * 10_000,
    Fault.BIG: b" " * 3_000_000,
    Fault.OTHER_QUESTION: envelope("", "uuid:00000000-0000-0000-0000-000000000000"),
}


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
            service = Service(guest, context, binding, passwords, self._offers, self._max_shells)
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


class Service:
    """The WinRM service of one guest."""

    def __init__(
        self,
        guest: Guest,
        context: ssl.SSLContext | None,
        binding: bytes,
        passwords: Path,
        offers: tuple[str, ...],
        max_shells: int,
    ) -> None:
        self.guest = guest
        self.context = context
        self.binding = binding
        self.passwords = passwords
        self.offers = offers
        self.shells = ShellHost(guest, max_shells)
        self.requests: list[str] = []
        """Names of all operations asked for, in order; "Login" for a step of a login."""
        self.connections = 0
        self.stopping = False
        self._planned: list[tuple[Fault, str]] = []
        self._lock = threading.Lock()
        self._http = _Http(("127.0.0.1", 0), _Handler)
        self._http.service = self
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,))

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

    def misbehave(self, how: Fault, at: str, times: int = 1) -> None:
        """Misbehave at the next ``times`` operations of that name ("Create", "Receive", …, "Login")."""
        with self._lock:
            self._planned += [(how, at)] * times

    def note(self, operation: str) -> Fault | None:
        """Record an operation; give how to misbehave at it, if so planned."""
        with self._lock:
            self.requests.append(operation)
            for plan in self._planned:
                if plan[1] == operation:
                    self._planned.remove(plan)
                    return plan[0]
        return None


def _password_file(guest: Guest) -> str:
    lines = []
    for user, password in guest.accounts.items():
        if ":" in user + password or "\n" in user + password:
            raise ValueError("a name or password of the lab can't hold a colon or a newline")
        domain, _, name = user.rpartition("\\")
        lines.append(f"{domain}:{name}:{password}\n")
    return "".join(lines)


class _Http(ThreadingHTTPServer):
    service: Service
    daemon_threads = False

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self._links: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._links.add(request)
        self.service.connections += 1
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._links.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        for link in list(self._links):
            with suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that hang up are what the lab is for."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Http
    connection: Any

    def setup(self) -> None:
        self._service = self.server.service
        self._context: spnego.ContextProxy | None = None
        self._user: str | None = None
        self._sealed = False
        if self._service.context:
            self.request.settimeout(10)
            self.request = self._service.context.wrap_socket(self.request, server_side=True)
        self.request.settimeout(None)
        super().setup()

    def finish(self) -> None:
        with suppress(OSError, ValueError):
            super().finish()
        with suppress(OSError):
            self.request.close()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        """Answer one request."""
        length = int(self.headers.get("Content-Length", "0"))
        if length > _MAX_BODY:
            self._status(413)
            self.close_connection = True
            return
        body = self.rfile.read(length)
        if self.path != "/wsman":
            self._status(404)
        elif not self._user and not self._logged_in(body):
            return
        elif body:
            self._operation(body)
        else:
            self._status(200)

    def _logged_in(self, body: bytes) -> bool:
        """Take a step of a login; whether the message itself is to be answered now."""
        word, _, token = self.headers.get("Authorization", "").partition(" ")
        if "WSMANIDENTIFY" in self.headers:
            self._reply(200, identity())
            return False
        planned = self._service.note("Login") if word == "Negotiate" else None
        if planned:
            self._misbehave(planned, 200, b"")
            return False
        if word == "Negotiate" and "Negotiate" in self._service.offers:
            return self._ntlm(token, body)
        if word == "Basic" and "Basic" in self._service.offers:
            user, _, password = base64.b64decode(token).decode().partition(":")
            if self._service.guest.accounts.get(user) == password:
                # Basic and certificates log in with every request; the connection remembers nothing.
                self._operation(body)
                return False
        if word.endswith("/https/mutual") and self._service.context:
            subject = dict(entry[0] for entry in (self.connection.getpeercert() or {}).get("subject", ()))
            if subject.get("commonName") in self._service.guest.accounts:
                self._operation(body)
                return False
        self._status(401)
        return False

    def _ntlm(self, token: str, body: bytes) -> bool:
        binding = self._service.binding
        with _ENVIRONMENT:
            os.environ["NTLM_USER_FILE"] = str(self._service.passwords)
            try:
                if self._context is None:
                    self._context = spnego.server(
                        protocol="ntlm",
                        options=spnego.NegotiateOptions.use_ntlm,
                        channel_bindings=GssChannelBindings(application_data=binding) if binding else None,
                    )
                answer = self._context.step(base64.b64decode(token))
            except (SpnegoError, ValueError, struct.error):
                self._context = None
                self._status(401)
                return False
            finally:
                del os.environ["NTLM_USER_FILE"]
        if answer is not None:
            self._status(401, f"Negotiate {base64.b64encode(answer).decode()}")
            return False
        self._user = self._context.client_principal
        if body:
            self._operation(body)
        else:
            self._status(200)
        return False

    def _operation(self, body: bytes) -> None:
        if not self._service.context:
            opened = self._open(body)
            if opened is None:
                self._status(400)
                return
            body = opened
            self._sealed = True
        name = _operation_name(body)
        planned = self._service.note(name)
        if planned is Fault.CUT_BEFORE:
            self._hang_up()
            return
        if planned is Fault.NO_EXIT_CODE:
            self._service.shells.forget_exit_codes()
            planned = None
        status, reply = 200, b""
        try:
            if planned in _FAULTS:
                raise _FAULTS[planned]
            reply = self._service.shells.answer(body)[1]
        except FaultReply as answer:
            status, reply = 500, fault(answer)
        except (XmlError, ValueError, AttributeError):
            status, reply = (
                500,
                fault(FaultReply(2150858817, "w:SchemaValidationError", "The message is malformed.")),
            )
        if planned and planned not in _FAULTS:
            self._misbehave(planned, status, reply)
        else:
            self._reply(status, reply)

    def _misbehave(self, how: Fault, status: int, reply: bytes) -> None:
        if how is Fault.CUT_AFTER:
            self._hang_up()
        elif how is Fault.CUT_HALF:
            self.wfile.write(
                f"HTTP/1.1 200 OK\r\nContent-Type: {_SOAP}\r\nContent-Length: 5000\r\n\r\n".encode()
            )
            self.wfile.write(reply[:100])
            self._hang_up()
        elif how is Fault.STALE:
            self._reply(status, reply)
            self._hang_up()
        elif how is Fault.PLAIN:
            self._raw(status, reply, {"Content-Type": _SOAP})
        elif how is Fault.REDIRECT:
            self._raw(307, b"", {"Location": f"http://127.0.0.1:{self._service.port}/elsewhere"})
        elif how is Fault.GZIP:
            bomb = gzip.compress(bytes(8_000_000))
            self._raw(500, bomb, {"Content-Type": _SOAP, "Content-Encoding": "gzip"})
        elif how in {Fault.DRIP, Fault.ENDLESS}:
            self._drip(how)
        elif how in _STATUS:
            self._status(_STATUS[how])
        elif how is Fault.FORGED:
            sealed = bytearray(self._seal(reply))
            sealed[-40] ^= 1
            self._raw(status, bytes(sealed), {"Content-Type": _SEALED})
        else:
            self._reply(200, _BODIES[how])

    def _drip(self, how: Fault) -> None:
        head = "" if how is Fault.ENDLESS else f"Content-Type: {_SOAP}\r\nContent-Length: 50000\r\n\r\n"
        with suppress(OSError):
            self.wfile.write(f"HTTP/1.1 200 OK\r\n{head}".encode())
            while not self._service.stopping:
                self.wfile.write(b"x")
                time.sleep(_DRIP)
        self.close_connection = True

    def _hang_up(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def _status(self, status: int, challenge: str | None = None) -> None:
        headers = []
        if status == 401:
            headers = [("WWW-Authenticate", challenge)] if challenge else []
            headers = headers or [("WWW-Authenticate", _offer(word)) for word in self._service.offers]
        self._raw(status, b"", dict(headers[:1]), headers[1:])

    def _reply(self, status: int, reply: bytes) -> None:
        if self._sealed:
            self._raw(status, self._seal(reply), {"Content-Type": _SEALED})
        else:
            self._raw(status, reply, {"Content-Type": _SOAP})

    def _raw(
        self, status: int, body: bytes, headers: dict[str, Any], more: list[tuple[str, Any]] | None = None
    ) -> None:
        with suppress(OSError):
            self.send_response(status)
            for name, value in [*headers.items(), *(more or [])]:
                self.send_header(name, str(value))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()

    def _seal(self, reply: bytes) -> bytes:
        """Encrypt a reply (MS-WSMV 2.2.9.1.1.1)."""
        assert self._context is not None
        sealed = self._context.wrap(reply, encrypt=True).data
        return b"".join(
            (
                _BOUNDARY + b"\r\n\tContent-Type: application/HTTP-SPNEGO-session-encrypted\r\n",
                b"\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length=%d\r\n" % len(reply),
                _BOUNDARY + b"\r\n\tContent-Type: application/octet-stream\r\n",
                struct.pack("<I", 16) + sealed,
                _BOUNDARY + b"--\r\n",
            )
        )

    def _open(self, body: bytes) -> bytes | None:
        """Decrypt a request; None where it is not sealed, or not with this session's keys."""
        if (
            not self.headers.get("Content-Type", "").startswith("multipart/encrypted")
            or self._context is None
        ):
            return None
        _, mark, rest = body.partition(b"application/octet-stream\r\n")
        end = rest.rfind(_BOUNDARY)
        if not mark or end < 20:
            return None
        try:
            return self._context.unwrap(rest[4:end]).data
        except SpnegoError:
            return None


def _offer(word: str) -> str:
    return f'{word} realm="WSMAN"' if word == "Basic" else word


def _operation_name(message: bytes) -> str:
    """Last word of the action URI."""
    _, _, rest = message.partition(b"Action")
    uri = rest.partition(b">")[2].partition(b"<")[0]
    return uri.rpartition(b"/")[2].decode("ascii", "replace") or "Unknown"
