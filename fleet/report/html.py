"""A run as one HTML file that works from a disk, from a mail and for ever: no network, no other file.

What a guest said never becomes markup. The summary is escaped by the template; the results travel as
deflated JSON in base64 and are put on the page as text nodes by ``page.js``, the only script that the
page's content security policy lets run.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import jinja2

from fleet.journal import Run
from fleet.model import printable
from fleet.report.packed import packed
from fleet.report.summary import hosts_word, summary
from fleet.report.view import Tone, View, view

_FOLDER = Path(__file__).parent
_MOST_BARS = 60
_BAR_WIDTH = 400
"""Units of a bar's own coordinates; on the page it is as wide as its column."""

SYMBOLS: Mapping[Tone, str] = {
    Tone.BAD: "✖",
    Tone.UNKNOWN: "?",
    Tone.HELD: "‖",
    Tone.WARNING: "▲",
    Tone.NOTE: "i",
    Tone.WAIVED: "○",
    Tone.SKIPPED: "·",
    Tone.GOOD: "✔",
}
"""A shape for each tone, so that colour is never the only signal."""

RESULT_WORDS: Mapping[Tone, str] = {
    Tone.BAD: "failed",
    Tone.UNKNOWN: "no answer",
    Tone.HELD: "held",
    Tone.WARNING: "warning",
    Tone.NOTE: "noted",
    Tone.WAIVED: "waived",
    Tone.SKIPPED: "skipped",
    Tone.GOOD: "fine",
}


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a bar."""

    tone: Tone
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Bar:
    """A row of a chart: how its results or hosts are spread over the tones."""

    label: str
    segments: tuple[Segment, ...]
    words: str
    """The same in words, so that nobody needs the bar."""
    matters: bool
    """Whether there is something to do."""


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars under a title, those that matter apart."""

    title: str
    bars: tuple[Bar, ...]
    quiet: tuple[Bar, ...]
    left_out: int


def to_html(run: Run) -> str:
    """The page as text."""
    shown = view(run)
    style, script = _asset("page.css"), _asset("page.js")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["hosts"] = hosts_word
    return environment.get_template("page.html.j2").render(
        policy=_policy(style, script),
        style=style,
        script=script,
        data=packed(shown),
        summary=summary(shown),
        sweep=shown.ready is not None,
        symbols=SYMBOLS,
        hosts_bar=_bar("hosts", Counter(host.tone for host in shown.hosts), {}),
        charts=_charts(shown),
    )


def _asset(name: str) -> str:
    return (_FOLDER / name).read_text("utf-8")


def _policy(style: str, script: str) -> str:
    """Nothing is loaded, one script and one style are let, no text becomes markup by script."""
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {_digest(script)}",
            f"style-src {_digest(style)}",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ]
    )


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _charts(shown: View) -> list[Chart]:
    """A chart of one bar says nothing new and is left out."""
    host_words = {host.tone: host.word for host in shown.hosts}
    by_check = ((row.result.snippet, row.tone) for row in shown.rows if row.result.snippet)
    by_zone = ((host.zone, host.tone) for host in shown.hosts if host.zone)
    charts = [
        ("Results by check" if shown.ready else "Results by script", by_check, RESULT_WORDS),
        ("Hosts by zone", by_zone, host_words),
    ]
    made = []
    for title, pairs, words in charts:
        bars = list(_bars(pairs, words))
        if len(bars) > 1:
            drawn = bars[:_MOST_BARS]
            mattering = tuple(bar for bar in drawn if bar.matters)
            quiet = tuple(bar for bar in drawn if not bar.matters)
            made.append(Chart(title, mattering, quiet, len(bars) - len(drawn)))
    return made


def _bars(pairs: Iterable[tuple[str, Tone]], words: Mapping[Tone, str]) -> Iterator[Bar]:
    tallies: dict[str, Counter[Tone]] = {}
    for label, tone in pairs:
        tallies.setdefault(label, Counter())[tone] += 1
    for label in sorted(tallies, key=lambda label: [-tallies[label][tone] for tone in Tone]):
        yield _bar(label, tallies[label], words)


def _bar(label: str, tally: Counter[Tone], words: Mapping[Tone, str]) -> Bar:
    total, x = tally.total(), 0.0
    segments = []
    for tone in Tone:
        if tally[tone]:
            width = _BAR_WIDTH * tally[tone] / total
            segments.append(Segment(tone, round(x, 2), round(width, 2)))
            x += width
    said = ", ".join(f"{tally[tone]} {words.get(tone, tone.value)}" for tone in Tone if tally[tone])
    matters = any(tally[tone] for tone in Tone if tone.rank <= Tone.WARNING.rank)
    return Bar(printable(label), tuple(segments), said, matters)
