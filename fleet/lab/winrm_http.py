"""HTTP, TLS, logins and sealing of a WinRM service of the lab.

Over HTTP only sealed messages are taken, as on Windows with ``AllowUnencrypted=false``.
"""

from __future__ import annotations

import base64
import gzip
import os
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import spnego
from spnego.channel_bindings import GssChannelBindings
from spnego.exceptions import SpnegoError

from fleet.lab.winrm_faults import BODIES, FAULTS, STATUSES, Fault
from fleet.lab.winrm_service import GuestService
from fleet.lab.winrm_shells import FaultReply, fault, identity
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


@contextmanager
def _passwords_from(file: Path) -> Iterator[None]:
    with _ENVIRONMENT:
        before = os.environ.get("NTLM_USER_FILE")
        os.environ["NTLM_USER_FILE"] = str(file)
        try:
            yield
        finally:
            if before is None:
                del os.environ["NTLM_USER_FILE"]
            else:
                os.environ["NTLM_USER_FILE"] = before


class Listener(ThreadingHTTPServer):
    """Port of one service; knows its open connections, so that it can hang up."""

    service: GuestService
    daemon_threads = False

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self._links: set[socket.socket] = set()
        self._lock = threading.Lock()

    def enter(self, link: socket.socket) -> None:
        """Count a connection and remember it for ``hang_up``; refuses it when that has been called."""
        with self._lock:
            self.service.connections += 1
            self._links.add(link)
            if self.service.stopping:
                raise ConnectionAbortedError

    def leave(self, link: socket.socket) -> None:
        """Forget a connection."""
        with self._lock:
            self._links.discard(link)

    def hang_up(self) -> None:
        """End every open connection."""
        with self._lock:
            for link in self._links:
                with suppress(OSError):
                    # not that of ssl, which would forget that it speaks TLS while another thread reads
                    socket.socket.shutdown(link, socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that hang up are what the lab is for."""


class Handler(BaseHTTPRequestHandler):
    """One connection: its login, its seal, and the requests that come over it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body of a reply leave together
    server: Listener
    connection: Any

    def setup(self) -> None:
        """Speak TLS where the service does."""
        self._service = self.server.service
        threading.current_thread().name = f"lab-winrm-{self._service.guest.name}"
        self._context: spnego.ContextProxy | None = None
        self._user: str | None = None
        self._sealed = False
        self._scheme = "https" if self._service.context else "http"
        if self._service.context:
            self.request = self._service.context.wrap_socket(
                self.request, server_side=True, do_handshake_on_connect=False
            )
        try:
            self.server.enter(self.request)
            if self._service.context:
                self.request.do_handshake()
        except OSError:
            self.server.leave(self.request)
            self.request.close()
            raise
        super().setup()

    def finish(self) -> None:
        """Close, whatever state the connection is in."""
        self.server.leave(self.request)
        with suppress(OSError, ValueError):
            super().finish()
        with suppress(OSError):
            self.request.close()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        """Answer one request."""
        self._service.messages += 1
        length = int(self.headers.get("Content-Length", "0"))
        if length > _MAX_BODY:
            self._status(413)
            self.close_connection = True
            return
        body = self.rfile.read(length)
        if self.path != "/wsman":
            self._service.elsewhere += 1
            self._status(404)
        elif not self._user:
            self._log_in(body)
        elif body:
            self._operation(body)
        else:
            self._status(200)

    def _log_in(self, body: bytes) -> None:
        """Take a step of a login, and answer the message that came with its last one.

        Basic and certificates log in with every request; the connection remembers nothing of them.
        """
        word, _, token = self.headers.get("Authorization", "").partition(" ")
        planned = self._service.note("Login") if word == "Negotiate" else None
        if "WSMANIDENTIFY" in self.headers:
            self._reply(200, identity())
        elif planned:
            self._misbehave(planned, 200, b"")
        elif word == "Negotiate" and "Negotiate" in self._service.offers:
            self._ntlm(token, body)
        elif self._basic(word, token) or self._certificate(word):
            self._operation(body)
        else:
            self._status(401)

    def _basic(self, word: str, token: str) -> bool:
        if word != "Basic" or "Basic" not in self._service.offers:
            return False
        user, _, password = base64.b64decode(token).decode(errors="replace").partition(":")
        return self._service.guest.accounts.get(user) == password

    def _certificate(self, word: str) -> bool:
        """Whether the client's certificate, which TLS has verified, is that of an account."""
        if not word.endswith("/https/mutual") or not self._service.context:
            return False
        subject = dict(entry[0] for entry in (self.connection.getpeercert() or {}).get("subject", ()))
        return subject.get("commonName") in self._service.guest.accounts

    def _ntlm(self, token: str, body: bytes) -> None:
        binding = self._service.binding
        with _passwords_from(self._service.passwords):
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
                return
        if answer is not None:
            self._status(401, f"Negotiate {base64.b64encode(answer).decode()}")
            return
        self._user = self._context.client_principal
        if body:
            self._operation(body)
        else:
            self._status(200)

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
            if planned in FAULTS:
                raise FAULTS[planned]
            reply = self._service.shells.answer(body)[1]
        except FaultReply as answer:
            status, reply = 500, fault(answer)
        except (XmlError, ValueError, AttributeError):
            status, reply = (
                500,
                fault(FaultReply(2150858817, "w:SchemaValidationError", "The message is malformed.")),
            )
        if planned and planned not in FAULTS:
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
            self.wfile.flush()
            self._hang_up()
        elif how is Fault.STALE:
            self._reply(status, reply)
            self._hang_up()
        elif how is Fault.PLAIN:
            self._raw(status, reply, {"Content-Type": _SOAP})
        elif how is Fault.REDIRECT:
            self._raw(
                307,
                b"",
                {"Location": f"{self._scheme}://127.0.0.1:{self.server.server_address[1]}/elsewhere"},
            )
        elif how is Fault.GZIP:
            bomb = gzip.compress(bytes(8_000_000))
            self._raw(500, bomb, {"Content-Type": _SOAP, "Content-Encoding": "gzip"})
        elif how in {Fault.DRIP, Fault.ENDLESS}:
            self._drip(how)
        elif how in STATUSES:
            self._status(STATUSES[how])
        elif how is Fault.FORGED:
            sealed = bytearray(self._seal(reply))
            sealed[-40] ^= 1
            self._raw(status, bytes(sealed), {"Content-Type": _SEALED})
        else:
            self._reply(200, BODIES[how])

    def _drip(self, how: Fault) -> None:
        head = "" if how is Fault.ENDLESS else f"Content-Type: {_SOAP}\r\nContent-Length: 50000\r\n\r\n"
        with suppress(OSError):
            self.wfile.write(f"HTTP/1.1 200 OK\r\n{head}".encode())
            while not self._service.stopping:
                self.wfile.write(b"x")
                self.wfile.flush()
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
