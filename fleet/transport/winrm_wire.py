"""One guarded HTTP connection to one guest: what leaves, what may come back, and until when.

``requests`` speaks HTTP; everything that it would do of its own accord is closed here: it dials what the
inventory says and nothing else, follows no redirect, asks no proxy and no ``.netrc``, keeps no cookie,
unpacks nothing and never connects a second time. Bytes and time are counted at the socket, so a header,
a chunk length or a body can't be endless either in size or in time, before the login and after it.
"""

from __future__ import annotations

import io
import socket
from collections.abc import Iterator, Mapping
from http.client import BadStatusLine, HTTPException, RemoteDisconnected, UnknownProtocol
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.cookies import RequestsCookieJar
from urllib3 import HTTPConnectionPool
from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError

from fleet.errors import ProtocolError, TransportError, UnreachableError
from fleet.model import Address
from fleet.ports import Deadline
from fleet.transport.winrm_tls import Tls, failed_tls

MAX_REPLY = 1_048_576
"""Bytes of one reply, headers included. We ask for envelopes of at most 512,000 (MS-WSMV 3.1.4.1.6)."""

_READ_PIECE = 262_144
"""Bytes taken at once from a reply."""

_SEND_PIECE = 65_536
"""Bytes handed to the socket between two looks at the clock."""


_MAYBE_HTTPS = "Is it the port of the HTTPS listener (5986)? Then set ansible_winrm_scheme: https."


class TimedSocket:
    """A connected socket that gives up at the deadline of the current request and counts what it takes.

    Implements what ``http.client`` and ``urllib3`` use of a socket. Its errors are already the
    sentences that an operator reads.
    """

    def __init__(self, inner: socket.socket, endpoint: str) -> None:
        self._inner = inner
        self._endpoint = endpoint
        self._deadline: Deadline | None = None
        self._seconds = 0.0
        self._taken = 0
        self._readers = 0
        self._closing = False
        self.wrote = False
        """Whether a byte of the current request may have left."""

    def begin(self, deadline: Deadline) -> None:
        """Start a request that has to be over by ``deadline``."""
        self._deadline = deadline
        self._seconds = deadline.remaining
        self._taken = 0
        self.wrote = False

    def sendall(self, data: Any) -> None:
        """Send everything or raise."""
        view = memoryview(data).cast("B")
        for start in range(0, len(view), _SEND_PIECE):
            self._arm()
            self.wrote = True
            try:
                self._inner.sendall(view[start : start + _SEND_PIECE])
            except OSError as error:
                failure = self._failure(error)
            else:
                continue
            raise failure

    def recv_into(self, buffer: Any) -> int:
        """Take what is there, 0 at the end of the stream."""
        self._arm()
        try:
            taken = self._inner.recv_into(buffer)
        except OSError as error:
            failure: TransportError = self._failure(error)
        else:
            self._taken += taken
            if self._taken <= MAX_REPLY:
                return taken
            failure = ProtocolError(
                f"{self._endpoint} sent a reply of more than {MAX_REPLY} bytes. "
                "That is no WinRM service, or somebody plays with it; find out who answers there."
            )
        raise failure

    def makefile(self, mode: str, *_: Any, **__: Any) -> io.BufferedReader:
        """Give a buffered reader; the socket stays open until it is closed too."""
        if mode != "rb":
            raise ValueError("replies are bytes")
        self._readers += 1
        return io.BufferedReader(_Raw(self), 65_536)

    def settimeout(self, value: float | None) -> None:
        """Do nothing: the deadline of the request decides."""

    def fileno(self) -> int:
        """File descriptor, for those who ask whether the peer has hung up."""
        return self._inner.fileno()

    def shutdown(self, how: int) -> None:
        """Pass on."""
        self._inner.shutdown(how)

    def close(self) -> None:
        """Close as soon as the last reader is closed."""
        self._closing = True
        if not self._readers:
            self._inner.close()

    def reader_closed(self) -> None:
        """Note that a reader was closed."""
        self._readers -= 1
        if self._closing and not self._readers:
            self._inner.close()

    def kill(self) -> None:
        """Close at once, whoever still reads."""
        self._inner.close()

    def _arm(self) -> None:
        if self._deadline is None:
            raise UnreachableError(f"the connection to {self._endpoint} is not in use")
        remaining = self._deadline.remaining
        if remaining <= 0:
            raise self._late()
        self._inner.settimeout(remaining)

    def _late(self) -> UnreachableError:
        return UnreachableError(
            f"{self._endpoint} did not answer within {self._seconds:.0f} s. "
            "Look whether the guest hangs or a firewall swallows the connection."
        )

    def _failure(self, error: OSError) -> TransportError:
        if isinstance(error, TimeoutError):
            return self._late()
        return failed_tls(error, self._endpoint) or _LostError(f"{self._endpoint} is gone")


