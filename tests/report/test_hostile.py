"""A hostile guest in every form at once: no control, no mark of direction, no broken text gets through."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.report import readiness_terminal, terminal
from fleet.report.forms import FORMS, render
from fleet.report.readiness import readiness
from tests.report.samples import hostile

BROKEN = "\ud800\udfff\x1b[2J\u202e\u2066\u200b\ufeff\x00\x85"
"""Lone surrogates, a terminal sequence, marks of direction and of order, NUL, a control that ends lines."""


def acting(text: str) -> set[str]:
    """Characters that do something instead of being seen."""
    return {character for character in text if not character.isprintable() and character != "\n"}


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=20)
@given(said=st.text(st.characters() | st.sampled_from(BROKEN), max_size=40))
def test_nothing_acts(form: str, said: str) -> None:
    text = render(hostile([said, BROKEN], host=f"h{BROKEN}"), form)
    if form == "csv":
        text = text.removeprefix("\ufeff").replace('"\r\n', '"\n')
    assert acting(text) == set()
    text.encode("utf-8")


@given(said=st.text(st.characters() | st.sampled_from(BROKEN), max_size=40))
def test_nothing_acts_on_a_terminal(said: str) -> None:
    run = hostile([said, BROKEN], host=f"h{BROKEN}")
    lines = [*readiness_terminal.lines(readiness(run)), *terminal.details(run, run.targets)]
    assert acting("\n".join(lines)) == set()
