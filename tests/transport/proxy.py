"""TCP faults in this process: a proxy that cuts and slows, and servers that behave badly."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

_JOIN = 5.0


def reset(sock: socket.socket) -> None:
    """Close with RST, as a crashed peer or a firewall does."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # ends a recv() of another thread, which would keep the descriptor alive
        sock.shutdown(socket.SHUT_RD)
    sock.close()


LIFETIME = 8.0
"""Seconds after which a bad server gives up, so that a client without a deadline fails and does not hang."""


class BadServer:
    """Runs ``behave`` with every connection, each in a thread; a context manager."""

    def __init__(self, behave: Callable[[socket.socket, threading.Event], None]) -> None:
        self._behave = behave
        self._over = threading.Event()
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._socks: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()
        self._timer = threading.Timer(LIFETIME, self._over.set)
        self._timer.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._socks.append(sock)
            thread = threading.Thread(target=self._run, args=(sock,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _run(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError):
            self._behave(sock, self._over)
        sock.close()

    def close(self) -> None:
        self._timer.cancel()
        self._over.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join(_JOIN)
        for sock in self._socks:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in (*self._threads, self._timer):
            thread.join(_JOIN)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Proxy(BadServer):
    """Passes bytes on to a server until it is told to cut or stall.

    ``cut_after`` resets the connection once so many bytes came from the server; ``stall_after`` stops
    passing on what comes from it, with the connection open.
    """

    def __init__(self, port: int, *, cut_after: int | None = None, stall_after: int | None = None) -> None:
        self._target = port
        self._cut_after = cut_after
        self._stall_after = stall_after
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self.from_server = 0
        """Bytes passed on from the server."""
        super().__init__(self._pass_on)

    def cut(self) -> None:
        """Reset every connection that passes through now, and none that is made meanwhile."""
        for pair in list(self._pairs):
            for sock in pair:
                reset(sock)

    def stall(self) -> None:
        """Pass on nothing more from the server."""
        self._stall_after = self.from_server

    def _pass_on(self, client: socket.socket, over: threading.Event) -> None:
        with socket.create_connection(("127.0.0.1", self._target)) as server:
            self._pairs.append((client, server))
            back = threading.Thread(target=self._back, args=(server, client, over), daemon=True)
            back.start()
            with contextlib.suppress(OSError):
                while data := client.recv(65_536):
                    server.sendall(data)
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            back.join(_JOIN)

    def _back(self, server: socket.socket, client: socket.socket, over: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65_536):
                limit = self._cut_after if self._cut_after is not None else self._stall_after
                room = len(data) if limit is None else limit - self.from_server
                client.sendall(data[:room])
                self.from_server += len(data[:room])
                if room >= len(data):
                    continue
                if self._cut_after is not None:
                    reset(client)
                else:
                    over.wait()
                return
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)


@contextmanager
def refusing_port() -> Iterator[int]:
    """A port at which nobody listens, kept from being given to somebody else."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        yield port
