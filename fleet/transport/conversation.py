"""Talking to one shell about several scripts: what may be written when, whose answer is whose.

What ssh and local have in common, free of any protocol. A ``ShellProcess`` moves bytes;
``converse`` decides.

* Checks are written at once. A script that may change the guest is written only when all before it
  have answered, so that a cut leaves one unknown at most.
* Both streams are drained while payloads are written: a guest that talks before it has read everything
  can't bring the two ends to wait for each other.
* A script has ``timeout`` plus the grace, counted from the answer before it. One that outlives that is
  given up with what it said, and those after it start in a new shell.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from fleet.envelope import AnswerStream, Capture, ContentStream
from fleet.errors import UnreachableError
from fleet.model import Completed, Script
from fleet.ports import Clock, Deadline
from fleet.transport import Limits

CHUNK = 32_768
"""Bytes written at once; what one SSH packet holds."""

LINGER = 2.0
"""Seconds to wait for the end of both streams once the last answer is there or the shell has ended.
Something that a script left running may keep them open for ever."""

_TICK = 0.25
"""Seconds after which the end of a process is looked for that its streams do not show."""


class ShellProcess(Protocol):
    """A shell that reads scripts from its stdin, wherever it runs."""

    def write(self, data: bytes, seconds: float) -> int:
        """Write what fits without waiting; give the number of bytes taken, 0 if none.

        Where the system may make us wait all the same, give the connection up after ``seconds``.
        """
        ...

    def close_stdin(self) -> None:
        """Say that nothing more will be written."""
        ...

    def wait(self, seconds: float, *, to_write: bool) -> None:
        """Wait until there is something to read, room to write if wanted, or the time is over."""
        ...

    def read(self) -> tuple[bytes, bytes]:
        """Take what has arrived on stdout and stderr, without waiting."""
        ...

    @property
    def at_end(self) -> bool:
        """Whether both streams are at their end and everything was read."""
        ...

    @property
    def lost(self) -> bool:
        """Whether the connection broke, as opposed to the shell having ended."""
        ...

    def exit_code(self, seconds: float) -> int | None:
        """Exit code; None where it can't be learnt within that time."""
        ...

    @property
    def ended(self) -> bool:
        """Whether the shell itself has ended, even if something holds its streams open."""
        ...

    def close(self) -> None:
        """Give everything back; end the shell if it still runs."""
        ...


class _Batch:
    """The scripts that one shell process has been or will be given."""

    def __init__(
        self, scripts: Sequence[Script], answers: AnswerStream, clock: Clock, limits: Limits
    ) -> None:
        self.left = deque(scripts)
        self._clock = clock
        self._limits = limits
        self._answers = answers
        self._errors = Capture(limits.keep)
        self._unwritten = deque(scripts)
        self._offset = 0
        self._begun = 0
        self._answered = 0
        self._next_turn()

    def _next_turn(self) -> None:
        self._since = self._clock.monotonic()
        if self.left:
            self.deadline = Deadline(self._clock, self.left[0].timeout + self._limits.grace)

    @property
    def writable(self) -> bytes:
        """The next bytes that may be written now; empty if none may."""
        if not self._unwritten:
            return b""
        script = self._unwritten[0]
        if script.mutates and script is not self.left[0]:
            return b""
        return script.payload[self._offset : self._offset + CHUNK]

    @property
    def all_written(self) -> bool:
        """Whether the shell has been given everything."""
        return not self._unwritten

    @property
    def sent(self) -> bool:
        """Whether a byte of the script whose turn it is may have left."""
        return self._begun > self._answered

    def will_write(self) -> None:
        """Count the current payload as begun; called before the attempt, which may fail half way."""
        if self._offset == 0:
            self._begun += 1

    def wrote(self, count: int) -> None:
        """Move on by what was taken; nothing taken takes the attempt back."""
        if count == 0 and self._offset == 0:
            self._begun -= 1
        self._offset += count
        if self._unwritten and self._offset >= len(self._unwritten[0].payload):
            self._unwritten.popleft()
            self._offset = 0

    def feed(self, stdout: bytes, stderr: bytes) -> list[Completed]:
        """Take output; give those that have answered by it.

        The last one gets its stderr from ``last``, since that stream may lag behind the answer.
        """
        self._errors.feed(stderr)
        completed = []
        for answer, dropped in self._answers.feed(stdout):
            self.left.popleft()
            errors = self._errors.take() if self.left else (b"", 0)
            completed.append(self._completed(answer, dropped, errors))
            self._answered += 1
            self._next_turn()
        return completed

    def rest(self, *, exit_code: int | None = None, timed_out: bool = False) -> Completed:
        """Give what the script has said that did not answer, and count it as done."""
        completed = replace(self._partial(), exit_code=exit_code, timed_out=timed_out)
        self.left.popleft()
        return completed

    def last(self, answered: Completed, exit_code: int | None) -> Completed:
        """Complete the last answer with what came after it until the shell ended."""
        tail = self._partial()
        return replace(
            answered,
            stdout=answered.stdout + tail.stdout,
            stderr=tail.stderr,
            exit_code=exit_code,
            dropped=answered.dropped + tail.dropped,
        )

    def lost(self) -> UnreachableError:
        """Give the error for a connection that broke now."""
        partial = self._partial()
        if self.sent:
            reason = f"the connection was lost {partial.seconds:.0f} s after the script was sent"
        else:
            reason = "the connection was lost before the script was sent; try again"
        return UnreachableError(reason, sent=self.sent, stdout=partial.stdout, stderr=partial.stderr)

    def seconds(self, seconds: float) -> Deadline:
        """Give a deadline that many seconds from now."""
        return Deadline(self._clock, seconds)

    def _partial(self) -> Completed:
        return self._completed(*self._answers.rest(), self._errors.take())

    def _completed(self, stdout: bytes, dropped: int, errors: tuple[bytes, int]) -> Completed:
        stderr, dropped_errors = errors
        seconds = self._clock.monotonic() - self._since
        return Completed(stdout, stderr, None, seconds, dropped=dropped + dropped_errors)


