"""What a run comes to, in few words: what HTML and Markdown say before the single results."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from fleet.codec import instant
from fleet.model import printable
from fleet.report.actions import GapGroup, Group, ask_again, gap_groups, groups, next_steps
from fleet.report.fold import fold
from fleet.report.readiness import Readiness, Waiver
from fleet.report.terminal import PLANNED, host_lines
from fleet.report.view import HostView, Tone, View, outcome_tone, severity_tone, verdict_tone

MOST_GROUPS = 100
MOST_HOSTS_TEXT = 4_000
"""Characters of folded host names."""
_PATTERN = 120


@dataclass(frozen=True, slots=True)
class Count:
    """So many hosts are this."""

    word: str
    tone: Tone
    number: int


@dataclass(frozen=True, slots=True)
class Told:
    """Hosts that say the same. All texts are printable; those of guests are still hostile as markup."""

    tone: Tone
    word: str
    """``error``, ``unreachable``, ``failed`` …"""
    subject: str
    """Check, or empty."""
    message: str
    alike: bool
    """Whether all hosts say exactly this; otherwise the numbers differ."""
    hosts: str
    """Folded."""
    number: int
    runbook: str


@dataclass(frozen=True, slots=True)
class Next:
    """A command to run next."""

    title: str
    command: str
    number: int
    """Hosts that it is about."""


@dataclass(frozen=True, slots=True)
class Summary:
    """The beginning of a report."""

    title: str
    verdict: str
    """The identity: ``480 hosts = 20 not ready + 460 ready``."""
    facts: tuple[tuple[str, str], ...]
    notices: tuple[str, ...]
    """What must not be overlooked: cut short, not verified, simulated, expired."""
    counts: tuple[Count, ...]
    told: tuple[Told, ...]
    untold: int
    """Groups that were left out."""
    waivers: tuple[str, ...]
    """Those in force, a line each."""
    next: tuple[Next, ...]
    outside: tuple[str, ...]
    """What is to be done outside the guests."""


def summary(shown: View) -> Summary:
    """Sum a run up."""
    ready = shown.ready
    told = list(_told_of_sweep(ready) if ready else _told_of_run(shown))
    told.sort(key=lambda each: (each.tone.rank, -each.number))
    counts = _counts(shown)
    return Summary(
        title=_title(shown),
        verdict=_identity(len(shown.hosts), counts),
        facts=tuple(_facts(shown)),
        notices=tuple(_notices(shown)),
        counts=counts,
        told=tuple(told[:MOST_GROUPS]),
        untold=max(0, len(told) - MOST_GROUPS),
        waivers=tuple(_in_force(ready)) if ready else (),
        next=tuple(_next(ready)) if ready else (),
        outside=tuple(map(printable, shown.run.header.get("outside", ()))),
    )


def hosts_word(number: int) -> str:
    """``1 host``, ``2 hosts``."""
    return f"{number} host" if number == 1 else f"{number} hosts"


def folded(hosts: Iterable[str]) -> str:
    """Host names folded, printable, cut where there are too many."""
    text = printable(fold(hosts))
    if len(text) <= MOST_HOSTS_TEXT:
        return text
    return text[:MOST_HOSTS_TEXT].rsplit(" ", 1)[0] + " …"


def _title(shown: View) -> str:
    header = shown.run.header
    what = str(header.get("title") or header.get("name") or "Run")
    return printable(f"Readiness: {what}" if shown.ready else what)


def _facts(shown: View) -> Iterator[tuple[str, str]]:
    run = shown.run
    yield "Run", run.id
    yield "Command", printable(str(run.header["command"]))
    if shown.ready:
        yield "Profile", printable(shown.ready.profile)
    yield "Started", _time(instant(run.started))
    yield "Finished", "not" if run.finished is None else _time(instant(run.finished))
    for key, label in (("operator", "Operator"), ("fleet", "fleet version")):
        if run.header.get(key):
            yield label, printable(str(run.header[key]))
    for key, label in (("catalogue", "Catalogue"), ("inventory", "Inventory")):
        if run.header.get(key):
            yield label, f"SHA-256 {printable(str(run.header[key]))[:16]}…"


def _time(moment: str) -> str:
    return f"{moment[:10]} {moment[11:19]} UTC"


def _notices(shown: View) -> Iterator[str]:
    run = shown.run
    if run.finished is None:
        yield "This run did not end by itself; what was sent without an answer is unknown."
    elif run.interrupted:
        yield "This run was interrupted; what was not started is not run."
    if shown.planned:
        yield "This is a plan: nothing was changed."
    if unverified := run.header.get("certificate_not_verified"):
        yield f"Certificates were NOT verified on: {folded(unverified)}"
    if simulated := [host.name for host in shown.hosts if host.simulated]:
        yield f"Simulated, no real guest: {folded(simulated)}"
    for waiver in shown.ready.expired if shown.ready else ():
        yield f"Waiver expired and counts no longer: {_words(waiver)}"
    for waiver in shown.ready.without_hosts if shown.ready else ():
        yield f"Waiver means no host of the inventory: {_words(waiver)}"


def _words(waiver: Waiver) -> str:
    pattern = waiver.pattern if len(waiver.pattern) <= _PATTERN else waiver.pattern[:_PATTERN] + "…"
    until = f"until {waiver.expires}, {waiver.owner}: {waiver.reason} ({waiver.place})"
    return printable(f"{waiver.check} on {pattern}, {until}")


def _in_force(ready: Readiness) -> Iterator[str]:
    used: dict[Waiver, list[str]] = {}
    for finding in ready.findings:
        if finding.waiver:
            used.setdefault(finding.waiver, []).append(finding.host)
    for waiver, hosts in used.items():
        yield f"{_words(waiver)} - covers {folded(hosts)}"


def _counts(shown: View) -> tuple[Count, ...]:
    if shown.ready:
        return tuple(
            Count(verdict.words, verdict_tone(verdict), number)
            for verdict, number in shown.ready.counts.items()
        )
    found: dict[tuple[str, Tone], int] = {}
    for host in shown.hosts:
        found[host.word, host.tone] = found.get((host.word, host.tone), 0) + 1
    ordered = sorted(found.items(), key=lambda item: item[0][1].rank)
    names = {outcome.value: name for outcome, name in PLANNED.items()} if shown.planned else {}
    return tuple(Count(names.get(word, word), tone, number) for (word, tone), number in ordered)


def _identity(total: int, counts: Iterable[Count]) -> str:
    return f"{hosts_word(total)} = " + " + ".join(f"{each.number} {each.word}" for each in counts)


def _told_of_sweep(ready: Readiness) -> Iterator[Told]:
    for group in groups(finding for finding in ready.findings if finding.counts):
        yield _finding(group)
    for gap in gap_groups(ready.hosts):
        yield _gap(gap)


def _finding(group: Group) -> Told:
    return Told(
        tone=severity_tone(group.severity),
        word=group.severity.value,
        subject=group.check.name,
        message=_first_line(str(group.message)) or group.check.title,
        alike=group.alike,
        hosts=folded(group.hosts),
        number=len(group.hosts),
        runbook=group.answers[0].runbook if group.answers else "",
    )


def _gap(gap: GapGroup) -> Told:
    return Told(
        tone=outcome_tone(gap.outcome),
        word=gap.outcome.value.replace("_", " "),
        subject="",
        message=_first_line(str(gap.message)),
        alike=gap.alike,
        hosts=folded(gap.hosts),
        number=len(gap.hosts),
        runbook="",
    )


def _told_of_run(shown: View) -> Iterator[Told]:
    found: dict[tuple[str, str], list[HostView]] = {}
    for host, line in zip(shown.hosts, host_lines(shown.run), strict=True):
        found.setdefault((line.outcome.value, line.message), []).append(host)
    names = {outcome.value: name for outcome, name in PLANNED.items()} if shown.planned else {}
    for (outcome, message), hosts in found.items():
        yield Told(
            tone=hosts[0].tone,
            word=names.get(outcome, hosts[0].word),
            subject="",
            message=_first_line(message),
            alike=True,
            hosts=folded(host.name for host in hosts),
            number=len(hosts),
            runbook="",
        )


def _first_line(text: str) -> str:
    line = text.lstrip("\n").split("\n", 1)[0]
    return line if len(line) <= 500 else line[:500] + "…"


def _next(ready: Readiness) -> Iterator[Next]:
    again = ask_again(ready)
    for step in [*next_steps(ready)[:MOST_GROUPS], *([again] if again else [])]:
        yield Next(printable(step.title), printable(shlex.join(step.words)), len(step.hosts))
