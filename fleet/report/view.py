"""A run as hosts and rows, each with a tone: what HTML, Markdown, JUnit and CSV are drawn from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from fleet.engine.verdict import verdicts
from fleet.journal import Run
from fleet.model import Os, Outcome, Result, Severity, Untrusted
from fleet.report.readiness import Finding, Gap, HostReadiness, Readiness, Verdict, is_sweep, readiness


class Tone(StrEnum):
    """How much something matters, whatever its word; the worst first. Decides order, colour and pattern."""

    BAD = "bad"
    UNKNOWN = "unknown"
    HELD = "held"
    WARNING = "warning"
    NOTE = "note"
    WAIVED = "waived"
    SKIPPED = "skipped"
    GOOD = "good"

    @property
    def rank(self) -> int:
        """Position in the order above, 0 is the worst."""
        return _RANKS[self]


_RANKS = {tone: rank for rank, tone in enumerate(Tone)}

_OF_SEVERITY = {Severity.ERROR: Tone.BAD, Severity.WARNING: Tone.WARNING, Severity.INFO: Tone.NOTE}
_OF_VERDICT = {
    Verdict.NOT_READY: Tone.BAD,
    Verdict.NOT_KNOWN: Tone.UNKNOWN,
    Verdict.WARNINGS: Tone.WARNING,
    Verdict.READY: Tone.GOOD,
    Verdict.NOT_APPLICABLE: Tone.SKIPPED,
}
_OF_OUTCOME = {
    Outcome.FAILED: Tone.BAD,
    Outcome.HELD: Tone.HELD,
    Outcome.SKIPPED: Tone.SKIPPED,
    Outcome.OK: Tone.GOOD,
    Outcome.CHANGED: Tone.GOOD,
}


@dataclass(frozen=True, slots=True)
class HostView:
    """A host and the word about it: a verdict of a sweep, otherwise an outcome."""

    name: str
    os: Os
    zone: str
    """Failure domain; empty where the inventory names none."""
    word: str
    tone: Tone
    simulated: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One result; or what stands for those that never came, which then has no snippet or no time."""

    result: Result
    zone: str
    host_word: str
    severity: Severity | None
    """That of a check that failed; it may be milder than what the check is declared with."""
    tone: Tone
    left_to_do: bool
    """Whether somebody has to look at it."""
    finding: Finding | None = None
    answered: bool = True

    @property
    def word(self) -> str:
        """The outcome for people."""
        waived = " (waived)" if self.tone is Tone.WAIVED else ""
        return self.result.outcome.value.replace("_", " ") + waived


@dataclass(frozen=True, slots=True)
class View:
    """A run, the readiness it says where it was a sweep, its hosts and rows in the order of the inventory."""

    run: Run
    ready: Readiness | None
    hosts: tuple[HostView, ...]
    rows: tuple[Row, ...]

    @property
    def planned(self) -> bool:
        """Whether the run only made a plan: ``changed`` means ``to do`` then."""
        return bool(self.run.header.get("planned"))


def view(run: Run) -> View:
    """Lay a run out."""
    if is_sweep(run):
        ready = readiness(run)
        hosts = tuple(_of_readiness(host) for host in ready.hosts)
        rows = _sweep_rows(run, ready, hosts)
    else:
        ready = None
        hosts = tuple(_of_words(run))
        rows = _plain_rows(run, hosts)
    return View(run, ready, hosts, tuple(rows))


def outcome_tone(outcome: Outcome) -> Tone:
    """How much an outcome matters where nothing more is known."""
    return _OF_OUTCOME.get(outcome, Tone.UNKNOWN)


def severity_tone(severity: Severity) -> Tone:
    """How much a finding of this severity matters."""
    return _OF_SEVERITY[severity]


def verdict_tone(verdict: Verdict) -> Tone:
    """How much a verdict matters."""
    return _OF_VERDICT[verdict]


