"""Ranges and ports in the names of hosts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.inventory import names


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("web01", ["web01"]),
        ("web[01:03]", ["web01", "web02", "web03"]),
        ("web[8:11]", ["web8", "web9", "web10", "web11"]),
        ("web[08:11]", ["web08", "web09", "web10", "web11"]),
        ("n[0:10:5]", ["n0", "n5", "n10"]),
        ("n[:2]", ["n0", "n1", "n2"]),
        ("db-[a:c].example", ["db-a.example", "db-b.example", "db-c.example"]),
        ("[a:b]", ["a", "b"]),
        ("r[1:2]s[a:b]", ["r1sa", "r1sb", "r2sa", "r2sb"]),
        ("fd00::5", ["fd00::5"]),
    ],
)
def test_a_range_stands_for_what_ansible_reads_from_it(text: str, expanded: list[str]) -> None:
    assert names.expand(text) == expanded


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("web[1-3]", '"[1-3]" is not a range; write [01:12], [a:f] or [0:10:2]'),
        ("web[]", "is not a range"),
        ("web[3:1]", "its first end is not before its last"),
        ("web[c:a]", "its first end is not before its last"),
        ("web[a:3]", "its first end is not before its last"),
        ("web[01:100]", "need the same number of digits"),
        ("web[0:4:0]", "the step"),
        ("web[0:999999]", "more than 100000 hosts"),
        ("web[0:99999999999999999999]", "more than 100000 hosts"),
        ("a[0:999]b[0:999]", "more than 100000 hosts"),
    ],
)
def test_a_range_that_is_none_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (the text is looked at below)
        names.expand(text)
    assert reason in str(caught.value)


@given(st.integers(0, 300), st.integers(0, 40), st.integers(1, 5), st.integers(0, 4))
def test_a_range_of_numbers_has_both_ends_and_one_width(first: int, more: int, step: int, width: int) -> None:
    low, high = str(first).zfill(width), str(first + more).zfill(width)
    if len(low) > 1 and low[0] == "0" and len(low) != len(high):
        return
    expanded = names.expand(f"h[{low}:{high}:{step}]x")
    assert [int(name[1:-1]) for name in expanded] == list(range(first, first + more + 1, step))
    if low[0] == "0" and len(low) > 1:
        assert {len(name) for name in expanded} == {len(low) + 2}


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("web01", ("web01", None)),
        ("web01:2222", ("web01", 2222)),
        ("web[01:12]:2222", ("web[01:12]", 2222)),
        ("web[01:12]", ("web[01:12]", None)),
        ("FD00:0::5", ("fd00::5", None)),
        ("[fd00::5]", ("fd00::5", None)),
        ("[fd00::5]:2222", ("fd00::5", 2222)),
        ("1:2:3:4:5:6:7:8", ("1:2:3:4:5:6:7:8", None)),
    ],
)
def test_a_port_behind_a_name_is_split_off_but_ipv6_stays_whole(
    text: str, parts: tuple[str, int | None]
) -> None:
    assert names.split_port(text) == parts
