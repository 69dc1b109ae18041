"""Rows of a run: nobody is left out, what is left to do stands first, what a remedy answered is done."""

from __future__ import annotations

from fleet.model import Outcome, Risk, Severity
from fleet.report.view import Row, Tone, View, view, worst_first
from tests.report.samples import fix, mended, sample
from tests.sweep.runs import result, sweep_run


def said(rows: list[Row] | tuple[Row, ...]) -> list[tuple[str, str, str]]:
    return [(row.result.host, row.result.snippet, row.word) for row in rows]


def row_of(shown: View, host: str, snippet: str) -> Row:
    (row,) = [row for row in shown.rows if (row.result.host, row.result.snippet) == (host, snippet)]
    return row


class TestASweep:
    def test_says_the_verdict_of_every_host_with_its_zone(self) -> None:
        assert [(host.name, host.word, host.zone) for host in view(sample()).hosts] == [
            ("web1", "not ready", "zone-1"),
            ("web2", "ready with warnings", "zone-2"),
            ("db1", "ready", "zone-1"),
            ("old", "not known", ""),
            ("good", "ready", ""),
        ]

    def test_has_what_is_left_to_do_first(self) -> None:
        assert said(worst_first(view(sample()).rows)[:4]) == [
            ("web1", "disk-space", "failed"),
            ("old", "disk-space", "unreachable"),
            ("web2", "clock", "failed"),
            ("db1", "verbose", "failed"),
        ]

    def test_leaves_nothing_to_do_where_a_waiver_holds(self) -> None:
        row = row_of(view(sample()), "db1", "disk-space")
        assert (row.word, row.tone, row.left_to_do) == ("failed (waived)", Tone.WAIVED, False)

    def test_leaves_nothing_to_do_for_a_note(self) -> None:
        row = row_of(view(sample()), "db1", "verbose")
        assert (row.severity, row.tone, row.left_to_do) == (Severity.INFO, Tone.NOTE, False)

    def test_has_a_row_for_a_host_that_was_never_asked(self) -> None:
        (row,) = view(sweep_run({"a": []}, interrupted=True)).rows
        assert (row.word, row.answered, row.left_to_do) == ("not run", False, True)

    def test_has_one_row_for_a_host_that_was_lost_and_none_for_each_check_after(self) -> None:
        assert [row.word for row in view(sample()).rows if row.result.host == "old"] == ["unreachable"]


class TestAFix:
    def test_does_not_count_the_fault_that_it_mended(self) -> None:
        shown = view(fix(*mended()))
        assert [(row.word, row.left_to_do) for row in shown.rows] == [
            ("failed", False),
            ("changed", False),
            ("ok", False),
        ]
        assert (shown.hosts[0].word, shown.hosts[0].zone) == ("changed", "zone-1")

    def test_counts_a_fault_that_is_still_there_after_the_last_remedy(self) -> None:
        steps = mended()
        steps[2] = result("web1", "disk-space", Outcome.FAILED, "full", step=3, phase="verify")
        assert [row.left_to_do for row in view(fix(*steps)).rows] == [False, False, True]

    def test_counts_what_is_held(self) -> None:
        held = result(
            "web1", "clean-disk", Outcome.HELD, "needs --allow", step=2, phase="act", risk=Risk.REBOOT
        )
        assert [row.left_to_do for row in view(fix(mended()[0], held)).rows] == [False, True]

    def test_that_is_only_planned_has_its_changes_still_to_do(self) -> None:
        tried = result("web1", "clean-disk", Outcome.CHANGED, "would clean", step=2, phase="try")
        shown = view(fix(mended()[0], tried, apply=False, planned=True))
        assert [row.left_to_do for row in shown.rows] == [False, True]


def test_a_check_alone_that_failed_is_left_to_do_whatever_its_severity() -> None:
    for severity in Severity:
        (row,) = view(fix(result("a", "x", Outcome.FAILED, "no", severity=severity), apply=False)).rows
        assert row.left_to_do, severity
