"""Scripts over WinRM: one session, one shell, one process; answers told apart; few requests."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, Literal

import pytest

from fleet.errors import BusyError, UnreachableError
from fleet.model import Completed, Script
from fleet.transport import winrm
from fleet.transport.winrm_soap import SEND_BYTES
from tests.transport.winrm_world import QUICK, LineGuest, World, answered, script

WORLDS: list[tuple[Literal["https", "http"], str]] = [("https", "ntlm"), ("http", "ntlm"), ("https", "basic")]


@pytest.fixture(params=WORLDS, ids=lambda world: f"{world[1]} over {world[0]}")
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """Every way to log in that the lab has; what comes after the login is the same."""
    with World(LineGuest(), *request.param) as one:
        yield one


@pytest.fixture
def sealed() -> Iterator[World]:
    with World(LineGuest(), "http", "ntlm") as one:
        yield one


def everything(transport: Any, scripts: list[Script]) -> list[Completed]:
    return list(transport.run(scripts))


class TestEveryLogin:
    def test_runs_scripts_and_leaves_no_shell(self, world: World) -> None:
        scripts = [script("echo one"), script("echo two >&2; echo zwei"), script("printf 'no newline'")]
        with world.open() as transport:
            done = everything(transport, scripts)
        assert [answered(*pair) for pair in zip(done, scripts, strict=True)] == [True, True, True]
        assert [b"one" in done[0].stdout, b"zwei" in done[1].stdout] == [True, True]
        assert b"two\n" in b"".join(one.stderr for one in done)
        assert not any(one.timed_out or one.dropped for one in done)
        assert world.service.shells.open == []
        assert world.service.connections == 1
        assert world.guest.started == 1

    def test_needs_at_most_5_requests_for_the_first_script_and_2_for_each_further_one(
        self, world: World
    ) -> None:
        with world.open() as transport:
            before = [name for name in world.service.requests if name != "Login"]
            everything(transport, [script()])
            first = len([name for name in world.service.requests if name != "Login"])
            everything(transport, [script()])
            second = len([name for name in world.service.requests if name != "Login"])
        assert before == ["Create"]
        assert first <= 5
        assert second - first <= 2

    def test_needs_at_most_8_requests_for_12_checks_sent_together(self, world: World) -> None:
        checks = [script(f"echo {number}") for number in range(12)]
        with world.open() as transport:
            done = everything(transport, checks)
        operations = [name for name in world.service.requests if name not in {"Login", "Delete"}]
        assert len(operations) <= 8, operations
        assert operations.count("Send") == 1
        assert all(answered(*pair) for pair in zip(done, checks, strict=True))

    def test_non_ascii_output_comes_as_it_was_written(self, world: World) -> None:
        with world.open() as transport:
            [done] = everything(transport, [script("printf 'gr\\303\\274n \\377\\n'")])
        assert b"gr\xc3\xbcn \xff\n" in done.stdout


class TestOneProcess:
    def test_serves_the_scripts_of_several_calls(self, sealed: World) -> None:
        with sealed.open() as transport:
            for _ in range(3):
                everything(transport, [script(), script()])
        assert sealed.guest.started == 1

    def test_is_fresh_for_every_script_where_the_inventory_says_so(self, sealed: World) -> None:
        scripts = [script("echo a"), script("echo b")]
        with sealed.open(fresh_process=True) as transport:
            done = everything(transport, scripts)
        assert all(answered(*pair) for pair in zip(done, scripts, strict=True))
        assert sealed.guest.started == 2
        assert sealed.service.shells.open == []

    def test_that_crashes_is_replaced_for_the_scripts_that_are_left(self, sealed: World) -> None:
        scripts = [script("echo fine"), script(raw="# leave\nexit 7"), script("echo after")]
        with sealed.open() as transport:
            first, crashed, last = everything(transport, scripts)
        assert answered(first, scripts[0])
        assert (crashed.exit_code, crashed.timed_out) == (7, False)
        assert not answered(last, scripts[1])
        assert answered(last, scripts[2])
        assert sealed.guest.started == 2

    def test_that_hangs_is_ended_at_the_deadline_and_its_output_kept(self, sealed: World) -> None:
        scripts = [script("echo begun; sleep 60", timeout=0.3), script("echo after")]
        with sealed.open() as transport:
            hung, last = everything(transport, scripts)
        assert hung.timed_out
        assert hung.stdout == b"begun\n"
        assert hung.exit_code is None
        assert answered(last, scripts[1])
        assert sealed.guest.started == 2
        assert "Signal" in sealed.service.requests

    def test_that_was_left_in_the_middle_does_not_answer_for_the_next_scripts(self, sealed: World) -> None:
        with sealed.open() as transport:
            answers = transport.run([script(), script("sleep 30")])
            next(answers)
            answers.close()  # type: ignore[attr-defined]
            one = script("echo new")
            [done] = everything(transport, [one])
        assert answered(done, one)
        assert sealed.guest.started == 2

    def test_says_how_it_ended_where_it_ends_without_an_answer(self, sealed: World) -> None:
        with sealed.open() as transport:
            [done] = everything(transport, [script(raw="# leave\nexit 3")])
        assert (done.exit_code, done.stdout) == (3, b"")


class TestChangingScripts:
    def test_are_sent_when_every_earlier_script_has_answered(self, sealed: World) -> None:
        scripts = [script(), script(), script(mutates=True), script(), script(mutates=True)]
        with sealed.open() as transport:
            done = everything(transport, scripts)
        assert all(answered(*pair) for pair in zip(done, scripts, strict=True))
        sends = [n for n, name in enumerate(sealed.service.requests) if name == "Send"]
        assert len(sends) == 3
        for earlier, later in itertools.pairwise(sends):
            assert "Receive" in sealed.service.requests[earlier:later]

    def test_after_a_hung_one_run_in_a_new_process_once(self, tmp_path: Any) -> None:
        with World(LineGuest(folder=tmp_path), "http", "ntlm") as world:
            scripts = [
                script("echo x >> first; sleep 60", mutates=True, timeout=0.3),
                script("echo x >> second", mutates=True),
            ]
            with world.open() as transport:
                hung, last = everything(transport, scripts)
        assert hung.timed_out
        assert answered(last, scripts[1])
        assert (tmp_path / "first").read_text() == "x\n"
        assert (tmp_path / "second").read_text() == "x\n"


class TestSizes:
    def test_a_script_bigger_than_an_envelope_goes_in_several_requests(self, sealed: World) -> None:
        filler = "".join(f"# {number * 7919 % 1_000_003:x}\n" for number in range(90_000))
        big = script(filler + "echo arrived")
        assert len(big.payload) > 2 * SEND_BYTES
        with sealed.open() as transport:
            [done] = everything(transport, [big])
        assert b"arrived\n" in done.stdout
        assert sealed.service.requests.count("Send") == -(-len(big.payload) // SEND_BYTES)

    def test_output_beyond_the_cap_is_dropped_and_counted_on_both_streams(self, sealed: World) -> None:
        size = 3_000_000
        flood = f"head -c {size} /dev/zero | tr '\\0' o; head -c {size} /dev/zero | tr '\\0' e >&2"
        one = script(flood)
        with sealed.open() as transport:
            [done] = everything(transport, [one])
        assert answered(done, one)
        kept = done.stdout.count(b"o" * 1000) * 1000
        assert kept <= QUICK.keep
        assert len(done.stderr) <= QUICK.keep
        assert done.dropped >= 2 * (size - QUICK.keep)

    def test_output_after_an_answer_belongs_to_the_next_script(self, sealed: World) -> None:
        first, second = script(after="echo tail"), script("echo second")
        with sealed.open() as transport:
            [answer] = everything(transport, [first])
            [done] = everything(transport, [second])
        assert answered(answer, first)
        assert answered(done, second)
        assert b"tail\nsecond\n" in done.stdout


class TestShell:
    def test_is_replaced_after_so_many_requests_and_only_between_scripts(
        self, sealed: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(winrm, "RECYCLE_AFTER", 4)
        scripts = [script() for _ in range(6)]
        with sealed.open() as transport:
            for one in scripts:
                [done] = everything(transport, [one])
                assert answered(done, one)
        assert sealed.service.requests.count("Create") == 3
        assert sealed.service.requests.count("Delete") == 3

    def test_is_opened_anew_where_the_guest_closed_it_between_two_calls(self, sealed: World) -> None:
        with sealed.open() as transport:
            everything(transport, [script()])
            sealed.service.shells.close()
            one = script("echo again")
            [done] = everything(transport, [one])
        assert answered(done, one)

    def test_that_went_under_a_changing_script_is_not_replaced(self, sealed: World) -> None:
        with sealed.open() as transport:
            everything(transport, [script()])
            sealed.service.shells.close()
            with pytest.raises(UnreachableError) as caught:
                everything(transport, [script(mutates=True)])
        assert caught.value.sent
        assert sealed.service.requests.count("Send") == 2

    def test_beyond_the_quota_is_busy_and_nothing_was_sent(self) -> None:
        with World(LineGuest(), "https", "ntlm", max_shells=1) as world, world.open():
            with pytest.raises(BusyError, match="limit for this user") as caught:
                world.open()
            assert not caught.value.sent
            assert len(world.service.shells.open) == 1

    def test_can_be_closed_twice_and_is_closed_for_scripts(self, sealed: World) -> None:
        transport = sealed.open()
        transport.close()
        transport.close()
        with pytest.raises(UnreachableError, match="closed") as caught:
            everything(transport, [script()])
        assert not caught.value.sent
        assert sealed.service.requests.count("Delete") == 1