class _Raw(io.RawIOBase):
    """What ``http.client`` reads from."""

    def __init__(self, source: TimedSocket) -> None:
        super().__init__()
        self._source = source

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._source.recv_into(buffer)

    def close(self) -> None:
        if not self.closed:
            self._source.reader_closed()
        super().close()


class _LostError(UnreachableError):
    """The connection ended before its time."""


class _Connection(HTTPConnection):
    """Uses the one socket it was given and never makes another."""

    def __init__(self, link: TimedSocket, host: str, port: int, endpoint: str) -> None:
        super().__init__(host, port)
        self.sock: Any = link
        self._endpoint = endpoint

    def connect(self) -> None:
        raise UnreachableError(
            f"{self._endpoint} closed the connection between two requests. "
            "Run the command again; if it repeats, look at what stands between here and the guest."
        )


class _Pool(HTTPConnectionPool):
    """Holds the one connection."""

    def __init__(self, connection: _Connection) -> None:
        super().__init__("guest", maxsize=1, block=True)
        self._only = connection

    def _new_conn(self) -> _Connection:
        return self._only


class _Response(requests.Response):
    """Reads large pieces: the 10 kB that ``requests`` takes at a time cost more than TLS does."""

    def iter_content(self, chunk_size: int | None = 1, decode_unicode: bool = False) -> Iterator[Any]:
        return super().iter_content(max(chunk_size or 1, _READ_PIECE), decode_unicode)


class _Adapter(HTTPAdapter):
    """Sends every request, also those of login handlers, through the one connection."""

    def __init__(self, pool: _Pool, endpoint: str) -> None:
        super().__init__(max_retries=0)
        self._pool = pool
        self._endpoint = endpoint

    def get_connection_with_tls_context(self, *_: Any, **__: Any) -> _Pool:
        return self._pool

    def cert_verify(self, *_: Any, **__: Any) -> None:
        """Do nothing: TLS was set up and verified before the first request."""

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """Send, and refuse by its headers what must not even be read."""
        response = super().send(request, stream=True)
        refusal = None
        if 300 <= response.status_code < 400:
            refusal = "redirects to another place; redirects are never followed"
        elif response.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
            refusal = "packed its reply although that was declined; packed replies are not opened"
        if refusal:
            response.close()
            raise ProtocolError(
                f"{self._endpoint} {refusal}. That is no WinRM service: look at address, port and what "
                "stands in between."
            )
        return response

    def build_response(self, *details: Any) -> requests.Response:
        """Give a response that is read in large pieces."""
        response = super().build_response(*details)
        response.__class__ = _Response
        return response


