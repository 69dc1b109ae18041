"""Results as JSON values and back: the one place that knows both forms.

Used by the journal, by every machine-readable report and by saved plans, so that they agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from fleet.model import JsonValue, Os, Outcome, Result, Risk, Severity, Untrusted


def instant(moment: datetime) -> str:
    """UTC, to the millisecond: ``2026-11-21T02:31:07.123Z``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_instant(text: str) -> datetime:
    """The moment that ``instant`` wrote."""
    return datetime.fromisoformat(text)


def result_to_json(result: Result) -> dict[str, JsonValue]:
    """A result in the published form of ``fleet.run/1``."""
    document: dict[str, JsonValue] = {
        "host": result.host,
        "os": result.os.value,
        "step": result.step,
        "phase": result.phase,
        "snippet": result.snippet,
        "outcome": result.outcome.value,
        "message": result.message.raw,
        "data": dict(result.data),
    }
    if result.risk is not None:
        document["risk"] = result.risk.value
    if result.severity is not None:
        document["severity"] = result.severity.value
    document |= {
        "started": instant(result.started),
        "seconds": round(result.seconds, 3),
        "attempt": result.attempt,
        "log": result.log.raw,
        "truncated": result.truncated,
    }
    return document


def result_from_json(document: Mapping[str, Any]) -> Result:
    """The result that ``result_to_json`` wrote; raises KeyError or ValueError on anything else."""
    risk, severity = document.get("risk"), document.get("severity")
    return Result(
        host=document["host"],
        os=Os(document["os"]),
        step=document["step"],
        phase=document["phase"],
        snippet=document["snippet"],
        outcome=Outcome(document["outcome"]),
        message=Untrusted(document["message"]),
        data=document["data"],
        risk=None if risk is None else Risk(risk),
        severity=None if severity is None else Severity(severity),
        started=parse_instant(document["started"]),
        seconds=document["seconds"],
        attempt=document["attempt"],
        log=Untrusted(document["log"]),
        truncated=document["truncated"],
    )
