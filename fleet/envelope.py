"""The envelope: how a script's answer is told apart from everything else that comes out of a guest.

An answer is one ASCII line of stdout that begins with ``{"fleet":1,"nonce":"<nonce>",`` and ends with
a newline. The nonce is new for every script of every run, so nothing a guest printed before, and
nothing that a program prints which the script starts, can pass for it. All other output is log.

This module is pure: transports feed it bytes, the engine reads its replies.
"""

from __future__ import annotations

import json
import math
import re
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from fleet.model import Completed, JsonValue, Outcome, Reply, Untrusted

MAX_ANSWER = 4_194_304
"""Bytes an envelope line may have; a longer one is cut, and then not valid."""

MAX_DEPTH = 32
"""How deep the data of an envelope may be nested."""

_FROM_SCRIPT = frozenset(
    {
        Outcome.OK,
        Outcome.CHANGED,
        Outcome.FAILED,
        Outcome.SKIPPED,
        Outcome.TIMED_OUT,
        Outcome.BROKEN,
    }
)
"""The first four are the snippet's own words; the last two the frame says of a snippet that it
stopped at its deadline or that it could not even parse."""


def prefix(nonce: str) -> bytes:
    """How the answer line of this nonce begins."""
    return b'{"fleet":1,"nonce":"' + nonce.encode("ascii") + b'",'


_LANGUAGE_MODE = re.compile(r"^FLEET-LANGUAGE-MODE ([A-Za-z]{1,40})\r?$", re.MULTILINE)
"""What the bootstrap of ``scripts/ps/_bootstrap.ps1`` says instead of running anything."""


class Capture:
    """Keeps the head and the tail of a stream, ``keep`` bytes in all, and counts what it drops."""

    def __init__(self, keep: int) -> None:
        self._head_room = keep // 2
        self._tail_room = keep - keep // 2
        self._head = bytearray()
        self._tail: deque[bytes] = deque()
        self._tail_size = 0
        self.dropped = 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        room = self._head_room - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        if not data:
            return
        self._tail.append(data)
        self._tail_size += len(data)
        while self._tail and self._tail_size - len(self._tail[0]) >= self._tail_room:
            gone = self._tail.popleft()
            self._tail_size -= len(gone)
            self.dropped += len(gone)

    def take(self) -> tuple[bytes, int]:
        """Give what was kept and how many bytes are missing from its middle, and begin anew."""
        tail = b"".join(self._tail)
        excess = max(0, len(tail) - self._tail_room)
        kept, dropped = bytes(self._head) + tail[excess:], self.dropped + excess
        self._head.clear()
        self._tail.clear()
        self._tail_size = 0
        self.dropped = 0
        return kept, dropped


class AnswerStream:
    """Cuts a stream of stdout into what belongs to each of several scripts run one after the other.

    Memory is bounded by ``keep`` for the log and ``MAX_ANSWER`` for an answer, whatever the guest sends.
    """

    def __init__(self, nonces: list[str], keep: int) -> None:
        self._waiting = deque(prefix(nonce) for nonce in nonces)
        self._log = Capture(keep)
        self._answer: bytearray | None = None
        self._carry = b""
        self._line_start = True
        """Whether ``_carry`` begins at the beginning of a line."""

    def feed(self, data: bytes) -> list[tuple[bytes, int]]:
        """Take bytes; give a pair of (stdout, dropped bytes) for every script that has now answered."""
        finished: list[tuple[bytes, int]] = []
        while data:
            if self._answer is None:
                data = self._scan(data)
            else:
                data = self._collect(data, finished)
        return finished

    def rest(self) -> tuple[bytes, int]:
        """Give what arrived for the script that has not answered; the stream is over then."""
        self._log.feed(self._carry)
        if self._answer is not None:
            self._log.feed(bytes(self._answer))
        self._carry, self._answer = b"", None
        return self._log.take()

    def _scan(self, data: bytes) -> bytes:
        """Pass log on until an answer begins; give the bytes after its first mark."""
        window = self._carry + data
        mark = self._waiting[0] if self._waiting else None
        at = self._find(window, mark) if mark else -1
        if mark and at >= 0:
            self._log.feed(window[:at])
            self._answer = bytearray(mark)
            self._carry = b""
            return window[at + len(mark) :]
        hold = self._undecided(window, mark) if mark else 0
        cut = len(window) - hold
        self._log.feed(window[:cut])
        if cut:
            self._line_start = window[cut - 1 : cut] == b"\n"
        self._carry = window[cut:]
        return b""

    def _find(self, window: bytes, mark: bytes) -> int:
        if self._line_start and window.startswith(mark):
            return 0
        at = window.find(b"\n" + mark)
        return at + 1 if at >= 0 else -1

    def _undecided(self, window: bytes, mark: bytes) -> int:
        """Length of the end of ``window`` that may be the beginning of a mark."""
        start = window.rfind(b"\n") + 1
        if start == 0 and not self._line_start:
            return 0
        line = window[start:]
        return len(line) if len(line) < len(mark) and mark.startswith(line) else 0

    def _collect(self, data: bytes, finished: list[tuple[bytes, int]]) -> bytes:
        answer = self._answer
        assert answer is not None
        end = data.find(b"\n")
        piece = data if end < 0 else data[:end]
        answer += piece[: max(0, MAX_ANSWER - len(answer))]
        if end < 0:
            return b""
        log, dropped = self._log.take()
        finished.append((log + bytes(answer) + b"\n", dropped))
        self._waiting.popleft()
        self._answer = None
        self._line_start = True
        return data[end + 1 :]


