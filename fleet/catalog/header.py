"""The header of a snippet: TOML in the comment block between ``# /// fleet`` and ``# ///``.

The grammar of the block is that of Python's inline script metadata (PEP 723), which serves both languages
because both begin a comment with ``#``.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from fleet import quote
from fleet.catalog.files import refuse
from fleet.catalog.params import check_value
from fleet.errors import CatalogError, ParameterError, Place
from fleet.model import Kind, Param, Return, Risk, Severity, Shell, Snippet, SnippetText

_OPEN, _CLOSE = "# /// fleet", "# ///"


@dataclass(frozen=True, slots=True)
class Header:
    """The block as it stands in a file."""

    lines: tuple[str, ...]
    """TOML, without the comment signs."""
    path: Path
    first: int
    """Line of the file at which ``lines`` begins."""

    def place(self, *keys: str | int) -> Place:
        """Where a key stands, or the table it is missing from."""
        return Place(self.path, self.first + _find(self.lines, tuple(str(key) for key in keys)))


def extract(source: SnippetText) -> Header:
    """Find the block in a file."""
    lines = source.text.split("\n")
    if _OPEN not in lines:
        raise CatalogError(f'has no header: a line "{_OPEN}" begins it', Place(source.path))
    start = lines.index(_OPEN) + 1
    if _CLOSE not in lines[start:]:
        raise CatalogError(f'the header is not ended by a line "{_CLOSE}"', Place(source.path, start))
    block = lines[start : lines.index(_CLOSE, start)]
    for number, line in enumerate(block, start + 1):
        if line != "#" and not line.startswith("# "):
            raise CatalogError('a line of the header must begin with "# "', Place(source.path, number))
    return Header(tuple(line[2:] for line in block), source.path, start + 1)


def parse(name: str, texts: Mapping[Shell, SnippetText], *, checked: bool) -> Snippet:
    """Make a snippet of its file or its twins.

    ``checked`` says that the test suite has held the file against the schema, as it does for fleet's own;
    the schema is then asked only when the header can't be understood, to say what is wrong.
    """
    headers = [extract(source) for source in texts.values()]
    header = headers[0]
    for twin in headers[1:]:
        _compare(header, twin)
    fields = _toml(header)
    if not checked:
        _refuse_shape(header, fields)
    try:
        snippet = _build(name, fields, texts)
    except (TypeError, ValueError, AttributeError, KeyError):
        _refuse_shape(header, fields)
        raise
    refuse(list(_inconsistencies(snippet, header)))
    return snippet


def _compare(header: Header, twin: Header) -> None:
    if header.lines == twin.lines:
        return
    pairs = zip((*header.lines, "# ///"), (*twin.lines, "# ///"), strict=False)
    at = next((number for number, (mine, other) in enumerate(pairs) if mine != other), 0)
    raise CatalogError(
        f"differs from the header of its twin, {header.path}:{header.first + at}; both must be the same",
        Place(twin.path, twin.first + at),
    )


def _toml(header: Header) -> dict[str, Any]:
    try:
        return tomllib.loads("\n".join(header.lines) + "\n")
    except tomllib.TOMLDecodeError as error:
        said = str(error)
        line = re.search(r"at line (\d+)", said)
        at = int(line[1]) - 1 if line else len(header.lines)
        text = said.partition(" (at")[0]
        raise CatalogError(f"no TOML: {text}", Place(header.path, header.first + at)) from None
    except RecursionError:
        raise CatalogError("a value is nested too deep", Place(header.path, header.first)) from None


def _refuse_shape(header: Header, fields: dict[str, Any]) -> None:
    from fleet.catalog.schemas import header_problems

    refuse([CatalogError(text, header.place(*keys)) for keys, text in header_problems(fields)])


def _build(name: str, fields: Mapping[str, Any], texts: Mapping[Shell, SnippetText]) -> Snippet:
    rest = dict(fields)
    kind, risk, severity = Kind(rest.pop("kind")), rest.pop("risk", None), rest.pop("severity", None)
    params = {
        key: Param(name=key, **{**spec, "choices": tuple(spec.get("choices", ()))})
        for key, spec in rest.pop("params", {}).items()
    }
    returns = {key: Return(name=key, **spec) for key, spec in rest.pop("returns", {}).items()}
    return Snippet(
        name=name,
        kind=kind,
        texts=MappingProxyType(dict(texts)),
        risk=None if risk is None else Risk(risk),
        severity=None if severity is None else Severity(severity),
        needs=frozenset(rest.pop("needs", ())),
        params=MappingProxyType(params),
        returns=MappingProxyType(returns),
        **rest,
    )


def _inconsistencies(snippet: Snippet, header: Header) -> Iterator[CatalogError]:
    """Say what is wrong with a header whose shape is right."""
    remedy, check = snippet.kind is Kind.REMEDY, snippet.kind is Kind.CHECK
    if remedy != (snippet.risk is not None):
        text = 'a remedy needs "risk"' if remedy else '"risk" is for remedies only'
        yield CatalogError(text, header.place("risk"))
    if check != (snippet.severity is not None):
        text = 'a check needs "severity"' if check else '"severity" is for checks only'
        yield CatalogError(text, header.place("severity"))
    notes = [note for note in (snippet.undo, snippet.undo_note) if note is not None]
    if remedy and len(notes) != 1:
        text = 'a remedy needs "undo" or "undo_note", one of them'
        yield CatalogError(text, header.place("undo"))
    if not remedy and notes:
        yield CatalogError('"undo" and "undo_note" are for remedies only', header.place("undo"))
    for param in snippet.params.values():
        try:
            _check_param(param, snippet.texts)
        except ParameterError as error:
            yield CatalogError(f"params.{param.name}: {error.message}", header.place("params", param.name))


def _check_param(param: Param, shells: Mapping[Shell, object]) -> None:
    quote.check_name(param.name)
    if param.required == (param.default is not None):
        raise ParameterError("must be required or have a default, one of them")
    if param.pattern is not None:
        if param.type not in ("str", "list"):
            raise ParameterError("a pattern is for text and lists only")
        try:
            re.compile(param.pattern)
        except re.error as error:
            raise ParameterError(f"the pattern is no regular expression: {error}") from None
    if param.type not in ("int", "float") and (param.minimum is not None or param.maximum is not None):
        raise ParameterError("minimum and maximum are for numbers only")
    if param.default is not None:
        try:
            check_value(param, param.default, shells)
        except ParameterError as error:
            raise ParameterError(f"the default {error.message}") from None


def _find(lines: tuple[str, ...], keys: tuple[str, ...]) -> int:
    """Index of the line that sets a key; of the nearest table above it when there is none."""
    table: tuple[str, ...] = ()
    best, best_depth = 0, 0
    for number, line in enumerate(lines):
        opening = re.match(r"\[([A-Za-z0-9_.-]+)\]", line)
        setting = re.match(r"([A-Za-z0-9_-]+)\s*=", line)
        if opening:
            table = tuple(opening[1].split("."))
        here = (*table, setting[1]) if setting else table
        if (opening or setting) and here == keys[: len(here)] and len(here) > best_depth:
            best, best_depth = number, len(here)
    return best
