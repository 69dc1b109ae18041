"""What of a bundle is asked for in one guest: its list held against our own rules and limits.

The guest proposes, we choose; what we leave out is missing, with the reason.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from fleet.catalog import Bundle
from fleet.catalog.bundle import Events, Files
from fleet.catalog.never import never
from fleet.engine.listing import Listed, Listing, Note, escape, unescape
from fleet.model import Os

MEGABYTE = 1024 * 1024

_SMALLEST = 64 * 1024
"""Bytes below which no part of a file is worth asking for."""

_DEFLATED = 4
"""Texts of programs and events become smaller by far more than this."""

_LONGEST_PATH = 4096
"""Characters; PATH_MAX of Linux. Longer ones, which Windows could have, are not asked for."""

_NOTES = 20
"""Single paths with a reason that are told of one pattern; the rest is a number."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Something that a guest was asked for, by its number."""

    number: int
    item: str
    """What of the bundle it belongs to."""
    kind: Literal["file", "command", "events"]
    origin: str
    """Path, command line, or log."""
    most: int
    """Bytes of it at most, inflated."""
    expected: int
    """Bytes of a pack that it may well need."""
    line: str
    """How ``collect-stage`` is asked for it."""
    seconds: int = 0
    """A command's deadline."""


@dataclass(frozen=True, slots=True)
class Lacking:
    """Something that is missing already, and why."""

    item: str
    origin: str
    reason: str


@dataclass(frozen=True, slots=True)
class Chosen:
    """All that is asked for in one guest."""

    wanted: tuple[Wanted, ...] = ()
    """In the order of the bundle."""
    listings: tuple[tuple[str, str, str], ...] = ()
    """Name of the item, its patterns, and the text of the list."""
    lacking: tuple[Lacking, ...] = field(default=())
    most: int = 0
    """Bytes at most in all, inflated."""

    @property
    def room(self) -> int:
        """Bytes that a pack of it may well need."""
        return min(self.most, _SMALLEST + sum(each.expected for each in self.wanted))

    def lines(self, kind: Literal["file", "command", "events"]) -> list[str]:
        """What ``collect-stage`` is asked for of one kind."""
        return [each.line for each in self.wanted if each.kind == kind]


def patterns(bundle: Bundle) -> list[tuple[int, Files, str]]:
    """The patterns of a bundle with their numbers and where each belongs."""
    pairs = [(files, path) for files in bundle.files for path in files.paths]
    return [(number, files, path) for number, (files, path) in enumerate(pairs, 1)]


def questions(bundle: Bundle) -> list[str]:
    """How ``collect-list`` is asked."""
    return [f"{number}\t{files.files}\t{escape(path)}" for number, files, path in patterns(bundle)]


def choose(bundle: Bundle, listing: Listing, *, since: int = 0) -> Chosen:
    """Choose among what a guest listed; ``since``, seconds since 1970, is how old logs may be."""
    choice = _Choice(bundle)
    for files in bundle.files:
        choice.take_files(files, listing, 0 if files.listing or files.any_age else since)
    for command in bundle.commands:
        choice.take_command(command.name, command.run, command.seconds, command.megabytes)
    for events in bundle.events:
        choice.take_events(events)
    return choice.made()


