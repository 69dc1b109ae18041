"""A sweep over forty mixed hosts names exactly what was planted, by one batch over one connection a host."""

from __future__ import annotations

import pytest

from fleet.catalog import load
from fleet.errors import BusyError, DeniedError, UnreachableError
from fleet.model import Os, Outcome, Shell
from fleet.report.actions import next_steps
from fleet.report.readiness import Readiness, Verdict, exit_code, readiness
from tests.sweep.fleet_of_guests import Guest, GuestNetwork, swept

LINUX, WINDOWS = Os.LINUX, Os.WINDOWS

PLANTED: dict[str, Guest] = {
    "web03": Guest(LINUX, {"waagent-running": "the agent does not run"}),
    "web09": Guest(LINUX, {"waagent-running": "the agent does not run"}),
    "web11": Guest(LINUX, {"waagent-auto-restart": "stays down after a crash"}),
    "web12": Guest(LINUX, {"waagent-verbose-logging": "verbose logging is on"}),
    "db02": Guest(LINUX, {"waagent-config": "extensions are off", "mounts-freezable": "/a stands twice"}),
    "sql01": Guest(WINDOWS, {"vss-writers": "SqlServerWriter failed at freeze [9]"}),
    "sql02": Guest(WINDOWS, {"vss-writers": "SqlServerWriter failed at freeze [8]"}),
    "app01": Guest(WINDOWS, {"azure-guest-agent": "RdAgent is Stopped", "strong-crypto": "not 1"}),
    "app02": Guest(WINDOWS, {"strong-crypto": "not 1"}),
    "old01": Guest(LINUX, refuses=UnreachableError("connection refused")),
    "old02": Guest(WINDOWS, refuses=DeniedError("the password was refused", login=True)),
    "old03": Guest(WINDOWS, refuses=BusyError("too many sessions")),
    "old04": Guest(LINUX, cut_after=3),
    "nas01": Guest(LINUX, absent={"waagent-selinux": "SELinux is not in use here"}),
}
NAMES = [
    *(f"web{number:02}" for number in range(1, 17)),
    *(f"db{number:02}" for number in range(1, 6)),
    *(f"sql{number:02}" for number in range(1, 9)),
    *(f"app{number:02}" for number in range(1, 7)),
    *(f"old{number:02}" for number in range(1, 5)),
    "nas01",
]
GUESTS = {
    name: PLANTED.get(name, Guest(WINDOWS if name.startswith(("sql", "app")) else LINUX)) for name in NAMES
}


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> tuple[Readiness, GuestNetwork]:
    run, network = swept(load(), GUESTS, tmp_path_factory.mktemp("state"))
    return readiness(run), network


def test_there_are_forty_of_both_systems() -> None:
    assert len(GUESTS) == 40
    assert {guest.os for guest in GUESTS.values()} == {LINUX, WINDOWS}


def test_findings_are_exactly_the_planted_faults(sweep: tuple[Readiness, GuestNetwork]) -> None:
    ready, _ = sweep
    found = {(each.host, each.check.name, each.message.raw) for each in ready.findings}
    planted = {(n, check, said) for n, guest in PLANTED.items() for check, said in guest.faults.items()}
    assert found == planted


def test_verdicts(sweep: tuple[Readiness, GuestNetwork]) -> None:
    ready, _ = sweep
    verdicts = {host.host: host.verdict for host in ready.hosts}
    assert list(verdicts) == NAMES, "in the order of the inventory"
    by_verdict = {
        verdict: {name for name, word in verdicts.items() if word is verdict} for verdict in Verdict
    }
    assert by_verdict[Verdict.NOT_READY] == {"web03", "web09", "db02", "sql01", "sql02", "app01"}
    assert by_verdict[Verdict.NOT_KNOWN] == {"old01", "old02", "old03", "old04"}
    assert by_verdict[Verdict.WARNINGS] == {"web11", "app02"}
    assert sum(ready.counts.values()) == 40
    assert exit_code(ready) == 3


def test_every_host_has_one_connection_and_one_batch(sweep: tuple[Readiness, GuestNetwork]) -> None:
    """The transports carry a batch in as many round trips as they need for one script (their own tests)."""
    ready, network = sweep
    assert sorted(network.opened) == sorted(NAMES)
    checks = [load().snippet(name) for name in ready.checks]
    for name, guest in GUESTS.items():
        shell = Shell.SH if guest.os is LINUX else Shell.POWERSHELL
        own = [snippet.name for snippet in checks if shell in snippet.texts]
        assert network.batches[name] == ([] if guest.refuses else [own]), name


def test_what_does_not_apply_is_skipped_with_its_reason(sweep: tuple[Readiness, GuestNetwork]) -> None:
    ready, _ = sweep
    nas = next(host for host in ready.hosts if host.host == "nas01")
    said = {each.snippet: str(each.message) for each in nas.skipped}
    assert said["waagent-selinux"] == "SELinux is not in use here"
    assert said["vss-writers"] == "vss-writers has no version for linux"
    assert nas.verdict is Verdict.READY


def test_a_connection_that_is_lost_keeps_what_was_answered(sweep: tuple[Readiness, GuestNetwork]) -> None:
    ready, _ = sweep
    lost = next(host for host in ready.hosts if host.host == "old04")
    assert len(lost.passed) == 3
    (gap,) = lost.gaps
    assert gap.outcome is Outcome.UNREACHABLE
    assert len(gap.checks) == len([s for s in map(load().snippet, ready.checks) if Shell.SH in s.texts]) - 3


def test_the_next_commands_name_the_faulty_hosts(sweep: tuple[Readiness, GuestNetwork]) -> None:
    ready, _ = sweep
    commands = [" ".join(step.words) for step in next_steps(ready)]
    assert "fleet fix agent-linux-not-running -l web03,web09" in commands
    assert "fleet fix azvm-vss-writer-bad-state -l sql01,sql02" in commands
    assert "fleet fix azvm-no-secure-network-strong-crypto -l app01,app02" in commands
