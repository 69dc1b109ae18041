"""Every error that fleet raises on purpose.

    FleetError
    ├── UsageError                wrong use or bad file: nothing was contacted        exit code 2
    │   ├── InventoryError          an inventory can't be read or means nothing sure
    │   ├── SelectionError          a pattern selects nothing or names nobody
    │   │   └── NobodyError           ... although it is well-formed
    │   ├── CatalogError            a snippet, runbook, profile or bundle is wrong
    │   ├── ParameterError          a value does not fit the snippet's parameter
    │   ├── SecretError             a secret reference leads nowhere
    │   └── PlanError               a saved plan is damaged or no longer true
    ├── JournalError              the history can't be written or read
    └── TransportError            something between here and one guest; becomes a result
        ├── UnreachableError        no connection, or it was lost         outcome unreachable
        ├── DeniedError             login, host key, certificate          outcome denied
        ├── BusyError               quota, MaxStartups, lock              outcome busy
        └── ProtocolError           the peer broke the protocol           outcome broken

A failed host is never an exception for the user of the engine: it is a result.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


class FleetError(Exception):
    """Root of the tree; its text is one sentence for an operator, without secrets or guest data."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a file something stands; ``line`` counts from 1, 0 means the file as a whole."""

    path: Path
    line: int = 0

    def __str__(self) -> str:
        return f"{self.path}:{self.line}" if self.line else str(self.path)


class UsageError(FleetError):
    """Wrong use or a bad file, found before anything was contacted."""

    def __init__(self, message: str, place: Place | None = None) -> None:
        self.message = message
        self.place = place
        super().__init__(f"{place}: {message}" if place else message)


class InventoryError(UsageError):
    """An inventory can't be read, or what it says can't be taken at its word."""


class SelectionError(UsageError):
    """A selection pattern is malformed, names nobody, or selects nothing."""


class NobodyError(SelectionError):
    """A well-formed selection, or a part of it, that means no host of the inventory."""


class CatalogError(UsageError):
    """A snippet, runbook, profile or bundle is wrong, or none has that name."""


class ParameterError(UsageError):
    """A value is unknown to the snippet, missing, or of the wrong type."""


class SecretError(UsageError):
    """A secret reference leads nowhere; the text names the reference, never a value."""


class PlanError(UsageError):
    """A saved plan is damaged, or what it was made from has changed since."""


class UsageErrors(UsageError):
    """Several mistakes of one file at once, so that they can be mended in one go."""

    def __init__(self, errors: list[UsageError]) -> None:
        self.errors = errors
        super().__init__("\n".join(str(error) for error in errors))


class JournalError(FleetError):
    """The history can't be written or read; nothing is started without it."""


class TransportError(FleetError):
    """Something between here and one guest.

    ``sent`` says whether a byte of the script in question may have left this machine: a remedy
    that may have been sent is ``unknown`` and is never sent again.
    ``stdout`` and ``stderr`` keep what had arrived by then.
    """

    def __init__(self, message: str, *, sent: bool = False, stdout: bytes = b"", stderr: bytes = b"") -> None:
        super().__init__(message)
        self.sent = sent
        self.stdout = stdout
        self.stderr = stderr


class UnreachableError(TransportError):
    """No connection could be made, or it was lost."""


class DeniedError(TransportError):
    """The peer's identity or ours was not accepted: login, host key, certificate, sudo.

    ``login`` says that our password was refused: trying it on more hosts may lock the account.
    """

    def __init__(
        self,
        message: str,
        *,
        login: bool = False,
        sent: bool = False,
        stdout: bytes = b"",
        stderr: bytes = b"",
    ) -> None:
        super().__init__(message, sent=sent, stdout=stdout, stderr=stderr)
        self.login = login


class BusyError(TransportError):
    """The guest refuses for now: quota, MaxStartups, too many sessions."""


class ProtocolError(TransportError):
    """The peer broke the protocol or a hard default: redirect, plain reply, encoded reply, bad XML."""