class _Choice:
    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._wanted: list[Wanted] = []
        self._listings: list[tuple[str, str, str]] = []
        self._lacking: list[Lacking] = []
        self._paths: set[str] = set()
        rest = sum(each.megabytes for each in bundle.commands)
        rest += sum(each.megabytes for each in bundle.events)
        self._left = (bundle.megabytes - min(rest, bundle.megabytes // 4)) * MEGABYTE
        """What is left for files; a quarter may be kept for commands and events."""

    def take_files(self, files: Files, listing: Listing, since: int) -> None:
        found: list[tuple[Listed, str]] = []
        for number, owner, pattern in patterns(self._bundle):
            if owner is files:
                listed = [each for each in listing.files[number] if each.modified >= since]
                older = len(listing.files[number]) - len(listed)
                found += [(each, pattern) for each in listed]
                self._lacking += _explained(files, pattern, listing.notes[number], older=older)
                if older and not listed:
                    self._lack(files.name, pattern, "nothing there is new enough")
        found.sort(key=lambda each: (-each[0].modified, each[0].escaped))
        if files.listing:
            origin = ", ".join(files.paths)
            self._listings.append((files.name, origin, _table([each for each, _ in found])))
            return
        left_out = taken = 0
        for each, pattern in found:
            if taken >= files.files:
                left_out += 1
            elif each.escaped not in self._paths:
                taken += self._take(files, each, pattern)
        if left_out:
            self._lack(files.name, ", ".join(files.paths), _more(left_out))

    def _take(self, files: Files, listed: Listed, pattern: str) -> bool:
        path = listed.path
        forbidden = never(path)
        if len(path) > _LONGEST_PATH:
            forbidden = _REASONS["odd-name"]
        elif not forbidden and not _meant(pattern, path, self._bundle.os):
            forbidden = "the guest named a file that it was not asked for"
        if forbidden:
            self._lack(files.name, path, forbidden)
            return False
        most = min(files.megabytes * MEGABYTE, self._left)
        if most < min(listed.size, _SMALLEST):
            self._lack(files.name, path, f"the {self._bundle.megabytes} MB of a host are used up")
            return False
        self._paths.add(listed.escaped)
        self._left -= min(listed.size, most)
        number = len(self._wanted) + 1
        line = f"{number}\t{most}\t{listed.escaped}"
        expected = min(most, max(listed.size, _SMALLEST))  # those of /proc say that they are empty
        self._wanted.append(Wanted(number, files.name, "file", path, most, expected, line))
        return True

    def take_command(self, name: str, run: tuple[str, ...], seconds: int, megabytes: int) -> None:
        number, most = len(self._wanted) + 1, megabytes * MEGABYTE
        words = "\t".join(escape(word) for word in run)
        line = f"{number}\t{seconds}\t{most}\t{words}"
        shown = shlex.join(run) if self._bundle.os is Os.LINUX else " ".join(run)
        self._wanted.append(Wanted(number, name, "command", shown, most, most // _DEFLATED, line, seconds))

    def take_events(self, events: Events) -> None:
        number, most = len(self._wanted) + 1, events.megabytes * MEGABYTE
        providers = ";".join(
            f"{escape(each.provider, ':;,')}:{','.join(map(str, each.ids))}" for each in events.providers
        )
        line = f"{number}\t{most}\t{escape(events.log)}\t{providers}"
        names = ", ".join(each.provider for each in events.providers)
        origin = f"{events.log}: {names}" if names else events.log
        self._wanted.append(Wanted(number, events.name, "events", origin, most, most // _DEFLATED, line))

    def _lack(self, item: str, origin: str, reason: str) -> None:
        self._lacking.append(Lacking(item, origin, reason))

    def made(self) -> Chosen:
        return Chosen(
            tuple(self._wanted),
            tuple(self._listings),
            tuple(self._lacking),
            self._bundle.megabytes * MEGABYTE,
        )


_REASONS = {
    "nothing": "no such file",
    "denied": "no right to read it",
    "link": "is a link, and links are not followed",
    "special": "is no ordinary file",
    "odd-name": "has a name that can't be asked for",
    "toomany": "there are too many names; not all were looked at",
}


def _explained(files: Files, pattern: str, notes: list[Note], *, older: int) -> Iterator[Lacking]:
    """Why things are not listed; what comes after ``older`` files is older still, and no loss."""
    for note in notes[:_NOTES]:
        code, _, number = note.code.partition(":")
        reason = _REASONS.get(code, f"the guest says: {code}")
        if code == "more":
            reason = _more(int(number or 0))
        if code != "more" or not older:
            yield Lacking(files.name, unescape(note.escaped), reason)
    if len(notes) > _NOTES:
        yield Lacking(files.name, pattern, f"{len(notes) - _NOTES} more were left out for such reasons")


def _more(number: int) -> str:
    return f"{number:,} more are there; the newest were taken"


def _table(found: list[Listed]) -> str:
    """Names, sizes and times, for people."""
    lines = [
        f"{each.size:>15}  {_moment(each.modified)}  {each.path}\n"
        for each in sorted(found, key=lambda each: each.escaped)
    ]
    return "".join(lines) or "nothing is there\n"


def _moment(seconds: int) -> str:
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}"
    except (ValueError, OverflowError, OSError):
        return "                  ?"


def _meant(pattern: str, path: str, os: Os) -> bool:
    """Whether the pattern stands for this path: ``*`` and ``?`` within a folder, ``**`` for all below it."""
    separator = r"[\\/]" if os is Os.WINDOWS else "/"
    within = r"[^\\/]" if os is Os.WINDOWS else "[^/]"
    text = "".join(
        {"**": ".*", "*": f"{within}*", "?": within, "\\": separator, "/": separator}.get(
            part, re.escape(part)
        )
        for part in re.split(r"(\*\*|[*?/\\])", pattern)
    )
    flags = re.DOTALL | (re.IGNORECASE if os is Os.WINDOWS else re.NOFLAG)
    parts = re.split(separator, path)
    return ".." not in parts and re.fullmatch(text, path, flags) is not None
