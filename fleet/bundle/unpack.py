"""Reads what a guest packed: ``collect-stage`` writes it, and nothing in it is believed.

    F<TAB>NUMBER<TAB>KIND<TAB>SIZE<TAB>PLAIN<TAB>TAKEN<TAB>CODE    then SIZE bytes of gzip
    M<TAB>NUMBER<TAB>CODE
    E

Nothing is unpacked to a disk. Numbers that were not asked for, a second answer to one of them and bytes after
the end stop the reading; what stood before is kept. How much a record may give is bounded by what was asked
for, whatever the guest says; a pack that was cut gives what is whole of it.
"""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Literal, cast

from fleet.engine.chosen import Wanted
from fleet.errors import FleetError

Kind = Literal["txt", "json", "evtx"]

_LONGEST_LINE = 256
_PIECE = 64 * 1024
_FILE = re.compile(
    rb"F\t(\d{1,7})\t(txt|json|evtx)\t(\d{1,15})\t(\d{1,15})\t(\d{1,12})\t([a-z0-9:,-]{1,100})\n"
)
_MISSED = re.compile(rb"M\t(\d{1,7})\t([a-z]{1,20}(?::\d{1,6})?)\n")

_REASONS = {
    "gone": "it was gone when it was to be read",
    "denied": "no right to read it",
    "special": "is no ordinary file",
    "link": "is a link, and links are not followed",
    "room": "the host's limit was used up before it",
    "timeout": "it was not read in time",
}


_THINGS = {
    "file": "file",
    "command": "program",
    "events": "log, or nothing that writes there under that name",
}


class _PackError(FleetError):
    """Why a pack is not read any further."""


@dataclass(frozen=True, slots=True)
class Record:
    """Something that a guest gave."""

    wanted: Wanted
    kind: Kind
    taken: datetime | None
    """When; None where the guest says nonsense."""
    truncated: str | None
    """Why the beginning or the end is missing."""
    note: str | None
    """What else is to be known of it."""
    start: int
    """Where its bytes begin in the pack."""
    size: int
    """Bytes, deflated, as far as they came."""
    plain: int
    """Bytes, inflated, as the guest says."""
    whole: bool
    """Whether all its bytes came."""


class Pack:
    """A pack that was fetched, or as much of it as came."""

    def __init__(self, path: Path, wanted: Sequence[Wanted], most: int) -> None:
        """Read where everything is. ``most``: bytes that all of it may have, inflated. Raises ``OSError``."""
        self._path = path
        self._wanted: Mapping[int, Wanted] = {each.number: each for each in wanted}
        self._left = most
        self._good: dict[Record, int] = {}
        self._problems: dict[Record, str] = {}
        self.records: list[Record] = []
        self.misses: list[tuple[Wanted, str]] = []
        """What the guest could not give, and why."""
        self.problem: str | None = None
        """Why it was not read to its end."""
        self._read()

    def _read(self) -> None:
        with self._path.open("rb") as file:
            end = file.seek(0, io.SEEK_END)
            file.seek(0)
            try:
                self._go_through(file, end)
            except _PackError as error:
                self.problem = str(error)

    def _go_through(self, file: BinaryIO, end: int) -> None:
        """Note where everything is. Raises ``_PackError`` where it stops making sense."""
        told: set[tuple[int, str]] = set()
        while (line := file.readline(_LONGEST_LINE)) != b"E\n":
            if found := _FILE.fullmatch(line):
                number, kind = int(found[1]), found[2].decode()
                self._once(told, number, kind)
                self._record(found, file.tell(), end)
                file.seek(int(found[3]), io.SEEK_CUR)
            elif found := _MISSED.fullmatch(line):
                number = int(found[1])
                self._once(told, number, "")
                self.misses.append((self._wanted[number], _missed(found[2].decode(), self._wanted[number])))
            elif file.tell() >= end:
                raise _PackError("the transfer broke off")
            else:
                raise _PackError("what the guest sent is no pack from here on; the rest was left out")
        if file.read(1):
            raise _PackError("the guest sent more after the end; it was left out")

    def _once(self, told: set[tuple[int, str]], number: int, kind: str) -> None:
        """Refuse what was not asked for, and a second answer."""
        wanted = self._wanted.get(number)
        if wanted is None:
            raise _PackError("the guest sent something it was not asked for; the rest was left out")
        if (number, kind) in told or (wanted.kind == "command" and kind not in {"txt", ""}):
            raise _PackError("the guest answered twice to the same; the rest was left out")
        told.add((number, kind))

    def _record(self, found: re.Match[bytes], start: int, end: int) -> None:
        size, taken = int(found[3]), _moment(int(found[5]))
        wanted, kind = self._wanted[int(found[1])], cast(Kind, found[2].decode())
        truncated, note = _said(found[6].decode(), wanted)
        here = max(0, min(size, end - start))
        self.records.append(
            Record(wanted, kind, taken, truncated, note, start, here, int(found[4]), here == size)
        )

    def inspect(self, record: Record, look: Callable[[BinaryIO], None]) -> None:
        """Have a record read to its end once, which tells what of it is good; before ``open``."""
        with _Inflated(self._path, record, min(record.wanted.most, self._left)) as source:
            look(cast(BinaryIO, source))
            while source.read(_PIECE):
                pass
        self._good[record] = source.given
        self._left -= source.given
        if source.problem:
            self._problems[record] = source.problem

    def open(self, record: Record) -> BinaryIO:
        """Give what of its bytes is good, inflated as they are read."""
        return cast(BinaryIO, _Inflated(self._path, record, self._good[record]))

    def truncated(self, record: Record) -> str | None:
        """Why something of it is missing, from what the guest says and from what it sent."""
        return "; ".join(filter(None, (record.truncated, self._problems.get(record)))) or None


