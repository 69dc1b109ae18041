"""The table for spreadsheets: one row a result, and no cell in which a spreadsheet sees a formula."""

from __future__ import annotations

import csv
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.journal import Run
from fleet.report.csv import COLUMNS, MAX_CELL, harmless, to_csv
from tests.report.samples import HARM, fix, hostile, mended, sample

STARTS_A_FORMULA = re.compile(r"[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")


def table(run: Run) -> list[dict[str, str]]:
    """The rows as a reader of CSV sees them."""
    text = to_csv(run)
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


def test_it_has_a_row_for_every_result_with_what_a_pivot_table_needs() -> None:
    rows = table(sample())
    assert len(rows) == 13
    first = rows[0]
    assert list(first) == list(COLUMNS)
    assert first["run"] == "20261121-2000-b7"
    assert (first["host"], first["zone"], first["host_is"]) == ("web1", "zone-1", "not ready")
    assert (first["snippet"], first["outcome"], first["severity"]) == ("disk-space", "failed", "error")
    assert (first["message"], first["seconds"]) == ("/var has 3 % free", "0.200")


def test_a_waiver_stands_beside_its_finding() -> None:
    (row,) = [row for row in table(sample()) if (row["host"], row["snippet"]) == ("db1", "disk-space")]
    assert (row["outcome"], row["waived_until"], row["waived_by"]) == ("failed", "2026-12-31", "dba-team")


def test_steps_of_a_fix_have_their_phase_and_risk() -> None:
    rows = table(fix(*mended()))
    assert [(row["step"], row["phase"], row["risk"]) for row in rows] == [
        ("1", "look", ""),
        ("2", "act", "safe"),
        ("3", "verify", ""),
    ]


def test_it_begins_with_the_mark_by_which_excel_knows_utf8() -> None:
    assert to_csv(sample()).encode().startswith(b"\xef\xbb\xbf")
    assert "größer 漢字 😀" in to_csv(hostile())


@pytest.mark.parametrize("text", HARM)
def test_what_a_hostile_guest_says_is_no_formula(text: str) -> None:
    assert_harmless(harmless(text))


def assert_harmless(cell: str) -> None:
    """Neither as a cell, nor as cells of a spreadsheet that separates by semicolons."""
    for part in cell.split(";"):
        assert not STARTS_A_FORMULA.match(part.lstrip()), cell
        assert not part.startswith(("\t", "\r", "\n")), cell


@given(st.text(st.sampled_from("=+-@;\t\r\n '\"a\uff11\uff1d \u202e\u00a0")))
def test_no_text_is_a_formula(text: str) -> None:
    cell = harmless(text)
    assert_harmless(cell)
    assert "\u202e" not in cell


def test_no_cell_of_a_hostile_run_is_a_formula() -> None:
    for row in table(hostile()):
        for cell in row.values():
            assert_harmless(cell)


def test_a_cell_holds_no_more_than_a_spreadsheet_takes() -> None:
    assert len(harmless("a" * 40_000)) == MAX_CELL
