"""What is known about a fault, for people (80 columns) and as a document (``fleet.explain/1``)."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from fleet.catalog import Catalog
from fleet.catalog.find import Answer, Match
from fleet.model import Decision, JsonValue, Os, Runbook, Source

SCHEMA = "fleet.explain/1"
WIDTH = 80
_LABEL = 16
_NAME = 26

_OS = {Os.LINUX: "Linux", Os.WINDOWS: "Windows", None: "Windows and Linux"}


def lines(answer: Answer, catalog: Catalog) -> Iterator[str]:
    """The best match in full, then what else fits; nothing where nothing was found."""
    if not answer.matches:
        return
    best, *others = answer.matches
    yield from _book(best, catalog)
    if others:
        yield ""
        yield from _named("also fits", (match.runbook for match in others))


def _book(match: Match, catalog: Catalog) -> Iterator[str]:
    book = match.runbook
    yield from _heading(f"{match.code or book.id} · {book.title}", _OS[book.os])
    yield from _wrap(book.about, "", "")
    yield ""
    yield from _in_the_guest(book, catalog)
    yield from _listed("outside", book.outside)
    yield from _listed("left alone", book.left_alone)
    yield from _listed("decided", map(_decision, book.decisions))
    yield from _named("see also", map(catalog.runbook, book.related))
    others = [code for code in book.codes if code != match.code]
    yield from _listed("codes", [", ".join(others)] if others else [])
    yield from _listed("Source", [_sources(book.sources)] if book.sources else [])
    if book.ladder:
        yield from _listed("Next", [f"fleet fix {match.code or book.id} -l HOSTS"])
    elif book.detect:
        yield from _listed("Next", [f"fleet check {match.code or book.id} -l HOSTS"])
    yield from _listed("for a case", [f"fleet collect {id} -l HOSTS -o case.zip" for id in book.evidence])


def _decision(decision: Decision) -> str:
    mark = "" if decision.question.endswith("?") else ":"
    return f"{decision.question}{mark} {decision.decision}"


def _heading(text: str, os: str) -> Iterator[str]:
    *first, last = textwrap.wrap(text, WIDTH, break_on_hyphens=False)
    yield from first
    if len(last) + 2 + len(os) <= WIDTH:
        yield last + os.rjust(WIDTH - len(last))
    else:
        yield last
        yield os.rjust(WIDTH)


def _in_the_guest(book: Runbook, catalog: Catalog) -> Iterator[str]:
    if book.detect:
        yield from _rows("fleet checks", [(book.detect, catalog.snippet(book.detect).title)])
    elif not book.ladder:
        yield from _listed("fleet does", ["nothing in the guest; what is to be done is said below"])
    yield from _rows("then, in order", (_rung(book, at, catalog) for at in range(len(book.ladder))))


def _rung(book: Runbook, at: int, catalog: Catalog) -> tuple[str, str]:
    rung = book.ladder[at]
    remedy = catalog.snippet(rung.remedy)
    after = f"; only after: {rung.only_after}" if rung.only_after else ""
    return rung.remedy, f"{remedy.title} [{remedy.risk}]{after}"


def _rows(label: str, rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Label, name and text in three columns; a name that is too wide has a line of its own."""
    for name, text in rows:
        head = f"{label:<{_LABEL}}{name:<{_NAME - 1}} "
        indent = " " * (_LABEL + _NAME)
        if len(head) > len(indent):
            yield head.rstrip()
            head = indent
        yield from _wrap(text, head, indent)
        label = ""


def _named(label: str, books: Iterable[Runbook]) -> Iterator[str]:
    for book in books:
        yield from _wrap(f"{book.id}: {book.title}", f"{label:<{_LABEL}}", " " * (_LABEL + 2))
        label = ""


def _listed(label: str, items: Iterable[str]) -> Iterator[str]:
    texts = list(items)
    for number, text in enumerate(texts, 1):
        mark = f"{number}. " if len(texts) > 1 else ""
        head = f"{label if number == 1 else '':<{_LABEL}}{mark}"
        yield from _wrap(text, head, " " * len(head))


def _wrap(text: str, head: str, indent: str) -> list[str]:
    """Paths and commands stay whole, even where they are wider than the screen: they are copied from it."""
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=head,
        subsequent_indent=indent,
        break_on_hyphens=False,
        break_long_words=False,
    )


def _sources(sources: Sequence[Source]) -> str:
    """Documents with their editions, each named once."""
    named = dict.fromkeys(
        source.document if source.edition == "undated" else f"{source.document}, {source.edition}"
        for source in sources
    )
    return "; ".join(named)


def document(answers: Iterable[Answer], catalog: Catalog) -> dict[str, JsonValue]:
    """Everything that is known, for programs."""
    return {"schema": SCHEMA, "answers": [_answer(answer, catalog) for answer in answers]}


def _answer(answer: Answer, catalog: Catalog) -> dict[str, JsonValue]:
    return {
        "question": answer.question,
        "matches": [
            {"by": match.by, "score": match.score, "code": match.code, **_runbook(match.runbook, catalog)}
            for match in answer.matches
        ],
        "suggestions": list(answer.suggestions),
    }


def _runbook(book: Runbook, catalog: Catalog) -> dict[str, JsonValue]:
    detect = None if book.detect is None else catalog.snippet(book.detect)
    return {
        "id": book.id,
        "title": book.title,
        "os": None if book.os is None else book.os.value,
        "codes": list(book.codes),
        "about": book.about,
        "detect": None if detect is None else {"check": detect.name, "title": detect.title},
        "ladder": [
            {
                "remedy": rung.remedy,
                "title": catalog.snippet(rung.remedy).title,
                "risk": catalog.snippet(rung.remedy).risk,
                "params": dict(rung.params),
                "only_after": rung.only_after,
            }
            for rung in book.ladder
        ],
        "outside": list(book.outside),
        "left_alone": list(book.left_alone),
        "evidence": list(book.evidence),
        "related": list(book.related),
        "steps": [
            {key: value for key, value in dataclasses.asdict(step).items() if value is not None}
            for step in book.steps
        ],
        "decisions": [dataclasses.asdict(each) for each in book.decisions],
        "sources": [dataclasses.asdict(each) for each in book.sources],
    }
