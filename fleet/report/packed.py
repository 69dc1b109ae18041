"""The results of a run as the page carries them: JSON, deflated, in base64, never above a size.

Base64 holds no character that could end the element it stands in, and deflating makes ten thousand hosts
with twelve checks each a few megabytes. The order of the entries of a row is known to ``page.js`` too.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator

from fleet.model import JsonValue, printable
from fleet.report.terminal import flat
from fleet.report.view import Row, Tone, View, worst_first

FULL_BYTES = 6_000_000
"""Deflated size from which results are shortened: base64 makes four bytes of three, and a report has to
stay below 15 MB."""
SHORT_BYTES = 9_000_000
"""Deflated size from which only the words of a result are left."""
LONGEST_TEXT = 4_000
SHORT_TEXT = 200
_LEVEL = 6
_json = json.JSONEncoder(separators=(",", ":")).encode
_TONES = {tone: number for number, tone in enumerate(Tone)}


def packed(shown: View) -> str:
    """Hosts, words and rows, the worst rows first so that those are whole whatever the size."""
    packer = _Packer(shown)
    return base64.b64encode(b"".join(packer.parts())).decode()


class _Packer:
    def __init__(self, shown: View) -> None:
        self._shown = shown
        self._hosts = {host.name: number for number, host in enumerate(shown.hosts)}
        self._words: dict[str, int] = {}
        self._written = 0
        self._shortened = 0

    def parts(self) -> Iterator[bytes]:
        """The deflated document, piece by piece."""
        deflate = zlib.compressobj(_LEVEL)
        for text in self._texts():
            part = deflate.compress(text.encode("ascii"))
            self._written += len(part)
            yield part
        yield deflate.flush()

    def _texts(self) -> Iterator[str]:
        yield '{"rows":['
        for number, row in enumerate(worst_first(self._shown.rows)):
            yield ("," if number else "") + _json(self._row(row))
        rest: dict[str, JsonValue] = {
            "hosts": [
                [printable(host.name), host.os.value, printable(host.zone), host.word, _TONES[host.tone]]
                for host in self._shown.hosts
            ],
            "words": list(self._words),
            "tones": list(Tone),
            "shortened": self._shortened,
        }
        yield "]," + _json(rest)[1:]

    def _row(self, row: Row) -> list[JsonValue]:
        result = row.result
        message, details = str(result.message), []
        if self._written < FULL_BYTES:
            message, details = _cut(message), [[key, _cut(text)] for key, text in _details(row)]
        elif self._written < SHORT_BYTES:
            message, self._shortened = message[:SHORT_TEXT], self._shortened + 1
        else:
            message, self._shortened = "", self._shortened + 1
        return [
            self._hosts[result.host],
            self._word(printable(result.snippet)),
            self._word(row.word),
            self._word(row.severity.value if row.severity else ""),
            _TONES[row.tone],
            int(row.left_to_do),
            round(result.seconds, 2),
            message,
            details or 0,
        ]

    def _word(self, text: str) -> int:
        return self._words.setdefault(text, len(self._words))


def _details(row: Row) -> Iterator[tuple[str, str]]:
    result = row.result
    if result.phase != "look":
        yield "step", f"{result.step}, {result.phase}"
    if result.risk:
        yield "risk", result.risk.value
    if result.attempt > 1:
        yield "attempt", str(result.attempt)
    if row.finding and (waiver := row.finding.waiver or row.finding.expired):
        kind = "waived until" if row.finding.waiver else "waiver expired"
        yield kind, printable(f"{waiver.expires}, {waiver.owner}: {waiver.reason}")
    for key, value in sorted(result.data.items()):
        yield printable(key), printable(flat(value))
    if result.log:
        yield "log", str(result.log)
    if result.truncated:
        yield "log is", "longer than is kept; its middle is missing"


def _cut(text: str) -> str:
    """The end matters most of a long log, the beginning of a long sentence: both are kept."""
    if len(text) <= LONGEST_TEXT:
        return text
    half = LONGEST_TEXT // 2
    return f"{text[:half]}\n… {len(text) - LONGEST_TEXT} characters are left out …\n{text[-half:]}"
