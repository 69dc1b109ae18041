"""What the lab's servers need of a guest, whatever stands behind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import BinaryIO, Protocol


class Process(Protocol):
    """A command that runs in a guest; ``subprocess.Popen`` with three pipes is one."""

    @property
    def stdin(self) -> BinaryIO | None:
        """Pipe into the command."""
        ...

    @property
    def stdout(self) -> BinaryIO | None:
        """Pipe out of the command."""
        ...

    @property
    def stderr(self) -> BinaryIO | None:
        """Second pipe out of the command."""
        ...

    def wait(self, timeout: float | None = None) -> int:
        """Exit code, once it has ended; raises ``subprocess.TimeoutExpired``."""
        ...

    def poll(self) -> int | None:
        """Exit code if it has ended, else None."""
        ...

    def kill(self) -> None:
        """End it and what it started."""
        ...


class Guest(Protocol):
    """A guest that a server can stand in front of."""

    @property
    def name(self) -> str:
        """Host name."""
        ...

    @property
    def accounts(self) -> Mapping[str, str]:
        """Passwords by user name; secrets of the lab, not of anybody."""
        ...

    def spawn(self, command: str) -> Process:
        """Start a command line as the remote access service of such a guest would."""
        ...
