"""What a guest says is there: the answer of ``collect-list``, read as it comes and believed in nothing.

Paths come escaped: every byte outside 0x21 to 0x7e, and ``%``, as ``%XX``. A guest that names more than it
was asked for, or things that it was not asked for, is not listened to any further.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from fleet.errors import ProtocolError

_LONGEST_LINE = 64 * 1024
_MOST_LINES_ASIDE = 20_000
"""Notes and lines that are none of ours, which a shell may have written, together."""

_ESCAPED = re.compile(r"(?:[!-$&-~]|%[0-9A-F]{2})+")
_FILE = re.compile(rf"F\t(\d{{1,7}})\t(\d{{1,19}})\t(-?\d{{1,12}})\t({_ESCAPED.pattern})")
_NOTE = re.compile(rf"M\t(\d{{1,7}})\t([a-z-]{{1,20}}(?::\d{{1,19}})?)\t({_ESCAPED.pattern})")


class UntrueError(ProtocolError):
    """A guest said what can't be true, or what it was not asked."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A regular file of a guest."""

    size: int
    modified: int
    """Seconds since 1970."""
    escaped: str
    """Its path as the guest wrote it, and as it is asked for."""

    @property
    def path(self) -> str:
        """Its path as text; bytes that are no UTF-8 are kept as surrogates."""
        return unescape(self.escaped)


@dataclass(frozen=True, slots=True)
class Note:
    """Why something is not among the files."""

    code: str
    escaped: str
    """A path, or the pattern."""


class Listing:
    """Takes the answer as it comes.

    ``most`` is how many files a pattern may have, by its number. Raises ``UntrueError`` from ``feed``.
    """

    def __init__(self, most: dict[int, int]) -> None:
        self.files: dict[int, list[Listed]] = {number: [] for number in most}
        self.notes: dict[int, list[Note]] = {number: [] for number in most}
        self._most = most
        self._aside = 0
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(line)
        if len(self._rest) > _LONGEST_LINE:
            raise UntrueError("its list of files has a line longer than any path")

    def end(self) -> None:
        """The answer is at its end."""
        if self._rest:
            self._take(self._rest)
            self._rest = b""

    def _take(self, line: bytes) -> None:
        text = line.decode("ascii", "replace")
        if found := _FILE.fullmatch(text):
            files = self.files.get(int(found[1]))
            if files is None:
                raise UntrueError("its list names files for a pattern that it was not asked for")
            if len(files) >= self._most[int(found[1])]:
                raise UntrueError("its list names more files than it was asked for")
            files.append(Listed(int(found[2]), int(found[3]), found[4]))
            return
        self._aside += 1
        if self._aside > _MOST_LINES_ASIDE:
            raise UntrueError("its list of files is full of other things")
        if found := _NOTE.fullmatch(text):
            if int(found[1]) not in self.notes:
                raise UntrueError("its list tells of a pattern that it was not asked for")
            self.notes[int(found[1])].append(Note(found[2], found[3]))


def escape(text: str, also: str = "") -> str:
    """Write a text as the collecting snippets take it; characters of ``also`` are escaped too."""
    return "".join(
        chr(byte) if 0x21 <= byte <= 0x7E and chr(byte) not in f"%{also}" else f"%{byte:02X}"
        for byte in text.encode("utf-8", "surrogatepass")
    )


def unescape(text: str) -> str:
    """Turn ``escape`` back."""
    data = re.sub(rb"%([0-9A-F]{2})", lambda match: bytes([int(match[1], 16)]), text.encode("ascii"))
    return data.decode("utf-8", "surrogateescape")
