"""A private folder for what was fetched and not yet cleaned: raw data of guests, gone when its run is over.

A run that was killed can't remove its own; the next one does.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import Self

from fleet.errors import JournalError

_LOCK = "lock"


class Spool:
    """``STATE/bundles/RUN``, mode 0700, while its context lasts."""

    def __init__(self, state: Path, run: str) -> None:
        self.folder = state / "bundles" / run
        self._lock = -1

    @property
    def map(self) -> Path:
        """Where the map of the run's pseudonyms is kept; it stays."""
        return self.folder.with_name(f"{self.folder.name}.map")

    def __enter__(self) -> Self:
        """Make it, and remove what runs left that were killed. Raises ``JournalError``."""
        try:
            self.folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.folder.mkdir(mode=0o700)
            self._lock = os.open(self.folder / _LOCK, os.O_CREAT | os.O_RDWR, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
        except OSError as error:
            raise JournalError(
                f"the folder {self.folder} can't be made ({error.strerror}); name another: --state DIR"
            ) from error
        for other in self.folder.parent.iterdir():
            if other != self.folder and other.is_dir() and not _in_use(other):
                shutil.rmtree(other, ignore_errors=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    def remove(self) -> None:
        """Remove it with all that is in it; may be called twice."""
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def _in_use(folder: Path) -> bool:
    """Whether the run that made it still lives; a folder that is just being made counts as such."""
    try:
        lock = os.open(folder / _LOCK, os.O_RDWR)
    except OSError:
        return True
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(lock)
    return False
