"""Windows guests over WinRM: one session, one shell and one kept PowerShell process for a host's scripts.

Scripts go to the stdin of that process, several in one request where they may, and their answers are cut
out of its stdout. A process that outlives a script's time or ends early is replaced for the scripts that
are left. Whatever happens, the shell is deleted: over the session, or over a new one where that broke.
"""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Self

from fleet.envelope import AnswerStream, ContentStream
from fleet.errors import BusyError, DeniedError, TransportError, UnreachableError
from fleet.model import Completed, Host, Script, Secret
from fleet.ports import Clock, Deadline
from fleet.render import powershell_command
from fleet.transport import Limits
from fleet.transport.winrm_login import GuardedTransport
from fleet.transport.winrm_soap import OPERATION_TIMEOUT, SEND_BYTES, ShellGoneError, ShellService
from fleet.transport.winrm_tls import TlsContexts
from fleet.transport.winrm_turn import Turn, pieces
from fleet.transport.winrm_wire import Wire

RECYCLE_AFTER = 1_000
"""Requests that one shell serves. A user has 1,500 operations (MaxConcurrentOperationsPerUser) and a shell
gives none back before it is deleted."""

MAX_TOGETHER = 3 * SEND_BYTES
"""Bytes of scripts that are handed over before an answer has come: a dozen rendered checks fit in."""

CLEAN_UP = 10.0
"""Seconds that closing may take, a new login for the sake of the shell included."""

_TURN_MARGIN = 0.5
"""Seconds between the moment our time is over and the guest's "nothing yet"; it takes none below this."""


class WinrmTransports:
    """Opens connections to Windows guests; what a run shares (certificates to trust) is read once."""

    def __init__(self, clock: Clock, limits: Limits) -> None:
        self._clock = clock
        self._limits = limits
        self._contexts = TlsContexts()

    def open(self, host: Host, password: Secret | None) -> WinrmTransport:
        """Connect, log in and open a shell; raises ``TransportError`` with ``sent`` false."""
        session = _Session(host, password, self._contexts, self._clock, self._limits)
        transport = WinrmTransport(host, session, self._clock, self._limits)
        try:
            transport.start()
        except BaseException:
            transport.close()
            raise
        return transport


class _Session:
    """A login that can be had anew: nothing of a connection that failed is used again."""

    def __init__(
        self, host: Host, password: Secret | None, contexts: TlsContexts, clock: Clock, limits: Limits
    ) -> None:
        self._host = host
        self._password = password
        self._contexts = contexts
        self._clock = clock
        self._limits = limits
        self._wire: Wire | None = None
        self._service: ShellService | None = None

    @property
    def service(self) -> ShellService:
        """Operations over the current login."""
        if self._service is None:
            raise UnreachableError(f"The connection to {self._host.endpoint} is closed.")
        return self._service

    @property
    def wrote(self) -> bool:
        """Whether a byte of the last request may have left."""
        return self._wire is not None and self._wire.wrote

    @property
    def open(self) -> bool:
        """Whether there is a login to use."""
        return self._service is not None

    def connect(self, connect: Deadline | None = None, login: Deadline | None = None) -> None:
        """Connect and log in by these deadlines (default: those of the limits)."""
        settings = self._host.winrm
        tls = self._contexts.of(settings) if settings.scheme == "https" else None
        connect = connect or Deadline(self._clock, self._limits.connect)
        self._wire = Wire(self._host.address, self._host.port, tls, connect)
        try:
            transport = GuardedTransport(self._wire, settings, self._host.user or "", self._password)
            transport.log_in(login or Deadline(self._clock, self._limits.login))
            self._service = ShellService(transport, self._clock)
        except BaseException:
            self.drop()
            raise

    def drop(self) -> None:
        """Throw everything of this login away."""
        self._service = None
        if self._wire is not None:
            self._wire.close()
            self._wire = None


