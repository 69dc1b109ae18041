"""What a guest packed is read with nothing in it believed: it gives what it was asked for and no more."""

from __future__ import annotations

import gzip
import os
import tracemalloc
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.bundle.packs import END, TAKEN, missed, opened, read, record, wanted

LOG = b"line of a log\n" * 100


class TestAWholePack:
    def test_gives_each_file_with_what_is_to_be_known_of_it(self, tmp_path: Path) -> None:
        data = record(1, LOG, code="tail:20000000000,changed") + record(2, b"", code="status:3") + END
        pack = opened(tmp_path, data, wanted(1, 2))
        first, second = pack.records
        assert read(pack, first) == LOG
        assert first.taken is not None
        assert first.taken.timestamp() == TAKEN
        assert pack.truncated(first) == "only its end was taken, of 20,000,000,000 bytes"
        assert first.note == "it changed while it was read"
        assert read(pack, second) == b""
        assert second.note == "it ended with exit code 3"
        assert pack.truncated(second) is None
        assert (pack.misses, pack.problem) == ([], None)

    def test_says_what_is_missing_and_why(self, tmp_path: Path) -> None:
        codes = ["gone", "denied", "special", "link", "notfound", "room", "timeout", "failed:5", "odd"]
        data = b"".join(missed(number, code) for number, code in enumerate(codes, 1)) + END
        pack = opened(tmp_path, data, wanted(*range(1, 10)))
        reasons = [reason for _, reason in pack.misses]
        assert reasons[0] == "it was gone when it was to be read"
        assert reasons[4] == "there is no such file"
        assert reasons[7] == "reading it failed (5)"
        assert reasons[8] == "the guest says: odd"
        assert pack.problem is None

    def test_a_command_that_was_ended_says_after_how_long(self, tmp_path: Path) -> None:
        pack = opened(tmp_path, record(1, LOG, code="timeout") + END, wanted(1, kind="command"))
        assert pack.truncated(pack.records[0]) == "it was ended after 60 s"

    def test_events_may_come_in_two_forms(self, tmp_path: Path) -> None:
        data = record(1, b"{}\n", kind="json") + record(1, b"Elf\0", kind="evtx") + END
        pack = opened(tmp_path, data, wanted(1, kind="events"))
        assert [each.kind for each in pack.records] == ["json", "evtx"]
        assert pack.problem is None


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (record(7, LOG) + END, "not asked for"),
        (missed(7, "gone") + END, "not asked for"),
        (record(1, LOG) + record(1, LOG) + END, "answered twice"),
        (missed(1, "gone") + missed(1, "gone") + END, "answered twice"),
        (record(1, LOG) + END + record(2, LOG), "more after the end"),
        (record(1, LOG) + b"rm -rf /\n" + record(2, LOG) + END, "no pack from here on"),
        (record(1, LOG) + b"F\t2\t../../x\t1\t1\t1\twhole\nx" + END, "no pack from here on"),
        (record(1, LOG) + b"F\t2\ttxt\t-1\t1\t1\twhole\nx" + END, "no pack from here on"),
        (record(1, LOG) + b"x" * 10_000 + END, "no pack from here on"),
        (record(1, LOG), "the transfer broke off"),
        (b"", "the transfer broke off"),
    ],
)
def test_what_it_was_not_asked_for_ends_the_reading(tmp_path: Path, data: bytes, problem: str) -> None:
    pack = opened(tmp_path, data, wanted(1, 2))
    assert problem in str(pack.problem)
    assert len(pack.records) <= 1
    assert all(read(pack, each) == LOG for each in pack.records)


def test_a_command_does_not_answer_with_events(tmp_path: Path) -> None:
    pack = opened(tmp_path, record(1, b"x", kind="evtx") + END, wanted(1, kind="command"))
    assert pack.records == []
    assert pack.problem


