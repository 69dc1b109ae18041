"""One word about a host, and one number about a run."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Literal

import pytest

from fleet.engine.verdict import counts, exit_code, verdict, verdicts
from fleet.model import Os, Outcome, Result, Untrusted

Phase = Literal["look", "try", "act", "verify"]
O = Outcome  # noqa: E741 (reads well in the tables below)
NOW = datetime(2026, 11, 21, tzinfo=UTC)


def results(*steps: tuple[Phase, Outcome]) -> list[Result]:
    return [
        Result("h", Os.LINUX, n, "s", outcome, Untrusted(""), NOW, 0.0, phase=phase)
        for n, (phase, outcome) in enumerate(steps, 1)
    ]


@pytest.mark.parametrize(
    ("steps", "word"),
    [
        ([], O.NOT_RUN),
        ([("look", O.OK)], O.OK),
        ([("look", O.SKIPPED)], O.SKIPPED),
        ([("look", O.SKIPPED), ("look", O.OK)], O.OK),
        ([("look", O.OK), ("look", O.FAILED)], O.FAILED),
        ([("look", O.HELD)], O.HELD),
        ([("look", O.OK), ("look", O.TIMED_OUT)], O.TIMED_OUT),
        ([("look", O.FAILED), ("try", O.CHANGED)], O.CHANGED),
        ([("look", O.FAILED), ("try", O.OK)], O.FAILED),
        ([("look", O.FAILED), ("try", O.HELD)], O.HELD),
        ([("look", O.FAILED), ("act", O.CHANGED), ("verify", O.OK)], O.CHANGED),
        ([("look", O.FAILED), ("act", O.FAILED), ("verify", O.OK)], O.OK),
        ([("look", O.FAILED), ("act", O.CHANGED), ("verify", O.FAILED)], O.FAILED),
        ([("look", O.FAILED), ("act", O.CHANGED), ("verify", O.FAILED), ("act", O.HELD)], O.HELD),
        ([("look", O.FAILED), ("act", O.FAILED), ("verify", O.FAILED), ("act", O.HELD)], O.FAILED),
        ([("look", O.FAILED), ("act", O.OK)], O.FAILED),
        ([("look", O.FAILED), ("act", O.UNKNOWN)], O.UNKNOWN),
        ([("act", O.CHANGED)], O.CHANGED),
        ([("act", O.OK)], O.OK),
        ([("act", O.SKIPPED)], O.SKIPPED),
        ([("act", O.FAILED)], O.FAILED),
    ],
)
def test_the_word_about_a_host(steps: list[tuple[Phase, Outcome]], word: Outcome) -> None:
    assert verdict(results(*steps)) is word


def test_missing_truth_is_never_hidden_by_anything_else() -> None:
    """All runs of up to three steps: a host with a step of unknown end is never called fine."""
    phases: list[Phase] = ["look", "act", "verify"]
    for length in (1, 2, 3):
        for outcomes in itertools.product(Outcome, repeat=length):
            steps = list(zip(phases, outcomes, strict=False))
            if any(outcome.truth_missing for outcome in outcomes):
                assert verdict(results(*steps)).truth_missing


@pytest.mark.parametrize(
    ("words", "code", "planned"),
    [
        ([O.OK, O.CHANGED, O.SKIPPED], 0, 0),
        ([O.OK, O.FAILED], 1, 0),
        ([O.HELD, O.OK], 4, 0),
        ([O.HELD, O.FAILED], 1, 0),
        ([O.UNKNOWN, O.FAILED, O.HELD], 3, 3),
        ([O.UNREACHABLE], 3, 3),
        ([O.DENIED], 3, 3),
        ([O.BUSY], 3, 3),
        ([O.TIMED_OUT], 3, 3),
        ([O.BROKEN], 3, 3),
        ([O.NOT_RUN], 3, 3),
    ],
)
def test_exit_codes(words: list[Outcome], code: int, planned: int) -> None:
    by_host = {str(n): word for n, word in enumerate(words)}
    assert exit_code(by_host) == code
    assert exit_code(by_host, planned=True) == planned


def test_counts_add_up_and_leave_nobody_out() -> None:
    words = verdicts(["a", "b", "h"], results(("look", O.OK)))
    assert words == {"a": O.NOT_RUN, "b": O.NOT_RUN, "h": O.OK}
    assert counts(words) == {"ok": 1, "not_run": 2}
