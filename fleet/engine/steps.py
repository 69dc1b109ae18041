"""One step on one host: render, make the intent durable, send, read the answer, redact."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import TracebackType
from typing import Literal, Self

from fleet.codec import instant, result_to_json
from fleet.engine.connect import Connections
from fleet.engine.verdict import outcome_of
from fleet.envelope import parse
from fleet.errors import TransportError
from fleet.journal import Journal, Record
from fleet.model import (
    NOTHING,
    Arguments,
    Completed,
    Host,
    JsonValue,
    Kind,
    Outcome,
    Reply,
    Result,
    Script,
    Snippet,
    Untrusted,
)
from fleet.ports import Clock, Entropy
from fleet.render import render
from fleet.transport import Transport

_NONCE_LENGTH = 32


@dataclass(frozen=True, slots=True)
class Task:
    """A snippet with its arguments, and why it is run."""

    snippet: Snippet
    arguments: Arguments
    phase: Literal["look", "try", "act", "verify"]

    @property
    def acts(self) -> bool:
        """Whether it may change the guest."""
        return self.phase == "act" and self.snippet.mutates


@dataclass(frozen=True, slots=True)
class World:
    """What the steps of a run share."""

    connections: Connections
    journal: Journal
    clock: Clock
    entropy: Entropy
    timeout: int | None = None
    """Seconds for each body instead of the snippet's own."""


