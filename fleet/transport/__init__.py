"""Bytes to and from guests: the protocol that every transport keeps.

A transport owns one connection to one host and is used by one thread. It runs scripts and returns
bytes; it knows nothing of snippets, outcomes or the journal. What goes wrong is a
``fleet.errors.TransportError`` whose ``sent`` says whether the script may have left this machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from fleet.model import Completed, Script


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds and bytes a transport may spend."""

    connect: float = 10.0
    """From the first packet to a connection (TCP, TLS)."""
    login: float = 20.0
    """From the connection to a session that may run something."""
    grace: float = 15.0
    """What the transport waits beyond a script's own timeout."""
    keep: int = 1_048_576
    """Bytes kept of each of stdout and stderr per script, head and tail."""


class Transport(Protocol):
    """One open connection to one host, used by one thread."""

    def run(self, scripts: Sequence[Script]) -> Iterator[Completed]:
        """Run the scripts one after the other and yield what each answered, as soon as it did.

        All are handed to the guest in as few round trips as the protocol allows. A script that
        outlives ``timeout`` plus the grace is given up: its ``Completed`` says ``timed_out`` and
        those after it are started anew. A lost connection raises ``TransportError`` for the
        script at which it broke; nothing that may have been sent is sent again.
        """
        ...

    def stream(self, script: Script, sink: Callable[[bytes], None]) -> Completed:
        """Run one script that changes nothing and hand what its body writes to ``sink``, as it comes.

        As ``run`` with one script, but memory is constant and a slow sink slows the guest: the time it takes
        is the script's. The sink gets the exact bytes, without the newline that the frame writes before the
        answer; ``stdout`` of what is given holds the answer (and what came after it), or all of a short
        output without an answer. An exception of the sink is raised as it is, after the script was given up;
        the connection can be used on, unless it is a ``TransportError``.
        """
        ...

    def close(self) -> None:
        """Give everything in the guest and here back; never raises, may be called twice."""
        ...

    def __enter__(self) -> Self:
        """Use as a context manager."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        ...
