"""On one host: look, ask, climb; and what is left alone."""

from __future__ import annotations

import pytest

from fleet.engine.plan import Procedure
from fleet.engine.verdict import exit_code
from fleet.model import Outcome, Risk, Shell
from tests.engine.conftest import CHECK, LADDER, Run, task
from tests.engine.simulator import Breakage, SimGuest


def steps(run: Run, guest: SimGuest, *args: object, **kwargs: object) -> list[tuple[str, str, str]]:
    execution = run({"web1": guest}, *args, **kwargs)
    return [(result.phase, result.snippet, result.outcome.value) for result in execution]


def test_a_host_without_the_fault_is_looked_at_and_left_alone(run: Run) -> None:
    guest = SimGuest(faulty=False)
    assert steps(run, guest) == [("look", "check-it", "ok")]
    assert guest.ledger == ["check-it"]


def test_the_first_rung_that_cures_it_ends_the_climb(run: Run) -> None:
    guest = SimGuest()
    assert steps(run, guest) == [
        ("look", "check-it", "failed"),
        ("act", "mild", "changed"),
        ("verify", "check-it", "ok"),
    ]


def test_a_rung_that_does_not_cure_leads_to_the_next(run: Run) -> None:
    guest = SimGuest(cure_fails=True)
    assert steps(run, guest) == [
        ("look", "check-it", "failed"),
        ("act", "mild", "changed"),
        ("verify", "check-it", "failed"),
        ("act", "rough", "changed"),
        ("verify", "check-it", "failed"),
        ("act", "last", "held"),
    ]


def test_what_is_above_the_allowed_risk_is_held_with_the_word_that_allows_it(run: Run) -> None:
    guest = SimGuest(cure_fails=True)
    execution = run({"web1": guest}, allow=Risk.SAFE)
    held = [result for result in execution if result.outcome is Outcome.HELD]
    assert [result.snippet for result in held] == ["rough", "last"]
    assert (
        str(held[0].message) == "its risk is service-interruption; allow it with --allow service-interruption"
    )
    assert "DID rough" not in guest.ledger
    assert exit_code(execution.words) == 4


def test_a_rung_that_needs_a_person_is_held_whatever_is_allowed(run: Run) -> None:
    execution = run({"web1": SimGuest(cure_fails=True)}, allow=Risk.DESTRUCTIVE)
    last = list(execution)[-1]
    assert (last.snippet, last.outcome) == ("last", Outcome.HELD)
    assert "only in a window. Then by itself: fleet fix last" in str(last.message)


def test_a_plan_asks_the_first_rung_and_changes_nothing(run: Run) -> None:
    guest = SimGuest()
    assert steps(run, guest, LADDER, "plan") == [
        ("look", "check-it", "failed"),
        ("try", "mild", "changed"),
    ]
    assert not any(entry.startswith("DID") for entry in guest.ledger)


def test_check_mode_asks_every_rung_and_changes_nothing(run: Run) -> None:
    guest = SimGuest()
    assert [step[1] for step in steps(run, guest, LADDER, "check")] == ["check-it", "mild", "rough", "last"]
    assert not any(entry.startswith("DID") for entry in guest.ledger)


def test_a_guest_that_holds_back_is_held_not_failed(run: Run) -> None:
    execution = run({"web1": SimGuest(holds=True)})
    outcomes = [result.outcome for result in execution]
    assert outcomes == [Outcome.FAILED, Outcome.HELD, Outcome.HELD, Outcome.HELD]
    assert execution.words == {"web1": Outcome.HELD}


@pytest.mark.parametrize(
    ("breaks", "outcome"),
    [
        ("cut before sending", Outcome.UNREACHABLE),
        ("cut after sending", Outcome.UNKNOWN),
        ("silent", Outcome.UNKNOWN),
        ("garbage", Outcome.BROKEN),
    ],
)
def test_after_a_remedy_whose_end_is_not_known_nothing_more_is_sent(
    run: Run, breaks: Breakage, outcome: Outcome
) -> None:
    guest = SimGuest(breaks=breaks, breaks_at="mild")
    execution = run({"web1": guest})
    assert [result.outcome for result in execution] == [Outcome.FAILED, outcome]
    assert execution.words == {"web1": outcome}
    assert exit_code(execution.words) == 3
    assert guest.ledger.count("DID mild") <= 1


@pytest.mark.parametrize(
    ("breaks", "outcome"),
    [
        ("refused", Outcome.UNREACHABLE),
        ("cut after sending", Outcome.UNREACHABLE),
        ("silent", Outcome.TIMED_OUT),
        ("garbage", Outcome.BROKEN),
    ],
)
def test_a_check_that_breaks_is_never_unknown_and_nothing_is_done_after_it(
    run: Run, breaks: Breakage, outcome: Outcome
) -> None:
    guest = SimGuest(breaks=breaks)
    assert [result.outcome for result in run({"web1": guest})] == [outcome]
    assert not any(entry.startswith("DID") for entry in guest.ledger)


def test_checks_go_in_one_batch_and_answer_one_by_one(run: Run) -> None:
    assert [step[1] for step in steps(run, SimGuest(), CHECK, "look")] == ["check-it", "check-two"]


def test_a_snippet_without_a_version_for_the_system_is_skipped_without_a_connection(run: Run) -> None:
    windows_only = Procedure("check-w", "Title", checks=(task("check-w", shells=[Shell.POWERSHELL]),))
    guest = SimGuest(breaks="refused")
    execution = run({"web1": guest}, windows_only, "look")
    (result,) = list(execution)
    assert (result.outcome, str(result.message)) == (Outcome.SKIPPED, "check-w has no version for linux")


def test_a_single_remedy_is_carried_out_without_a_check(run: Run) -> None:
    alone = Procedure("mild", "Title", rungs=((task("mild", Risk.SAFE), None),))
    guest = SimGuest()
    assert steps(run, guest, alone) == [("act", "mild", "changed")]
    assert steps(run, guest, alone) == [("act", "mild", "ok")]
