"""The envelope: an answer is found in whatever else a guest says, however it arrives, or is not believed."""

from __future__ import annotations

import itertools
import json
import time
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.envelope import MAX_ANSWER, MAX_DEPTH, AnswerStream, Capture, ContentStream, parse, prefix
from fleet.model import Completed, Outcome, Reply

NONCE = "k3x9m2"
OTHER = "zzzzzz"
KEEP = 1_000_000


def answer(
    nonce: str = NONCE, outcome: str = "ok", message: str = "fine", data: Any = None, seconds: Any = 1.5
) -> bytes:
    rest = json.dumps({"outcome": outcome, "message": message, "data": data or {}, "seconds": seconds})
    return prefix(nonce) + rest[1:].encode() + b"\n"


def read(stdout: bytes, stderr: bytes = b"", **ended: Any) -> Reply:
    return parse(Completed(stdout, stderr, ended.pop("exit_code", 0), 9.0, **ended), NONCE)


def raw(members: bytes) -> Reply:
    return read(prefix(NONCE) + members + b"\n")


class TestParse:
    def test_an_answer_is_read(self) -> None:
        reply = read(b"one\n" + answer(outcome="changed", data={"pid": 5}) + b"two\n", b"three\r\n")
        assert (reply.outcome, reply.message.raw, reply.data) == (Outcome.CHANGED, "fine", {"pid": 5})
        assert (reply.log.raw, reply.seconds, reply.truncated) == ("one\ntwo\nthree", 1.5, False)

    def test_it_begins_as_promised(self) -> None:
        assert answer().startswith(b'{"fleet":1,"nonce":"k3x9m2","outcome":')

    @pytest.mark.parametrize("outcome", ["ok", "changed", "failed", "skipped", "timed_out", "broken"])
    def test_a_guest_has_six_words(self, outcome: str) -> None:
        assert read(answer(outcome=outcome)).outcome == outcome

    @pytest.mark.parametrize(
        "outcome", ["held", "unreachable", "denied", "busy", "unknown", "not_run", "OK", "", "x"]
    )
    def test_the_words_of_fleet_itself_are_not_taken_from_a_guest(self, outcome: str) -> None:
        reply = read(answer(outcome=outcome))
        assert (reply.outcome, reply.message.raw) == (
            Outcome.BROKEN,
            "the answer is malformed: no known outcome",
        )

    def test_the_last_line_may_lack_its_end(self) -> None:
        assert read(answer().rstrip(b"\n")).outcome is Outcome.OK

    def test_what_was_dropped_is_said(self) -> None:
        assert read(answer(), dropped=7).truncated

    @pytest.mark.parametrize(
        "line",
        [
            answer(OTHER),
            b" " + answer(),
            b"x" + answer(),
            answer().replace(b'"fleet":1,', b'"fleet": 1,'),
            answer().replace(b'{"fleet":1,"nonce":"k3x9m2",', b'{"nonce":"k3x9m2","fleet":1,'),
            answer().replace(b'"fleet":1', b'"fleet":2'),
            answer()[:-40],
        ],
        ids=["wrong nonce", "indented", "within a line", "spaces", "other order", "other version", "half"],
    )
    def test_a_forged_or_half_answer_is_log(self, line: bytes) -> None:
        reply = read(line)
        assert reply.outcome is Outcome.BROKEN
        assert reply.data == {}
        good = read(line.removesuffix(b"\n") + b"\n" + answer())
        assert good.outcome is (Outcome.BROKEN if line.startswith(prefix(NONCE)) else Outcome.OK)

    def test_of_two_answers_neither_is_believed(self) -> None:
        reply = read(answer() + answer(outcome="failed"))
        assert (reply.outcome, reply.message.raw) == (
            Outcome.BROKEN,
            "two answers to one script; neither is believed",
        )

    @pytest.mark.parametrize(
        ("members", "reason"),
        [
            (b"", "Expecting"),
            (b'"outcome":"ok"', "Expecting ',' delimiter"),
            (b'"outcome":"ok","outcome":"failed","message":"","data":{},"seconds":1}', "a key stands twice"),
            (b'"outcome":"ok","message":"","data":{"a":{"b":1,"b":2}},"seconds":1}', "a key stands twice"),
            (b'"nonce":"zzzzzz","outcome":"ok","message":"","data":{},"seconds":1}', "a key stands twice"),
            (b'"outcome":"ok","message":"","data":{"a":NaN},"seconds":1}', "NaN is no JSON"),
            (b'"outcome":"ok","message":"","data":{"a":-Infinity},"seconds":1}', "-Infinity is no JSON"),
            (b'"outcome":"ok","message":"","data":{"a":1e999},"seconds":1}', "a number is too large"),
            (b'"outcome":"ok","message":"","data":{"a":1' + b"0" * 5000 + b'},"seconds":1}', "limit"),
            (b'"outcome":"ok","message":"","data":{},"seconds":1e999}', "a number is too large"),
            (b'"outcome":"ok","message":"","data":{},"seconds":1' + b"0" * 4000 + b"}", "no duration"),
            (b'"outcome":"ok","message":"","data":{},"seconds":-1}', "seconds is no duration"),
            (b'"outcome":"ok","message":"","data":{},"seconds":true}', "seconds is no duration"),
            (b'"outcome":"ok","message":"","data":{},"seconds":"1"}', "seconds is no duration"),
            (b'"outcome":"ok","message":"","data":{}}', "seconds is no duration"),
            (b'"outcome":"ok","message":5,"data":{},"seconds":1}', "message is no text"),
            (b'"outcome":"ok","data":{},"seconds":1}', "message is no text"),
            (b'"outcome":"ok","message":"","data":[],"seconds":1}', "data is no object"),
            (b'"outcome":["ok"],"message":"","data":{},"seconds":1}', "no known outcome"),
            (b'"message":"","data":{},"seconds":1}', "no known outcome"),
            (b'"outcome":"ok","message":"\xc3\xa9","data":{},"seconds":1}', "ascii"),
            (b'"outcome":"ok","message":"","data":{},"seconds":1} {}', "Extra data"),
        ],
    )
    def test_a_malformed_answer_is_broken_and_says_why(self, members: bytes, reason: str) -> None:
        reply = raw(members)
        assert reply.outcome is Outcome.BROKEN
        assert reply.message.raw.startswith("the answer is malformed: ")
        assert reason in reply.message.raw

    @pytest.mark.parametrize("opening", [b"[", b'{"a":'])
    @pytest.mark.parametrize(
        ("depth", "outcome"), [(MAX_DEPTH - 2, Outcome.OK), (MAX_DEPTH + 2, Outcome.BROKEN)]
    )
    def test_depth_has_a_limit(self, opening: bytes, depth: int, outcome: Outcome) -> None:
        closing = {b"[": b"]"}.get(opening, b"}")
        value = opening * depth + b"1" + closing * depth
        assert raw(b'"outcome":"ok","message":"","data":{"a":' + value + b'},"seconds":1}').outcome is outcome

    def test_depth_without_end_is_only_broken(self) -> None:
        assert raw(b'"outcome":"ok","message":"","data":{"a":' + b"[" * 1_000_000).outcome is Outcome.BROKEN

    def test_half_a_surrogate_pair_is_replaced(self) -> None:
        reply = raw(b'"outcome":"ok","message":"\\ud800","data":{"\\uDC00":["\\ud83d\\ude00"]},"seconds":1}')
        assert (reply.message.raw, reply.data) == ("\ufffd", {"\ufffd": ["\U0001f600"]})

    @pytest.mark.parametrize(
        ("ended", "message"),
        [
            ({}, "the script ended without an answer (exit code 0)"),
            ({"exit_code": None}, "the script ended without an answer"),
            ({"exit_code": 2}, "the script ended without an answer (exit code 2)"),
        ],
    )
    def test_a_missing_answer_is_broken(self, ended: dict[str, Any], message: str) -> None:
        reply = read(b"", **ended)
        assert (reply.outcome, reply.message.raw, reply.data) == (Outcome.BROKEN, message, {})

    def test_a_restricted_powershell_is_told_with_what_to_do(self) -> None:
        reply = read(b"FLEET-LANGUAGE-MODE ConstrainedLanguage\r\n", exit_code=3)
        assert reply.outcome is Outcome.BROKEN
        assert "runs in ConstrainedLanguage mode here (AppLocker or WDAC)" in reply.message.raw
        assert "Let the policy allow full language for this account" in reply.message.raw

    def test_its_message_has_the_last_line_and_its_log_everything(self) -> None:
        reply = read(b"a\nb\n", b"sh: syntax error\n")
        assert (
            reply.message.raw
            == "the script ended without an answer (exit code 0); last line: sh: syntax error"
        )
        assert reply.log.raw == "a\nb\nsh: syntax error"

    def test_a_script_that_was_given_up_is_timed_out_and_keeps_its_log(self) -> None:
        reply = read(b"began\n", timed_out=True)
        assert (reply.outcome, reply.log.raw) == (Outcome.TIMED_OUT, "began")

    def test_an_answer_counts_even_if_the_transport_had_given_up(self) -> None:
        assert read(answer(), timed_out=True).outcome is Outcome.OK

    def test_bytes_that_are_no_utf_8_stay_visible(self) -> None:
        assert read(b"a\xff\xc3\n" + answer()).log.raw == "a\\xff\\xc3"

    @given(st.binary(max_size=200), st.binary(max_size=50))
    def test_nothing_a_guest_sends_raises(self, members: bytes, stderr: bytes) -> None:
        for stdout in (members, prefix(NONCE) + members, prefix(NONCE) + b'"outcome":"ok",' + members):
            reply = read(stdout, stderr)
            assert isinstance(reply, Reply)
            reply.log.raw.encode()
            reply.message.raw.encode()


