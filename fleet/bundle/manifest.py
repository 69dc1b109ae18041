"""What an archive says of itself: every file, where from, what was done to it, and what is missing."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

SCHEMA = "fleet.bundle/1"
MANIFEST, MISSING, INDEX, RESULTS = "manifest.json", "missing.txt", "index.html", "results.json"
OWN = frozenset({MANIFEST, MISSING, INDEX, RESULTS})
"""What stands beside the folders of hosts."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of the archive."""

    name: str
    """In the archive; made by fleet."""
    size: int
    """Bytes, as it is in the archive."""
    sha256: str
    host: str
    item: str
    """What of the bundle asked for it."""
    origin: str
    """Where it was in the guest, or the command that wrote it; escaped."""
    taken: str
    """When, ISO 8601 in UTC."""
    truncated: str | None = None
    """Why the end, or the beginning, is missing."""
    note: str | None = None
    """What else is to be known: it changed while it was read, a command's exit code."""
    binary: bool = False
    """Not text, so nothing was masked in it."""
    left_out: int = 0
    """Lines that were too long to be cleaned."""


@dataclass(frozen=True, slots=True)
class Missing:
    """What was asked for and is not there."""

    host: str
    item: str
    origin: str
    reason: str


@dataclass(frozen=True, slots=True)
class StandsOut:
    """A known sign of a fault in a file."""

    host: str
    file: str
    what: str
    times: int
    first: str
    """The first line that shows it, escaped and cut."""
    runbook: str
    """What answers it."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """The whole archive."""

    run: str
    created: str
    fleet: str
    level: str
    replaced: Mapping[str, int]
    hosts: Mapping[str, str]
    """Folder by host."""
    partial: str | None
    """Why not everything was collected; None when it was."""
    files: tuple[Entry, ...]
    missing: tuple[Missing, ...]
    stands_out: tuple[StandsOut, ...] = field(default=())

    def to_json(self) -> str:
        """The document, the same for the same contents."""
        return json.dumps({"schema": SCHEMA} | dataclasses.asdict(self), indent=1, ensure_ascii=True) + "\n"

    def missing_text(self) -> str:
        """The list for people of what is missing and why."""
        lines = [f"{each.host}: {each.item}: {each.origin}: {each.reason}" for each in self.missing]
        lines += [
            f"{each.host}: {each.name}: incomplete: {each.truncated}" for each in self.files if each.truncated
        ]
        if self.partial:
            lines.insert(0, f"This archive is partial: {self.partial}")
        return "".join(line.replace("\n", " ") + "\n" for line in lines) or "Nothing is missing.\n"


def moment(when: datetime) -> str:
    """Write a time as the manifest does."""
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")
