"""What the engine needs from the world, so that a simulator can provide it: time, randomness."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Time. Limits are always measured with ``monotonic``; ``now`` is only for people."""

    def now(self) -> datetime:
        """Wall clock, UTC, aware."""
        ...

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        ...


class Entropy(Protocol):
    """Randomness."""

    def token(self, length: int) -> str:
        """``length`` characters of ``0-9a-z`` that can't be guessed."""
        ...


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        """Wall clock, UTC, aware."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds of the monotonic clock."""
        return time.monotonic()


class SystemEntropy:
    """The random source of this machine."""

    _ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"

    def token(self, length: int) -> str:
        """``length`` characters of ``0-9a-z`` from the operating system's source."""
        return "".join(secrets.choice(self._ALPHABET) for _ in range(length))


class Deadline:
    """The moment that a whole phase has to be over by; handed down, never renewed below."""

    __slots__ = ("_at", "_clock")

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._at = clock.monotonic() + seconds

    @property
    def remaining(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self._at - self._clock.monotonic())

    @property
    def expired(self) -> bool:
        """Whether the moment has passed."""
        return self.remaining <= 0.0
