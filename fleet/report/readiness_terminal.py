"""A sweep for people: 80 columns, worst first, hosts that say the same folded; words, not only colours."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Callable, Iterator, Sequence

from fleet.model import Severity, printable
from fleet.report.actions import Group, ask_again, gap_groups, groups, next_steps
from fleet.report.compare import Comparison
from fleet.report.fold import fold
from fleet.report.readiness import HostReadiness, Readiness, Verdict, Waiver

WIDTH = 80
_COUNT = 5
_MOST_LINES = 3

Paint = Callable[[str, Verdict], str]

HEADINGS = {
    Verdict.NOT_READY: "NOT READY",
    Verdict.NOT_KNOWN: "NOT KNOWN",
    Verdict.WARNINGS: "WARNINGS",
    Verdict.READY: "READY",
    Verdict.NOT_APPLICABLE: "NOTHING TO CHECK",
}


def plain(text: str, _verdict: Verdict) -> str:
    """No colour."""
    return text


def lines(ready: Readiness, paint: Paint = plain) -> Iterator[str]:
    """The whole report, without line ends."""
    yield from _sections(ready, paint)
    yield from _waivers(ready)
    yield from _closing(ready)
    yield from _next(ready)


def _sections(ready: Readiness, paint: Paint) -> Iterator[str]:
    counting = [finding for finding in ready.findings if finding.counts]
    found = groups(counting)
    counts = ready.counts
    for verdict in Verdict:
        severity = {Verdict.NOT_READY: Severity.ERROR, Verdict.WARNINGS: Severity.WARNING}.get(verdict)
        own = [group for group in found if group.severity is severity]
        if not counts.get(verdict) and not own:
            continue
        yield _heading(verdict, counts.get(verdict, 0), _beside(ready, verdict), paint)
        for group in own:
            yield from _group(group)
        if verdict is Verdict.NOT_KNOWN:
            yield from _gaps(ready)
    notes = [group for group in found if group.severity is Severity.INFO]
    if notes:
        yield "NOTED, no reason against a backup"
        for group in notes:
            yield from _group(group)


def _heading(verdict: Verdict, count: int, beside: str, paint: Paint) -> str:
    word = HEADINGS[verdict]
    left = paint(word, verdict) + " " * max(1, 12 - len(word))
    if not count:
        return f"{left}    {beside.removeprefix(', and ')}"
    return f"{left}{count:>5} {_hosts(count)}{beside}"


def _hosts(count: int) -> str:
    return "host" if count == 1 else "hosts"


def _beside(ready: Readiness, verdict: Verdict) -> str:
    """What a number alone would not say."""
    if verdict is Verdict.WARNINGS:
        worse = {
            finding.host
            for host in ready.hosts
            if host.verdict in {Verdict.NOT_READY, Verdict.NOT_KNOWN}
            for finding in host.findings
            if finding.counts and finding.severity is Severity.WARNING
        }
        return f", and on {len(worse)} of those above" if worse else ""
    if verdict is Verdict.READY:
        waived = sum(host.by_waiver for host in ready.hosts if host.verdict is verdict)
        return f"   ({waived} of them by waiver)" if waived else ""
    return ""


def _group(group: Group) -> Iterator[str]:
    example = "" if group.alike else f" (e.g. {printable(group.hosts[0])})"
    yield from _item(
        len(group.hosts), f"{str(group.message).splitlines()[0]}{example}" if group.message else ""
    )
    answer = group.answers[0].runbook if group.answers else group.check.name
    yield from _named(answer, group.hosts)


def _gaps(ready: Readiness) -> Iterator[str]:
    for group in gap_groups(host for host in ready.hosts if host.gaps):
        word = group.outcome.value.replace("_", " ")
        said = str(group.message).splitlines()
        example = "" if group.alike else f" (e.g. {printable(group.hosts[0])})"
        yield from _item(len(group.hosts), f"{word}: {said[0]}{example}" if said else word)
        yield from _named("", group.hosts)


def _item(count: int, text: str) -> Iterator[str]:
    head = f"{count:>{_COUNT}}  "
    wrapped = textwrap.wrap(
        text, WIDTH, initial_indent=head, subsequent_indent=" " * len(head), break_on_hyphens=False
    ) or [head.rstrip()]
    yield from wrapped[:_MOST_LINES]
    if len(wrapped) > _MOST_LINES:
        yield f"{'':{len(head)}}..."


def _named(name: str, hosts: Sequence[str]) -> Iterator[str]:
    """Runbook or check, then the hosts, on one line where there is room."""
    indent = " " * (_COUNT + 2)
    folded = printable(fold(hosts))
    head = f"{indent}{name}   " if name else indent
    if len(head) + len(folded) <= WIDTH:
        yield head + folded
        return
    if name:
        yield head.rstrip()
    yield from textwrap.wrap(
        folded,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_on_hyphens=False,
        break_long_words=False,
    )


def _waivers(ready: Readiness) -> Iterator[str]:
    used: dict[int, tuple[Waiver, list[str]]] = {}
    for finding in ready.findings:
        if finding.waiver is not None:
            used.setdefault(id(finding.waiver), (finding.waiver, []))[1].append(finding.host)
    for waiver, hosts in used.values():
        until = f"until {waiver.expires}, {printable(waiver.owner)}: {printable(waiver.reason)}"
        yield from _paragraph(f"Waived: {waiver.check} on {printable(fold(hosts))} {until}")
    for waiver in ready.expired:
        who = f"{printable(waiver.pattern)} ({printable(waiver.owner)})"
        yield from _paragraph(
            f"Waiver over since {waiver.expires}: {waiver.check} on {who}, {printable(waiver.place)}"
        )
    for waiver in ready.without_hosts:
        whom = f"{printable(waiver.pattern)}, {printable(waiver.place)}"
        yield from _paragraph(f"Waiver for nobody here: {waiver.check} on {whom}")


def _paragraph(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, subsequent_indent="  ", break_on_hyphens=False, break_long_words=False)


def _closing(ready: Readiness) -> Iterator[str]:
    parts = " + ".join(f"{count} {verdict.words}" for verdict, count in ready.counts.items())
    left = f"{len(ready.hosts)} {_hosts(len(ready.hosts))} = {parts}"
    label = f"run {ready.run_id}"
    gap = WIDTH - len(left) - len(label)
    yield from [f"{left}{' ' * gap}{label}"] if gap > 1 else [*_paragraph(left), label]
    simulated = [host.host for host in ready.hosts if host.simulated]
    if simulated:
        yield from _paragraph(f"Simulated, not real guests: {printable(fold(simulated))}")
    if ready.certificate_not_verified:
        yield from _paragraph(
            f"Certificates were NOT verified on: {printable(fold(ready.certificate_not_verified))}"
        )
    if ready.interrupted:
        yield "Interrupted: hosts that were not asked are not known."


def _next(ready: Readiness) -> Iterator[str]:
    again = ask_again(ready)
    steps = [*next_steps(ready), *([again] if again else [])]
    commands = [shlex.join(step.words) for step in steps]
    if commands:
        yield "Next:"
        yield from (f"  {printable(command)}" for command in commands)
    if ready.counts.keys() - {Verdict.READY, Verdict.NOT_APPLICABLE}:
        yield f"Every answer of a host: fleet report {ready.run_id} -l HOST"


def comparison_lines(comparison: Comparison, paint: Paint = plain) -> Iterator[str]:
    """What changed between two sweeps, what got worse first, without line ends."""
    for verdict, title, findings in (
        (Verdict.NOT_READY, "NEW", comparison.new),
        (Verdict.WARNINGS, "STILL THERE", comparison.still),
        (Verdict.NOT_APPLICABLE, "WAIVED NOW", comparison.waived),
        (Verdict.READY, "FIXED", comparison.fixed),
    ):
        if findings:
            yield _counted(paint(title, verdict), title, len(findings), "finding")
            for group in groups(findings):
                yield from _group(group)
        if title == "NEW":
            yield from _moved(paint("NOT KNOWN NOW", Verdict.NOT_KNOWN), "NOT KNOWN NOW", comparison.lost)
    for title, hosts in (
        ("KNOWN AGAIN", comparison.back),
        ("CAME", comparison.came),
        ("WENT", comparison.went),
    ):
        yield from _moved(title, title, hosts)
    yield from _paragraph(_summary(comparison))


def _counted(painted: str, title: str, count: int, what: str) -> str:
    return f"{painted}{' ' * max(1, 14 - len(title))}{count:>5} {what}{'' if count == 1 else 's'}"


def _moved(painted: str, title: str, hosts: Sequence[HostReadiness]) -> Iterator[str]:
    if hosts:
        yield _counted(painted, title, len(hosts), "host")
        yield from _named("", [host.host for host in hosts])


def _summary(comparison: Comparison) -> str:
    word = "Something got worse" if comparison.worse else "Nothing got worse"
    return f"{word} from {comparison.before.run_id} to {comparison.after.run_id}."
