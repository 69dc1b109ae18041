"""The verdicts of a sweep for programs: the part ``readiness`` of a run's document."""

from __future__ import annotations

from fleet.model import JsonValue
from fleet.report.actions import next_steps
from fleet.report.readiness import Finding, Gap, HostReadiness, Readiness, Waiver


def readiness_document(ready: Readiness) -> dict[str, JsonValue]:
    """Counts, the checks as they were used, each host with its reasons, waivers, the commands to run next."""
    return {
        "profile": ready.profile,
        "title": ready.title,
        "fail_on": ready.fail_on,
        "counts": {verdict.value: count for verdict, count in ready.counts.items()},
        "checks": [
            {
                "check": check.name,
                "title": check.title,
                "severity": check.severity.value,
                "params": dict(check.params),
            }
            for check in ready.checks.values()
        ],
        "hosts": [_host(host) for host in ready.hosts],
        "waivers": [_waiver(waiver, ready) for waiver in ready.waivers],
        "next": [
            {
                "runbook": step.runbook,
                "title": step.title,
                "command": list(step.words),
                "hosts": list(step.hosts),
                "mends": step.mends,
            }
            for step in next_steps(ready)
        ],
    }


def _host(host: HostReadiness) -> dict[str, JsonValue]:
    return {
        "host": host.host,
        "os": host.os.value,
        "zone": host.zone,
        "verdict": host.verdict.value,
        "findings": [_finding(finding) for finding in host.findings],
        "gaps": [_gap(gap) for gap in host.gaps],
        "skipped": [{"check": each.snippet, "reason": each.message.raw} for each in host.skipped],
        "passed": [each.snippet for each in host.passed],
    }


def _finding(finding: Finding) -> dict[str, JsonValue]:
    return {
        "check": finding.check.name,
        "severity": finding.severity.value,
        "message": finding.message.raw,
        "waived": None if finding.waiver is None else finding.waiver.place,
        "waiver_over": None if finding.expired is None else finding.expired.place,
        "runbooks": [answer.runbook for answer in finding.answers],
    }


def _gap(gap: Gap) -> dict[str, JsonValue]:
    return {"outcome": gap.outcome.value, "message": gap.message.raw, "checks": list(gap.checks)}


def _waiver(waiver: Waiver, ready: Readiness) -> dict[str, JsonValue]:
    return {
        "check": waiver.check,
        "hosts": waiver.pattern,
        "means": sorted(waiver.hosts),
        "owner": waiver.owner,
        "reason": waiver.reason,
        "expires": waiver.expires.isoformat(),
        "over": waiver.expires < ready.day,
        "place": waiver.place,
    }