log_lines = st.lists(
    st.one_of(
        st.binary(max_size=20).map(lambda line: line + b"\n"),
        st.sampled_from(
            [
                answer(OTHER), b" " + answer("a1"), prefix("a1")[:-1] + b"x\n", prefix("a1")[:10] + b"\n",
                b"\n", b"\r\n", b'{"fleet":1,"nonce":"' + b"\n", b"no end" + prefix("a1") + b"\n",
            ]
        ),
    ),
    max_size=5,
).map(b"".join)  # fmt: skip


class TestAnswerStream:
    @given(
        logs=st.lists(log_lines, min_size=3, max_size=3),
        tail=log_lines,
        cuts=st.lists(st.integers(1, 40), max_size=60),
    )
    def test_it_does_not_matter_how_the_bytes_are_cut(
        self, logs: list[bytes], tail: bytes, cuts: list[int]
    ) -> None:
        nonces = ["a1", "b2", "c3"]
        parts = [log + answer(nonce) for nonce, log in zip(nonces, logs, strict=True)]
        stream, whole, finished = AnswerStream(nonces, KEEP), b"".join(parts) + tail, []
        for cut in [*cuts, len(whole)]:
            finished += stream.feed(whole[:cut])
            whole = whole[cut:]
        assert finished == [(part, 0) for part in parts]
        assert stream.rest() == (tail, 0)

    @given(log_lines)
    def test_one_byte_at_a_time_is_the_same(self, log: bytes) -> None:
        stream, finished = AnswerStream([NONCE], KEEP), []
        for byte in log + answer():
            finished += stream.feed(bytes([byte]))
        assert finished == [(log + answer(), 0)]

    def test_each_script_gets_what_it_said_and_no_more(self) -> None:
        stream = AnswerStream(["a1", "b2"], KEEP)
        finished = stream.feed(b"one\n" + answer("a1") + b"two\n" + answer("b2") + b"late\n")
        assert finished == [(b"one\n" + answer("a1"), 0), (b"two\n" + answer("b2"), 0)]
        assert stream.rest() == (b"late\n", 0)

    def test_an_answer_out_of_turn_is_log(self) -> None:
        stream = AnswerStream(["a1", "b2"], KEEP)
        assert stream.feed(answer("b2") + answer("a1")) == [(answer("b2") + answer("a1"), 0)]

    def test_an_answer_must_begin_a_line(self) -> None:
        stream = AnswerStream([NONCE], KEEP)
        assert stream.feed(b"no newline ") == []
        assert stream.feed(answer()) == []
        assert stream.rest() == (b"no newline " + answer(), 0)

    def test_half_an_answer_is_given_back_at_the_end(self) -> None:
        for size in range(len(answer())):
            stream = AnswerStream([NONCE], KEEP)
            assert stream.feed(b"log\n" + answer()[:size]) == []
            assert stream.rest() == (b"log\n" + answer()[:size], 0)

    @pytest.mark.parametrize("chunk", [b"x" * 65_536, b"x\n" * 32_768], ids=["no newline", "lines"])
    def test_a_flood_takes_bounded_memory_and_keeps_head_and_tail(self, chunk: bytes) -> None:
        keep, total = 100_000, 0
        stream = AnswerStream([NONCE], keep)
        tracemalloc.start()
        stream.feed(b"HEAD\n")
        started = time.process_time()
        while total < 50_000_000:
            assert stream.feed(chunk) == []
            total += len(chunk)
        seconds = time.process_time() - started
        [(stdout, dropped)] = stream.feed(b"\nTAIL\n" + answer())
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert stdout.startswith(b"HEAD\nx")
        assert stdout.endswith(b"\nTAIL\n" + answer())
        assert len(stdout) == keep + len(answer())
        assert dropped == 5 + total + 6 - keep
        assert peak < 1_000_000
        assert seconds < 20

    def test_an_answer_without_end_takes_bounded_memory_and_is_broken(self) -> None:
        stream = AnswerStream([NONCE], KEEP)
        tracemalloc.start()
        stream.feed(prefix(NONCE))
        for _ in range(800):
            assert stream.feed(b'"' * 65_536) == []
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        [(stdout, _)] = stream.feed(b"\n")
        assert len(stdout) <= MAX_ANSWER + 1
        assert peak < 3 * MAX_ANSWER
        assert read(stdout).outcome is Outcome.BROKEN

    def test_an_answer_at_the_limit_is_whole(self) -> None:
        room = MAX_ANSWER - len(answer(message=""))
        stream = AnswerStream([NONCE], KEEP)
        [(stdout, _)] = stream.feed(answer(message="m" * room))
        assert len(read(stdout).message.raw) == room


