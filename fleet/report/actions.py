"""From the findings of a sweep to what a person reads: the same said once, and the commands to run next."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from fleet.model import Os, Outcome, ParamValue, Severity, Untrusted
from fleet.report.readiness import (
    WORST_SEVERITY_FIRST,
    Answer,
    Check,
    Finding,
    HostReadiness,
    Readiness,
    Verdict,
)

MOST_HOSTS_NAMED = 60
"""Hosts that a command names; more are selected as the sweep did, and a fix leaves alone what is well."""


@dataclass(frozen=True, slots=True)
class Group:
    """The same finding on several hosts; numbers in the messages may differ."""

    check: Check
    severity: Severity
    message: Untrusted
    """Of the first host."""
    alike: bool
    """Whether all hosts say exactly this."""
    hosts: tuple[str, ...]
    answers: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class GapGroup:
    """Hosts that are not known for the same reason; numbers in the messages may differ, as addresses do."""

    outcome: Outcome
    message: Untrusted
    """Of the first host."""
    alike: bool
    """Whether all hosts say exactly this."""
    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NextStep:
    """A command that answers findings."""

    runbook: str
    title: str
    words: tuple[str, ...]
    """The command line, not quoted."""
    hosts: tuple[str, ...]
    mends: bool


_NUMBER = re.compile(r"[0-9]+(?:[.,][0-9]+)*")


def groups(findings: Iterable[Finding]) -> list[Group]:
    """Fold findings that say the same but for their numbers; the worst first, then those of most hosts."""
    found: dict[tuple[str, Severity, Os, str], list[Finding]] = {}
    for finding in findings:
        key = (finding.check.name, finding.severity, finding.result.os, _but_for_numbers(finding.message))
        found.setdefault(key, []).append(finding)
    made = [
        Group(
            check=own[0].check,
            severity=own[0].severity,
            message=own[0].message,
            alike=len({finding.message.raw for finding in own}) == 1,
            hosts=tuple(finding.host for finding in own),
            answers=own[0].answers,
        )
        for own in found.values()
    ]
    return sorted(made, key=lambda each: (WORST_SEVERITY_FIRST.index(each.severity), -len(each.hosts)))


def gap_groups(hosts: Iterable[HostReadiness]) -> list[GapGroup]:
    """Fold hosts whose first gap says the same but for its numbers, those of most hosts first."""
    found: dict[tuple[Outcome, str], dict[str, Untrusted]] = {}
    for host in hosts:
        for gap in host.gaps[:1]:
            found.setdefault((gap.outcome, _but_for_numbers(gap.message)), {})[host.host] = gap.message
    made = [
        GapGroup(outcome, next(iter(own.values())), len(set(own.values())) == 1, tuple(own))
        for (outcome, _), own in found.items()
    ]
    return sorted(made, key=lambda each: -len(each.hosts))


def _but_for_numbers(message: Untrusted) -> str:
    return _NUMBER.sub("#", message.raw.split("\n", 1)[0])


def next_steps(ready: Readiness) -> tuple[NextStep, ...]:
    """One for each runbook that answers a finding that counts; the worst finding first, then what mends."""
    found: dict[str, tuple[Answer, dict[str, Severity], set[str]]] = {}
    for finding in ready.findings:
        if finding.answers:
            answer = finding.answers[0]
            _, hosts, waived = found.setdefault(answer.runbook, (answer, {}, set()))
            if finding.counts:
                hosts.setdefault(finding.host, finding.severity)
            else:
                waived.add(finding.host)
    steps = [
        (min(map(WORST_SEVERITY_FIRST.index, hosts.values())), _step(ready, answer, tuple(hosts), waived))
        for answer, hosts, waived in found.values()
        if hosts
    ]
    steps.sort(key=lambda pair: (pair[0], not pair[1].mends, -len(pair[1].hosts)))
    return tuple(step for _, step in steps)


def ask_again(ready: Readiness) -> NextStep | None:
    """The command that looks whether hosts that are not known can be reached now, if there are such."""
    lost = tuple(host.host for host in ready.hosts if host.verdict is Verdict.NOT_KNOWN)
    if not lost:
        return None
    named = len(lost) <= MOST_HOSTS_NAMED and len(lost) < len(ready.hosts)
    selection = ",".join(lost) if named else ready.limit
    words = ("fleet", "ping", *ready.reach, "-l", selection)
    return NextStep("", "Can they be reached now?", words, lost, mends=False)


def _step(ready: Readiness, answer: Answer, hosts: tuple[str, ...], waived: set[str]) -> NextStep:
    if not answer.mends:
        return NextStep(
            answer.runbook, answer.title, ("fleet", "explain", answer.runbook), hosts, mends=False
        )
    params = [word for item in answer.params.items() for word in ("-p", _assignment(*item))]
    selection = _selection(ready.limit, hosts, waived.difference(hosts))
    words = ("fleet", "fix", answer.runbook, *ready.reach, "-l", selection, *params)
    return NextStep(answer.runbook, answer.title, words, hosts, mends=True)


def _selection(limit: str, hosts: tuple[str, ...], waived: set[str]) -> str:
    if len(hosts) <= MOST_HOSTS_NAMED:
        return ",".join(hosts)
    return ":".join([limit, *(f"!{host}" for host in sorted(waived))])


def _assignment(name: str, value: ParamValue) -> str:
    if isinstance(value, bool):
        return f"{name}={'true' if value else 'false'}"
    return f"{name}={json.dumps(value) if isinstance(value, list | dict) else value}"
