"""``fleet ping``: what answered, and of many hosts those that say the same in one line."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fleet.cli.look import _skew
from fleet.model import NOTHING, Os, Outcome, Result
from tests.cli.conftest import Fleet


def test_a_few_hosts_have_a_line_and_a_round_trip_each(fleet: Fleet, inventory: Path) -> None:
    ran = fleet("ping", "-i", inventory)
    assert ran.code == 0
    table = " ".join(ran.out.split())
    alike = r"here\[1,2\] \(2\)"  # a line for both where both took the same milliseconds
    for name in ("here1", "here2"):
        assert re.search(rf"(?:{name}|{alike}) ok \S.*?, clock right, \d+ ms", table)


@pytest.mark.parametrize(
    ("off", "words"), [(0, "clock right"), (1, "clock right"), (-90, "clock -89 s"), (3600, "clock +3599 s")]
)
def test_a_clock_that_is_off_is_said_in_seconds(off: int, words: str) -> None:
    """The guest says whole seconds, and a script does not begin the moment it is sent: both are forgiven."""
    started = datetime(2026, 11, 21, 2, 31, 0, 900_000, tzinfo=UTC)
    data = {"epoch": int(started.timestamp()) + off}
    result = Result("h", Os.LINUX, 1, "ping", Outcome.OK, NOTHING, started, 0.05, data)
    assert _skew(result) == [words]


def test_many_hosts_that_say_the_same_share_a_line(fleet: Fleet, inventory: Path) -> None:
    inventory.write_text("all: {hosts: {'h[01:40]': {ansible_connection: local, ansible_host: localhost}}}\n")
    ran = fleet("ping", "-i", inventory)
    assert ran.out.startswith("h[01-40] (40)  ok ")
    assert re.search(r"clock right, \d+-\d+ ms", " ".join(ran.out.split()))
    assert len(ran.out.splitlines()) < 8
