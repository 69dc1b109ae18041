"""What a sweep says: a verdict for each host with its reasons. Pure: from a run to values.

Everything comes out of the journal. The head of a sweep holds the profile as it was used, the runbooks
that answer its checks and the waivers in force, so that a report drawn later says the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Literal

from fleet.engine.verdict import EXIT_FAILED, EXIT_FINE, EXIT_HELD, EXIT_NOT_KNOWN
from fleet.errors import UsageError
from fleet.journal import Run
from fleet.model import JsonValue, Os, Outcome, ParamValue, Result, Severity, Untrusted

WORST_SEVERITY_FIRST = (Severity.ERROR, Severity.WARNING, Severity.INFO)


FailOn = Literal["error", "warning", "never"]
"""The mildest severity of a finding that makes the exit code 1; never: it is 0 whatever was found."""


class Verdict(StrEnum):
    """The word about one host, the worst first."""

    NOT_READY = "not_ready"
    """At least one finding of severity error that no waiver covers."""
    NOT_KNOWN = "not_known"
    """Nothing is known to be wrong, but a check has not answered: never ready."""
    WARNINGS = "ready_with_warnings"
    READY = "ready"
    NOT_APPLICABLE = "not_applicable"
    """Every check was skipped: nothing of the profile is there to be looked at."""

    @property
    def words(self) -> str:
        """For people."""
        return self.value.replace("_", " ")


@dataclass(frozen=True, slots=True)
class Answer:
    """A runbook that answers a check."""

    runbook: str
    title: str
    os: Os | None
    """None: both."""
    mends: bool
    """Whether it has something to do in the guest; otherwise it only explains."""
    params: Mapping[str, ParamValue]
    """What its own check has to be told so that it finds what the sweep found."""


@dataclass(frozen=True, slots=True)
class Check:
    """A check as the sweep used it."""

    name: str
    title: str
    severity: Severity
    params: Mapping[str, ParamValue]
    answers: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class Waiver:
    """An entry of the waivers file: who takes the risk of a finding on some hosts, why, and until when."""

    check: str
    pattern: str
    """Hosts as the file writes them."""
    hosts: frozenset[str]
    """Those of the inventory that it meant at the time of the sweep."""
    owner: str
    reason: str
    expires: date
    """The last day on which it holds."""
    place: str
    """File and line."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A check that failed on a host."""

    result: Result
    check: Check
    severity: Severity
    waiver: Waiver | None = None
    """The one that covers it: then it counts for nothing."""
    expired: Waiver | None = None
    """One that covered it once."""

    @property
    def host(self) -> str:
        """Name of the host."""
        return self.result.host

    @property
    def message(self) -> Untrusted:
        """What the check said."""
        return self.result.message

    @property
    def counts(self) -> bool:
        """Whether no waiver covers it."""
        return self.waiver is None

    @property
    def answers(self) -> tuple[Answer, ...]:
        """Runbooks for the host's system, those first that can mend it in the guest."""
        own = (each for each in self.check.answers if each.os in {None, self.result.os})
        return tuple(sorted(own, key=lambda each: not each.mends))


@dataclass(frozen=True, slots=True)
class Gap:
    """A check that gave no answer, and why."""

    outcome: Outcome
    message: Untrusted
    checks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HostReadiness:
    """One host: its verdict and the reasons for it."""

    host: str
    os: Os
    zone: str | None
    verdict: Verdict
    findings: tuple[Finding, ...]
    """The worst first, those with a waiver among them."""
    gaps: tuple[Gap, ...]
    skipped: tuple[Result, ...]
    passed: tuple[Result, ...]
    simulated: bool = False
    """Whether an answer came from a model of a guest."""

    @property
    def by_waiver(self) -> bool:
        """Whether only waivers keep it from being worse."""
        return any(not finding.counts for finding in self.findings)