def _of_readiness(host: HostReadiness) -> HostView:
    tone = verdict_tone(host.verdict)
    return HostView(host.host, host.os, host.zone or "", host.verdict.words, tone, host.simulated)


def _of_words(run: Run) -> Iterator[HostView]:
    zones: Mapping[str, str] = run.header.get("zones", {})
    simulated = {result.host for result in run.results if result.simulated}
    for name, outcome in verdicts(run.targets, run.results).items():
        word = outcome.value.replace("_", " ")
        tone = outcome_tone(outcome)
        yield HostView(name, run.targets[name], zones.get(name, ""), word, tone, name in simulated)


def _by_host(run: Run) -> dict[str, list[Result]]:
    by_host: dict[str, list[Result]] = {name: [] for name in run.targets}
    for result in run.results:
        by_host[result.host].append(result)
    for own in by_host.values():
        own.sort(key=lambda result: result.step)
    return by_host


def _sweep_rows(run: Run, ready: Readiness, hosts: Iterable[HostView]) -> Iterator[Row]:
    by_host = _by_host(run)
    for host, shown in zip(ready.hosts, hosts, strict=True):
        findings = {id(finding.result): finding for finding in host.findings}
        own = by_host[host.host]
        for result in own:
            yield _sweep_row(result, shown, findings.get(id(result)))
        answered = {result.snippet for result in own}
        for gap in host.gaps:
            if not answered.intersection(gap.checks[:1]):
                yield _missing(run, shown, gap)


def _sweep_row(result: Result, host: HostView, finding: Finding | None) -> Row:
    if finding is None:
        tone, severity = outcome_tone(result.outcome), None
    else:
        severity = finding.severity
        tone = _OF_SEVERITY[severity] if finding.counts else Tone.WAIVED
    left = tone.rank <= Tone.WARNING.rank
    return Row(result, host.zone, host.word, severity, tone, left, finding)


def _plain_rows(run: Run, hosts: Iterable[HostView]) -> Iterator[Row]:
    by_host = _by_host(run)
    planned = bool(run.header.get("planned"))
    for host in hosts:
        own = by_host[host.name]
        last_act = max((result.step for result in own if result.phase in {"act", "try"}), default=0)
        for result in own:
            tone = _tone(result, last_act)
            to_do = planned and result.outcome is Outcome.CHANGED
            failed = result.outcome is Outcome.FAILED and not _only_a_reason(result, last_act)
            left = to_do or failed or tone.rank <= Tone.HELD.rank
            severity = result.severity if result.outcome is Outcome.FAILED else None
            yield Row(result, host.zone, host.word, severity, tone, left)
        if not own:
            yield _missing(run, host, Gap(Outcome.NOT_RUN, Untrusted("not started"), ()))


def _tone(result: Result, last_act: int) -> Tone:
    if result.outcome is Outcome.FAILED and result.phase in {"look", "verify"}:
        reason = _only_a_reason(result, last_act)
        return Tone.NOTE if reason else _OF_SEVERITY[result.severity or Severity.ERROR]
    return outcome_tone(result.outcome)


def _only_a_reason(result: Result, last_act: int) -> bool:
    """Whether a check that failed was answered by a remedy after it: then it is not what is left to do."""
    return result.phase in {"look", "verify"} and result.step < last_act


def _missing(run: Run, host: HostView, gap: Gap) -> Row:
    """A row for a host or check that nothing was recorded about."""
    result = Result(
        host=host.name,
        os=host.os,
        step=0,
        snippet=gap.checks[0] if gap.checks else "",
        outcome=gap.outcome,
        message=gap.message,
        started=run.started,
        seconds=0.0,
    )
    return Row(result, host.zone, host.word, None, outcome_tone(gap.outcome), left_to_do=True, answered=False)


def worst_first(rows: Sequence[Row]) -> list[Row]:
    """Rows by how much they matter, otherwise in the order of the inventory."""
    return sorted(rows, key=lambda row: (not row.left_to_do, row.tone.rank))
