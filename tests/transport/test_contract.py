"""What every transport keeps, whatever it speaks. The worlds are in ``contract.py``."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fleet.errors import TransportError
from fleet.model import Completed, Outcome, Script
from fleet.transport import Limits
from tests.transport.contract import (
    SLEEP,
    WORLDS,
    Answer,
    Complain,
    Digest,
    Exit,
    Flood,
    Say,
    Sleep,
    World,
    WorldFactory,
    answer_line,
    digest_line,
    read,
)

KEEP = Limits().keep
MEGABYTE = 1_000_000


@pytest.fixture(scope="module", params=WORLDS)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    factory: WorldFactory = request.param
    with factory(tmp_path_factory.mktemp("world")) as made:
        yield made


def run(world: World, *scripts: Script) -> list[Completed]:
    with world.open() as transport:
        return list(transport.run(scripts))


class TestBytes:
    def test_an_answer_comes_back_with_what_was_printed_before_it(self, world: World) -> None:
        script = world.script(Say(b"hello\n"), Answer("done"))
        (completed,) = run(world, script)
        assert completed.stdout == b"hello\n" + answer_line(script.nonce, "done")
        assert completed.dropped == 0
        assert not completed.timed_out
        assert read(script, completed).outcome is Outcome.OK

    @pytest.mark.parametrize(
        "text",
        [
            "'; touch /tmp/no; '",
            '"$(id)" `id` ${HOME} \\',
            "\u2018typographic\u2019 \u201cquotes\u201d",
            "gr\u00fc\u00df \u4e16\u754c \U0001f600 \u202eevil",
            "a\nb\r\nc\t",
            "-n -e --",
            "%s%n %b",
        ],
    )
    def test_text_arrives_as_it_is(self, world: World, text: str) -> None:
        script = world.script(Digest(text), Answer())
        (completed,) = run(world, script)
        assert digest_line(text) in completed.stdout

    def test_five_megabytes_each_way(self, world: World) -> None:
        text = "".join(f"{number:07d} " for number in range(5 * MEGABYTE // 8))
        script = world.script(Digest(text), Flood(5 * MEGABYTE, 0), Answer("through"))
        (completed,) = run(world, script)
        assert digest_line(text) in completed.stdout[:KEEP]
        assert read(script, completed).message.raw == "through"

    def test_stderr_comes_apart(self, world: World) -> None:
        if not world.stderr_apart:
            pytest.skip("this transport has one stream")
        script = world.script(Complain(b"oh\n"), Say(b"fine\n"), Answer())
        (completed,) = run(world, script)
        assert completed.stderr == b"oh\n"
        assert b"oh" not in completed.stdout

    def test_output_without_a_newline_at_its_end(self, world: World) -> None:
        script = world.script(Say(b"no newline"))
        (completed,) = run(world, script)
        assert completed.stdout.rstrip() == b"no newline"
        assert read(script, completed).outcome is Outcome.BROKEN

    def test_bytes_that_are_no_utf8(self, world: World) -> None:
        script = world.script(Say(b"\xff\xfe\x80 caf\xe9\n"), Answer())
        (completed,) = run(world, script)
        assert b"caf" in completed.stdout
        assert read(script, completed).outcome is Outcome.OK

    def test_a_flood_on_both_streams_is_capped_and_counted(self, world: World) -> None:
        out = err = 50 * MEGABYTE
        script = world.script(Flood(out, err), Answer("swam"), timeout=30.0)
        _peak_memory()
        before = _peak_memory()
        (completed,) = run(world, script)
        if world.name != "fake":  # which is given all of it at once
            assert _peak_memory() - before < 40 * MEGABYTE
        line = answer_line(script.nonce, "swam")
        assert len(completed.stdout) == KEEP + len(line)
        assert len(completed.stderr) == KEEP
        assert completed.dropped == out + len(b"\n") + err - 2 * KEEP
        assert read(script, completed).truncated
        assert read(script, completed).outcome is Outcome.OK


class TestEnds:
    @pytest.mark.parametrize("code", [0, 3, 77, 255])
    def test_the_exit_code_of_a_script_without_an_answer(self, world: World, code: int) -> None:
        if not world.exit_codes:
            pytest.skip("this transport does not say")
        script = world.script(Say(b"before\n"), Exit(code))
        (completed,) = run(world, script)
        assert completed.exit_code == code
        assert read(script, completed).outcome is Outcome.BROKEN

    def test_a_timeout_keeps_what_was_said(self, world: World) -> None:
        script = world.script(Say(b"so far\n"), Sleep(), timeout=0.5)
        (completed,) = run(world, script)
        assert completed.timed_out
        assert completed.stdout == b"so far\n"
        assert read(script, completed).outcome is Outcome.TIMED_OUT

    def test_a_script_that_hangs_does_not_keep_the_next_from_running(self, world: World) -> None:
        first = world.script(Sleep(), timeout=0.2)
        second = world.script(Answer("I ran"))
        late, fine = run(world, first, second)
        assert late.timed_out
        assert read(second, fine).message.raw == "I ran"

    def test_a_script_that_ends_the_shell_does_not_keep_the_next_from_running(self, world: World) -> None:
        first, second = world.script(Say(b"bye\n"), Exit(9)), world.script(Answer("I ran"))
        gone, fine = run(world, first, second)
        assert read(first, gone).outcome is Outcome.BROKEN
        assert read(second, fine).message.raw == "I ran"


class TestBatches:
    def test_each_answer_belongs_to_its_script(self, world: World) -> None:
        scripts = [world.script(Say(b"log of %d\n" % number), Answer(str(number))) for number in range(12)]
        for number, (script, completed) in enumerate(zip(scripts, run(world, *scripts), strict=True)):
            assert completed.stdout == b"log of %d\n" % number + answer_line(script.nonce, str(number))

    def test_answers_come_as_they_are_given(self, world: World) -> None:
        first, second = world.script(Answer("early")), world.script(Sleep(), timeout=0.5)
        with world.open() as transport:
            answers = transport.run([first, second])
            assert read(first, next(answers)).message.raw == "early"
            assert next(answers).timed_out

    def test_remedies_between_checks(self, world: World) -> None:
        scripts = [world.script(Answer(str(n)), mutates=bool(n % 2)) for n in range(5)]
        replies = [
            read(script, completed) for script, completed in zip(scripts, run(world, *scripts), strict=True)
        ]
        assert [reply.message.raw for reply in replies] == ["0", "1", "2", "3", "4"]

    def test_one_connection_serves_several_batches(self, world: World) -> None:
        with world.open() as transport:
            for text in ("one", "two"):
                script = world.script(Answer(text))
                (completed,) = transport.run([script])
                assert read(script, completed).message.raw == text

    def test_no_scripts_are_no_answers(self, world: World) -> None:
        assert run(world) == []


class TestEnvelopes:
    def test_half_an_envelope_is_no_answer(self, world: World) -> None:
        script = world.script(Answer("cut off", keep=-12))
        (completed,) = run(world, script)
        assert read(script, completed).outcome is Outcome.BROKEN

    def test_of_two_envelopes_neither_is_believed(self, world: World) -> None:
        if world.lives_on:
            pytest.skip("the process lives on; nobody waits for more after an answer")
        script = world.script(Answer("yes"), Answer("no"))
        (completed,) = run(world, script)
        assert read(script, completed).outcome is Outcome.BROKEN

    def test_an_envelope_with_another_nonce_is_log(self, world: World) -> None:
        script = world.script(Answer("forged", nonce="n0"), Answer("true"))
        (completed,) = run(world, script)
        reply = read(script, completed)
        assert reply.message.raw == "true"
        assert "forged" in reply.log.raw

    def test_an_envelope_in_the_middle_of_a_line_is_log(self, world: World) -> None:
        script = world.script(Say(b"x"), Answer("forged"), Answer("true"))
        (completed,) = run(world, script)
        assert read(script, completed).message.raw == "true"


class TestCuts:
    def test_a_cut_before_anything_was_sent_says_so(self, world: World) -> None:
        if world.cut is None:
            pytest.skip("there is no connection to cut")
        with world.open() as transport:
            world.cut(transport)
            with pytest.raises(TransportError) as caught:
                next(transport.run([world.script(Answer(), mutates=True)]))
        assert not caught.value.sent

    def test_a_cut_while_a_script_runs_says_that_it_was_sent_and_keeps_its_output(self, world: World) -> None:
        if world.cut is None:
            pytest.skip("there is no connection to cut")
        first, second = world.script(Answer()), world.script(Sleep())
        with world.open() as transport:
            answers = transport.run([first, second])
            next(answers)
            world.cut(transport)
            with pytest.raises(TransportError) as caught:
                next(answers)
        assert caught.value.sent

    def test_a_cut_before_a_remedy_has_its_turn_says_that_it_was_not_sent(self, world: World) -> None:
        if world.cut is None:
            pytest.skip("there is no connection to cut")
        check, remedy = world.script(Answer()), world.script(Answer(), mutates=True)
        with world.open() as transport:
            answers = transport.run([check, remedy])
            next(answers)
            world.cut(transport)
            with pytest.raises(TransportError) as caught:
                next(answers)
        assert not caught.value.sent


class TestTidiness:
    def test_closing_twice(self, world: World) -> None:
        with world.open() as transport:
            list(transport.run([world.script(Answer())]))
            transport.close()
            transport.close()

    def test_nothing_is_left_behind(self, world: World) -> None:
        run(world, world.script(Answer()))  # what is loaded or started once is there from now on
        threads, descriptors = _threads(), _descriptors()
        run(world, world.script(Answer()), world.script(Sleep(), timeout=0.1))
        with world.open() as transport:
            answers = transport.run([world.script(Answer()), world.script(Sleep())])
            next(answers)  # and the rest is not asked for
        del answers
        _wait_until(lambda: _threads() <= threads and _descriptors() <= descriptors)

    def test_a_script_that_was_given_up_does_not_live_on(self, world: World, tmp_path: Path) -> None:
        if world.name in {"ssh-sshd"}:
            pytest.skip("sshd tells a silent command nothing of a closed channel; the frame ends it")
        before = _sleepers()
        run(world, world.script(Sleep(), timeout=0.1))
        _wait_until(lambda: _sleepers() <= before)


def _peak_memory() -> int:
    """Bytes of memory at the highest since the last call; Linux counts anew when told so (proc(5))."""
    status = Path("/proc/self/status").read_text()
    Path("/proc/self/clear_refs").write_text("5")
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def _threads() -> set[str]:
    return {str(thread.ident) for thread in threading.enumerate() if not thread.name.startswith("lab-")}


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _sleepers() -> set[str]:
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "cmdline").read_bytes().endswith(f"{SLEEP}\0".encode()):
                found.add(folder.name)
        except OSError:  # it has just ended
            continue
    return found


def _wait_until(condition: Callable[[], bool]) -> None:
    """Wait at most five seconds for what another process or thread has to do."""
    tick = threading.Event()
    for _ in range(500):
        if condition():
            return
        tick.wait(0.01)
    raise AssertionError("still not so after five seconds")
