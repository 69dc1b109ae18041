"""What is done on one host, as a generator of results: look, ask, or climb.

Each takes a session and a procedure and knows nothing of threads, journals or other hosts.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace
from typing import Literal

from fleet.engine.plan import Procedure
from fleet.engine.steps import HostSession, Task
from fleet.model import Outcome, Result, Risk


def look(session: HostSession, procedure: Procedure) -> Iterator[Result]:
    """Run the checks, all in one batch."""
    yield from session.look(procedure.checks)


def ask(session: HostSession, procedure: Procedure, *, every_rung: bool) -> Iterator[Result]:
    """Look, and where the fault is there ask the rungs what they would change.

    Without ``every_rung`` only the first rung that fits is asked: what would happen next.
    """
    if procedure.checks and not (yield from _fault_present(session, procedure, "look")):
        return
    tasks = [replace(task, phase="try") for task, _ in procedure.rungs]
    if every_rung:
        yield from session.look(tasks)
        return
    for task in tasks:
        for result in session.look([task]):
            yield result
            if result.outcome is not Outcome.SKIPPED:
                return


def climb(session: HostSession, procedure: Procedure, allow: Risk) -> Iterator[Result]:
    """Detect, act, detect again; stop at the first rung that cured it.

    A rung above ``allow`` is held and the next is tried: the order of a ladder is not only by risk.
    After a step whose end is not known nothing more is sent.
    """
    if procedure.checks and not (yield from _fault_present(session, procedure, "look")):
        return
    for task, grant in procedure.rungs:
        if reason := _why_held(task, grant, allow):
            yield session.hold(task, reason)
            continue
        result = session.act(task)
        yield result
        if result.outcome.truth_missing or not session.alive:
            return
        ran = result.outcome not in {Outcome.HELD, Outcome.SKIPPED}
        if ran and procedure.checks and not (yield from _fault_present(session, procedure, "verify")):
            return


def _fault_present(
    session: HostSession, procedure: Procedure, phase: Literal["look", "verify"]
) -> Generator[Result, None, bool]:
    """Yield the checks' results; tell whether they all came and at least one failed."""
    results = []
    for result in session.look([replace(task, phase=phase) for task in procedure.checks]):
        results.append(result)
        yield result
    outcomes = {result.outcome for result in results}
    return Outcome.FAILED in outcomes and not any(outcome.truth_missing for outcome in outcomes)


def _why_held(task: Task, grant: str | None, allow: Risk) -> str:
    risk = task.snippet.risk
    assert risk is not None
    if risk.rank > allow.rank:
        return f"its risk is {risk}; allow it with --allow {risk}"
    return f"needs a person first: {grant}. Then by itself: fleet fix {task.snippet.name}" if grant else ""