class WinrmTransport:
    """One login to one guest with its shell and process; used by one thread."""

    def __init__(self, host: Host, session: _Session, clock: Clock, limits: Limits) -> None:
        self._host = host
        self._session = session
        self._clock = clock
        self._limits = limits
        self._shell: str | None = None
        """Shell that exists in the guest, or may."""
        self._process: str | None = None
        self._requests = 0
        self._line = powershell_command()
        self._busy = False
        """Whether the process may be at a script whose answer nobody took."""
        self._failed: str | None = None
        self._left_over = b""
        """Output that came after the last answer; it belongs to the log of the next script."""

    def start(self) -> None:
        """Log in and open the shell: a wrong password or a full quota shows before anything is sent."""
        self._session.connect()
        self._open_shell()

    def run(self, scripts: Sequence[Script]) -> Iterator[Completed]:
        """Run scripts one after the other; see ``Transport.run``.

        A script that may change the guest is sent when every earlier one has answered, so that nothing of
        it is under way while another may still hang.
        """
        if self._failed:
            raise UnreachableError(self._failed)
        waiting = deque(scripts)
        try:
            while waiting:
                batch = self._next_batch(waiting)
                answers = AnswerStream([script.nonce for script in batch], self._limits.keep)
                answers.feed(self._left_over)
                for completed in self._run_batch(batch, answers):
                    waiting.popleft()
                    yield completed
        except TransportError as error:
            self._give_up(error)
            raise

    def stream(self, script: Script, sink: Callable[[bytes], None]) -> Completed:
        """Run one script with its output to a sink; see ``Transport.stream``."""
        if self._failed:
            raise UnreachableError(self._failed)
        try:
            answers = ContentStream(script.nonce, self._limits.keep, sink)
            (completed,) = self._run_batch([script], answers)
        except TransportError as error:
            self._give_up(error)
            raise
        except BaseException:
            self._stop_process()
            raise
        return completed

    def close(self) -> None:
        """Delete the shell and hang up; never raises, may be called twice."""
        shell, self._shell, self._process = self._shell, None, None
        self._failed = self._failed or f"The connection to {self._host.endpoint} is closed."
        if shell is not None:
            self._delete(shell)
        self._session.drop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _next_batch(self, waiting: deque[Script]) -> list[Script]:
        """Take what may be sent together: not too much, and only the first may change anything."""
        batch = [waiting[0]]
        size = len(waiting[0].payload)
        if self._host.winrm.fresh_process:
            return batch
        for script in list(waiting)[1:]:
            size += len(script.payload)
            if script.mutates or size > MAX_TOGETHER:
                break
            batch.append(script)
        return batch

    def _run_batch(self, batch: list[Script], answers: AnswerStream) -> Iterator[Completed]:
        """Send a batch and yield its answers; ends early where the process did, with the rest unsent anew."""
        self._left_over = b""
        if self._busy:
            self._end_process()
        turn = Turn(batch, answers, self._limits, self._clock)
        try:
            self._hand_over(batch)
            turn.begin()
            yield from self._answers(turn)
        except TransportError as error:
            stdout, stderr = turn.rest()
            error.stdout, error.stderr = error.stdout or stdout, stderr or error.stderr
            raise

    def _hand_over(self, batch: list[Script]) -> None:
        """Get the batch to the process, in a new shell where the old one has gone in the meantime.

        An error says truly whether a byte of the batch may have left. A script that may change the guest
        is handed over once, whatever the guest says of its shell.
        """
        if self._requests >= RECYCLE_AFTER:
            self._recycle()
        kept = self._process is not None
        try:
            self._send(batch)
        except ShellGoneError as error:
            if not kept or (error.sent and batch[0].mutates):
                raise
            self._shell = self._process = None
            self._send(batch)

    def _send(self, batch: list[Script]) -> None:
        sent = False
        try:
            shell, process = self._started()
            self._busy = True
            service = self._session.service
            parts = pieces([script.payload for script in batch])
            for number, piece in enumerate(parts, 1):
                last = number == len(parts)
                self._requests += 1
                try:
                    service.send(shell, process, piece, end=last and self._host.winrm.fresh_process)
                finally:
                    sent = sent or self._session.wrote
        except TransportError as error:
            error.sent = sent
            raise

    def _answers(self, turn: Turn) -> Iterator[Completed]:
        shell, process = self._started()
        service = self._session.service
        while turn.open:
            if turn.late:
                yield turn.given_up()
                self._end_process()
                return
            turn.gather()
            self._requests += 1
            wait = min(OPERATION_TIMEOUT, turn.remaining + _TURN_MARGIN)
            try:
                received = service.receive(shell, process, wait)
            except TransportError as error:
                error.sent = True
                raise
            yield from turn.take(received.stdout, received.stderr, received.exit_code)
            if received.done:
                if turn.open:
                    yield turn.ended(received.exit_code)
                self._end_process()
                return
        self._left_over = turn.rest()[0]
        self._busy = False
        if self._host.winrm.fresh_process:
            self._end_process()

    def _open_shell(self) -> None:
        """Open a shell under an id of our choice, so that it can be deleted even if the answer is lost."""
        self._requests = 0
        self._shell = str(uuid.uuid4()).upper()
        try:
            self._shell = self._session.service.create(self._shell, Deadline(self._clock, self._limits.login))
        except (BusyError, DeniedError):
            self._shell = None
            raise

    def _started(self) -> tuple[str, str]:
        """Give shell and process, started where there is none."""
        if self._shell is None:
            self._open_shell()
        assert self._shell is not None
        if self._process is None:
            self._requests += 1
            self._process = self._session.service.command(self._shell, self._line)
        return self._shell, self._process

    def _end_process(self) -> None:
        """Make sure that the process is gone; where the guest does not obey, its shell goes with it."""
        process, self._process, self._left_over, self._busy = self._process, None, b"", False
        if process is None or self._shell is None:
            return
        self._requests += 1
        try:
            self._session.service.terminate(self._shell, process)
        except ShellGoneError:
            self._shell = None

    def _stop_process(self) -> None:
        """End the process in the middle of a script; where that can't be, end this transport."""
        try:
            self._end_process()
        except TransportError as error:
            self._give_up(error)

    def _recycle(self) -> None:
        """Begin a new shell; the old one takes its process and its count of operations with it."""
        shell, self._shell, self._process, self._left_over = self._shell, None, None, b""
        if shell is not None:
            self._session.service.delete(shell)

    def _give_up(self, error: TransportError) -> None:
        """End this transport: after an error nobody knows what session and process are in the middle of."""
        self._failed = f"The connection to {self._host.endpoint} was given up after an error: {error}"
        self._process = None
        if isinstance(error, ShellGoneError):
            self._shell = None

    def _delete(self, shell: str) -> None:
        """Delete the shell, over a new login where the old one no longer answers. One attempt each."""
        limit = Deadline(self._clock, CLEAN_UP)
        try:
            if self._session.open:
                self._session.service.delete(shell, Deadline(self._clock, CLEAN_UP / 2))
                return
        except ShellGoneError:
            return
        except TransportError:
            self._session.drop()
        try:
            self._session.drop()
            self._session.connect(limit, limit)
            self._session.service.delete(shell, limit)
        except TransportError:
            return
