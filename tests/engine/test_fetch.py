"""Fetching a pack: whatever guest, wire and disk do, what is kept is right, and said to be partial."""

from __future__ import annotations

import base64
import contextlib
import errno
import hashlib
import itertools
import json
import os
import resource
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.engine import fetch as module
from fleet.engine.fetch import Budget, Fetched, Source, fetch
from fleet.engine.segment import DamagedError, Receiver, Segment
from fleet.envelope import ContentStream, prefix
from fleet.errors import BusyError, DeniedError, UnreachableError
from fleet.model import Completed, Outcome, Script, Shell

SIZE = 1_000
"""Bytes of a segment here."""

PACK = os.urandom(10 * SIZE + 123)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEGMENT", SIZE)
    monkeypatch.setattr(module, "LARGE", 2 * SIZE)


class HurriedClock:
    """Half a minute passes whenever somebody looks."""

    def __init__(self) -> None:
        self._seconds = itertools.count(step=30)

    def now(self) -> datetime:
        return datetime(2026, 11, 24, tzinfo=UTC)

    def monotonic(self) -> float:
        return float(next(self._seconds))


@dataclass
class Asked:
    """What one script asks for."""

    offset: int
    length: int
    encoding: str
    number: int


@dataclass
class Guest:
    """A guest with a staged pack; ``meddle`` may change or refuse what it sends."""

    pack: bytes = PACK
    meddle: Callable[[Asked, bytes], bytes] = lambda _asked, content: content
    opening: Callable[[int], None] = lambda _number: None
    asked: list[Asked] = field(default_factory=list)
    opened: int = 0
    open_now: int = 0
    most_open: int = 0
    answer: dict[str, Any] = field(default_factory=dict)
    piece: int = 300
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def connect(self) -> GuestTransport:
        with self._lock:
            self.opened += 1
            number = self.opened
        self.opening(number)
        with self._lock:
            self.open_now += 1
            self.most_open = max(self.most_open, self.open_now)
        return GuestTransport(self)

    def ask(self, offset: int, length: int, encoding: str) -> Script:
        with self._lock:
            nonce = f"n{len(self.asked)}"
            self.asked.append(Asked(offset, length, encoding, len(self.asked)))
        return Script(Shell.SH, nonce, str(len(self.asked) - 1).encode(), 60.0, "collect-send", "0" * 64)

    def send(self, script: Script) -> bytes:
        asked = self.asked[int(script.payload)]
        plain = self.pack[asked.offset : asked.offset + asked.length]
        content = plain if asked.encoding == "raw" else base64.encodebytes(plain)
        data = {"sha256": hashlib.sha256(plain).hexdigest(), "size": len(plain), **self.answer}
        body = {"outcome": "ok", "message": "", "data": data, "seconds": 0, **self.answer}
        return (
            self.meddle(asked, content) + b"\n" + prefix(script.nonce) + json.dumps(body)[1:].encode() + b"\n"
        )


