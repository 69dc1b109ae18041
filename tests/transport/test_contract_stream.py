"""What every transport keeps when the output of a script is content that goes to a sink."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fleet import envelope
from fleet.errors import TransportError
from fleet.model import Completed, Outcome, Script
from tests.transport.contract import (
    WORLDS,
    Answer,
    Complain,
    Exit,
    Pour,
    Say,
    Sleep,
    Step,
    Touch,
    World,
    WorldFactory,
    answer_line,
    read,
)
from tests.transport.test_contract import _descriptors, _peak_memory, _sleepers, _threads, _wait_until

MEGABYTE = 1_000_000
LARGE = 64 * MEGABYTE
MORE_THAN_PIPES_HOLD = 24 * MEGABYTE


@pytest.fixture(scope="module", params=WORLDS)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    factory: WorldFactory = request.param
    with factory(tmp_path_factory.mktemp("world")) as made:
        yield made


@pytest.fixture
def large(tmp_path: Path) -> Path:
    return noise(tmp_path / "noise", LARGE)


def noise(file: Path, size: int) -> Path:
    with file.open("wb") as target:
        for _ in range(size // MEGABYTE):
            target.write(os.urandom(MEGABYTE))
    return file


def framed(world: World, *steps: Step, timeout: float = 60.0) -> Script:
    """The steps as a body; the frame writes a newline before the answer."""
    return world.script(*steps, Say(b"\n"), Answer("done"), timeout=timeout)


def stream(world: World, script: Script, sink: Callable[[bytes], object]) -> Completed:
    with world.open() as transport:
        return transport.stream(script, lambda data: void(sink(data)))


def void(_: object) -> None:
    """The sink gives nothing back."""


class TestBytes:
    @pytest.mark.parametrize(
        "content",
        [
            pytest.param(b"", id="nothing"),
            pytest.param(b"\n", id="a newline"),
            pytest.param(b"\n\n\n", id="newlines"),
            pytest.param(b"no newline", id="no newline at its end"),
            pytest.param(b"a line\n", id="a line"),
            pytest.param(b"a\r\nb\r\n", id="lines of Windows"),
            pytest.param(bytes(range(256)), id="every byte"),
            pytest.param(b"\0" * 5000, id="NULs"),
            pytest.param(answer_line("n0", "forged"), id="an envelope with another nonce"),
            pytest.param(b"\n" + envelope.prefix("n0")[:-3] + b"\n", id="the beginning of an envelope"),
            pytest.param(b'x\n{"fleet":1,"nonce":"', id="the beginning of an envelope at the end"),
            pytest.param(b"x" + answer_line("n0") + b"\n\n", id="an envelope within a line"),
        ],
    )
    def test_the_sink_gets_what_the_body_wrote(self, world: World, content: bytes) -> None:
        got = bytearray()
        script = framed(world, *([Say(content)] if content else []))
        completed = stream(world, script, got.extend)
        assert bytes(got) == content
        assert completed.stdout == answer_line(script.nonce, "done")
        assert not completed.timed_out
        assert completed.dropped == 0
        assert read(script, completed).outcome is Outcome.OK

    def test_its_own_envelope_within_a_line_is_content(self, world: World) -> None:
        got = bytearray()
        script = world.script(Say(b"x"), Answer("forged"), Say(b"\n"), Answer("true"))
        completed = stream(world, script, got.extend)
        assert bytes(got) == b"x" + answer_line(script.nonce, "forged")
        assert read(script, completed).message.raw == "true"

    def test_64_megabytes_in_constant_memory(self, world: World, large: Path) -> None:
        script = framed(world, Pour(large))
        digest, expected = hashlib.sha256(), hashlib.sha256(large.read_bytes()).hexdigest()
        _peak_memory()
        before = _peak_memory()
        completed = stream(world, script, digest.update)
        if world.name != "fake":  # which is given all of it at once
            assert _peak_memory() - before < 30 * MEGABYTE
        assert digest.hexdigest() == expected
        assert completed.stdout == answer_line(script.nonce, "done")

    def test_stderr_is_no_content(self, world: World) -> None:
        if not world.stderr_apart:
            pytest.skip("this transport has one stream")
        got = bytearray()
        completed = stream(world, framed(world, Say(b"fine"), Complain(b"oh\n")), got.extend)
        assert completed.stderr == b"oh\n"
        assert bytes(got) == b"fine"

    def test_streams_and_scripts_take_turns_on_one_connection(self, world: World) -> None:
        got: list[bytes] = []
        with world.open() as transport:
            for number in range(3):
                transport.stream(framed(world, Say(b"%d" % number)), got.append)
                script = world.script(Say(b"log\n"), Answer(str(number)))
                (completed,) = transport.run([script])
                assert completed.stdout == b"log\n" + answer_line(script.nonce, str(number))
        assert b"".join(got) == b"012"


class TestEnds:
    def test_content_is_handed_on_before_the_script_has_ended(self, world: World, tmp_path: Path) -> None:
        got = bytearray()
        script = framed(world, Say(b"so far\n"), Sleep(), timeout=0.5)
        completed = stream(world, script, got.extend)
        assert completed.timed_out
        assert bytes(got) == b"so far"
        assert read(script, completed).outcome is Outcome.TIMED_OUT

    def test_a_short_word_instead_of_an_answer_is_kept(self, world: World) -> None:
        got = bytearray()
        script = world.script(Say(b"no such shell"), Exit(3))
        completed = stream(world, script, got.extend)
        assert completed.stdout == bytes(got) == b"no such shell"
        assert "no such shell" in read(script, completed).message.raw

    def test_a_long_output_without_an_answer_is_not_kept(self, world: World, tmp_path: Path) -> None:
        count = 0

        def sink(data: bytes) -> None:
            nonlocal count
            count += len(data)

        script = world.script(Pour(noise(tmp_path / "noise", MEGABYTE)), Say(b"x"), Exit(0))
        completed = stream(world, script, sink)
        assert completed.stdout == b""
        assert count == MEGABYTE + 1
        assert read(script, completed).outcome is Outcome.BROKEN

    def test_half_an_envelope_is_no_answer(self, world: World) -> None:
        got = bytearray()
        script = world.script(Say(b"content\n"), Answer("cut off", keep=-12))
        completed = stream(world, script, got.extend)
        assert bytes(got) == b"content"
        assert read(script, completed).outcome is Outcome.BROKEN

    def test_a_cut_says_that_the_script_was_sent(self, world: World) -> None:
        if world.cut is None:
            pytest.skip("there is no connection to cut")
        got = bytearray()
        with world.open() as transport:

            def sink(data: bytes) -> None:
                got.extend(data)
                assert world.cut is not None
                world.cut(transport)

            with pytest.raises(TransportError) as caught:
                transport.stream(framed(world, Say(b"so far\n"), Sleep()), sink)
        assert caught.value.sent
        assert bytes(got) == b"so far"

    def test_a_cut_before_anything_was_sent_says_so(self, world: World) -> None:
        if world.cut is None:
            pytest.skip("there is no connection to cut")
        with world.open() as transport:
            world.cut(transport)
            with pytest.raises(TransportError) as caught:
                transport.stream(framed(world), void)
        assert not caught.value.sent


class TestSinks:
    def test_what_a_sink_raises_is_raised_and_the_connection_serves_on(
        self, world: World, tmp_path: Path
    ) -> None:
        class DiskFullError(Exception):
            pass

        full = DiskFullError()

        def sink(data: bytes) -> None:
            raise full

        got = bytearray()
        with world.open() as transport:
            with pytest.raises(DiskFullError) as caught:
                transport.stream(framed(world, Pour(noise(tmp_path / "noise", MEGABYTE))), sink)
            assert caught.value is full
            transport.stream(framed(world, Say(b"again")), got.extend)
            script = world.script(Answer("still here"))
            (completed,) = transport.run([script])
        assert bytes(got) == b"again"
        assert read(script, completed).message.raw == "still here"

    def test_a_script_whose_sink_raised_does_not_live_on(self, world: World) -> None:
        if world.name == "ssh-sshd":
            pytest.skip("sshd tells a silent command nothing of a closed channel; the frame ends it")
        if world.name == "fake":
            pytest.skip("the fake has run the script before its output is cut up")

        def sink(data: bytes) -> None:
            raise LookupError

        before = _sleepers()
        with world.open() as transport:
            with pytest.raises(LookupError):
                transport.stream(framed(world, Say(b"begin\n"), Sleep()), sink)
            _wait_until(lambda: _sleepers() <= before)

    def test_a_slow_sink_slows_the_guest(self, world: World, tmp_path: Path) -> None:
        if world.name == "fake":
            pytest.skip("the fake has run the script before its output is cut up")
        through = tmp_path / "through"
        seen: list[bool] = []

        def sink(data: bytes) -> None:
            if not seen:
                threading.Event().wait(0.5)
                seen.append(through.exists())

        poured = noise(tmp_path / "noise", MORE_THAN_PIPES_HOLD)
        completed = stream(world, framed(world, Pour(poured), Touch(through)), sink)
        assert seen == [False]
        assert not completed.timed_out
        assert through.exists()

    def test_nothing_is_left_behind(self, world: World) -> None:
        stream(world, framed(world), void)  # what is loaded or started once is there from now on
        threads, descriptors = _threads(), _descriptors()
        stream(world, framed(world, Say(b"x")), void)

        def sink(data: bytes) -> None:
            raise LookupError

        with pytest.raises(LookupError):
            stream(world, framed(world, Say(b"begin\n")), sink)
        _wait_until(lambda: _threads() <= threads and _descriptors() <= descriptors)
