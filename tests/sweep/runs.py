"""Runs of sweeps as the journal gives them, made without a sweep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from fleet.journal import Run
from fleet.model import JsonValue, Os, Outcome, Result, Severity, Untrusted

STARTED = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)

DISK: dict[str, JsonValue] = {
    "check": "disk-space",
    "title": "Enough space is free",
    "severity": "error",
    "params": {"min_free": 10},
    "answers": [
        {"runbook": "disk-full", "title": "A disk is full", "os": None, "mends": True, "params": {}},
    ],
}
CLOCK: dict[str, JsonValue] = {
    "check": "clock",
    "title": "The clock is right",
    "severity": "warning",
    "params": {},
    "answers": [
        {"runbook": "clock-wrong", "title": "The clock is off", "os": None, "mends": False, "params": {}},
    ],
}
VERBOSE: dict[str, JsonValue] = {
    "check": "verbose",
    "title": "No debug log",
    "severity": "info",
    "params": {},
    "answers": [],
}
CHECKS = (DISK, CLOCK, VERBOSE)


def waiver(check: str, *hosts: str, expires: str = "2026-12-31") -> dict[str, JsonValue]:
    return {
        "check": check,
        "pattern": ",".join(hosts),
        "hosts": list(hosts),
        "owner": "dba-team",
        "reason": "the disk is replaced in December",
        "expires": expires,
        "place": "waivers.yaml:1",
    }


def result(host: str, check: str, outcome: Outcome, message: str = "", **more: Any) -> Result:
    severity = {each["check"]: Severity(each["severity"]) for each in CHECKS}.get(check, Severity.ERROR)
    given = {
        "host": host,
        "os": Os.LINUX,
        "step": 1,
        "snippet": check,
        "outcome": outcome,
        "message": Untrusted(message),
        "started": STARTED,
        "seconds": 0.2,
        "severity": severity,
    }
    return Result(**{**given, **more})


def sweep_run(
    hosts: Mapping[str, Sequence[Result]],
    *,
    checks: Sequence[Mapping[str, JsonValue]] = CHECKS,
    waivers: Sequence[Mapping[str, JsonValue]] = (),
    zones: Mapping[str, str] | None = None,
    run_id: str = "20261121-2000-b7",
    **more: Any,
) -> Run:
    """The run of a sweep: for each host its results, which may be none."""
    head = {
        "profile": "azure-vm",
        "title": "Azure VM backup",
        "checks": [dict(each) for each in checks],
        "waivers": [dict(each) for each in waivers],
        "zones": dict(zones or {}),
        "reach": ["-i", "prod.yaml"],
        "limit": "all",
        "fail_on": "error",
    }
    header = {"command": "fleet sweep -i prod.yaml", "started": "2026-11-21T20:00:00.000Z", "sweep": head}
    header |= {"name": "azure-vm", "title": "Azure VM backup", "catalogue": "c" * 64, "inventory": "d" * 64}
    given: dict[str, Any] = {
        "id": run_id,
        "header": header,
        "targets": dict.fromkeys(hosts, Os.LINUX),
        "results": tuple(each for results in hosts.values() for each in results),
        "finished": STARTED + timedelta(seconds=38),
        "interrupted": False,
    }
    return Run(**{**given, **more})