class GuestTransport:
    def __init__(self, guest: Guest) -> None:
        self._guest = guest
        self.closed = False

    def run(self, scripts: Sequence[Script]) -> Iterator[Completed]:
        raise AssertionError("content is streamed")

    def stream(self, script: Script, sink: Callable[[bytes], None]) -> Completed:
        assert not self.closed
        answers = ContentStream(script.nonce, 10_000, sink)
        said = self._guest.send(script)
        finished = []
        for start in range(0, len(said), self._guest.piece):
            finished += answers.feed(said[start : start + self._guest.piece])
        stdout = b"".join(answer for answer, _ in finished) + answers.rest()[0]
        return Completed(stdout, b"", 0, 0.1)

    def close(self) -> None:
        if not self.closed:
            self._guest.open_now -= 1
        self.closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def bring(
    guest: Guest,
    folder: Path,
    *,
    size: int | None = None,
    streams: int = 1,
    budget: Budget | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> Fetched:
    source = Source(len(guest.pack) if size is None else size, guest.ask, guest.connect, streams)
    with guest.connect() as first:
        fetched = fetch(
            source,
            folder / "pack",
            first=first,
            budget=budget or Budget(10**9, 8),
            clock=HurriedClock(),
            stopping=stopping,
        )
        assert not first.closed  # it is the caller's
        return fetched


def kept(fetched: Fetched, folder: Path) -> bytes:
    """What is there of a pack that did not come whole."""
    assert fetched.path == folder / "pack.part"
    assert not (folder / "pack").exists()
    content = fetched.path.read_bytes()
    assert len(content) == fetched.size
    return content


class TestWhole:
    @pytest.mark.parametrize("size", [0, 1, SIZE - 1, SIZE, SIZE + 1, 3 * SIZE, len(PACK)])
    @pytest.mark.parametrize("streams", [1, 4])
    def test_it_comes_as_it_is(self, tmp_path: Path, size: int, streams: int) -> None:
        guest = Guest(PACK[:size])
        fetched = bring(guest, tmp_path, streams=streams)
        assert fetched == Fetched(tmp_path / "pack", size, Outcome.OK, f"{size} bytes", alive=True)
        assert fetched.path.read_bytes() == PACK[:size]
        assert [file.name for file in tmp_path.iterdir()] == ["pack"]
        assert fetched.path.stat().st_mode & 0o777 == 0o600
        assert guest.open_now == 0

    def test_each_segment_is_asked_for_once(self, tmp_path: Path) -> None:
        guest = Guest()
        bring(guest, tmp_path, streams=4)
        assert sorted(asked.offset for asked in guest.asked) == list(range(0, len(PACK), SIZE))

    def test_until_it_is_whole_it_has_another_name(self, tmp_path: Path) -> None:
        seen: set[str] = set()

        def look(asked: Asked, content: bytes) -> bytes:
            seen.update(file.name for file in tmp_path.iterdir())
            return content

        bring(Guest(meddle=look), tmp_path)
        assert seen == {"pack.part"}

    def test_a_large_pack_comes_over_as_many_connections_as_it_may(self, tmp_path: Path) -> None:
        together = threading.Barrier(4, timeout=10)
        guest = Guest()

        def wait_for_the_others(asked: Asked, content: bytes) -> bytes:
            if asked.offset < 4 * SIZE:
                together.wait()
            return content

        guest.meddle = wait_for_the_others
        assert bring(guest, tmp_path, streams=4).outcome is Outcome.OK
        assert guest.most_open == 4

    def test_a_small_pack_is_not_worth_a_second_connection(self, tmp_path: Path) -> None:
        guest = Guest(PACK[: SIZE + 5])
        bring(guest, tmp_path, streams=4)
        assert guest.opened == 1

    @given(content=st.binary(max_size=3000), piece=st.integers(1, 700))
    def test_however_base64_is_cut_up(self, content: bytes, piece: int) -> None:
        guest = Guest(content, piece=piece, meddle=_flip_raw)
        with tempfile.TemporaryDirectory() as folder:
            fetched = bring(guest, Path(folder))
            assert fetched.outcome is Outcome.OK
            assert fetched.path.read_bytes() == content


def _flip_raw(asked: Asked, content: bytes) -> bytes:
    """A way that hurts what is not text."""
    return content if asked.encoding == "base64" else content[:-1] + b"\r\n"


class TestDamage:
    def test_a_damaged_segment_is_asked_for_again(self, tmp_path: Path) -> None:
        guest = Guest()
        guest.meddle = lambda asked, content: b"\0" + content[1:] if asked.number == 2 else content
        fetched = bring(guest, tmp_path)
        assert fetched.path.read_bytes() == PACK
        assert {asked.encoding for asked in guest.asked} == {"raw"}
        assert guest.opened == 1

    def test_what_is_damaged_twice_goes_on_in_base64(self, tmp_path: Path) -> None:
        guest = Guest(meddle=_flip_raw)
        fetched = bring(guest, tmp_path)
        assert fetched.path.read_bytes() == PACK
        assert [asked.encoding for asked in guest.asked[:3]] == ["raw", "raw", "base64"]

    def test_what_stays_damaged_is_given_up(self, tmp_path: Path) -> None:
        guest = Guest()
        guest.meddle = lambda asked, content: content[::-1] if asked.offset == 5 * SIZE else content
        fetched = bring(guest, tmp_path)
        assert fetched.outcome is Outcome.BROKEN
        assert kept(fetched, tmp_path) == PACK[: 5 * SIZE]
        assert "damaged" in fetched.message
        assert [asked.encoding for asked in guest.asked[-4:]] == ["raw", "raw", "base64", "base64"]

    def test_one_stream_s_damage_ends_all(self, tmp_path: Path) -> None:
        guest = Guest(meddle=lambda asked, content: content[::-1] if asked.offset == SIZE else content)
        fetched = bring(guest, tmp_path, streams=4)
        assert fetched.outcome is Outcome.BROKEN
        assert kept(fetched, tmp_path) == PACK[:SIZE]
        assert guest.open_now == 0

    @pytest.mark.parametrize("sha256", ["", None, "0" * 64, 5, ["x"]])
    def test_a_hash_that_is_none_is_not_believed(self, tmp_path: Path, sha256: object) -> None:
        fetched = bring(Guest(answer={"data": {"sha256": sha256}}), tmp_path)
        assert fetched.outcome is Outcome.BROKEN
        assert kept(fetched, tmp_path) == b""

    def test_more_than_was_asked_for_is_not_written(self, tmp_path: Path) -> None:
        guest = Guest(PACK[:SIZE], meddle=lambda _, content: content + b"x" * 50_000)
        seen: list[int] = []

        def stopping() -> bool:
            part = tmp_path / "pack.part"
            seen.append(part.stat().st_size if part.exists() else 0)
            return False

        fetched = bring(guest, tmp_path, stopping=stopping)
        assert fetched.outcome is Outcome.BROKEN
        assert max(seen) <= SIZE

    def test_a_pack_that_is_shorter_than_said(self, tmp_path: Path) -> None:
        fetched = bring(Guest(), tmp_path, size=len(PACK) + 5_000)
        assert fetched.outcome is Outcome.BROKEN
        assert kept(fetched, tmp_path) == PACK
        assert "fewer bytes than it said" in fetched.message

    def test_of_a_pack_that_is_longer_than_said_no_more_is_taken(self, tmp_path: Path) -> None:
        fetched = bring(Guest(), tmp_path, size=2_500)
        assert (fetched.outcome, fetched.path.read_bytes()) == (Outcome.OK, PACK[:2_500])

    def test_what_the_guest_says_of_a_failure_is_passed_on(self, tmp_path: Path) -> None:
        answer = {"outcome": "failed", "message": "what was staged is gone"}
        fetched = bring(Guest(answer=answer), tmp_path)
        assert fetched.outcome is Outcome.FAILED
        assert fetched.message.startswith("what was staged is gone; 0 of ")
        assert fetched.alive

    @given(junk=st.binary(max_size=400))
    def test_no_text_breaks_the_decoder(self, junk: bytes) -> None:
        with tempfile.TemporaryFile(buffering=0) as file:
            receiver = Receiver(Segment(0, 200), "base64", file, lambda: False)
            with contextlib.suppress(DamagedError):
                receiver(junk)
            assert file.seek(0, os.SEEK_END) == receiver.size <= 200


class TestCuts:
    def test_it_goes_on_over_a_new_connection(self, tmp_path: Path) -> None:
        guest = Guest()
        guest.meddle = _cut_at({3, 6})
        fetched = bring(guest, tmp_path)
        assert fetched.path.read_bytes() == PACK
        assert guest.opened == 3
        assert not fetched.alive
        assert guest.open_now == 0

    def test_whole_segments_are_not_fetched_again(self, tmp_path: Path) -> None:
        guest = Guest()
        guest.meddle = _cut_at({3})
        bring(guest, tmp_path)
        offsets = [asked.offset for asked in guest.asked]
        assert sorted(offsets) == sorted([*range(0, len(PACK), SIZE), 3 * SIZE])

    def test_as_long_as_it_goes_on_it_may_be_cut_often(self, tmp_path: Path) -> None:
        guest = Guest(meddle=_cut_at(set(range(0, 100, 2))))
        assert bring(guest, tmp_path).path.read_bytes() == PACK
        assert guest.opened == 12 > len(module.PAUSES)

    def test_a_guest_that_stays_away_is_given_up(self, tmp_path: Path) -> None:
        guest = Guest()
        guest.meddle = _cut_at({2})

        def refuse(number: int) -> None:
            if number > 1:
                raise UnreachableError("nobody answers")

        guest.opening = refuse
        fetched = bring(guest, tmp_path)
        assert fetched.outcome is Outcome.UNREACHABLE
        assert fetched.message == f"nobody answers; {2 * SIZE} of {len(PACK)} bytes came"
        assert kept(fetched, tmp_path) == PACK[: 2 * SIZE]
        assert guest.opened == 1 + len(module.PAUSES)
        assert not fetched.alive

    def test_a_password_that_is_refused_is_not_tried_again(self, tmp_path: Path) -> None:
        guest = Guest()
        guest.meddle = _cut_at({2})

        def refuse(number: int) -> None:
            if number > 1:
                raise DeniedError("the password was refused", login=True)

        guest.opening = refuse
        assert bring(guest, tmp_path).outcome is Outcome.DENIED
        assert guest.opened == 2

    def test_a_guest_without_room_for_more_connections_is_served_by_one(self, tmp_path: Path) -> None:
        guest = Guest()

        def refuse(number: int) -> None:
            if number > 1:
                raise BusyError("too many shells")

        guest.opening = refuse
        fetched = bring(guest, tmp_path, streams=4)
        assert fetched.path.read_bytes() == PACK
        assert guest.opened <= 4

    def test_cuts_of_all_connections(self, tmp_path: Path) -> None:
        guest = Guest()
        guest.meddle = _cut_at({1, 2, 4, 5, 9})
        assert bring(guest, tmp_path, streams=4).path.read_bytes() == PACK
        assert guest.open_now == 0

    @pytest.mark.parametrize("outcome", [Outcome.BROKEN, Outcome.TIMED_OUT])
    def test_scripts_without_an_answer_are_cuts(self, tmp_path: Path, outcome: Outcome) -> None:
        guest = Guest(answer={"outcome": outcome.value, "message": "no answer"})
        fetched = bring(guest, tmp_path)
        assert fetched.outcome is outcome
        assert len(guest.asked) == 1 + len(module.PAUSES)
        assert fetched.alive
        assert guest.open_now == 0


def _cut_at(numbers: set[int]) -> Callable[[Asked, bytes], bytes]:
    def meddle(asked: Asked, content: bytes) -> bytes:
        if asked.number in numbers:
            raise UnreachableError("the connection was lost", sent=True)
        return content

    return meddle


class TestHere:
    def test_without_room_nothing_is_begun(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        free = module.SPARE + len(PACK) - 1
        usage = type("Usage", (), {"free": free})
        monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
        guest = Guest()
        fetched = bring(guest, tmp_path)
        assert fetched.outcome is Outcome.FAILED
        assert "make room" in fetched.message
        assert guest.asked == []

    def test_a_disk_that_fills_up(self, tmp_path: Path) -> None:
        guest = Guest()
        with file_size_limit(4 * SIZE + 10):
            fetched = bring(guest, tmp_path)
        assert fetched.outcome is Outcome.FAILED
        assert os.strerror(errno.EFBIG) in fetched.message
        assert kept(fetched, tmp_path) == PACK[: 4 * SIZE]
        assert fetched.alive

    def test_a_disk_that_fills_up_ends_all_streams(self, tmp_path: Path) -> None:
        guest = Guest()
        with file_size_limit(4 * SIZE + 10):
            fetched = bring(guest, tmp_path, streams=4)
        assert fetched.outcome is Outcome.FAILED
        assert PACK.startswith(kept(fetched, tmp_path))
        assert guest.open_now == 0

    def test_a_folder_that_is_gone(self, tmp_path: Path) -> None:
        fetched = bring(Guest(), tmp_path / "gone")
        assert fetched.outcome is Outcome.FAILED
        assert os.strerror(errno.ENOENT) in fetched.message

    @pytest.mark.parametrize("streams", [1, 4])
    def test_told_to_stop_it_ends_with_what_is_there(self, tmp_path: Path, streams: int) -> None:
        stop = threading.Event()
        guest = Guest()

        def meddle(asked: Asked, content: bytes) -> bytes:
            if asked.offset == 4 * SIZE:
                stop.set()
            return content

        guest.meddle = meddle
        fetched = bring(guest, tmp_path, streams=streams, stopping=stop.is_set)
        assert fetched.outcome is Outcome.NOT_RUN
        assert PACK.startswith(kept(fetched, tmp_path))
        assert fetched.alive
        assert guest.open_now == 0

    def test_told_to_stop_while_it_waits_to_connect_again(self, tmp_path: Path) -> None:
        stop = threading.Event()
        guest = Guest(meddle=_cut_at({0}))

        def refuse(number: int) -> None:
            if number > 2:
                raise AssertionError("it was to stop")
            if number > 1:
                stop.set()
                raise UnreachableError("nobody answers")

        guest.opening = refuse
        assert bring(guest, tmp_path, stopping=stop.is_set).outcome is Outcome.NOT_RUN

    def test_a_surprise_is_no_result(self, tmp_path: Path) -> None:
        def surprise(asked: Asked, content: bytes) -> bytes:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            bring(Guest(meddle=surprise), tmp_path, streams=4)


class TestBudget:
    def test_bytes_are_shared_out_and_given_back(self) -> None:
        budget = Budget(100, 1)
        assert [budget.reserve(70), budget.reserve(70), budget.reserve(70)] == [70, 30, 0]
        budget.give_back(25)
        assert (budget.left, budget.reserve(70), budget.left) == (25, 25, 0)

    def test_connections_are_shared_out(self, tmp_path: Path) -> None:
        budget, guest = Budget(1, 3), Guest()
        for name in ("a", "b", "c"):
            (tmp_path / name).mkdir()
        threads = [
            threading.Thread(
                target=bring, args=(guest, tmp_path / name), kwargs={"streams": 4, "budget": budget}
            )
            for name in ("a", "b", "c")
        ]
        fetching: set[int] = set()
        most: list[int] = []
        lock = threading.Lock()

        def meddle(asked: Asked, content: bytes) -> bytes:
            with lock:
                fetching.add(threading.get_ident())
                most.append(len(fetching))
            with lock:
                fetching.discard(threading.get_ident())
            return content

        guest.meddle = meddle
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert max(most) <= 3
        assert all((tmp_path / name / "pack").read_bytes() == PACK for name in ("a", "b", "c"))

    def test_who_waits_for_a_turn_can_be_stopped(self, tmp_path: Path) -> None:
        budget = Budget(1, 1)
        assert budget.enter(lambda: False)
        looks = iter([False, True])
        fetched = bring(Guest(), tmp_path, budget=budget, stopping=lambda: next(looks))
        assert fetched.outcome is Outcome.NOT_RUN
        assert not list(tmp_path.iterdir())


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """A disk that is full at that size, for this process (setrlimit(2)); Python ignores its signal."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
