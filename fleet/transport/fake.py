"""A transport that answers from a script of yours, for tests of what you build upon fleet.

    from fleet.transport.fake import Answer, Cut, FakeTransports

    network = FakeTransports({
        "vss-writers": Answer("failed", "two writers are in state 9", {"bad": ["SqlServerWriter"]}),
        "restart-vss-writers": Cut(after=True),
    })
    with network.open(host) as transport:
        for completed in transport.run(scripts):
            ...
    assert [ran.snippet for ran in network.ran] == ["vss-writers", "restart-vss-writers"]

Nothing is connected to and nothing runs. Everything an answer holds is cut into answers and capped by the
same code that serves the real transports.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from fleet import envelope
from fleet.envelope import AnswerStream, Capture, ContentStream
from fleet.errors import TransportError, UnreachableError
from fleet.model import Completed, Host, JsonValue, Script, Secret
from fleet.transport import Limits


@dataclass(frozen=True, slots=True)
class Answer:
    """A script that answers with an envelope."""

    outcome: str = "ok"
    message: str = ""
    data: Mapping[str, JsonValue] = field(default_factory=dict)
    log: bytes = b""
    """What it printed before."""
    stderr: bytes = b""
    exit_code: int | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Raw:
    """Whatever bytes come back: no envelope, half of one, a forged one."""

    stdout: bytes = b""
    stderr: bytes = b""
    exit_code: int | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Hang:
    """A script that outlives its time; what it had said by then is kept."""

    stdout: bytes = b""
    stderr: bytes = b""


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection breaks: before anything of the script was sent, or ``after``."""

    after: bool
    stdout: bytes = b""
    stderr: bytes = b""


Reaction = Answer | Raw | Hang | Cut | TransportError
"""What may happen to a script; an error is raised as it is."""

Answers = Mapping[str, Reaction | Sequence[Reaction]] | Callable[[Host, Script], Reaction]
"""Reactions by name of the snippet, where a sequence is used up one by one and its last one stays; or a
function that decides."""


@dataclass(frozen=True, slots=True)
class Ran:
    """A script that was sent, or would have been."""

    host: str
    snippet: str
    script: Script


class FakeTransports:
    """Opens connections that answer as told.

    Args:
        answers: What happens to a script. A snippet that is not in it answers ``ok``.
        at_open: Errors by host name, raised instead of connecting.
        limits: Only ``keep`` counts.
    """

    def __init__(
        self,
        answers: Answers | None = None,
        *,
        at_open: Mapping[str, TransportError] | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._answers = {} if answers is None else answers
        self._at_open = at_open or {}
        self._limits = limits or Limits()
        self._lock = threading.Lock()
        self._used: dict[tuple[str, str], int] = {}
        self.ran: list[Ran] = []
        """Every script that reached a host, in order; also the one that was cut after sending."""
        self.opened: list[str] = []
        """Names of the hosts that were connected to, in order."""
        self.closed: list[str] = []
        """Names of the hosts whose connection was closed, in order."""

    def open(
        self,
        host: Host,
        password: Secret | None = None,  # noqa: ARG002 (every opener is called alike)
        passphrase: Secret | None = None,  # noqa: ARG002
    ) -> FakeTransport:
        """Connect, or raise what ``at_open`` says."""
        if host.name in self._at_open:
            raise self._at_open[host.name]
        with self._lock:
            self.opened.append(host.name)
        return FakeTransport(self, host)

    def react(self, host: Host, script: Script) -> Reaction:
        """Choose the reaction to a script and note that it ran."""
        with self._lock:
            reaction = self._choose(host, script)
            if not (isinstance(reaction, Cut) and not reaction.after):
                self.ran.append(Ran(host.name, script.snippet, script))
        return reaction

    def _choose(self, host: Host, script: Script) -> Reaction:
        if callable(self._answers):
            return self._answers(host, script)
        found = self._answers.get(script.snippet, Answer())
        if not isinstance(found, Sequence):
            return found
        key = (host.name, script.snippet)
        position = self._used.get(key, 0)
        self._used[key] = position + 1
        return found[min(position, len(found) - 1)]

    def note_closed(self, host: Host) -> None:
        """Remember that a connection was closed."""
        with self._lock:
            self.closed.append(host.name)

    @property
    def keep(self) -> int:
        """Bytes kept of each stream."""
        return self._limits.keep


class FakeTransport:
    """A connection that answers as told; implements ``fleet.transport.Transport``."""

    def __init__(self, network: FakeTransports, host: Host) -> None:
        self._network = network
        self._host = host
        self._open = True

    def run(self, scripts: Sequence[Script]) -> Iterator[Completed]:
        """React to each script in turn; see ``fleet.transport.Transport.run``."""
        for script in scripts:
            answers = AnswerStream([script.nonce], self._network.keep)
            yield self._completed(script, self._react(script), answers)

    def stream(self, script: Script, sink: Callable[[bytes], None]) -> Completed:
        """React to one script with its log to a sink; see ``fleet.transport.Transport.stream``."""
        answers = ContentStream(script.nonce, self._network.keep, sink)
        try:
            reaction = self._react(script)
        except TransportError as error:
            answers.feed(error.stdout)
            raise
        return self._completed(script, reaction, answers)

    def close(self) -> None:
        """Close; may be called twice."""
        if self._open:
            self._open = False
            self._network.note_closed(self._host)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _react(self, script: Script) -> Answer | Raw | Hang:
        if not self._open:
            raise UnreachableError("the connection is closed; nothing more was sent")
        reaction = self._network.react(self._host, script)
        if isinstance(reaction, TransportError):
            raise reaction
        if isinstance(reaction, Cut):
            self._open = False
            raise UnreachableError(
                "the connection was lost", sent=reaction.after, stdout=reaction.stdout, stderr=reaction.stderr
            )
        return reaction

    def _completed(self, script: Script, reaction: Answer | Raw | Hang, answers: AnswerStream) -> Completed:
        errors = Capture(self._network.keep)
        said = reaction.log + _envelope(script, reaction) if isinstance(reaction, Answer) else reaction.stdout
        finished = answers.feed(said)
        errors.feed(reaction.stderr)
        rest, dropped = answers.rest()
        stdout = b"".join(answer for answer, _ in finished) + rest
        dropped += sum(count for _, count in finished)
        stderr, dropped_errors = errors.take()
        timed_out = isinstance(reaction, Hang)
        return Completed(
            stdout,
            stderr,
            None if isinstance(reaction, Hang) else reaction.exit_code,
            script.timeout if isinstance(reaction, Hang) else reaction.seconds,
            timed_out=timed_out,
            dropped=dropped + dropped_errors,
        )


def _envelope(script: Script, answer: Answer) -> bytes:
    fields = {
        "outcome": answer.outcome,
        "message": answer.message,
        "data": dict(answer.data),
        "seconds": answer.seconds,
    }
    line_break = b"" if not answer.log or answer.log.endswith(b"\n") else b"\n"
    return line_break + envelope.prefix(script.nonce) + json.dumps(fields)[1:].encode() + b"\n"