@dataclass(frozen=True, slots=True)
class Readiness:
    """What a sweep says about all its hosts."""

    run_id: str
    command: str
    profile: str
    title: str
    started: datetime
    finished: datetime | None
    interrupted: bool
    checks: Mapping[str, Check]
    hosts: tuple[HostReadiness, ...]
    """In the order of the inventory."""
    waivers: tuple[Waiver, ...]
    reach: tuple[str, ...]
    """Options of the command line that a next command needs too: inventories, script folders."""
    limit: str
    """The selection of the sweep."""
    fail_on: FailOn = "error"
    certificate_not_verified: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[Verdict, int]:
        """Hosts by verdict, the worst first, zeros left out; their sum is the number of hosts."""
        tally = Counter(host.verdict for host in self.hosts)
        return {verdict: tally[verdict] for verdict in Verdict if tally[verdict]}

    @property
    def day(self) -> date:
        """The day (UTC) that decides which waivers hold."""
        return self.started.date()

    @property
    def findings(self) -> Iterable[Finding]:
        """All of them, host by host."""
        return (finding for host in self.hosts for finding in host.findings)

    @property
    def expired(self) -> tuple[Waiver, ...]:
        """Waivers that hold no longer, whether or not their finding is still there."""
        return tuple(waiver for waiver in self.waivers if waiver.expires < self.day)

    @property
    def without_hosts(self) -> tuple[Waiver, ...]:
        """Waivers whose pattern means no host of the inventory."""
        return tuple(waiver for waiver in self.waivers if not waiver.hosts)


def readiness(run: Run) -> Readiness:
    """Draw a sweep's verdicts from its run; a run of a single check is taken as a sweep of one.

    Raises ``UsageError`` for a run that did more than look.
    """
    head = run.header.get("sweep") or _as_sweep(run)
    checks = {each["check"]: _check(each) for each in head["checks"]}
    waivers = tuple(_waiver(each) for each in head["waivers"])
    return Readiness(
        run_id=run.id,
        command=str(run.header["command"]),
        profile=head["profile"],
        title=head["title"],
        started=run.started,
        finished=run.finished,
        interrupted=run.interrupted,
        checks=checks,
        hosts=tuple(_hosts(run, checks, waivers, head["zones"])),
        waivers=waivers,
        reach=tuple(head["reach"]),
        limit=head["limit"],
        fail_on=head["fail_on"],
        certificate_not_verified=tuple(run.header.get("certificate_not_verified", ())),
    )


def is_sweep(run: Run) -> bool:
    """Whether the run was made by ``fleet sweep``."""
    return "sweep" in run.header


def _as_sweep(run: Run) -> dict[str, JsonValue]:
    if run.header.get("planned") or run.applied or any(result.phase != "look" for result in run.results):
        raise UsageError(f"run {run.id} is no sweep, it says nothing about readiness: fleet report {run.id}")
    seen = {result.snippet: (result.severity or Severity.ERROR).value for result in run.results}
    title = str(run.header.get("title", ""))
    return {
        "profile": str(run.header.get("name", "")),
        "title": title,
        "checks": [
            {"check": name, "title": title, "severity": severity, "params": {}, "answers": []}
            for name, severity in seen.items()
        ],
        "waivers": [],
        "zones": {},
        "reach": [],
        "limit": "all",
        "fail_on": "error",
    }


def _check(each: Mapping[str, JsonValue]) -> Check:
    answers = tuple(
        Answer(
            runbook=answer["runbook"],
            title=answer["title"],
            os=None if answer["os"] is None else Os(answer["os"]),
            mends=answer["mends"],
            params=answer["params"],
        )
        for answer in each["answers"]
    )
    return Check(each["check"], each["title"], Severity(each["severity"]), each["params"], answers)


def _waiver(each: Mapping[str, JsonValue]) -> Waiver:
    return Waiver(
        check=each["check"],
        pattern=each["pattern"],
        hosts=frozenset(each["hosts"]),
        owner=each["owner"],
        reason=each["reason"],
        expires=date.fromisoformat(each["expires"]),
        place=each["place"],
    )


