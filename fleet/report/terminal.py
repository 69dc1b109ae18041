"""A run for people: 80 columns, worst first, hosts that say the same folded into one line.

Colour is never the only signal; it is added by the caller's ``paint``, by default not at all.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from fleet.engine.verdict import counts, verdicts
from fleet.journal import Run
from fleet.model import Outcome, Result, printable
from fleet.report.fold import fold

WIDTH = 80
_HOSTS = 12
_WORD = 14
_SHOWN_LOG_LINES = 40

Paint = Callable[[str, Outcome], str]

WORST_FIRST = (
    Outcome.UNKNOWN,
    Outcome.FAILED,
    Outcome.BROKEN,
    Outcome.TIMED_OUT,
    Outcome.DENIED,
    Outcome.UNREACHABLE,
    Outcome.BUSY,
    Outcome.NOT_RUN,
    Outcome.HELD,
    Outcome.CHANGED,
    Outcome.SKIPPED,
    Outcome.OK,
)


def plain(text: str, _outcome: Outcome) -> str:
    """No colour."""
    return text


@dataclass(frozen=True, slots=True)
class HostLine:
    """What is said of one host: its word and the message that explains it."""

    host: str
    outcome: Outcome
    message: str


def host_lines(run: Run) -> list[HostLine]:
    """One line a target, in the order of the inventory."""
    words = verdicts(run.targets, run.results)
    by_host: dict[str, list[Result]] = {name: [] for name in run.targets}
    for result in run.results:
        by_host[result.host].append(result)
    return [HostLine(name, word, _explain(word, by_host[name])) for name, word in words.items()]


def _explain(word: Outcome, results: list[Result]) -> str:
    if not results:
        return "not started"
    results = sorted(results, key=lambda result: result.step)
    decisive = [result for result in results if result.outcome is word]
    acts = [result for result in decisive if result.phase in {"act", "try"}]
    if word is Outcome.CHANGED and acts:
        text = "; ".join(dict.fromkeys(str(result.message) for result in acts if result.message))
    else:
        text = str((acts or decisive or results)[-1].message)
    simulated = "simulated: " if any(result.simulated for result in results) else ""
    return simulated + (text or str(word))


def table(lines: Iterable[HostLine], paint: Paint = plain, names: Mapping[Outcome, str] | None = None) -> str:
    """Group lines that say the same, the worst first."""
    groups: dict[tuple[Outcome, str], list[str]] = {}
    for line in lines:
        groups.setdefault((line.outcome, line.message), []).append(line.host)
    ordered = sorted(groups.items(), key=lambda item: WORST_FIRST.index(item[0][0]))
    rows = [(_hosts(hosts), outcome, message) for (outcome, message), hosts in ordered]
    width = min(max((len(hosts) for hosts, _, _ in rows), default=0), 24)
    return "".join(
        _row(hosts, width, outcome, message, paint, names or {}) for hosts, outcome, message in rows
    )


def _hosts(hosts: list[str]) -> str:
    folded = printable(fold(hosts))
    return folded if len(hosts) == 1 else f"{folded} ({len(hosts)})"


def _row(
    hosts: str, width: int, outcome: Outcome, message: str, paint: Paint, names: Mapping[Outcome, str]
) -> str:
    word = names.get(outcome, outcome.value)
    first = message.split("\n", 1)[0]
    indent = " " * (width + 2 + _WORD)
    text = textwrap.wrap(first, WIDTH - len(indent), break_on_hyphens=False) or [""]
    painted = paint(word, outcome) + " " * max(1, _WORD - len(word))
    head = f"{hosts:<{width}}  {painted}{text[0]}".rstrip()
    if len(hosts) > width:
        wrapped = textwrap.wrap(hosts, WIDTH, break_on_hyphens=False, subsequent_indent="  ")
        head = "\n".join([*wrapped, f"{'':<{width}}  {painted}{text[0]}".rstrip()])
    return "\n".join([head, *(indent + line for line in text[1:])]) + "\n"


PLANNED = {Outcome.CHANGED: "to do", Outcome.OK: "nothing to do", Outcome.HELD: "HELD"}
"""What the words mean in a plan."""


def identity(words: Mapping[str, Outcome], names: Mapping[Outcome, str] | None = None) -> str:
    """``11 hosts = 5 changed + 3 ok + 2 held + 1 unreachable``: nobody is forgotten."""
    tally, names = counts(words), names or {}
    order = [outcome for outcome in WORST_FIRST if outcome.value in tally]
    parts = " + ".join(
        f"{tally[word.value]} {names.get(word, word.value.replace('_', ' '))}" for word in order
    )
    return f"{len(words)} {'host' if len(words) == 1 else 'hosts'} = {parts}"


def closing(run: Run, words: Mapping[str, Outcome]) -> Iterator[str]:
    """The lines below a table: the identity with the run's id, what was loosened, what comes next."""
    left = identity(words, PLANNED if run.header.get("planned") else None)
    label = f"run {run.id}"
    gap = WIDTH - len(left) - len(label)
    yield f"{left}{' ' * gap}{label}" if gap > 1 else f"{left}\n{label}"
    if unverified := run.header.get("certificate_not_verified"):
        yield f"Certificates were NOT verified on: {fold(unverified)}"
    if run.interrupted:
        yield "Interrupted: what was not started is not_run."
    if run.finished is None:
        yield "This run did not end by itself; what was sent without an answer is unknown."


def details(run: Run, hosts: Iterable[str]) -> Iterator[str]:
    """Every step of some hosts with its message, data and log."""
    for host in hosts:
        for result in sorted((r for r in run.results if r.host == host), key=lambda r: r.step):
            yield from _detail(result)


def _detail(result: Result) -> Iterator[str]:
    risk = f", risk {result.risk}" if result.risk and result.phase == "act" else ""
    yield f"{printable(result.host)}  step {result.step}  {result.snippet} ({_PHASES[result.phase]}{risk})"
    yield f"  {result.outcome} after {result.seconds:.1f} s: {result.message}".replace("\n", "\n    ")
    for key, value in sorted(result.data.items()):
        yield f"    {printable(key)}: {printable(flat(value))}"
    if result.truncated:
        yield "    (the log was longer than is kept; its middle is missing)"
    log = str(result.log).split("\n")
    if result.log:
        yield from (f"    | {line}" for line in log[-_SHOWN_LOG_LINES:])


_PHASES = {
    "look": "looked",
    "try": "asked what it would change",
    "act": "carried out",
    "verify": "looked again",
}


def flat(value: object) -> str:
    """A value of a result's data in words, on one line; not escaped."""
    if isinstance(value, dict):
        return ", ".join(f"{key}={flat(item)}" for key, item in value.items())
    if isinstance(value, list):
        return "; ".join(flat(item) for item in value) or "none"
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)
