"""A run as a table for spreadsheets: one row a result, nothing a guest says can become a formula."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator

from fleet.codec import instant
from fleet.journal import Run
from fleet.model import printable
from fleet.report.view import Row, View, view

COLUMNS = (
    "run",
    "host",
    "os",
    "zone",
    "host_is",
    "step",
    "phase",
    "snippet",
    "outcome",
    "severity",
    "risk",
    "waived_until",
    "waived_by",
    "message",
    "started",
    "seconds",
    "attempt",
    "data",
)

MAX_CELL = 32_000
"""Characters; Excel holds 32,767 in a cell and spreads longer ones over the next row."""

_FORMULA = re.compile(r"(?:^|;)\s*(?=[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20])")
"""Where a formula could begin: at the start of a cell, also one that a spreadsheet whose list separator is
the semicolon makes of ours (https://owasp.org/www-community/attacks/CSV_Injection)."""


def to_csv(run: Run) -> str:
    """The table as text. It begins with a byte order mark: without one, Excel takes UTF-8 for its own code
    page and breaks every name and message that is not ASCII. Programs have JSON and NDJSON.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(COLUMNS)
    writer.writerows(_rows(view(run)))
    return "\ufeff" + text.getvalue()


def _rows(shown: View) -> Iterator[list[object]]:
    for row in shown.rows:
        yield [shown.run.id, *_cells(row)]


def _cells(row: Row) -> Iterator[object]:
    result = row.result
    waiver = row.finding.waiver if row.finding else None
    yield harmless(result.host)
    yield result.os.value
    yield harmless(row.zone)
    yield row.host_word
    yield result.step or ""
    yield result.phase if row.answered else ""
    yield harmless(result.snippet)
    yield result.outcome.value
    yield row.severity.value if row.severity else ""
    yield result.risk.value if result.risk else ""
    yield waiver.expires.isoformat() if waiver else ""
    yield harmless(waiver.owner) if waiver else ""
    yield harmless(result.message.raw)
    yield instant(result.started) if row.answered else ""
    yield f"{result.seconds:.3f}" if row.answered else ""
    yield result.attempt if row.answered else ""
    yield harmless(json.dumps(dict(result.data), ensure_ascii=False)) if result.data else ""


def harmless(text: str) -> str:
    """Text for a cell: controls and marks of direction visible, formulas made text by an apostrophe."""
    return _FORMULA.sub(_with_apostrophe, printable(text))[:MAX_CELL]


def _with_apostrophe(match: re.Match[str]) -> str:
    separator = ";" if match[0].startswith(";") else ""
    return f"{separator}'{match[0].removeprefix(separator)}"