class TestALyingGuest:
    def test_gives_no_more_than_it_was_asked_for(self, tmp_path: Path) -> None:
        pack = opened(tmp_path, record(1, b"x" * 5000) + END, wanted(1, most=1000))
        assert read(pack, pack.records[0]) == b"x" * 1000
        assert "larger than was asked for" in str(pack.truncated(pack.records[0]))

    def test_gives_no_more_than_all_of_it_may_have(self, tmp_path: Path) -> None:
        data = record(1, b"x" * 800) + record(2, b"y" * 800) + record(3, b"z" * 800) + END
        pack = opened(tmp_path, data, wanted(1, 2, 3), most=1000)
        assert [len(read(pack, each)) for each in pack.records] == [800, 200, 0]
        assert pack.truncated(pack.records[0]) is None
        assert pack.truncated(pack.records[1])

    @pytest.mark.parametrize(("plain", "said"), [(10, "more than the 10 bytes"), (5000, "5,000 bytes")])
    def test_is_told_of_a_size_that_is_not_so(self, tmp_path: Path, plain: int, said: str) -> None:
        pack = opened(tmp_path, record(1, LOG, plain=plain) + END, wanted(1))
        assert LOG.startswith(read(pack, pack.records[0]))
        assert said in str(pack.truncated(pack.records[0]))

    def test_does_not_fill_the_memory_with_a_bomb(self, tmp_path: Path) -> None:
        bomb = gzip.compress(bytes(200_000_000), 9)
        pack = opened(tmp_path, record(1, b"", packed=bomb, plain=10**12) + END, wanted(1, most=300_000))
        tracemalloc.start()
        try:
            assert len(read(pack, pack.records[0])) == 300_000
            assert tracemalloc.get_traced_memory()[1] < 5_000_000
        finally:
            tracemalloc.stop()

    @pytest.mark.parametrize(
        "packed",
        [b"no gzip at all", gzip.compress(LOG)[:-3] + b"xxx", zlib.compress(LOG), gzip.compress(LOG)[:40]],
    )
    def test_is_told_of_what_is_packed_badly(self, tmp_path: Path, packed: bytes) -> None:
        pack = opened(tmp_path, record(1, LOG, packed=packed) + record(2, LOG) + END, wanted(1, 2))
        assert LOG.startswith(read(pack, pack.records[0]))
        assert "packed" in str(pack.truncated(pack.records[0]))
        assert read(pack, pack.records[1]) == LOG

    def test_hides_nothing_behind_a_member(self, tmp_path: Path) -> None:
        packed = gzip.compress(LOG) + gzip.compress(b"more")
        pack = opened(tmp_path, record(1, LOG, packed=packed) + END, wanted(1))
        assert read(pack, pack.records[0]) == LOG
        assert "something else behind it" in str(pack.truncated(pack.records[0]))

    @pytest.mark.parametrize("taken", [999_999_999_999, 253_402_300_800])
    def test_has_no_time_that_there_is_not(self, tmp_path: Path, taken: int) -> None:
        pack = opened(tmp_path, record(1, LOG, taken=taken) + END, wanted(1))
        assert pack.records[0].taken is None


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_of_a_pack_that_was_cut_what_is_whole_is_given(tmp_path: Path, cut: int) -> None:
    noise = os.urandom(3000)
    whole = record(1, LOG) + record(2, noise) + END
    pack = opened(tmp_path, whole[: -cut * 40], wanted(1, 2))
    assert pack.problem == "the transfer broke off"
    assert read(pack, pack.records[0]) == LOG
    if len(pack.records) == 2:
        assert noise.startswith(read(pack, pack.records[1]))
        assert pack.truncated(pack.records[1]) == "the transfer broke off"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(
    st.lists(st.sampled_from([b"F\t1\ttxt\t3\t3\t1\twhole\n", b"M\t2\tgone\n", b"abc", b"E\n", b"\n", b"\0"]))
)
def test_no_bytes_make_it_fail(tmp_path: Path, parts: list[bytes]) -> None:
    pack = opened(tmp_path, b"".join(parts), wanted(1, 2))
    for each in pack.records:
        read(pack, each)
        pack.truncated(each)
