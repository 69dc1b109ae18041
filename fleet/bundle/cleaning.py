"""A collected file on its way into the archive: decoded, cleaned and encoded again, a piece at a time.

A piece ends where nothing that is masked reaches over its end; a line too long for that is left out and
counted, because half a secret may be the half that matters.
"""

from __future__ import annotations

import codecs
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO

from fleet.bundle.pseudonyms import Pseudonyms
from fleet.errors import FleetError
from fleet.model import JsonValue
from fleet.redact import Redactor

PIECE = 256 * 1024
"""Characters that are cleaned together."""

LONGEST = 1024 * 1024
"""Characters of a line, or of a key over several lines, above which it is left out. It bounds the memory."""

_NEAR = 8 * 1024
"""Characters on both sides of a cut that are looked at: longer than a private key."""

_STEP = 97
"""Characters between two places at which what is no text is tried to be cut."""

_TRIED = 64
"""Ends of lines that are tried as a cut before more is read."""

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"PK\x03\x04", b"\x28\xb5\x2f\xfd", b"MSCF", b"7z\xbc\xaf")
"""How gzip, bzip2, xz, zip, zstd, cabinet and 7z files begin."""


class Level(StrEnum):
    """How much of what was collected is replaced."""

    NONE = "none"
    SECRETS = "secrets"
    FULL = "full"


class Uncleanable(FleetError):
    """A file that the level can't be kept for; the text is the reason, for a person."""


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What became of a file."""

    binary: bool
    """Not text: of unknown secrets only those in plain ASCII were masked."""
    left_out: int
    """Lines that were too long to be cleaned."""


class Cleaner:
    """Makes texts fit for a level. May be used by many threads."""

    def __init__(self, level: Level, redactor: Redactor, pseudonyms: Pseudonyms) -> None:
        self.level = level
        self._redactor = redactor
        self._pseudonyms = pseudonyms

    def at_least_secrets(self) -> Cleaner:
        """The same, masking secrets even where nothing was to be replaced."""
        return (
            self if self.level is not Level.NONE else Cleaner(Level.SECRETS, self._redactor, self._pseudonyms)
        )

    @property
    def tally(self) -> Mapping[str, int]:
        """How many places were replaced, by kind."""
        return dict(Counter(self._redactor.tally) + Counter(self._pseudonyms.tally))

    def text(self, text: str) -> str:
        """Clean a text that is there as a whole."""
        if self.level is Level.NONE:
            return text
        text = self._redactor.text(text)
        return self._pseudonyms.text(text) if self.level is Level.FULL else text

    def value(self, value: JsonValue) -> JsonValue:
        """Clean every text in a value of JSON; what it is made of stays."""
        if self.level is Level.NONE:
            return value
        value = self._redactor.value(value)
        return _each_text(value, self._pseudonyms.text) if self.level is Level.FULL else value

    def observe(self, source: BinaryIO) -> None:
        """Learn the names that a file tells, so that files before it are cleaned of them too."""
        encoding, start = _encoding(source)
        if self.level is Level.FULL and encoding:
            for piece in _pieces(_characters(source, start, encoding), lambda _: True):
                self._pseudonyms.observe(piece or "")

    def stream(self, source: BinaryIO, target: BinaryIO) -> Cleaned:
        """Copy a file, cleaned. Raises Uncleanable, with nothing written, where that can't be done."""
        encoding, start = _encoding(source)
        if self.level is not Level.NONE and compressed(start):
            raise Uncleanable(
                "is compressed, so secrets in it can't be masked; --redact none takes it as it is"
            )
        if self.level is Level.FULL and encoding is None:
            raise Uncleanable("is not text, so names in it can't be replaced; --redact secrets takes it")
        if self.level is Level.NONE:
            target.write(start)
            while data := source.read(PIECE):
                target.write(data)
            return Cleaned(binary=encoding is None, left_out=0)
        if encoding is None:
            return self._stream_bytes(source, start, target)
        target.write(next((bom for bom, _ in _BOMS if start.startswith(bom)), b""))
        left_out = 0
        for piece in _pieces(_characters(source, start, encoding), self._nothing_across):
            left_out += piece is None
            shown = (
                "[fleet: a line too long to be cleaned was left out]\n" if piece is None else self.text(piece)
            )
            target.write(shown.encode(encoding, _errors(encoding)))
        return Cleaned(binary=False, left_out=left_out)

    def _stream_bytes(self, source: BinaryIO, start: bytes, target: BinaryIO) -> Cleaned:
        """Copy what is no text: known secrets are masked in it, and what of it can be read as plain text."""
        left_out = 0
        for piece in _pieces_anywhere(_characters(source, start, "utf-8"), self._nothing_across):
            left_out += piece is None
            target.write(self._redactor.text(piece or "").encode("utf-8", "surrogateescape"))
        return Cleaned(binary=True, left_out=left_out)

    def _nothing_across(self, around: tuple[str, str]) -> bool:
        """Whether a text may be cut here; it is only looked at, so nothing is counted."""
        before, after = around
        mask = self._redactor.uncounted
        return mask(before + after) == mask(before) + mask(after)


