"""The machine-readable forms of a run: one JSON document, or one JSON line a result."""

from __future__ import annotations

import json
from collections.abc import Iterable

from fleet.codec import instant, result_to_json
from fleet.engine.verdict import counts, verdicts
from fleet.journal import Run
from fleet.model import JsonValue, Result
from fleet.report.readiness import is_sweep, readiness
from fleet.report.readiness_document import readiness_document

SCHEMA = "fleet.run/1"


def run_document(run: Run) -> dict[str, JsonValue]:
    """A run in the published form ``fleet.run/1``; a sweep has its verdicts in it as ``readiness``.

    The schema is ``docs/schemas/run.schema.json``.
    """
    words = verdicts(run.targets, run.results)
    document: dict[str, JsonValue] = {
        "schema": SCHEMA,
        "run": {
            "id": run.id,
            "command": run.header["command"],
            "started": instant(run.started),
            "finished": None if run.finished is None else instant(run.finished),
            "interrupted": run.interrupted,
            "catalogue": run.header["catalogue"],
            "inventory": run.header["inventory"],
            "counts": {"targets": len(run.targets), **counts(words)},
            "hosts": {name: word.value for name, word in words.items()},
            "zones": run.header.get("zones", {}),
            "certificate_not_verified": run.header.get("certificate_not_verified", []),
        },
        "results": [result_to_json(result) for result in run.results],
    }
    if collected := run.header.get("collect"):
        document["run"]["collect"] = collected
    if is_sweep(run):
        document["readiness"] = readiness_document(readiness(run))
    return document


def to_json(run: Run) -> str:
    """The document as text, ASCII, with a final newline."""
    return json.dumps(run_document(run), indent=2) + "\n"


def run_to_ndjson(run: Run) -> str:
    """The results of a run, one a line."""
    return to_ndjson(run.results)


def to_ndjson(results: Iterable[Result]) -> str:
    """One result a line, ASCII."""
    return "".join(ndjson_line(result) for result in results)


def ndjson_line(result: Result) -> str:
    """One result as a line."""
    return json.dumps(result_to_json(result), separators=(",", ":")) + "\n"
