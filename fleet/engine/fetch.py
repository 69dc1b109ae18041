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

import contextlib
import os
import shutil
import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from fleet.engine.segment import DamagedError, DiskError, Receiver, Segment, StoppedError
from fleet.engine.verdict import outcome_of
from fleet.envelope import parse
from fleet.errors import BusyError, DeniedError, TransportError
from fleet.model import Outcome, Script
from fleet.ports import Clock, Deadline
from fleet.transport import Transport

SEGMENT = 16_777_216
"""Bytes asked for at once: what a cut can cost."""

STREAMS: Mapping[str, int] = {"winrm": 4}
"""Connections that one large pack is fetched over, by kind of connection; one where it is not named."""

LARGE = 33_554_432
"""Bytes from which a further connection is worth its login and the start of a shell; half of it for each
one more."""

SPARE = 67_108_864
"""Bytes that stay free on the disk here."""

PAUSES = (0.0, 1.0, 5.0, 15.0)
"""Seconds before each attempt to connect again; after the last of them, with no whole segment in between, it
is given up."""

DAMAGED = 2
"""Times that one segment may arrive damaged as it is, and after that as base64."""

_TICK = 0.2
"""Seconds after which waiting looks whether it is to stop."""


class Budget:
    """What the fetching of a whole run may take; threads use one together."""

    def __init__(self, total: int, streams: int) -> None:
        """``total`` bytes from all hosts, over at most ``streams`` connections at once."""
        self._left = total
        self._lock = threading.Lock()
        self._streams = threading.BoundedSemaphore(streams)

    @property
    def left(self) -> int:
        """Bytes that are not reserved."""
        return self._left

    def reserve(self, most: int) -> int:
        """Take at most so many bytes; give how many there were, 0 if none."""
        with self._lock:
            granted = max(0, min(most, self._left))
            self._left -= granted
            return granted

    def give_back(self, count: int) -> None:
        """Return bytes that are not needed after all."""
        with self._lock:
            self._left += count

    def enter(self, stopping: Callable[[], bool]) -> bool:
        """Wait for the turn of a connection; false if it is to stop before that."""
        while not stopping():
            if self._streams.acquire(timeout=_TICK):
                return True
        return False

    def enter_now(self) -> bool:
        """Take the turn of a connection if one is free."""
        return self._streams.acquire(blocking=False)

    def leave(self) -> None:
        """Let another connection have its turn."""
        self._streams.release()


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
    part = target.with_name(f"{target.name}.part")
    job = _Job(source, clock, stopping)
    if not budget.enter(stopping):
        return Fetched(part, 0, Outcome.NOT_RUN, "interrupted before anything was fetched", alive=True)
    try:
        _make(part, source.size)
        alive = _carry_out(job, part, first, budget)
        return _ended(job, part, target, alive=alive)
    except DiskError as error:
        message = f"nothing was fetched to {part.parent}: {error}"
        return Fetched(part, 0, Outcome.FAILED, message, alive=True)
    finally:
        budget.leave()


def _make(part: Path, size: int) -> None:
    """Make an empty file where there is room for it."""
    try:
        free = shutil.disk_usage(part.parent).free
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
    except OSError as error:
        raise DiskError(error.strerror) from None
    if free < size + SPARE:
        raise DiskError(
            f"{size // 1_000_000} MB are to come and {free // 1_000_000} MB are free; "
            "make room, or collect less"
        )


def _carry_out(job: _Job, part: Path, first: Transport, budget: Budget) -> bool:
    """Fetch over as many connections as there may be; give whether the first one is still good."""
    with ThreadPoolExecutor(max(1, job.helpers), thread_name_prefix="fleet-fetch") as pool:
        helpers = [pool.submit(_help, job, part, budget) for _ in range(job.helpers)]
        try:
            lead = _Stream(job, part, first)
            lead.work(leads=True)
        finally:
            job.end(Outcome.BROKEN, "an error in fleet itself")  # has no effect on one that is over
        for helper in helpers:
            helper.result()
    return not lead.lost_first


def _help(job: _Job, part: Path, budget: Budget) -> None:
    if not budget.enter_now():
        return
    try:
        _Stream(job, part).work(leads=False)
    finally:
        budget.leave()


def _ended(job: _Job, part: Path, target: Path, *, alive: bool) -> Fetched:
    size = job.prefix
    if size == job.source.size:
        part.replace(target)
        return Fetched(target, size, Outcome.OK, f"{size} bytes", alive)
    with contextlib.suppress(OSError):
        os.truncate(part, size)
    outcome, reason = job.word
    message = f"{reason.rstrip('.')}; {size} of {job.source.size} bytes came"
    return Fetched(part, size, outcome, message, alive)


class _NoAnswerError(Exception):
    """A script ended without a valid answer, or not in time."""

    def __init__(self, outcome: Outcome, message: str) -> None:
        super().__init__(message)
        self.outcome = outcome