class Wire:
    """One connection to one guest and the ``requests`` session that uses it; for one thread."""

    def __init__(self, address: Address, port: int, tls: Tls | None, deadline: Deadline) -> None:
        """Connect, and with ``tls`` verify who answers; raises ``TransportError`` within the deadline."""
        self.address = address
        self.scheme = "https" if tls else "http"
        self.endpoint = f"{address.for_url}:{port}"
        self.url = f"{self.scheme}://{self.endpoint}/wsman"
        inner = dial(address, port, deadline)
        self.certificate: bytes | None = None
        """Certificate that the guest showed, DER."""
        try:
            if tls:
                inner, self.certificate = tls.handshake(inner, address, port, deadline)
            self._link = TimedSocket(inner, self.endpoint)
        except BaseException:
            inner.close()
            raise
        self._pool = _Pool(_Connection(self._link, address.text, port, self.endpoint))
        self.session = self._new_session(address, port)
        self._answered = False

    @property
    def wrote(self) -> bool:
        """Whether a byte of the last request may have left this machine."""
        return self._link.wrote

    def post(self, body: bytes | None, headers: Mapping[str, str], deadline: Deadline) -> requests.Response:
        """Send one request and give its reply, read to the end; raises ``TransportError``."""
        request = requests.Request("POST", self.url, data=body, headers=dict(headers))
        return self.send(self.session.prepare_request(request), deadline)

    def send(self, request: requests.PreparedRequest, deadline: Deadline) -> requests.Response:
        """Send a prepared request and give its reply, read to the end; raises ``TransportError``.

        The error is raised outside of the handler: what ``requests`` raises holds the request with
        its login header, and must not hang on ours as its context.
        """
        self._link.begin(deadline)
        try:
            response = self.session.send(request, allow_redirects=False, stream=False)
        except (
            _LostError,
            requests.RequestException,
            HTTPError,
            HTTPException,
            OSError,
            ValueError,
        ) as error:
            strange = _speaks_no_http(error)
        else:
            self._answered = True
            return response
        if strange:
            raise ProtocolError(f"{self.endpoint} does not speak HTTP. {_MAYBE_HTTPS}")
        if not self._answered and self.scheme == "http":
            raise UnreachableError(f"{self.endpoint} hung up at the first request. {_MAYBE_HTTPS}")
        raise _LostError(
            f"The connection to {self.endpoint} was lost. Look whether the guest, its WinRM service or the "
            "network went down."
        )

    def close(self) -> None:
        """Hang up."""
        self._link.kill()
        self._pool.close()
        self.session.close()

    def _new_session(self, address: Address, port: int) -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        session.proxies.clear()
        session.cookies = RequestsCookieJar(DefaultCookiePolicy(allowed_domains=()))
        session.headers.clear()
        session.headers.update(
            {
                "Host": f"{address.for_url}:{port}",
                "User-Agent": "fleet",
                "Accept-Encoding": "identity",
                "Connection": "Keep-Alive",
                "Content-Type": "application/soap+xml;charset=UTF-8",
            }
        )
        session.adapters.clear()
        session.mount(f"{self.scheme}://", _Adapter(self._pool, self.endpoint))
        return session


def dial(address: Address, port: int, deadline: Deadline) -> socket.socket:
    """Open a TCP connection to exactly this address; raises ``UnreachableError`` with what to look at."""
    endpoint = f"{address.for_url}:{port}"
    flags = socket.AI_NUMERICHOST if address.version else 0
    try:
        found = socket.getaddrinfo(address.text, port, type=socket.SOCK_STREAM, flags=flags)
    except (OSError, UnicodeError):
        raise UnreachableError(
            f"The name {address.text} can't be resolved here. "
            "Mend it in the inventory (ansible_host), or in DNS."
        ) from None
    reason = "did not answer"
    for family, kind, protocol, _, target in found:
        if deadline.expired:
            break
        link = socket.socket(family, kind, protocol)
        try:
            link.settimeout(deadline.remaining)
            link.connect(target)
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        except TimeoutError:
            link.close()
        except ConnectionRefusedError:
            reason = "refused the connection"
            link.close()
        except OSError:
            reason = "can't be reached"
            link.close()
        else:
            return link
    raise UnreachableError(
        f"{endpoint} {reason}. Look whether the guest is up, a WinRM listener is on that port "
        "(winrm enumerate winrm/config/listener) and the firewall lets it through."
    )


def _speaks_no_http(error: BaseException | None) -> bool:
    """Whether the cause of the error is a reply that is not HTTP at all."""
    while error is not None:
        if isinstance(error, BadStatusLine | UnknownProtocol):
            return not isinstance(error, RemoteDisconnected)
        error = error.__context__
    return False
