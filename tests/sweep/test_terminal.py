"""The report on a terminal: 80 columns whatever a guest says, the worst first, words and not only colours."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.model import Outcome, Result
from fleet.report.readiness import readiness
from fleet.report.readiness_terminal import lines
from tests.sweep.runs import CHECKS, result, sweep_run, waiver

OK, FAILED = Outcome.OK, Outcome.FAILED
COMMAND = re.compile(r"  fleet (fix|explain|ping) ")


def fine(host: str) -> list[Result]:
    return [result(host, each["check"], OK) for each in CHECKS]


def fleet_of_480() -> dict[str, list[Result]]:
    hosts = {f"web{number:03}": fine(f"web{number:03}") for number in range(443)}
    for number in range(1, 13):
        name = f"bk{number:02}"
        hosts[name] = [result(name, "disk-space", FAILED, f"D: has {number} % free"), *fine(name)[1:]]
    for number in range(1, 22):
        name = f"app{number}"
        said = result(name, "clock", FAILED, "the clock is off by 75 s")
        hosts[name] = [fine(name)[0], said, fine(name)[2]]
    for number in range(1, 5):
        name = f"old{number}"
        hosts[name] = [result(name, "disk-space", Outcome.UNREACHABLE, "10.0.0.9:22 timed out")]
    return hosts


def test_480_hosts_are_a_few_lines_with_the_worst_first() -> None:
    text = list(lines(readiness(sweep_run(fleet_of_480()))))
    assert text[:12] == [
        "NOT READY      12 hosts",
        "   12  D: has 1 % free (e.g. bk01)",
        "       disk-full   bk[01-12]",
        "NOT KNOWN       4 hosts",
        "    4  unreachable: 10.0.0.9:22 timed out",
        "       old[1-4]",
        "WARNINGS       21 hosts",
        "   21  the clock is off by 75 s",
        "       clock-wrong   app[1-9] app[10-21]",
        "READY         443 hosts",
        "480 hosts = 12 not ready + 4 not known + 21 ready with warnings + 443 ready",
        "run 20261121-2000-b7",
    ]
    assert len(text) <= 20
    assert all(len(line) <= 80 for line in text if not COMMAND.match(line))


def test_every_host_is_accounted_for() -> None:
    text = "\n".join(lines(readiness(sweep_run(fleet_of_480()))))
    total, parts = re.findall(r"(\d+) hosts = (.*)", text)[0]
    assert int(total) == sum(int(number) for number in re.findall(r"\d+", parts)) == 480


@given(st.text(max_size=300), st.from_regex(r"[A-Za-z0-9._-]{1,40}", fullmatch=True))
def test_nothing_that_a_guest_says_gets_out_of_its_lines(message: str, host: str) -> None:
    run = sweep_run(
        {
            host: [result(host, "disk-space", FAILED, message)],
            "other": [result("other", "disk-space", Outcome.BROKEN, message)],
        }
    )
    for line in lines(readiness(run)):
        assert line.isprintable()
        if not COMMAND.match(line) and len(host) < 20:
            assert len(line) <= 80 or " " not in line.strip()


@pytest.mark.parametrize(
    "hostile", ["\x1b[2J\x1b]0;owned\x07", "\u202egnp.exe", "a\r\nREADY 9 hosts", "\u200b", "\ud800"]
)
def test_control_characters_and_marks_are_shown_and_do_nothing(hostile: str) -> None:
    run = sweep_run({"a": [result("a", "disk-space", FAILED, f"x{hostile}y")]})
    text = list(lines(readiness(run)))
    assert all(line.isprintable() for line in text)
    assert not any(line.startswith("READY") for line in text)


def test_colour_is_never_the_only_signal() -> None:
    painted: list[str] = []

    def paint(text: str, _verdict: object) -> str:
        painted.append(text)
        return text

    list(lines(readiness(sweep_run(fleet_of_480())), paint))
    assert painted == ["NOT READY", "NOT KNOWN", "WARNINGS", "READY"]


def test_warnings_of_hosts_that_are_not_ready_are_there_too() -> None:
    both = [result("a", "disk-space", FAILED, "full"), result("a", "clock", FAILED, "off"), *fine("a")[2:]]
    text = list(lines(readiness(sweep_run({"a": both}))))
    assert "WARNINGS        on 1 of those above" in text


def test_waivers_say_who_and_until_when() -> None:
    run = sweep_run(
        {"a": [result("a", "disk-space", FAILED), *fine("a")[1:]]}, waivers=[waiver("disk-space", "a")]
    )
    text = " ".join(" ".join(lines(readiness(run))).split())
    assert "READY 1 host (1 of them by waiver)" in text
    assert "Waived: disk-space on a until 2026-12-31, dba-team: the disk is replaced in December" in text


def test_many_lost_hosts_are_pinged_by_the_selection_of_the_sweep() -> None:
    lost = {f"h{n}": [result(f"h{n}", "clock", Outcome.DENIED, "no")] for n in range(3)}
    assert "  fleet ping -i prod.yaml -l all" in list(lines(readiness(sweep_run(lost))))
    mixed = {**lost, "ok": fine("ok")}
    assert "  fleet ping -i prod.yaml -l h0,h1,h2" in list(lines(readiness(sweep_run(mixed))))
