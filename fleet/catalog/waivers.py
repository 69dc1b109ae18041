"""The waivers file: findings that somebody answers for on some hosts, for a time.

waivers:
  - check: disk-space
    hosts: dc01,dc02          # as -l takes it; or a list of such
    owner: dba-team
    reason: the disks are replaced in December
    expires: 2026-12-31       # the last day on which it holds
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from fleet.catalog import documents
from fleet.catalog.files import refuse, refuse_shared, suggestion
from fleet.catalog.library import Catalog
from fleet.errors import CatalogError, Place
from fleet.model import Kind, SnippetText

MAX_BYTES = 4_194_304


@dataclass(frozen=True, slots=True)
class WaiverEntry:
    """An entry of the file; whom its patterns mean is found out with an inventory."""

    check: str
    patterns: tuple[str, ...]
    owner: str
    reason: str
    expires: date
    place: Place
    """Where its patterns stand."""


def load(path: Path, catalog: Catalog) -> list[WaiverEntry]:
    """Read a waivers file. Raises CatalogError, or UsageErrors for several, each with its line."""
    from fleet.catalog.schemas import waivers_problems

    document = documents.load(_read(path))
    refuse([CatalogError(text, document.place(*keys)) for keys, text in waivers_problems(document.fields)])
    entries = document.fields["waivers"]
    problems = [
        CatalogError(text, document.place("waivers", at, key))
        for at, each in enumerate(entries)
        for key, text in _problems(each["check"], each["expires"], catalog)
    ]
    refuse(problems)
    return [
        WaiverEntry(
            check=each["check"],
            patterns=tuple([each["hosts"]] if isinstance(each["hosts"], str) else each["hosts"]),
            owner=each["owner"],
            reason=each["reason"],
            expires=date.fromisoformat(each["expires"]),
            place=document.place("waivers", at, "hosts"),
        )
        for at, each in enumerate(entries)
    ]


def _read(path: Path) -> SnippetText:
    """Read UTF-8, as it names people in any language; whoever may write it decides what is hidden."""
    try:
        refuse_shared(path)
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise CatalogError(f"has more than {MAX_BYTES:,} bytes", Place(path))
        return SnippetText(data.decode("utf-8"), path, hashlib.sha256(data).hexdigest())
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise CatalogError("is not UTF-8 text", Place(path, line)) from None
    except OSError as error:
        raise CatalogError(f"can't be read: {error.strerror}", Place(path)) from None


def _problems(check: str, expires: str, catalog: Catalog) -> Iterator[tuple[str, str]]:
    checks = [name for name, snippet in catalog.snippets.items() if snippet.kind is Kind.CHECK]
    if check not in checks:
        yield "check", f'no check is called "{check}"{suggestion(check, checks)}'
    try:
        date.fromisoformat(expires)
    except ValueError:
        yield "expires", f'"{expires}" is no day; write it as 2026-12-31'