def _each_text(value: JsonValue, change: Callable[[str], str]) -> JsonValue:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change(key): _each_text(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [_each_text(item, change) for item in value]
    return value


def _encoding(source: BinaryIO) -> tuple[str | None, bytes]:
    """How a file's text is encoded, None for what is no text, and what had to be read to tell."""
    start = b""
    while len(start) < 4096 and (data := source.read(4096 - len(start))):
        start += data
    return encoding_of(start), start


def compressed(start: bytes) -> bool:
    """Whether a file that begins with these bytes is compressed."""
    return start.startswith(_COMPRESSED)


def encoding_of(start: bytes) -> str | None:
    """How a text that begins with these bytes is encoded; None for what is no text."""
    for bom, encoding in _BOMS:
        if start.startswith(bom):
            return encoding
    even, odd = start[::2].count(0), start[1::2].count(0)
    if not even and not odd:
        return "utf-8"
    half = len(start) // 2
    if odd > half * 0.7 and even < half * 0.1:
        return "utf-16-le"
    if even > half * 0.7 and odd < half * 0.1:
        return "utf-16-be"
    return None


def _errors(encoding: str) -> str:
    return "surrogateescape" if encoding == "utf-8" else "surrogatepass"


def _characters(source: BinaryIO, start: bytes, encoding: str) -> Iterator[str]:
    for bom, _ in _BOMS:
        start = start.removeprefix(bom)
    decoder = codecs.getincrementaldecoder(encoding)(_errors(encoding))
    yield decoder.decode(start)
    while data := source.read(PIECE):
        yield decoder.decode(data)
    yield _rest(decoder)


def _rest(decoder: codecs.IncrementalDecoder) -> str:
    """What is left at the end; half a character of UTF-16 can't be written back and is dropped."""
    try:
        return decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return ""


def _pieces(characters: Iterator[str], safe: Callable[[tuple[str, str]], bool]) -> Iterator[str | None]:
    """Cut a text at ends of lines that are safe; None stands for a stretch without any."""
    waiting, skipping = "", False
    for more in characters:
        waiting += more
        if skipping:
            _, newline, waiting = waiting.partition("\n")
            if not newline:
                continue
            skipping = False
        while len(waiting) >= PIECE:
            cut = _cut(waiting, safe)
            if cut:
                yield waiting[:cut]
                waiting = waiting[cut:]
            elif len(waiting) >= LONGEST:
                yield None
                _, newline, waiting = waiting.rpartition("\n")
                skipping = not newline
                waiting = "" if skipping else waiting
            else:
                break
    if waiting and not skipping:
        yield waiting


def _pieces_anywhere(
    characters: Iterator[str], safe: Callable[[tuple[str, str]], bool]
) -> Iterator[str | None]:
    """Cut what has no lines anywhere that is safe; None stands for a stretch without such a place."""
    waiting = ""
    for more in characters:
        waiting += more
        while len(waiting) >= PIECE:
            last = len(waiting) - _NEAR
            ends = (last - number * _STEP for number in range(_TRIED))
            near = ((end, (waiting[max(0, end - _NEAR) : end], waiting[end : end + _NEAR])) for end in ends)
            cut = next((end for end, around in near if safe(around)), 0)
            if cut:
                yield waiting[:cut]
                waiting = waiting[cut:]
            elif len(waiting) >= LONGEST:
                yield None
                waiting = waiting[last:]
            else:
                break
    if waiting:
        yield waiting


def _cut(text: str, safe: Callable[[tuple[str, str]], bool]) -> int:
    """Where to cut, from the back and with something behind it to be looked at; 0: nowhere."""
    end = len(text) - _NEAR
    for _ in range(_TRIED):
        end = text.rfind("\n", 0, end)
        if end < 0:
            return 0
        cut = end + 1
        if safe((text[max(0, cut - _NEAR) : cut], text[cut : cut + _NEAR])):
            return cut
    return 0
