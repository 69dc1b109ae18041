"""One run of a snippet in a Windows guest that answers from a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fleet.lab.windows_state import WindowsState
from fleet.model import JsonValue


class Stop(Exception):
    """Ends a snippet early, like ``Stop-FleetFailed`` and ``Stop-FleetSkipped``."""


@dataclass(slots=True)
class Call:
    """One run of a snippet: the guest, the values, the mode, and the answer as it grows."""

    state: WindowsState
    parameters: Mapping[str, JsonValue]
    check: bool
    outcome: str = "ok"
    message: str = ""
    data: dict[str, JsonValue] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    raw: bytes = b""
    """What the body writes to stdout itself, past the log."""

    def ok(self, message: str) -> None:
        """All is well."""
        self.message = message

    def changed(self, message: str) -> None:
        """Something was changed, or in check mode would be."""
        self.message = f"{self.message}; {message}" if self.outcome == "changed" else message
        self.outcome = "changed"

    def fail(self, message: str) -> None:
        """End: failed."""
        if self.outcome == "changed":
            message = f"{message}; done before that: {self.message}"
        self.outcome, self.message = "failed", message
        raise Stop

    def skip(self, message: str) -> None:
        """End: it does not apply."""
        self.outcome, self.message = "skipped", message
        raise Stop

    def item(self, key: str, value: JsonValue) -> None:
        """Add to a list in the data."""
        self.data.setdefault(key, []).append(value)
