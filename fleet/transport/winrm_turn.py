"""Scripts that were handed over together: whose turn it is, until when, and what has come for whom."""

from __future__ import annotations

import time
from collections import deque

from fleet.envelope import AnswerStream, Capture
from fleet.model import Completed, Script
from fleet.ports import Clock, Deadline
from fleet.transport import Limits
from fleet.transport.winrm_soap import SEND_BYTES

_LONGEST_PAUSE = 0.5
"""Seconds to let answers gather before asking for them."""


def pieces(payloads: list[bytes]) -> list[bytes]:
    """Put payloads into as few requests as they fit in; only one too big for a request is divided."""
    filled = [b""]
    for payload in payloads:
        if len(filled[-1]) + len(payload) > SEND_BYTES and filled[-1]:
            filled.append(b"")
        filled[-1] += payload
        while len(filled[-1]) > SEND_BYTES:
            filled[-1:] = [filled[-1][:SEND_BYTES], filled[-1][SEND_BYTES:]]
    return filled


class Turn:
    """The scripts of one batch: whose turn it is, until when, and what has come for it."""

    def __init__(self, batch: list[Script], answers: AnswerStream, limits: Limits, clock: Clock) -> None:
        self._waiting = deque(batch)
        self._limits = limits
        self._clock = clock
        self._answers = answers
        self._errors = Capture(limits.keep)
        self._started = clock.monotonic()
        self._count = 0
        self.begin()

    def begin(self) -> None:
        """Start the time of the first script."""
        self._since = self._clock.monotonic()
        if self._waiting:
            self._limit = Deadline(self._clock, self._waiting[0].timeout + self._limits.grace)

    @property
    def open(self) -> bool:
        """Whether a script has not answered."""
        return bool(self._waiting)

    @property
    def remaining(self) -> float:
        """Seconds left for the script whose turn it is."""
        return self._limit.remaining

    @property
    def late(self) -> bool:
        """Whether its time is over."""
        return self._limit.expired

    def gather(self) -> None:
        """Let answers gather in the guest, so that one request brings several.

        Waits for about three quarters of the answers that are still out at the pace of those that came,
        and not at all where only one is out: the request itself waits for that.
        """
        out = len(self._waiting)
        if self._count and out > 1:
            pace = (self._clock.monotonic() - self._started) / self._count
            time.sleep(min(_LONGEST_PAUSE, 0.75 * out * pace, self.remaining))

    def take(self, stdout: bytes, stderr: bytes, exit_code: int | None) -> list[Completed]:
        """Take output; give what has been answered by it."""
        self._errors.feed(stderr)
        finished = []
        for output, dropped in self._answers.feed(stdout):
            self._waiting.popleft()
            self._count += 1
            last = exit_code if not self._waiting else None
            finished.append(self._completed(output, dropped, last, timed_out=False))
            self.begin()
        return finished

    def given_up(self) -> Completed:
        """Close the turn of the script whose time is over."""
        return self._closed(None, timed_out=True)

    def ended(self, exit_code: int | None) -> Completed:
        """Close the turn of the script with which the process ended."""
        return self._closed(exit_code, timed_out=False)

    def rest(self) -> tuple[bytes, bytes]:
        """Give what has come for the script that has not answered."""
        return self._answers.rest()[0], self._errors.take()[0]

    def _closed(self, exit_code: int | None, *, timed_out: bool) -> Completed:
        output, dropped = self._answers.rest()
        self._waiting.popleft()
        completed = self._completed(output, dropped, exit_code, timed_out=timed_out)
        self._waiting.clear()
        return completed

    def _completed(self, output: bytes, dropped: int, exit_code: int | None, *, timed_out: bool) -> Completed:
        errors, errors_dropped = self._errors.take()
        seconds = self._clock.monotonic() - self._since
        return Completed(output, errors, exit_code, seconds, timed_out, dropped + errors_dropped)
