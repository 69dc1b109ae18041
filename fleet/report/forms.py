"""The forms in which a run is written, besides that for a terminal."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fleet.journal import Run

_MODULES = {
    "json": ("fleet.report.document", "to_json"),
    "ndjson": ("fleet.report.document", "run_to_ndjson"),
    "junit": ("fleet.report.junit", "to_junit"),
    "csv": ("fleet.report.csv", "to_csv"),
    "html": ("fleet.report.html", "to_html"),
    "markdown": ("fleet.report.markdown", "to_markdown"),
}
"""Imported when asked for: a template engine takes longer to load than most commands run."""

FORMS = tuple(_MODULES)

SUFFIXES = {
    ".json": "json",
    ".ndjson": "ndjson",
    ".xml": "junit",
    ".csv": "csv",
    ".html": "html",
    ".md": "markdown",
}
"""Which form a file is written in."""


def render(run: Run, form: str) -> str:
    """The run in this form, one of ``FORMS``."""
    module, name = _MODULES[form]
    renderer: Callable[[Run], str] = getattr(import_module(module), name)
    return renderer(run)