def converse(
    start: Callable[[], ShellProcess], scripts: Sequence[Script], clock: Clock, limits: Limits
) -> Iterator[Completed]:
    """Run scripts in as few shells as possible and yield what each answered, as soon as it did.

    Raises:
        TransportError: The connection broke, or ``start`` could not start a shell.
    """
    left = tuple(scripts)
    while left:
        shell = start()
        try:
            answers = AnswerStream([script.nonce for script in left], limits.keep)
            batch = _Batch(left, answers, clock, limits)
            yield from _serve(shell, batch)
        finally:
            shell.close()
        left = tuple(batch.left)


def converse_streaming(
    start: Callable[[], ShellProcess],
    script: Script,
    sink: Callable[[bytes], None],
    clock: Clock,
    limits: Limits,
) -> Iterator[Completed]:
    """Run one script in a shell of its own and hand what its body writes to the sink; yield its end.

    Raises:
        TransportError: The connection broke, or ``start`` could not start a shell.
    """
    shell = start()
    try:
        answers = ContentStream(script.nonce, limits.keep, sink)
        yield from _serve(shell, _Batch([script], answers, clock, limits))
    finally:
        shell.close()


def _serve(shell: ShellProcess, batch: _Batch) -> Iterator[Completed]:
    """Yield answers until one script is given up, the shell ends, or all have answered."""
    ending: Deadline | None = None
    while batch.left:
        _write(shell, batch)
        shell.wait(min(batch.deadline.remaining, _TICK), to_write=bool(batch.writable))
        answers = batch.feed(*shell.read())
        if answers:
            last = None if batch.left else answers.pop()
            yield from answers
            if last is not None:
                yield _finish(shell, batch, last)
            continue
        if shell.lost:
            raise batch.lost()
        if shell.ended and ending is None:
            ending = batch.seconds(LINGER)
        if shell.at_end or (ending is not None and ending.expired):
            yield batch.rest(exit_code=shell.exit_code(min(LINGER, batch.deadline.remaining)))
            return
        if batch.deadline.expired:
            yield batch.rest(timed_out=True)
            return


def _write(shell: ShellProcess, batch: _Batch) -> None:
    """Write what may be written and finds room."""
    while chunk := batch.writable:
        batch.will_write()
        count = shell.write(chunk, batch.deadline.remaining)
        batch.wrote(count)
        if count == 0:
            return
    if batch.all_written:
        shell.close_stdin()


def _finish(shell: ShellProcess, batch: _Batch, answered: Completed) -> Completed:
    """See the shell off after the last answer, but don't wait for what a script left running."""
    limit = batch.seconds(LINGER)
    while not (shell.at_end or shell.lost or limit.expired):
        shell.wait(min(limit.remaining, _TICK), to_write=False)
        stdout, stderr = shell.read()
        batch.feed(stdout, stderr)
        if shell.ended and not stdout and not stderr:
            break
    return batch.last(answered, shell.exit_code(limit.remaining))