class _Inflated(io.RawIOBase):
    """One member of gzip, a piece at a time, never more than ``most`` bytes; it ends where it is not good."""

    def __init__(self, path: Path, record: Record, most: int) -> None:
        self._file = path.open("rb")
        self._file.seek(record.start)
        self._record, self._left_packed, self._most = record, record.size, most
        self._inflate = zlib.decompressobj(wbits=31)
        self._waiting = b""
        self.given = 0
        """Bytes that were read so far."""
        self.problem: str | None = None
        """Why it ended before its end."""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        """Give bytes, fewer than ``size`` perhaps, none at the end."""
        if self.problem:
            return b""
        try:
            data = self._more(_PIECE if size is None or size < 0 else min(size, _PIECE))
        except zlib.error:
            data, self.problem = b"", "the guest packed it badly"
        self.given += len(data)
        return data

    def _more(self, size: int) -> bytes:
        most = min(self._most, self._record.plain) - self.given
        while not self._inflate.eof:
            self._waiting = self._waiting or self._next()
            if not self._waiting:
                self.problem = "the guest packed it badly" if self._record.whole else "the transfer broke off"
                return b""
            data = self._inflate.decompress(self._waiting, min(size, most + 1))
            self._waiting = self._inflate.unconsumed_tail
            if len(data) > most:
                self.problem = self._too_much()
                return data[:most]
            if data:
                return data
        if most and self.given < self._record.plain:
            self.problem = f"the guest said that it sends {self._record.plain:,} bytes"
        elif self._inflate.unused_data or self._left_packed:
            self.problem = "the guest packed something else behind it, which was left out"
        return b""

    def _too_much(self) -> str:
        if self._most < self._record.plain:
            return "it is larger than was asked for; the rest was left out"
        return f"the guest sent more than the {self._record.plain:,} bytes that it said"

    def _next(self) -> bytes:
        data = self._file.read(min(_PIECE, self._left_packed))
        self._left_packed -= len(data)
        return data

    def close(self) -> None:
        self._file.close()
        super().close()


def _missed(code: str, wanted: Wanted) -> str:
    code, _, number = code.partition(":")
    if code == "notfound":
        return f"there is no such {_THINGS[wanted.kind]}"
    if code == "timeout" and wanted.kind == "command":
        return "it did not end in time"
    if code == "failed":
        return f"reading it failed ({number})" if number else "reading it failed"
    return _REASONS.get(code, f"the guest says: {code}")


def _said(codes: str, wanted: Wanted) -> tuple[str | None, str | None]:
    """What the codes of a record mean: what is missing of it, and what else is to be known."""
    truncated: list[str] = []
    notes: list[str] = []
    for each in codes.split(","):
        code, _, number = each.partition(":")
        if code == "tail" and number.isdecimal():
            truncated.append(f"only its end was taken, of {int(number):,} bytes")
        elif code == "room":
            truncated.append("it was cut where the host's limit was used up")
        elif code == "timeout":
            truncated.append(
                f"it was ended after {wanted.seconds} s" if wanted.seconds else "it was not read in time"
            )
        elif code == "changed":
            notes.append("it changed while it was read")
        elif code == "status" and number.isdecimal():
            notes.append(f"it ended with exit code {number}")
    return "; ".join(truncated) or None, "; ".join(notes) or None


def _moment(seconds: int) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
