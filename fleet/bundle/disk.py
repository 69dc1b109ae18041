"""A disk that fills up while an archive is written: met at once, and with room kept for its end."""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path
from typing import IO

_RESERVE = 8 * 1024 * 1024
"""Bytes that are kept free for manifest and index while files are added."""


class WholeFile(io.FileIO):
    """A file without a buffer, so that a full disk is met at once; nothing follows a write that failed."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "r+b")
        self._failure: OSError | None = None

    def write(self, data: bytes, /) -> int:  # type: ignore[override]
        """Write all of it. Raises ``OSError`` where that can't be done, and from then on."""
        view = memoryview(data).cast("B")
        written = 0
        while written < len(view):
            if self._failure is not None:
                raise self._failure
            try:
                written += self._put(view[written:])
            except OSError as error:
                self._failure = error
        return written

    def _put(self, data: memoryview) -> int:
        return super().write(data)

    def take_back(self, start: int) -> None:
        """Forget what was written from there on; more may be written now."""
        self.truncate(start)
        self._failure = None


def reserved(folder: Path) -> IO[bytes]:
    """Room on the disk for what the archive says of itself: taken until this is closed."""
    file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 (its life is the archive's)
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, _RESERVE)
    except BaseException:
        file.close()
        raise
    return file
