"""One segment of a fetched file: what arrives is decoded, counted, hashed and written to its place."""

from __future__ import annotations

import binascii
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO

_LAYOUT = b"\r\n"
"""What stands between the characters of base64 for the sake of lines."""


class DamagedError(Exception):
    """What came is not what was asked for."""


class DiskError(Exception):
    """It can't be written here; the text says why."""


class StoppedError(Exception):
    """Nobody waits for it any more."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of the file."""

    offset: int
    length: int


@dataclass(slots=True)
class Receiver:
    """Takes a segment as it comes; a sink of ``Transport.stream``.

    More than the segment's length is never written, whatever the guest sends.
    """

    segment: Segment
    encoding: str
    file: BinaryIO
    """Unbuffered, and nobody else's."""
    stopping: Callable[[], bool]
    size: int = 0
    """Bytes that have come, decoded."""
    _hash: hashlib._Hash = field(default_factory=hashlib.sha256)
    _undecoded: bytes = b""

    def __call__(self, data: bytes) -> None:
        """Take the next bytes. Raises ``DamagedError``, ``DiskError``, ``StoppedError``."""
        if self.stopping():
            raise StoppedError
        plain = data if self.encoding == "raw" else self._decode(data)
        if self.size + len(plain) > self.segment.length:
            raise DamagedError("more came than was asked for")
        self._write(plain)
        self._hash.update(plain)
        self.size += len(plain)

    @property
    def sha256(self) -> str:
        """Of what has come, in small letters."""
        return self._hash.hexdigest()

    @property
    def whole(self) -> bool:
        """Whether all of the segment is there."""
        return self.size == self.segment.length

    def _decode(self, data: bytes) -> bytes:
        text = self._undecoded + data.translate(None, _LAYOUT)
        cut = len(text) - len(text) % 4
        self._undecoded = text[cut:]
        try:
            return binascii.a2b_base64(text[:cut], strict_mode=True)
        except binascii.Error:
            raise DamagedError("what came is not base64") from None

    def _write(self, plain: bytes) -> None:
        left = memoryview(plain)
        try:
            self.file.seek(self.segment.offset + self.size)
            while left:
                left = left[self.file.write(left) :]
        except OSError as error:
            raise DiskError(error.strerror or "it can't be written") from None