class ContentStream(AnswerStream):
    """Cuts the stdout of one script whose output is content: what comes before its answer goes to a sink.

    The sink gets exactly what the body wrote, as it comes: the newline that the frame puts before the answer
    is not in it (nor is a last newline where no answer comes). What comes after the answer is kept as log.
    """

    def __init__(self, nonce: str, keep: int, sink: Callable[[bytes], None]) -> None:
        super().__init__([nonce], keep)
        self._content = _Content(keep, sink)
        self._log = self._content

    def _scan(self, data: bytes) -> bytes:
        left = super()._scan(data)
        if self._answer is not None:
            self._content.over = True
        return left


class _Content(Capture):
    """Stands where the log is kept, and passes it on until it is over."""

    SHORT = 2_000
    """Bytes that may be all a script says which does not answer: why its shell or its frame did not run."""

    def __init__(self, keep: int, sink: Callable[[bytes], None]) -> None:
        super().__init__(keep)
        self._sink = sink
        self._newline = b""
        self._said = b""
        self.over = False

    def feed(self, data: bytes) -> None:
        """Pass on all but a newline at the end, which may be the frame's."""
        if self.over:
            super().feed(data)
            return
        if not data:
            return
        data = self._newline + data
        self._newline = b"\n" if data.endswith(b"\n") else b""
        content = data[: len(data) - len(self._newline)]
        if len(self._said) <= self.SHORT:
            self._said += content[: self.SHORT + 1]
        if content:
            self._sink(content)

    def take(self) -> tuple[bytes, int]:
        """Give what came after the answer; or all there was if that is short and there was no answer."""
        if not self.over:
            self.over = True
            if len(self._said) <= self.SHORT:
                return self._said, 0
        return super().take()


def parse(completed: Completed, nonce: str) -> Reply:
    """Read the answer out of what came back; a missing or malformed one becomes ``broken``.

    Never raises: what a guest sends can't stop the engine.
    """
    mark = prefix(nonce)
    answers: list[bytes] = []
    log: list[bytes] = []
    for line in completed.stdout.split(b"\n"):
        (answers if line.startswith(mark) else log).append(line)
    text = _decode(b"\n".join(log).strip(b"\r\n"))
    errors = _decode(completed.stderr.strip(b"\r\n"))
    full_log = Untrusted("\n".join(part for part in (text, errors) if part))
    truncated = completed.dropped > 0

    def broken(message: str, outcome: Outcome = Outcome.BROKEN) -> Reply:
        return Reply(outcome, Untrusted(message), {}, full_log, completed.seconds, truncated)

    if not answers:
        if completed.timed_out:
            return broken("no answer within its time", Outcome.TIMED_OUT)
        return broken(_no_answer(completed, full_log))
    if len(answers) > 1:
        return broken("two answers to one script; neither is believed")
    try:
        fields = _load(answers[0])
        return _reply(fields, full_log, truncated)
    except (ValueError, RecursionError) as error:
        return broken(f"the answer is malformed: {error}")


def _no_answer(completed: Completed, log: Untrusted) -> str:
    if match := _LANGUAGE_MODE.search(log.raw):
        return (
            f"PowerShell runs in {match[1]} mode here (AppLocker or WDAC), in which fleet's frame can't run; "
            "nothing was done. Let the policy allow full language for this account"
        )
    end = "" if completed.exit_code is None else f" (exit code {completed.exit_code})"
    last = log.raw.strip().rsplit("\n", 1)[-1][:200]
    return f"the script ended without an answer{end}" + (f"; last line: {last}" if last else "")


def _decode(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace").replace("\r\n", "\n")


def _load(line: bytes) -> dict[str, Any]:
    fields = json.loads(
        line.decode("ascii"),
        object_pairs_hook=_unique,
        parse_constant=_refuse_constant,
        parse_float=_finite,
    )
    if not isinstance(fields, dict):
        raise ValueError("not an object")  # noqa: TRY004 (bad data, not a wrong call)
    _check_depth(fields, MAX_DEPTH)
    whole: dict[str, Any] = _mend(fields) if b"\\ud" in line.lower() else fields
    return whole


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a key stands twice")
    return fields


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number


def _mend(value: JsonValue) -> JsonValue:
    """Replace half surrogate pairs, which names of Windows files may have and UTF-8 can't hold."""
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, dict):
        return {_mend(key): _mend(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_mend(item) for item in value]
    return value


def _check_depth(value: JsonValue, left: int) -> None:
    if left < 0:
        raise ValueError("nested too deep")
    if isinstance(value, dict):
        for item in value.values():
            _check_depth(item, left - 1)
    elif isinstance(value, list):
        for item in value:
            _check_depth(item, left - 1)


def _reply(fields: Mapping[str, Any], log: Untrusted, truncated: bool) -> Reply:
    known = {outcome.value: outcome for outcome in _FROM_SCRIPT}
    outcome = known.get(str(fields.get("outcome")))
    if outcome is None:
        raise ValueError("no known outcome")
    message, data, seconds = fields.get("message"), fields.get("data"), fields.get("seconds")
    if not isinstance(message, str):
        raise ValueError("message is no text")  # noqa: TRY004
    if not isinstance(data, dict):
        raise ValueError("data is no object")  # noqa: TRY004
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < 1e9:
        raise ValueError("seconds is no duration")
    return Reply(outcome, Untrusted(message), data, log, float(seconds), truncated)
