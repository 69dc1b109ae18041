"""Bringing a staged pack of a guest into a local file: by segments, each compared by its SHA-256.

    granted = budget.reserve(most)                    # before staging: the room the pack may have
    ...                                               # stage; the guest says the pack's size
    budget.give_back(granted - size)
    source = Source(size, ask, connect, streams=STREAMS.get(host.connection, 1))
    fetched = fetch(source, folder / "name.pack", first=transport, budget=budget, clock=clock)

A segment that is cut is asked for again over a new connection, a bounded number of times. Memory is
constant: what comes is written to its place in ``NAME.part`` at once, and the file gets its name when all
is there. Nothing of the guest is believed but bytes whose number and hash are as agreed; a guest can't
make the file larger than ``size``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from fleet.model import Outcome, Script
from fleet.ports import Clock
from fleet.transport import Transport

SEGMENT = 8_388_608
"""Bytes asked for at once: what a cut can cost."""

STREAMS: Mapping[str, int] = {"winrm": 4}
"""Connections that one large pack is fetched over, by kind of connection; one where it is not named."""


class Budget:
    """What the fetching of a whole run may take; threads use one together."""

    def __init__(self, total: int, streams: int) -> None:
        """``total`` bytes from all hosts, over at most ``streams`` connections at once."""
        raise NotImplementedError

    @property
    def left(self) -> int:
        """Bytes that are not reserved."""
        raise NotImplementedError

    def reserve(self, most: int) -> int:
        """Take at most so many bytes; give how many there were, 0 if none."""
        raise NotImplementedError

    def give_back(self, count: int) -> None:
        """Return bytes that are not needed after all."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Source:
    """A staged pack."""

    size: int
    """Bytes it has, as the guest says; bounded by the caller."""
    ask: Callable[[int, int, str], Script]
    """A ``collect-send`` with a nonce of its own, from offset, length and encoding (``raw``, ``base64``).
    Called by several threads."""
    connect: Callable[[], Transport]
    """A further connection to the guest; raises ``TransportError``. Called by several threads."""
    streams: int = 1
    """Connections it may be fetched over at once, the first one included."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came of it. Never an exception: what is there is kept."""

    path: Path
    """The whole pack; or ``NAME.part`` with what is there from its beginning."""
    size: int
    """Bytes in it, all of them compared."""
    outcome: Outcome
    """``ok`` if whole. ``failed``: this machine's disk or the guest's file; ``broken``: what comes differs
    from its hash or its size; ``not_run``: told to stop; else what became of the connection."""
    message: str
    """What is missing and why; may hold words of the guest."""
    alive: bool
    """Whether ``first`` can still be used."""


def fetch(
    source: Source,
    target: Path,
    *,
    first: Transport,
    budget: Budget,
    clock: Clock,
    stopping: Callable[[], bool] = lambda: False,
) -> Fetched:
    """Fetch a pack to ``target``.

    Args:
        source: What to fetch.
        target: Where to; its folder exists and is private.
        first: An open connection. It is left open, and replaced here where it breaks.
        budget: Where a connection's turn is waited for. Its bytes are the caller's to reserve.
        clock: Time.
        stopping: Asked often; once true, it ends with what is there.
    """
    raise NotImplementedError
