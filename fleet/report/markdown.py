"""A run for a ticket or a chat: GitHub's Markdown, everything that a guest or a file said as a code span.

Within a code span nothing is markup: no link, no mention, no HTML. Tables are made of our own words only,
because a pipe would end a cell even within a code span.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from fleet.journal import Run
from fleet.model import printable
from fleet.report.summary import Next, Summary, Told, hosts_word, summary
from fleet.report.view import view

_BACKTICKS = re.compile("`+")


def to_markdown(run: Run) -> str:
    """The run's summary; single results are in the other forms."""
    return "\n".join(_lines(summary(view(run)))) + "\n"


def code(text: str) -> str:
    """A code span that holds exactly this text, on one line."""
    line = printable(text).replace("\n", " ⏎ ").strip()
    if not line:
        return ""
    fence = "`" * (_longest_backticks(line) + 1)
    pad = " " if line[0] == "`" or line[-1] == "`" else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def _longest_backticks(text: str) -> int:
    return max((len(run) for run in _BACKTICKS.findall(text)), default=0)


def _lines(told: Summary) -> Iterator[str]:
    yield f"# {code(told.title)}"
    yield ""
    yield f"**{told.verdict}**"
    yield ""
    yield from (f"- {label}: {code(value)}" for label, value in told.facts)
    yield from _section("Please note", (code(notice) for notice in told.notices))
    yield from _counts(told)
    yield from _section("What was found", _told(told))
    yield from _section("Waivers in force", (code(waiver) for waiver in told.waivers))
    yield from _section("Outside the guests", (code(line) for line in told.outside))
    yield from _next(told.next)


def _section(heading: str, items: Iterable[str]) -> Iterator[str]:
    lines = [f"- {item}" for item in items]
    if lines:
        yield from ("", f"## {heading}", "", *lines)


def _counts(told: Summary) -> Iterator[str]:
    yield from ("", "## Hosts", "", "| hosts | are |", "| ---: | :--- |")
    yield from (f"| {each.number} | {each.word} |" for each in told.counts)


def _told(told: Summary) -> Iterator[str]:
    for each in told.told:
        yield " ".join(_parts(each))
    if told.untold:
        yield f"and {told.untold} more"


def _parts(each: Told) -> Iterator[str]:
    yield f"**{each.word}**"
    if each.subject:
        yield code(each.subject)
    if each.message:
        yield code(each.message)
    if not each.alike:
        yield "(numbers differ)"
    yield f"on {hosts_word(each.number)}: {code(each.hosts)}"
    if each.runbook:
        yield f"- runbook {code(each.runbook)}"


def _next(steps: Iterable[Next]) -> Iterator[str]:
    steps = list(steps)
    if not steps:
        return
    yield from ("", "## Next", "")
    for step in steps:
        yield f"- {code(step.title)}, {hosts_word(step.number)}"
        yield ""
        fence = "`" * max(3, _longest_backticks(step.command) + 1)
        yield from (f"  {fence}sh", f"  {_one_line(step.command)}", f"  {fence}", "")


def _one_line(command: str) -> str:
    return command.replace("\n", "\\n")
