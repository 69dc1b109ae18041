"""Writes docs/catalogue.md: per fault what fleet does and does not do, so that data and document agree."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from fleet.catalog import Catalog, load
from fleet.model import Os, Runbook, Source, Step

TARGET = Path(__file__).with_name("catalogue.md")
INDEX = Path(__file__).resolve().parents[1] / "tests/data/catalogue-index.json"

FAMILIES = {"azvm-": "Azure VM backup", "agent-": "Guest agents", "mars-": "MARS agent"}
SYSTEMS = {Os.LINUX: "Linux", Os.WINDOWS: "Windows", None: "Windows and Linux"}

HEAD = """\
# Faults, and what fleet does about them

Written by `./dev docs` from `scripts/runbooks/`; a test compares the two. The faults are those of Azure's
own documents on Azure VM backup, the guest agents and the MARS agent. `fleet explain CODE` shows the same
in a terminal, and finds it by a pasted message too.

Each fault is one of these:

* **Fix**: a check in the guest finds it, and a ladder of remedies mends it, the mildest first, with the
  check again after each. Nothing above the allowed risk is done.
* **Check**: a check in the guest finds it; a person mends it.
* **Signpost**: the message has several causes, which have runbooks of their own.
* **By hand**: there is something to check or do in the guest, but fleet does not do it yet; the text says
  what a person does.
* **Outside**: nothing in the guest is wrong or can help; it is settled in the portal or on the network.
"""

MEANINGS = ("Fix", "Check", "Signpost", "By hand", "Outside")


def kind(book: Runbook, in_guest: str) -> str:
    """Which of the five the fault is."""
    if book.ladder:
        return "Fix"
    if book.detect:
        return "Check"
    if in_guest == "none":
        return "Outside"
    points = bool(book.steps) and all(step.runbook for step in book.steps)
    return "Signpost" if points and in_guest == "partial" else "By hand"


def document(catalog: Catalog | None = None) -> str:
    """The whole file."""
    catalog = catalog or load()
    entries = json.loads(INDEX.read_text("utf-8"))["entries"]
    kinds = {
        id: kind(book, entries.get(id, {}).get("in_guest", "full")) for id, book in catalog.runbooks.items()
    }
    return "\n".join([HEAD, *_summary(catalog, kinds), *_families(catalog, kinds)])


def _summary(catalog: Catalog, kinds: dict[str, str]) -> Iterator[str]:
    tally = Counter(kinds.values())
    counted = ", ".join(f"{tally[each]} {each.lower()}" for each in MEANINGS if tally[each])
    yield f"There are {len(kinds)}: {counted}.\n"
    yield "| Fault | Systems | What fleet does | Codes |"
    yield "| --- | --- | --- | --- |"
    for id, book in catalog.runbooks.items():
        codes = ", ".join(f"`{code}`" for code in book.codes)
        yield f"| [{id}](#{id}) | {SYSTEMS[book.os]} | {kinds[id]} | {codes} |".replace("|  |", "| |")
    yield ""


def _families(catalog: Catalog, kinds: dict[str, str]) -> Iterator[str]:
    for prefix, name in FAMILIES.items():
        books = [book for id, book in catalog.runbooks.items() if id.startswith(prefix)]
        if books:
            yield f"## {name}\n"
        for book in books:
            yield from _fault(book, kinds[book.id], catalog)


def _fault(book: Runbook, kind: str, catalog: Catalog) -> Iterator[str]:
    yield f"### {book.id}\n"
    yield f"**{book.title}.** {SYSTEMS[book.os]}. {kind}.\n"
    yield f"{book.about}\n"
    if book.detect:
        yield f"Checks with `{book.detect}`: {catalog.snippet(book.detect).title}.\n"
    if book.ladder:
        yield from _numbered("Then, in this order, until the check is content:", _rungs(book, catalog))
    yield from _numbered("By hand:" if kind == "By hand" else "Outside:", book.outside)
    yield from _bullets("Left alone:", book.left_alone)
    yield from _bullets("Where the steps of the documents are:", map(_step, book.steps))
    yield from _bullets(
        "Decided, where the documents disagree or leave it open:",
        (
            f"{each.question.rstrip(':')}{'' if each.question.endswith('?') else ':'} "
            f"**{each.decision}**, because {each.reason} ({_newest(each.newest)})."
            for each in book.decisions
        ),
    )
    if book.related:
        yield f"See also: {', '.join(f'[{id}](#{id})' for id in book.related)}.\n"
    yield from _bullets("Sources:", dict.fromkeys(map(_source, book.sources)))


def _rungs(book: Runbook, catalog: Catalog) -> Iterator[str]:
    for rung in book.ladder:
        remedy = catalog.snippet(rung.remedy)
        after = f" Only after: {rung.only_after}." if rung.only_after else ""
        yield f"`{rung.remedy}` ({remedy.risk}): {remedy.title}.{after}"


def _step(step: Step) -> str:
    if step.rung:
        return f"{step.do}: `{step.rung}`."
    if step.runbook:
        return f"{step.do}: [{step.runbook}](#{step.runbook})."
    if step.outside:
        return f"{step.do}: by a person, point {step.outside} above."
    return f"{step.do}: not done, because {step.reason}."


def _newest(date: str) -> str:
    return "newest source undated" if date == "undated" else f"newest source {date}"


def _source(source: Source) -> str:
    document, edition = source.document, source.edition
    return document if edition == "undated" else f"{document}, edition {edition}"


def _numbered(title: str, items: Iterable[str]) -> Iterator[str]:
    yield from _list(title, [f"{number}. {item}" for number, item in enumerate(items, 1)])


def _bullets(title: str, items: Iterable[str]) -> Iterator[str]:
    yield from _list(title, [f"* {item}" for item in items])


def _list(title: str, rows: list[str]) -> Iterator[str]:
    if rows:
        yield f"{title}\n"
        yield from rows
        yield ""


if __name__ == "__main__":
    TARGET.write_text(document(), "utf-8")
