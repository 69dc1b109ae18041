"""Runbooks: one YAML file each, into ``Runbook`` values whose snippets exist and whose parameters fit."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from fleet.catalog import documents
from fleet.catalog.files import refuse
from fleet.catalog.params import bind
from fleet.errors import CatalogError, ParameterError
from fleet.model import (
    Decision,
    Kind,
    Os,
    ParamValue,
    Risk,
    Runbook,
    Rung,
    Shell,
    Snippet,
    SnippetText,
    Source,
    Step,
)

SHELLS = {Os.LINUX: Shell.SH, Os.WINDOWS: Shell.POWERSHELL}
"""What a system's snippets are written in."""

FindSnippet = Callable[[str], Snippet]

_LISTS = ("codes", "match_hints", "outside", "left_alone", "evidence", "related")


def parse(name: str, source: SnippetText, find: FindSnippet, *, checked: bool) -> Runbook:
    """Make a runbook of the file of that name; ``find`` gives snippets by name or raises CatalogError.

    ``checked`` as in ``fleet.catalog.header.parse``.
    """
    document = documents.load(source)
    if not checked:
        _refuse_shape(document)
    try:
        runbook = _build(document)
    except (TypeError, ValueError, AttributeError, KeyError):
        _refuse_shape(document)
        raise
    if runbook.id != name:
        raise CatalogError(f'the id must be the name of the file, "{name}"', document.place("id"))
    if not checked:
        notes = [rung.get("order_note") for rung in document.fields.get("ladder", [])]
        problems = [*_inconsistencies(runbook, notes, find), *_lost_steps(runbook)]
        refuse([CatalogError(text, document.place(*keys)) for keys, text in problems])
    return runbook


def _refuse_shape(document: documents.Document) -> None:
    from fleet.catalog.schemas import runbook_problems

    refuse([CatalogError(text, document.place(*keys)) for keys, text in runbook_problems(document.fields)])


def _build(document: documents.Document) -> Runbook:
    rest = dict(document.fields)
    os = rest.pop("os", None)
    ladder = tuple(_rung(**step) for step in rest.pop("ladder", []))
    sources = tuple(
        Source(**{**source, "edition": str(source["edition"])}) for source in rest.pop("sources", [])
    )
    steps = tuple(Step(**step) for step in rest.pop("steps", []))
    decisions = tuple(Decision(**decision) for decision in rest.pop("decisions", []))
    lists: dict[str, Any] = {key: tuple(rest.pop(key, ())) for key in _LISTS}
    return Runbook(
        os=None if os is None else Os(os),
        ladder=ladder,
        steps=steps,
        decisions=decisions,
        sources=sources,
        detect_params=MappingProxyType(rest.pop("detect_params", {})),
        digest=document.source.digest,
        **lists,
        **rest,
    )


def _rung(
    remedy: str,
    params: Mapping[str, ParamValue] | None = None,
    only_after: str | None = None,
    order_note: str | None = None,  # noqa: ARG001 (for the reader of the file and the check of the order)
) -> Rung:
    return Rung(remedy, MappingProxyType(dict(params or {})), only_after)


Problem = tuple[tuple[str | int, ...], str]
"""Where in the document, and what is wrong there."""


def _inconsistencies(runbook: Runbook, notes: list[Any], find: FindSnippet) -> Iterator[Problem]:
    """Say what is wrong with a runbook whose shape is right."""
    if runbook.detect is not None:
        yield from _use(runbook, ("detect",), runbook.detect, Kind.CHECK, runbook.detect_params, find)
    elif runbook.ladder:
        yield ("ladder",), 'a ladder needs "detect", the check that says when to stop'
    elif not runbook.outside:
        yield ("id",), 'without "detect" it needs "outside", what a person can do'
    highest = Risk.SAFE
    for at, (rung, note) in enumerate(zip(runbook.ladder, notes, strict=True)):
        risk = yield from _use(runbook, ("ladder", at), rung.remedy, Kind.REMEDY, rung.params, find)
        if risk.rank < highest.rank and not note:
            yield (
                ("ladder", at),
                f"{rung.remedy} ({risk}) stands after a rung that is {highest}: "
                "move it, or say why in order_note",
            )
        highest = max(highest, risk, key=lambda each: each.rank)


def _lost_steps(runbook: Runbook) -> Iterator[Problem]:
    """Say which steps of the documents are not where the runbook says."""
    remedies = {rung.remedy for rung in runbook.ladder}
    for at, step in enumerate(runbook.steps):
        place = ("steps", at)
        said = [value for value in (step.rung, step.runbook, step.outside, step.reason) if value is not None]
        if len(said) != 1:
            yield place, "a step has one of rung, runbook, outside and reason"
        elif step.rung is not None and step.rung not in remedies:
            yield place, f'"{step.rung}" is no rung of this ladder'
        elif step.outside is not None and not 1 <= step.outside <= len(runbook.outside):
            yield place, f"outside has {len(runbook.outside)} entries, not {step.outside}"


def _use(
    runbook: Runbook,
    place: tuple[str | int, ...],
    name: str,
    kind: Kind,
    params: Mapping[str, ParamValue],
    find: FindSnippet,
) -> Generator[Problem, None, Risk]:
    """Say what is wrong with the use of a snippet; give its risk."""
    try:
        snippet = find(name)
    except CatalogError as error:
        if error.place:
            raise
        yield place, error.message
        return Risk.SAFE
    if snippet.kind is not kind:
        yield place, f'"{name}" is a {snippet.kind}, not a {kind}'
    for os in (runbook.os,) if runbook.os else tuple(Os):
        if SHELLS[os] not in snippet.texts:
            yield place, f'"{name}" has no form for {os}'
    try:
        bind(snippet, params)
    except ParameterError as error:
        yield place, error.message
    return snippet.risk or Risk.SAFE