class _Job:
    """Which segments are left, and how it stands; the streams of one pack use it together."""

    def __init__(self, source: Source, clock: Clock, stopping: Callable[[], bool]) -> None:
        self.source = source
        self._clock = clock
        self._stopping = stopping
        self._changed = threading.Condition()
        starts = range(0, source.size, SEGMENT)
        self._pending = deque(Segment(start, min(SEGMENT, source.size - start)) for start in starts)
        self._under_way = 0
        self._got: dict[int, int] = {}
        """Bytes that are there, by the offset of their segment."""
        self._damaged: Counter[Segment] = Counter()
        self.encoding = "raw"
        self.word = (Outcome.OK, "")
        self._over = False

    @property
    def helpers(self) -> int:
        """Connections that help the first one."""
        worth = max(0, self.source.size // (LARGE // 2) - 1)
        return min(self.source.streams - 1, worth)

    @property
    def prefix(self) -> int:
        """Bytes from the beginning that are there without a gap."""
        size = 0
        while got := self._got.get(size):
            size += got
        return size

    def stopping(self) -> bool:
        """Whether it is to stop: told so, or over by what another stream met."""
        return self._over or self._stopping()

    def next(self) -> Segment | None:
        """Give a segment to fetch, once there is one; None when there is nothing more to do."""
        with self._changed:
            while not self.stopping():
                if self._pending:
                    self._under_way += 1
                    return self._pending.popleft()
                if not self._under_way:
                    return None
                self._changed.wait(_TICK)
        self.end(Outcome.NOT_RUN, "interrupted")
        return None

    def put_back(self, segment: Segment) -> None:
        """Say that a segment did not come."""
        with self._changed:
            self._under_way -= 1
            self._pending.appendleft(segment)
            self._changed.notify_all()

    def put_down(self, segment: Segment, size: int) -> None:
        """Say that so many bytes of a segment are there."""
        with self._changed:
            self._under_way -= 1
            self._got[segment.offset] = size
            self._changed.notify_all()

    def count_damage(self, segment: Segment, how: str) -> None:
        """Say that a segment came damaged: what may help is tried, then it is over."""
        with self._changed:
            self._damaged[segment] += 1
            if self._damaged[segment] == DAMAGED:
                self.encoding = "base64"
            if self._damaged[segment] < 2 * DAMAGED:
                return
        self.end(Outcome.BROKEN, f"{2 * DAMAGED} times a part arrived damaged ({how})")

    def end(self, outcome: Outcome, message: str) -> None:
        """End it for all streams; the first word counts."""
        with self._changed:
            if not self._over:
                self._over = True
                self.word = (outcome, message)
            self._changed.notify_all()

    def pause(self, seconds: float) -> None:
        """Wait, but not longer than it lasts."""
        limit = Deadline(self._clock, seconds)
        while not limit.expired and not self.stopping():
            with self._changed:
                self._changed.wait(min(_TICK, limit.remaining))


class _Stream:
    """One connection at a time, fetching segments until none is left."""

    def __init__(self, job: _Job, part: Path, first: Transport | None = None) -> None:
        self._job = job
        self._part = part
        self._transport = first
        self._borrowed = first is not None
        self.lost_first = False

    def work(self, *, leads: bool) -> None:
        """Fetch; where the connection can't be had any more, end everything, or as a helper just leave."""
        losses = 0
        try:
            with self._part.open("r+b", buffering=0) as file:
                while (segment := self._job.next()) is not None:
                    failure = self._attempt(segment, file)
                    losses = losses + 1 if failure else 0
                    final = isinstance(failure, DeniedError) or losses > len(PAUSES)
                    if failure and (final or (not leads and isinstance(failure, BusyError))):
                        if leads:
                            self._job.end(_outcome(failure), str(failure))
                        return
                    if failure:
                        self._job.pause(PAUSES[losses - 1])
        except OSError as error:
            self._job.end(Outcome.FAILED, f"{self._part} can't be written: {error.strerror}")
        finally:
            self._hang_up()

    def _attempt(self, segment: Segment, file: BinaryIO) -> TransportError | _NoAnswerError | None:
        """Fetch a segment; give what made a new connection necessary."""
        size = 0
        try:
            if self._transport is None:
                self._transport = self._job.source.connect()
            size = self._fetch(self._transport, segment, file)
        except TransportError as error:
            self._lose()
            return error
        except _NoAnswerError as error:
            self._hang_up()
            return error
        except DamagedError as error:
            self._job.count_damage(segment, str(error))
        except StoppedError:
            self._job.end(Outcome.NOT_RUN, "interrupted")
        except DiskError as error:
            self._job.end(Outcome.FAILED, f"{self._part} can't be written: {error}")
        finally:
            if size:
                self._job.put_down(segment, size)
            else:
                self._job.put_back(segment)
        return None

    def _fetch(self, transport: Transport, segment: Segment, file: BinaryIO) -> int:
        """Fetch a segment; give the bytes of it that are there and right."""
        receiver = Receiver(segment, self._job.encoding, file, self._job.stopping)
        script = self._job.source.ask(segment.offset, segment.length, receiver.encoding)
        reply = parse(transport.stream(script, receiver), script.nonce)
        if reply.outcome in {Outcome.BROKEN, Outcome.TIMED_OUT}:
            raise _NoAnswerError(reply.outcome, reply.message.raw)
        if reply.outcome is not Outcome.OK:
            self._job.end(Outcome.FAILED, reply.message.raw)
            return 0
        if reply.data.get("sha256") != receiver.sha256:
            raise DamagedError("its hash differs")
        if not receiver.whole:
            self._job.end(Outcome.BROKEN, "the guest has fewer bytes than it said")
        return receiver.size

    def _lose(self) -> None:
        self.lost_first = self.lost_first or self._borrowed
        self._hang_up()

    def _hang_up(self) -> None:
        """Close a connection of our own; the first one stays its owner's."""
        if self._transport is not None and not self._borrowed:
            self._transport.close()
        self._transport, self._borrowed = None, False


def _outcome(failure: TransportError | _NoAnswerError) -> Outcome:
    return failure.outcome if isinstance(failure, _NoAnswerError) else outcome_of(failure)