class HostSession:
    """All steps of one run on one host, over one connection, in one thread.

    The connection is opened by the first step. Once it failed or was lost the session is over:
    ``alive`` is false and nothing more is sent.
    """

    def __init__(self, host: Host, world: World, stopping: Callable[[], bool] = lambda: False) -> None:
        self.host = host
        self.alive = True
        self.stopping = stopping
        """Whether the run is to end soon: what takes long breaks off where that does no harm."""
        self._world = world
        self._transport: Transport | None = None
        self._step = 0
        self._task: Task | None = None
        self._open_intent: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._transport is not None:
            self._transport.close()

    def look(self, tasks: Sequence[Task]) -> Iterator[Result]:
        """Run tasks that change nothing, all handed over at once; one result each, as it comes.

        When the connection can't be made there is one result, for the first of them.
        """
        self._task = tasks[0]
        fitting = [task for task in tasks if self._fits(task)]
        for task in tasks:
            if not self._fits(task):
                yield self._not_for_this_system(task)
        if not fitting:
            return
        scripts = [self._render(task) for task in fitting]
        started = self._world.clock.now()
        answered = 0
        try:
            transport = self._open()
            started = self._world.clock.now()  # what logging in took is not the script's
            for completed in transport.run(scripts):
                task, reply = fitting[answered], parse(completed, scripts[answered].nonce)
                answered += 1
                yield self._answered(task, started, reply, completed)
                started = self._world.clock.now()
        except TransportError as error:
            yield self._lost(fitting[answered], started, error)

    def stream(
        self, task: Task, sink: Callable[[bytes], None], end: Callable[[], None] = lambda: None
    ) -> Result:
        """Run a task that changes nothing; what its body prints goes to the sink as it comes, to no log.

        ``end`` is called after the last of it. A ``TransportError`` of either ends the session as one of the
        connection does.
        """
        self._task = task
        script = self._render(task)
        started = self._world.clock.now()
        try:
            transport = self._open()
            started = self._world.clock.now()
            completed = transport.stream(script, sink)
            end()
        except TransportError as error:
            return self._lost(task, started, error)
        return self._answered(task, started, parse(completed, script.nonce), completed)

    def tell(
        self, task: Task, outcome: Outcome, message: str, *, started: datetime, **data: JsonValue
    ) -> Result:
        """Record what came of a task that took several scripts."""
        seconds = max(0.0, (self._world.clock.now() - started).total_seconds())
        reply = Reply(outcome, Untrusted(message), data, NOTHING, seconds)
        return self._record(task, outcome, reply.message, started, reply)

    def skip(self, task: Task, reason: str) -> Result:
        """Record that a task is not for this host."""
        return self._record(task, Outcome.SKIPPED, Untrusted(reason))

    def open(self) -> Transport:
        """Give the session's connection, which stays its own. Raises ``TransportError``."""
        return self._open()

    def connect(self) -> Transport:
        """Open a further connection, the caller's own. Raises ``TransportError``."""
        return self._world.connections.open(self.host)

    def script(self, task: Task) -> Script:
        """Render a task for whoever sends it himself; each has a nonce of its own."""
        return self._render(task)

    def begin_anew(self) -> None:
        """Let the next task connect again, whatever became of the connection."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None
        self.alive = True

    def act(self, task: Task) -> Result:
        """Run a remedy: its intent is on disk before its first byte leaves. Raises ``JournalError``."""
        self._task = task
        if not self._fits(task):
            return self._not_for_this_system(task)
        script = self._render(task)
        started = self._world.clock.now()
        try:
            transport = self._open()
            self._write_intent(task, script)
            completed = next(iter(transport.run([script])))
        except TransportError as error:
            return self._lost(task, started, error)
        return self._answered(task, started, parse(completed, script.nonce), completed)

    def hold(self, task: Task, reason: str) -> Result:
        """Record that a remedy was not sent because it needs something first."""
        return self._record(task, Outcome.HELD, Untrusted(reason))

    def abandon(self) -> Result:
        """Say how this host stands when nobody waits for it any more; called from another thread."""
        if self._open_intent is None:
            return self.fail(Outcome.NOT_RUN, "interrupted; no remedy was under way")
        return self.fail(Outcome.UNKNOWN, "interrupted after the step was sent; it may have run")

    def surprise(self, error: Exception) -> Result:
        """Say how this host stands after an error of fleet itself."""
        outcome = Outcome.BROKEN if self._open_intent is None else Outcome.UNKNOWN
        return self.fail(
            outcome, f"an error in fleet itself: {type(error).__name__}: {error}. Please report it"
        )

    def fail(self, outcome: Outcome, message: str) -> Result:
        """End the session with a word about the task that was in hand."""
        self.alive = False
        assert self._task is not None
        return self._record(self._task, outcome, Untrusted(message))

    def _fits(self, task: Task) -> bool:
        return self.host.shell in task.snippet.texts

    def _not_for_this_system(self, task: Task) -> Result:
        reason = f"{task.snippet.name} has no version for {self.host.os}"
        return self._record(task, Outcome.SKIPPED, Untrusted(reason))

    def _open(self) -> Transport:
        if self._transport is None:
            self._transport = self._world.connections.open(self.host)
        return self._transport

    def _render(self, task: Task) -> Script:
        return render(
            task.snippet,
            task.arguments,
            shell=self.host.shell,
            check=not task.acts and task.snippet.kind is not Kind.COLLECT,
            nonce=self._world.entropy.token(_NONCE_LENGTH),
            timeout=self._world.timeout,
        )

    def _write_intent(self, task: Task, script: Script) -> None:
        assert task.snippet.risk is not None
        body = {
            "step": self._step + 1,
            "snippet": task.snippet.name,
            "digest": script.digest,
            "risk": task.snippet.risk.value,
            "params": dict(task.arguments.values),
            "attempt": 1,
            "nonce": script.nonce,
            "at": instant(self._world.clock.now()),
        }
        redacted = self._world.connections.redactor().value(body)
        self._world.journal.commit(Record("intent", self.host.name, redacted))
        self._open_intent = script.nonce

    def _answered(self, task: Task, started: datetime, reply: Reply, completed: Completed) -> Result:
        outcome, message = reply.outcome, reply.message
        if completed.timed_out and outcome is Outcome.TIMED_OUT and task.acts:
            outcome = Outcome.UNKNOWN
            message = Untrusted("no answer in time; it may still be running, and nothing will repeat it")
        elif outcome is Outcome.SKIPPED and reply.data.get("held"):
            outcome = Outcome.HELD
        return self._record(task, outcome, message, started, replace(reply, seconds=completed.seconds))

    def _lost(self, task: Task, started: datetime, error: TransportError) -> Result:
        self.alive = False
        outcome, message = outcome_of(error), str(error)
        if task.acts and error.sent:
            outcome = Outcome.UNKNOWN
            message = f"{message.rstrip('.')}. It may have run; nothing will repeat it"
        log = Untrusted((error.stdout + error.stderr).decode("utf-8", "backslashreplace"))
        seconds = (self._world.clock.now() - started).total_seconds()
        reply = Reply(outcome, Untrusted(message), {}, log, max(0.0, seconds))
        return self._record(task, outcome, reply.message, started, reply)

    def _record(
        self,
        task: Task,
        outcome: Outcome,
        message: Untrusted,
        started: datetime | None = None,
        reply: Reply | None = None,
    ) -> Result:
        """Make the result, without secrets, and hand it to the journal."""
        self._step += 1
        mask = self._world.connections.redactor()
        result = Result(
            host=self.host.name,
            os=self.host.os,
            step=self._step,
            phase=task.phase,
            snippet=task.snippet.name,
            outcome=outcome,
            message=Untrusted(mask.text(message.raw)),
            data=mask.value(dict(reply.data)) if reply else {},
            risk=task.snippet.risk,
            severity=task.snippet.severity,
            started=started or self._world.clock.now(),
            seconds=reply.seconds if reply else 0.0,
            log=Untrusted(mask.text(reply.log.raw)) if reply else NOTHING,
            truncated=reply.truncated if reply else False,
        )
        self._world.journal.append(Record("result", result.host, result_to_json(result)))
        self._open_intent = None
        return result
