"""The verdict on a host: never ready without an answer, not ready for an error, waivers by their date."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from fleet.errors import UsageError
from fleet.model import JsonValue, Os, Outcome, Result, Severity, Untrusted
from fleet.report.actions import ask_again, gap_groups, groups, next_steps
from fleet.report.readiness import HostReadiness, Verdict, readiness
from tests.sweep.runs import CLOCK, DISK, result, sweep_run, waiver

OK, FAILED, SKIPPED = Outcome.OK, Outcome.FAILED, Outcome.SKIPPED

FINE = [result("a", "disk-space", OK), result("a", "clock", OK), result("a", "verbose", OK)]


def with_(**outcomes: Outcome) -> list[Result]:
    """Results of host ``a``: all three checks, ok but for those named."""
    names = {"disk": "disk-space", "clock": "clock", "verbose": "verbose"}
    return [result("a", name, outcomes.get(short, OK), "said so") for short, name in names.items()]


def judged(results: Sequence[Result], *waivers: Mapping[str, JsonValue]) -> HostReadiness:
    (host,) = readiness(sweep_run({"a": results}, waivers=waivers)).hosts
    return host


@pytest.mark.parametrize(
    ("results", "verdict"),
    [
        (FINE, Verdict.READY),
        (with_(disk=FAILED), Verdict.NOT_READY),
        (with_(clock=FAILED), Verdict.WARNINGS),
        (with_(verbose=FAILED), Verdict.READY),
        (with_(disk=FAILED, clock=FAILED), Verdict.NOT_READY),
        (with_(disk=SKIPPED), Verdict.READY),
        (with_(disk=SKIPPED, clock=SKIPPED, verbose=SKIPPED), Verdict.NOT_APPLICABLE),
        (with_(disk=FAILED, clock=Outcome.BROKEN), Verdict.NOT_READY),
        (with_(disk=Outcome.HELD), Verdict.NOT_KNOWN),
        (with_(clock=FAILED)[:2], Verdict.NOT_KNOWN),
        ([], Verdict.NOT_KNOWN),
    ],
)
def test_the_verdict(results: list[Result], verdict: Verdict) -> None:
    assert judged(results).verdict is verdict


@pytest.mark.parametrize("outcome", [each for each in Outcome if each.truth_missing])
def test_without_the_truth_about_a_host_it_is_never_ready(outcome: Outcome) -> None:
    lost = judged([result("a", "disk-space", outcome, "connection refused")])
    assert lost.verdict is Verdict.NOT_KNOWN
    (gap,) = lost.gaps
    assert (gap.outcome, str(gap.message)) == (outcome, "connection refused")
    assert gap.checks == ("disk-space", "clock", "verbose"), "what was not asked any more is part of it"


def test_a_sweep_that_was_cut_short_leaves_hosts_not_known() -> None:
    run = sweep_run({"a": FINE[:1], "b": []}, interrupted=True)
    first, second = readiness(run).hosts
    assert (first.verdict, second.verdict) == (Verdict.NOT_KNOWN, Verdict.NOT_KNOWN)
    assert first.gaps[0].checks == ("clock", "verbose")


def test_a_check_with_two_thresholds_says_how_bad_it_is_but_never_worse_than_the_profile() -> None:
    milder = result("a", "disk-space", FAILED, "8 % free", data={"severity": "warning"})
    worse = result("a", "clock", FAILED, "off", data={"severity": "error"})
    host = judged([milder, worse, result("a", "verbose", OK)])
    assert [finding.severity for finding in host.findings] == [Severity.WARNING, Severity.WARNING]


class TestWaivers:
    def test_cover_a_finding_on_the_hosts_they_name(self) -> None:
        run = sweep_run(
            {name: [result(name, "disk-space", FAILED), *FINE[1:]] for name in "ab"},
            waivers=[waiver("disk-space", "a"), waiver("clock", "b")],
        )
        waived, other = readiness(run).hosts
        assert (waived.verdict, other.verdict) == (Verdict.READY, Verdict.NOT_READY)
        assert waived.by_waiver
        assert waived.findings[0].waiver is not None
        assert waived.findings[0].waiver.owner == "dba-team"
        assert not other.by_waiver

    def test_hold_through_their_last_day_and_no_longer(self) -> None:
        assert judged(with_(disk=FAILED), waiver("disk-space", "a", expires="2026-11-21")).by_waiver
        late = judged(with_(disk=FAILED), waiver("disk-space", "a", expires="2026-11-20"))
        assert late.verdict is Verdict.NOT_READY
        assert late.findings[0].expired is not None

    def test_a_valid_one_wins_over_an_expired_one(self) -> None:
        old = waiver("disk-space", "a", expires="2026-01-01")
        host = judged(with_(disk=FAILED), old, waiver("disk-space", "a"))
        assert host.verdict is Verdict.READY
        assert host.findings[0].expired is None

    def test_never_make_an_unreachable_host_ready(self) -> None:
        gone = judged([result("a", "disk-space", Outcome.UNREACHABLE)], waiver("disk-space", "a"))
        assert gone.verdict is Verdict.NOT_KNOWN

    def test_that_are_over_or_mean_nobody_are_named(self) -> None:
        run = sweep_run({"a": FINE}, waivers=[waiver("clock", expires="2026-11-20"), waiver("clock", "a")])
        ready = readiness(run)
        assert [each.pattern for each in ready.expired] == [""]
        assert [each.pattern for each in ready.without_hosts] == [""]


def test_counts_are_the_identity_of_all_hosts() -> None:
    run = sweep_run({"a": FINE, "b": [], "c": [result("c", "disk-space", FAILED)]})
    assert readiness(run).counts == {Verdict.NOT_READY: 1, Verdict.NOT_KNOWN: 1, Verdict.READY: 1}


def test_hosts_that_say_the_same_but_for_numbers_are_one_group() -> None:
    run = sweep_run(
        {
            **{f"bk{n}": [result(f"bk{n}", "disk-space", FAILED, f"/var: {n} % free")] for n in (1, 2, 3)},
            "web1": [result("web1", "disk-space", FAILED, "/home: 2 % free")],
            "web2": [result("web2", "clock", FAILED, "off")],
        }
    )
    made = groups(readiness(run).findings)
    assert [group.hosts for group in made] == [("bk1", "bk2", "bk3"), ("web1",), ("web2",)]
    assert [group.alike for group in made] == [False, True, True]


def test_hosts_that_are_not_known_for_the_same_reason_are_one_group() -> None:
    run = sweep_run({f"a{n}": [result(f"a{n}", "clock", Outcome.DENIED, "no")] for n in (1, 2)})
    (group,) = gap_groups(readiness(run).hosts)
    assert group.alike
    assert (group.outcome, group.message, group.hosts) == (Outcome.DENIED, Untrusted("no"), ("a1", "a2"))


def test_hosts_that_refuse_at_different_addresses_are_one_group() -> None:
    said = {name: f"10.1.0.{name[1:]}:22 refused the connection" for name in ("a1", "a2")}
    run = sweep_run({n: [result(n, "clock", Outcome.UNREACHABLE, text)] for n, text in said.items()})
    (group,) = gap_groups(readiness(run).hosts)
    assert (group.message, group.alike) == (Untrusted(said["a1"]), False)


class TestNextSteps:
    def test_are_exact_commands_for_the_hosts_that_have_the_fault(self) -> None:
        run = sweep_run({name: [result(name, "disk-space", FAILED)] for name in ("a", "b")})
        (step,) = next_steps(readiness(run))
        assert " ".join(step.words) == "fleet fix disk-full -i prod.yaml -l a,b"
        assert step.mends

    def test_explain_where_nothing_can_be_done_in_the_guest(self) -> None:
        (step,) = next_steps(readiness(sweep_run({"a": with_(clock=FAILED)})))
        assert step.words == ("fleet", "explain", "clock-wrong")

    def test_do_not_touch_what_is_waived(self) -> None:
        run = sweep_run(
            {name: [result(name, "disk-space", FAILED)] for name in ("a", "b")},
            waivers=[waiver("disk-space", "a")],
        )
        assert next_steps(readiness(run))[0].hosts == ("b",)

    def test_name_many_hosts_by_the_selection_of_the_sweep_without_the_waived(self) -> None:
        names = [f"h{n}" for n in range(100)]
        run = sweep_run(
            {name: [result(name, "disk-space", FAILED)] for name in names},
            waivers=[waiver("disk-space", "h7")],
        )
        assert next_steps(readiness(run))[0].words[-2:] == ("-l", "all:!h7")

    def test_are_those_of_the_hosts_system(self) -> None:
        answers = [{**DISK["answers"][0], "runbook": name, "os": name} for name in ("windows", "linux")]
        run = sweep_run(
            {"a": [result("a", "disk-space", FAILED)]}, checks=[{**DISK, "answers": answers}, CLOCK]
        )
        assert [step.runbook for step in next_steps(readiness(run))] == ["linux"]

    def test_hand_over_the_thresholds_of_the_sweep(self) -> None:
        answer = {**DISK["answers"][0], "params": {"min_free": 10, "paths": ["/a", "/b"], "deep": True}}
        run = sweep_run({"a": [result("a", "disk-space", FAILED)]}, checks=[{**DISK, "answers": [answer]}])
        (step,) = next_steps(readiness(run))
        assert step.words[-6:] == ("-p", "min_free=10", "-p", 'paths=["/a", "/b"]', "-p", "deep=true")


class TestHostsThatAreNotKnown:
    def test_are_asked_again_by_name(self) -> None:
        step = ask_again(readiness(sweep_run({"a": FINE, "b": [], "c": []})))
        assert step is not None
        assert " ".join(step.words) == "fleet ping -i prod.yaml -l b,c"

    @pytest.mark.parametrize("known", [{"a": FINE}, {}])
    def test_are_asked_by_the_selection_where_they_are_many_or_all(
        self, known: Mapping[str, Sequence[Result]]
    ) -> None:
        step = ask_again(readiness(sweep_run({**known, **{f"h{n}": [] for n in range(100)}})))
        assert step is not None
        assert step.words[-2:] == ("-l", "all")

    def test_that_do_not_exist_need_no_command(self) -> None:
        assert ask_again(readiness(sweep_run({"a": FINE}))) is None


class TestRunsThatAreNoSweep:
    def test_a_single_check_is_a_sweep_of_one(self) -> None:
        run = sweep_run({"a": [result("a", "disk-space", FAILED)]})
        header = {key: value for key, value in run.header.items() if key != "sweep"}
        run = sweep_run({"a": [result("a", "disk-space", FAILED)], "b": []}, header=header)
        assert [host.verdict for host in readiness(run).hosts] == [Verdict.NOT_READY, Verdict.NOT_KNOWN]

    def test_where_nobody_was_contacted_nobody_is_known(self) -> None:
        run = sweep_run(
            {"a": []}, interrupted=True, header={"command": "x", "started": "2026-11-21T20:00:00Z"}
        )
        assert readiness(run).hosts[0].verdict is Verdict.NOT_KNOWN

    def test_a_fix_is_refused(self) -> None:
        run = sweep_run({"a": FINE})
        fix = sweep_run({"a": FINE}, header={**run.header, "sweep": None, "apply": True})
        with pytest.raises(UsageError, match="is no sweep"):
            readiness(fix)


def test_windows_and_linux_are_kept_apart() -> None:
    results = [result("a", "disk-space", FAILED, "x"), result("b", "disk-space", FAILED, "x", os=Os.WINDOWS)]
    run = sweep_run({each.host: [each] for each in results})
    assert [group.hosts for group in groups(readiness(run).findings)] == [("a",), ("b",)]