def _hosts(
    run: Run, checks: Mapping[str, Check], waivers: Sequence[Waiver], zones: Mapping[str, str]
) -> Iterable[HostReadiness]:
    by_host: dict[str, list[Result]] = {name: [] for name in run.targets}
    for result in run.results:
        by_host[result.host].append(result)
    by_check: dict[str, list[Waiver]] = {}
    for waiver in waivers:
        by_check.setdefault(waiver.check, []).append(waiver)
    day = run.started.date()
    for name, os in run.targets.items():
        results = by_host[name]
        findings = sorted(
            (
                _finding(result, checks[result.snippet], by_check.get(result.snippet, ()), day)
                for result in results
                if result.outcome is Outcome.FAILED
            ),
            key=lambda finding: (not finding.counts, WORST_SEVERITY_FIRST.index(finding.severity)),
        )
        gaps = tuple(_gaps(results, checks, ended=run.finished is not None and not run.interrupted))
        passed = tuple(result for result in results if result.outcome is Outcome.OK)
        yield HostReadiness(
            host=name,
            os=os,
            zone=zones.get(name),
            verdict=_verdict(findings, gaps, passed),
            findings=tuple(findings),
            gaps=gaps,
            skipped=tuple(result for result in results if result.outcome is Outcome.SKIPPED),
            passed=passed,
            simulated=any(result.simulated for result in results),
        )


def _finding(result: Result, check: Check, waivers: Iterable[Waiver], day: date) -> Finding:
    own = [waiver for waiver in waivers if result.host in waiver.hosts]
    valid = next((waiver for waiver in own if waiver.expires >= day), None)
    expired = None if valid else max(own, key=lambda waiver: waiver.expires, default=None)
    return Finding(result, check, _severity(result, check), valid, expired)


def _severity(result: Result, check: Check) -> Severity:
    """That of the profile; a check with two thresholds says in ``data.severity`` that it is less bad."""
    severity = result.severity or check.severity
    said = result.data.get("severity")
    milder = WORST_SEVERITY_FIRST[WORST_SEVERITY_FIRST.index(severity) :]
    return next((each for each in milder if each.value == said), severity)


def _gaps(results: Sequence[Result], checks: Mapping[str, Check], *, ended: bool) -> Iterable[Gap]:
    """Answers that are missing; what follows a lost connection is part of the same gap."""
    answered = {result.snippet for result in results}
    unanswered = tuple(name for name in checks if name not in answered)
    for result in results:
        if result.outcome.truth_missing or result.outcome is Outcome.HELD:
            yield Gap(result.outcome, result.message, (result.snippet, *unanswered))
            unanswered = ()
    if unanswered or not results:
        reason = "fleet gave no answer of it" if ended else "the sweep was ended before it"
        yield Gap(Outcome.NOT_RUN, Untrusted(reason), unanswered)


def _verdict(findings: Iterable[Finding], gaps: Sequence[Gap], passed: Sequence[Result]) -> Verdict:
    counting = {finding.severity for finding in findings if finding.counts}
    if Severity.ERROR in counting:
        return Verdict.NOT_READY
    if gaps:
        return Verdict.NOT_KNOWN
    if Severity.WARNING in counting:
        return Verdict.WARNINGS
    return Verdict.READY if passed or findings else Verdict.NOT_APPLICABLE


def exit_code(ready: Readiness) -> int:
    """0, 1, 3 or 4; where several apply 3 wins, then 1, then 4."""
    if ready.fail_on == "never":
        return EXIT_FINE
    gaps = {gap.outcome for host in ready.hosts for gap in host.gaps}
    if gaps - {Outcome.HELD}:
        return EXIT_NOT_KNOWN
    failing = WORST_SEVERITY_FIRST[: 1 if ready.fail_on == "error" else 2]
    if any(finding.counts and finding.severity in failing for finding in ready.findings):
        return EXIT_FAILED
    return EXIT_HELD if gaps else EXIT_FINE
