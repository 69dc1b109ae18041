"""Folded names stand for exactly the hosts they were made of."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.report.fold import fold


@pytest.mark.parametrize(
    ("names", "folded"),
    [
        (["sql01", "sql02", "sql03"], "sql[01-03]"),
        (["web3", "web9"], "web[3,9]"),
        (["db1", "db2"], "db[1,2]"),
        (["web9", "web10", "web11"], "web9 web[10,11]"),
        (["mail", "sql01"], "mail sql01"),
        (["bk01", "bk02", "bk03", "bk07"], "bk[01-03,07]"),
        (["10", "11"], "10 11"),
        ([], ""),
    ],
)
def test_examples(names: list[str], folded: str) -> None:
    assert fold(names) == folded


def unfold(text: str) -> list[str]:
    names = []
    for part in text.split():
        match = re.fullmatch(r"([^\[]+)\[(.+)\]", part)
        if not match:
            names.append(part)
            continue
        for span in match[2].split(","):
            first, _, last = span.partition("-")
            width = len(first)
            names += [f"{match[1]}{n:0{width}d}" for n in range(int(first), int(last or first) + 1)]
    return names


@given(st.lists(st.from_regex(r"[a-z][a-z-]{0,3}[0-9]{0,4}", fullmatch=True), unique=True, max_size=30))
def test_nobody_is_lost_or_added(names: list[str]) -> None:
    assert sorted(unfold(fold(names))) == sorted(names)
