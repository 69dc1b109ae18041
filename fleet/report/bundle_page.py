"""The index of an archive of collected files: one HTML page without script, network or other file.

It shows what there is and the end of every text, so that a case can be looked at without unpacking it. What
guests wrote is escaped by the template and is never markup.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2

from fleet.model import printable
from fleet.report.sizes import in_bytes

_FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Row:
    """A file."""

    name: str
    origin: str
    size: int
    notes: Sequence[str]
    tail: str | None
    """The end of its text, where it is shown."""


@dataclass(frozen=True, slots=True)
class Sign:
    """A known sign of a fault."""

    what: str
    times: int
    file: str
    first: str
    runbook: str


@dataclass(frozen=True, slots=True)
class HostPart:
    """What there is of one host."""

    name: str
    files: Sequence[Row]
    missing: Sequence[tuple[str, str]]
    """Origin and reason."""
    signs: Sequence[Sign]


@dataclass(frozen=True, slots=True)
class Page:
    """All that the index shows."""

    run: str
    created: str
    level: str
    replaced: Mapping[str, int]
    partial: str | None
    hosts: Sequence[HostPart]


def to_html(page: Page) -> str:
    """The index as text."""
    style = (_FOLDER / "page.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["printable"] = printable
    environment.filters["bytes"] = in_bytes
    return environment.get_template("bundle_page.html.j2").render(
        page=page,
        style=style,
        policy=f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'",
        files=sum(len(host.files) for host in page.hosts),
        size=sum(row.size for host in page.hosts for row in host.files),
        missing=sum(len(host.missing) for host in page.hosts),
    )
