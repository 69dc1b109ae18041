"""From the results of a host to one word about it, and from those to counts and an exit code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from fleet.errors import BusyError, DeniedError, ProtocolError, TransportError, UnreachableError
from fleet.model import Outcome, Result

EXIT_FINE, EXIT_FAILED, EXIT_USAGE, EXIT_NOT_KNOWN, EXIT_HELD, EXIT_INTERRUPTED = 0, 1, 2, 3, 4, 130

_WORST_FIRST = (
    Outcome.UNKNOWN,
    Outcome.BROKEN,
    Outcome.TIMED_OUT,
    Outcome.BUSY,
    Outcome.DENIED,
    Outcome.UNREACHABLE,
    Outcome.NOT_RUN,
)


def verdict(results: Iterable[Result]) -> Outcome:
    """The word about one host, given everything that was run on it in one run.

    Missing truth comes first. A host that was acted on is judged by the last check after it, a host
    that was only looked at by its worst check. In a plan ``changed`` means that there is something to do.
    """
    own = sorted(results, key=lambda result: result.step)
    if not own:
        return Outcome.NOT_RUN
    seen = {result.outcome for result in own}
    for outcome in _WORST_FIRST:
        if outcome in seen:
            return outcome
    acts = [result for result in own if result.phase in {"act", "try"}]
    return _after_acts(own, acts) if acts else _worst_look(seen)


def _worst_look(seen: set[Outcome]) -> Outcome:
    for outcome in (Outcome.FAILED, Outcome.HELD, Outcome.CHANGED, Outcome.OK):
        if outcome in seen:
            return outcome
    return Outcome.SKIPPED


def _after_acts(own: list[Result], acts: list[Result]) -> Outcome:
    outcomes = {result.outcome for result in acts}
    checks = [result.outcome for result in own if result.phase == "verify"]
    if checks and checks[-1] in {Outcome.OK, Outcome.SKIPPED}:
        return Outcome.CHANGED if Outcome.CHANGED in outcomes else Outcome.OK
    if Outcome.FAILED in outcomes:
        return Outcome.FAILED
    if Outcome.CHANGED in outcomes and not checks:
        return Outcome.CHANGED
    if Outcome.HELD in outcomes:
        return Outcome.HELD
    fault_seen = any(result.phase == "look" and result.outcome is Outcome.FAILED for result in own)
    return Outcome.FAILED if fault_seen or checks else _worst_look(outcomes)


def verdicts(targets: Iterable[str], results: Iterable[Result]) -> dict[str, Outcome]:
    """The word about every target, in their order."""
    by_host: dict[str, list[Result]] = {name: [] for name in targets}
    for result in results:
        by_host[result.host].append(result)
    return {name: verdict(own) for name, own in by_host.items()}


def counts(words: Mapping[str, Outcome]) -> dict[str, int]:
    """Hosts by outcome, in the order of the words, zeros left out; their sum is the number of targets."""
    tally = Counter(words.values())
    return {outcome.value: tally[outcome] for outcome in Outcome if tally[outcome]}


def exit_code(words: Mapping[str, Outcome], *, planned: bool = False) -> int:
    """0, 1, 3 or 4; where several apply 3 wins, then 1, then 4. A plan is 0 or 3."""
    seen = set(words.values())
    if any(outcome.truth_missing for outcome in seen):
        return EXIT_NOT_KNOWN
    if planned:
        return EXIT_FINE
    if Outcome.FAILED in seen:
        return EXIT_FAILED
    return EXIT_HELD if Outcome.HELD in seen else EXIT_FINE


def outcome_of(error: TransportError) -> Outcome:
    """What is said of a step that ended with this error."""
    for kind, outcome in _OUTCOMES.items():
        if isinstance(error, kind):
            return outcome
    return Outcome.UNREACHABLE


_OUTCOMES: dict[type[TransportError], Outcome] = {
    UnreachableError: Outcome.UNREACHABLE,
    DeniedError: Outcome.DENIED,
    BusyError: Outcome.BUSY,
    ProtocolError: Outcome.BROKEN,
}