class TestCapture:
    @given(st.lists(st.binary(max_size=30), max_size=30), st.integers(1, 60))
    def test_head_and_tail_are_kept_and_the_rest_is_counted(self, chunks: list[bytes], keep: int) -> None:
        capture = Capture(keep)
        for chunk in chunks:
            capture.feed(chunk)
        whole = b"".join(chunks)
        kept, dropped = capture.take()
        assert len(kept) + dropped == len(whole)
        if len(whole) <= keep:
            assert kept == whole
        else:
            head, tail = keep // 2, keep - keep // 2
            assert kept == whole[:head] + whole[-tail:]

    def test_it_begins_anew_after_it_was_taken(self) -> None:
        capture = Capture(4)
        capture.feed(b"abcdefgh")
        assert capture.take() == (b"abgh", 4)
        capture.feed(b"xy")
        assert capture.take() == (b"xy", 0)


class TestContent:
    """What comes before the answer goes to a sink, byte by byte."""

    @given(
        st.lists(
            st.one_of(
                st.binary(max_size=20),
                st.sampled_from([b"\n", b"\n\n", prefix(OTHER), prefix(NONCE)[:-2], b"x" + prefix(NONCE)]),
            ),
            max_size=8,
        ),
        st.lists(st.integers(0, 400), max_size=12),
    )
    def test_the_sink_gets_it_however_it_is_cut_up(self, parts: list[bytes], cuts: list[int]) -> None:
        content, after = b"".join(parts), b"later\n"
        said = content + b"\n" + answer() + after
        got: list[bytes] = []
        stream = ContentStream(NONCE, KEEP, got.append)
        edges = sorted({0, len(said), *(cut for cut in cuts if cut < len(said))})
        finished = [one for i, j in itertools.pairwise(edges) for one in stream.feed(said[i:j])]
        assert b"".join(got) == content
        assert finished == [(answer(), 0)]
        assert stream.rest() == (after, 0)
        assert b"" not in got

    def test_without_an_answer_a_short_word_is_kept(self) -> None:
        for said, kept in ((b"no such shell\n", b"no such shell"), (b"x" * 1_000_000, b"")):
            got: list[bytes] = []
            stream = ContentStream(NONCE, KEEP, got.append)
            stream.feed(said)
            assert stream.rest() == (kept, 0)
            assert b"".join(got) == said.rstrip(b"\n")

    def test_what_comes_after_the_answer_is_bounded(self) -> None:
        stream = ContentStream(NONCE, 100, lambda _: None)
        stream.feed(b"\n" + answer() + b"y" * 500)
        assert stream.rest() == (b"y" * 100, 400)
