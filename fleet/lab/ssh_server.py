"""An SSH server of this process in front of simulated guests, on free ports of the loopback.

It speaks the real protocol, with Paramiko on the server's side: password and public key logins, command
channels with both output streams. No shell sessions, no forwarding, no file transfer.
"""

from __future__ import annotations

import contextlib
import hmac
import logging
import socket
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import TracebackType
from typing import BinaryIO, Self

import paramiko
from paramiko.common import (
    AUTH_FAILED,
    AUTH_SUCCESSFUL,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_SUCCEEDED,
)

from fleet.lab.guest import Guest, Process

_CHUNK = 32_768
_JOIN = 5.0
"""Seconds a thread has for ending once everything it waits for was closed."""

_GRANTED = 0.5
"""Seconds that the channel of a command which is over stays open for a client that sends nothing: closed
before the request for it was answered, it would look like a refusal."""

# Paramiko reports errors to its logger, which without a handler writes to the terminal.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


class SshServer:
    """Serves each guest on a port of its own while it is open; a context manager.

    Args:
        guests: Whom to stand in front of.
        authorized_keys: Lines of an authorized_keys file, good for every account of every guest.
        refuse_passwords: Names of guests that refuse every password, as after it was changed.
        address: Loopback address to listen on.
    """

    def __init__(
        self,
        guests: Iterable[Guest],
        *,
        authorized_keys: Sequence[str] = (),
        refuse_passwords: Collection[str] = (),
        address: str = "127.0.0.1",
    ) -> None:
        keys = frozenset(line.split()[1] for line in authorized_keys)
        self._fronts: dict[str, _Front] = {}
        try:
            for guest in guests:
                self._fronts[guest.name] = _Front(
                    guest, keys, address=address, passwords=guest.name not in refuse_passwords
                )
        except BaseException:
            self.close()
            raise

    @property
    def addresses(self) -> Mapping[str, tuple[str, int]]:
        """Address and port by name of the guest."""
        return {name: front.address for name, front in self._fronts.items()}

    def known_hosts_text(self) -> str:
        """Lines for a known_hosts file, one for each guest."""
        return "".join(front.known_hosts_line() for front in self._fronts.values())

    def close(self) -> None:
        """Stop listening, cut all connections, end what still runs in the guests."""
        for front in self._fronts.values():
            front.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Front:
    """The server of one guest: its port, its host key, its connections."""

    def __init__(self, guest: Guest, keys: Collection[str], *, address: str, passwords: bool) -> None:
        self._guest = guest
        self._keys = keys
        self._passwords = passwords
        self._host_key = paramiko.ECDSAKey.generate(bits=256)
        self._lock = threading.Lock()
        self._closed = False
        self._connections: list[tuple[socket.socket, paramiko.Transport, _Session]] = []
        self._listener = socket.create_server((address, 0))
        host, port = self._listener.getsockname()[:2]
        self.address: tuple[str, int] = (host, port)
        self._thread = threading.Thread(target=self._accept, name=f"lab-ssh-{guest.name}", daemon=True)
        self._thread.start()

    def known_hosts_line(self) -> str:
        host, port = self.address
        return f"[{host}]:{port} {self._host_key.get_name()} {self._host_key.get_base64()}\n"

    def close(self) -> None:
        with self._lock:
            self._closed = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept(); closing alone does not
        self._listener.close()
        self._thread.join(_JOIN)
        for sock, transport, session in self._connections:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            transport.close()
            transport.packetizer.complete_handshake()  # ends a timer thread of a login that never finished
            sock.close()
            if transport.ident is not None:
                transport.join(_JOIN)
            session.join()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                if self._closed:
                    sock.close()
                    return
                self._forget_ended()
                self._serve(sock)

    def _serve(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        session = _Session(self._guest, self._keys, passwords=self._passwords)
        transport = paramiko.Transport(sock)
        transport.add_server_key(self._host_key)
        self._connections.append((sock, transport, session))
        transport.start_server(event=threading.Event(), server=session)

    def _forget_ended(self) -> None:
        self._connections = [entry for entry in self._connections if entry[1].is_alive() or entry[2].busy]


class _Session(paramiko.ServerInterface):
    """What one connection may do; Paramiko calls it from the connection's thread."""

    def __init__(self, guest: Guest, keys: Collection[str], *, passwords: bool) -> None:
        self._guest = guest
        self._keys = keys
        self._passwords = passwords
        self._executions: list[_Execution] = []

    @property
    def busy(self) -> bool:
        """Whether a command of this connection has not been tidied up yet."""
        return any(execution.busy for execution in self._executions)

    def join(self) -> None:
        """Wait for its commands, which end because the connection has."""
        for execution in self._executions:
            execution.join()

    def get_allowed_auths(self, username: str) -> str:  # noqa: ARG002
        """Both methods, whatever the name: names are not to be guessed."""
        return "password,publickey"

    def check_auth_password(self, username: str, password: str) -> int:
        """Accept the account's password."""
        expected = self._guest.accounts.get(username)
        right = expected is not None and hmac.compare_digest(expected.encode(), password.encode())
        return AUTH_SUCCESSFUL if right and self._passwords else AUTH_FAILED

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        """Accept an authorized key for any account."""
        right = username in self._guest.accounts and key.get_base64() in self._keys
        return AUTH_SUCCESSFUL if right else AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:  # noqa: ARG002
        """Allow sessions only."""
        return OPEN_SUCCEEDED if kind == "session" else OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        """Start a command in the guest."""
        try:
            process = self._guest.spawn(command.decode())
        except (OSError, ValueError):
            return False
        self._executions.append(_Execution(channel, process))
        return True


class _Execution:
    """A running command and the threads that carry its three streams."""

    def __init__(self, channel: paramiko.Channel, process: Process) -> None:
        self._channel = channel
        self._process = process
        stdin, stdout, stderr = process.stdin, process.stdout, process.stderr
        assert stdin is not None
        assert stdout is not None
        assert stderr is not None
        self._granted = threading.Event()
        """Set when the client has heard that its command was started, as its input tells."""
        self._outputs = [
            threading.Thread(target=self._send, args=(stdout, channel.sendall), daemon=True),
            threading.Thread(target=self._send, args=(stderr, channel.sendall_stderr), daemon=True),
        ]
        others = [
            threading.Thread(target=self._receive, args=(stdin,), daemon=True),
            threading.Thread(target=self._finish, daemon=True),
        ]
        self._threads = self._outputs + others
        for thread in self._threads:
            thread.start()

    @property
    def busy(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    def join(self) -> None:
        for thread in self._threads:
            thread.join(_JOIN)

    def _receive(self, stdin: BinaryIO) -> None:
        """Carry the input; when the channel closes, end the command."""
        with contextlib.suppress(OSError, ValueError, EOFError):
            while data := self._channel.recv(_CHUNK):
                self._granted.set()
                stdin.write(data)
                stdin.flush()
        self._granted.set()
        with contextlib.suppress(OSError, ValueError):
            stdin.close()
        self._channel.status_event.wait()  # set by Paramiko when the channel is closed from either side
        if self._process.poll() is None:
            self._process.kill()

    def _send(self, stream: BinaryIO, send: Callable[[bytes], object]) -> None:
        """Carry an output until its end; if the client does not want it any more, end the command."""
        read = getattr(stream, "read1", stream.read)
        try:
            while data := read(_CHUNK):
                send(data)
        except (OSError, ValueError, EOFError, paramiko.SSHException):
            if self._process.poll() is None:
                self._process.kill()
        with contextlib.suppress(OSError, ValueError):
            stream.close()

    def _finish(self) -> None:
        """Give the exit code once everything was said, and close."""
        code = self._process.wait()
        for thread in self._outputs:
            thread.join()
        self._granted.wait(_GRANTED)
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            # a shell says 128 + n for a signal n; Popen says -n
            self._channel.send_exit_status(code if code >= 0 else 128 - code)
            self._channel.shutdown_write()
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            self._channel.close()
