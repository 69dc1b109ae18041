"""Reads a rendered PowerShell frame back: which snippet, with which values, in which mode.

For guests that answer from a model because this machine has no PowerShell. The frame's text is that of
``scripts/ps/_frame.ps1.j2``; its literals are those that ``fleet.quote.ps_literal`` writes, no others.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from fleet.model import JsonValue

MARKER = "# fleet: contact functions may be replaced here\n"
"""The line after which the frame names the snippet's body, parameters, mode and deadline."""

_NONCE = re.compile(r'"nonce":"([0-9a-z]+)"')
_NUMBER = re.compile(r"-?[0-9]+")
_CAST = re.compile(r"\[(int|int64|double)\]'([^']*)'")
_QUOTES = "'\u2018\u2019\u201a\u201b"
_TEXT = re.compile(f"'((?:([{_QUOTES}])\\2|[^{_QUOTES}])*)'")
_DOUBLED = re.compile(f"([{_QUOTES}])\\1")


class FrameError(ValueError):
    """This text is no frame that fleet rendered."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What a rendered frame says."""

    nonce: str
    body: str
    parameters: dict[str, JsonValue]
    check: bool
    timeout: int
    """Seconds."""


def unpack(line: bytes) -> str:
    """Text of a frame from its line on the wire. Raises ``FrameError``."""
    try:
        packed = base64.b64decode(line.strip(), validate=True)
        return zlib.decompress(packed, wbits=-zlib.MAX_WBITS).decode("utf-8")
    except (binascii.Error, zlib.error, UnicodeDecodeError) as error:
        raise FrameError(f"not base64 of deflate of UTF-8: {error}") from error


def read(text: str) -> Frame:
    """Take a frame's text apart. Raises ``FrameError``."""
    nonce = _NONCE.search(text)
    _, marker, rest = text.partition(MARKER)
    if nonce is None or not marker:
        raise FrameError("no nonce, or no line where contact functions may be replaced")
    reader = _Reader(rest)
    body = reader.assigned("body")
    parameters = reader.assigned("parameters")
    check = reader.assigned("fleetCheckMode")
    timeout = re.match(r"\$fleetDeadline = 1000 \* ([0-9]+)\n", reader.rest)
    if (
        not isinstance(body, str)
        or not isinstance(parameters, dict)
        or not isinstance(check, bool)
        or not timeout
    ):
        raise FrameError("body, parameters, check mode or deadline are not where they belong")
    return Frame(nonce[1], body, parameters, check, int(timeout[1]))


class _Reader:
    """Reads ``$name = literal`` lines one after the other."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    @property
    def rest(self) -> str:
        return self._text[self._at :]

    def assigned(self, name: str) -> JsonValue:
        self._expect(f"${name} = ")
        value = self._literal()
        self._expect("\n")
        return value

    def _expect(self, text: str) -> None:
        if not self._text.startswith(text, self._at):
            raise FrameError(f"{text!r} expected, found {self._text[self._at : self._at + 20]!r}")
        self._at += len(text)

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        match = pattern.match(self._text, self._at)
        if match:
            self._at = match.end()
        return match

    def _literal(self) -> JsonValue:
        for word, value in (("$true", True), ("$false", False), ("$null", None)):
            if self._text.startswith(word, self._at):
                self._at += len(word)
                return value
        if match := self._take(_TEXT):
            return _DOUBLED.sub(r"\1", match[1])
        if match := self._take(_CAST):
            return float(match[2]) if match[1] == "double" else int(match[2])
        if match := self._take(_NUMBER):
            return int(match[0])
        if self._text.startswith("@{", self._at):
            return dict(self._items("@{", ";", "}", self._pair))
        self._expect("@(")
        self._at -= len("@(")
        return list(self._items("@(", ",", ")", self._literal))

    def _items(self, begin: str, separator: str, end: str, item: Callable[[], JsonValue]) -> list[JsonValue]:
        self._expect(begin)
        if self._text.startswith(",", self._at):
            self._expect(",")  # before a single item, so that PowerShell does not unroll it
        items: list[JsonValue] = []
        while not self._text.startswith(end, self._at):
            if items:
                self._expect(separator)
            items.append(item())
        self._expect(end)
        return items

    def _pair(self) -> tuple[JsonValue, JsonValue]:
        key = self._literal()
        self._expect("=")
        return key, self._literal()
