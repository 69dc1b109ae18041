"""Two sweeps side by side: what is new, what was fixed, what is still there, which hosts came or went."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fleet.model import JsonValue, Severity
from fleet.report.readiness import WORST_SEVERITY_FIRST, Finding, HostReadiness, Readiness

SCHEMA = "fleet.diff/1"

Key = tuple[str, str]
"""Host and check."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changed from one sweep to another."""

    before: Readiness
    after: Readiness
    new: tuple[Finding, ...]
    """Findings that count now and did not before, or are of a worse severity; of the later sweep."""
    still: tuple[Finding, ...]
    """Of the later sweep."""
    fixed: tuple[Finding, ...]
    """Findings of the earlier sweep whose check says now that all is well, or does not apply any more."""
    waived: tuple[Finding, ...]
    """Findings of the later sweep that counted before and have a waiver now."""
    lost: tuple[HostReadiness, ...]
    """Hosts that are not wholly known now and were before; of the later sweep."""
    back: tuple[HostReadiness, ...]
    """Hosts that are wholly known again; of the later sweep."""
    came: tuple[HostReadiness, ...]
    went: tuple[HostReadiness, ...]

    @property
    def worse(self) -> bool:
        """Whether there is a new finding that is more than a note, or a host is known no longer."""
        return bool(self.lost) or any(finding.severity is not Severity.INFO for finding in self.new)


def compare(before: Readiness, after: Readiness) -> Comparison:
    """Compare two sweeps; a finding that nobody could look at again is neither fixed nor still there."""
    old, now = _hosts(before), _hosts(after)
    counted, counts = _counting(before), _counting(after)
    fine = {(host.host, result.snippet) for host in after.hosts for result in (*host.passed, *host.skipped)}
    both = [name for name in now if name in old]
    return Comparison(
        before=before,
        after=after,
        new=tuple(each for key, each in counts.items() if _got_worse(each, counted.get(key))),
        still=tuple(
            each for key, each in counts.items() if key in counted and not _got_worse(each, counted[key])
        ),
        fixed=tuple(each for key, each in counted.items() if key in fine),
        waived=tuple(
            each for each in after.findings if not each.counts and (each.host, each.check.name) in counted
        ),
        lost=tuple(now[name] for name in both if now[name].gaps and not old[name].gaps),
        back=tuple(now[name] for name in both if old[name].gaps and not now[name].gaps),
        came=tuple(host for name, host in now.items() if name not in old),
        went=tuple(host for name, host in old.items() if name not in now),
    )


def _hosts(ready: Readiness) -> dict[str, HostReadiness]:
    return {host.host: host for host in ready.hosts}


def _counting(ready: Readiness) -> dict[Key, Finding]:
    return {(each.host, each.check.name): each for each in ready.findings if each.counts}


def _got_worse(finding: Finding, before: Finding | None) -> bool:
    if before is None:
        return True
    return WORST_SEVERITY_FIRST.index(finding.severity) < WORST_SEVERITY_FIRST.index(before.severity)


def document(comparison: Comparison) -> dict[str, JsonValue]:
    """The comparison for programs."""
    return {
        "schema": SCHEMA,
        "before": comparison.before.run_id,
        "after": comparison.after.run_id,
        "worse": comparison.worse,
        "new": _findings(comparison.new),
        "still": _findings(comparison.still),
        "fixed": _findings(comparison.fixed),
        "waived": _findings(comparison.waived),
        "lost": [host.host for host in comparison.lost],
        "back": [host.host for host in comparison.back],
        "came": [host.host for host in comparison.came],
        "went": [host.host for host in comparison.went],
    }


def _findings(findings: Iterable[Finding]) -> list[dict[str, JsonValue]]:
    return [
        {
            "host": each.host,
            "check": each.check.name,
            "severity": each.severity.value,
            "message": each.message.raw,
        }
        for each in findings
    ]
