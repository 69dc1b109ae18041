"""This machine, through a child process."""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import IO, Self

from fleet import render
from fleet.errors import UnreachableError
from fleet.model import Completed, Host, Script, Secret, Shell
from fleet.ports import Clock
from fleet.transport import Limits
from fleet.transport.conversation import converse, converse_streaming
from fleet.transport.sudo import SUDO, refuse_sudo

_READ = 1_048_576


class LocalTransports:
    """Opens connections to the machine that fleet runs on."""

    def __init__(self, clock: Clock, limits: Limits | None = None) -> None:
        self._clock = clock
        self._limits = limits or Limits()

    def open(
        self,
        host: Host,
        password: Secret | None = None,  # noqa: ARG002 (every opener is called alike)
        passphrase: Secret | None = None,  # noqa: ARG002
    ) -> LocalTransport:
        """Make sure that the shell the host wants is here.

        Raises:
            UnreachableError: It is not.
        """
        if sys.platform == "win32":
            raise UnreachableError(
                f"{host.name}: connection local needs a POSIX machine; reach this one over winrm or ssh"
            )
        command = _command(host)
        program = command[0]
        if shutil.which(program) is None:
            raise UnreachableError(f"{host.name}: there is no {program} on this machine; install it")
        return LocalTransport(command, become=host.become, clock=self._clock, limits=self._limits)


class LocalTransport:
    """Runs scripts in a child process of its own session; implements ``fleet.transport.Transport``."""

    def __init__(self, command: Sequence[str], *, become: bool, clock: Clock, limits: Limits) -> None:
        self._command = command
        self._become = become
        self._clock = clock
        self._limits = limits
        self._running: _LocalShell | None = None

    def run(self, scripts: Sequence[Script]) -> Iterator[Completed]:
        """Run the scripts; see ``fleet.transport.Transport.run``."""
        answers = converse(self._start, scripts, self._clock, self._limits)
        return refuse_sudo(answers, scripts) if self._become else answers

    def stream(self, script: Script, sink: Callable[[bytes], None]) -> Completed:
        """Run one script with its output to a sink; see ``fleet.transport.Transport.stream``."""
        answers = converse_streaming(self._start, script, sink, self._clock, self._limits)
        (completed,) = refuse_sudo(answers, [script]) if self._become else answers
        return completed

    def close(self) -> None:
        """End what still runs."""
        if self._running is not None:
            self._running.close()
            self._running = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self) -> _LocalShell:
        self.close()
        try:
            self._running = _LocalShell(self._command)
        except OSError as error:
            raise UnreachableError(f"{self._command[0]} can't be started: {error.strerror}") from None
        return self._running


class _LocalShell:
    """A child process; implements ``ShellProcess``."""

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(  # noqa: S603 (a constant command line)
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            bufsize=0,
        )
        stdin, stdout, stderr = self._process.stdin, self._process.stdout, self._process.stderr
        assert stdin is not None
        assert stdout is not None
        assert stderr is not None
        self._stdin: IO[bytes] = stdin
        self._outputs: list[IO[bytes]] = [stdout, stderr]
        self._open = {stdout, stderr}
        self._selector = selectors.DefaultSelector()
        for pipe in (stdin, stdout, stderr):
            os.set_blocking(pipe.fileno(), False)
        for pipe in self._outputs:
            self._selector.register(pipe, selectors.EVENT_READ)
        self._closed = False

    def write(self, data: bytes, seconds: float) -> int:  # noqa: ARG002 (a pipe never makes us wait)
        """Write what the pipe takes."""
        if self._stdin.closed:
            return 0
        try:
            return os.write(self._stdin.fileno(), data)
        except BlockingIOError:
            return 0
        except BrokenPipeError:
            self.close_stdin()
            return 0

    def close_stdin(self) -> None:
        """End of the input."""
        self._stdin.close()

    def wait(self, seconds: float, *, to_write: bool) -> None:
        """Wait for the pipes."""
        if self.at_end:
            return
        watch_stdin = to_write and not self._stdin.closed
        if watch_stdin:
            self._selector.register(self._stdin, selectors.EVENT_WRITE)
        try:
            self._selector.select(seconds)
        finally:
            if watch_stdin:
                self._selector.unregister(self._stdin)

    def read(self) -> tuple[bytes, bytes]:
        """Take what is in the pipes."""
        stdout, stderr = (self._read(pipe) for pipe in self._outputs)
        return stdout, stderr

    def _read(self, pipe: IO[bytes]) -> bytes:
        if pipe not in self._open:
            return b""
        try:
            data = os.read(pipe.fileno(), _READ)
        except BlockingIOError:
            return b""
        if not data:
            self._selector.unregister(pipe)
            self._open.discard(pipe)
        return data

    @property
    def at_end(self) -> bool:
        """Whether both pipes are at their end."""
        return not self._open

    @property
    def lost(self) -> bool:
        """Never: there is no connection."""
        return False

    @property
    def ended(self) -> bool:
        """Whether the process has ended."""
        return self._process.poll() is not None

    def exit_code(self, seconds: float) -> int | None:
        """Exit code, negative for a signal."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def close(self) -> None:
        """Kill the whole session if the shell still runs, and close the pipes."""
        if self._closed:
            return
        self._closed = True
        if self._process.poll() is None:
            # the shell leads its group; what has made itself a group of its own is meant to stay
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._selector.close()
        for pipe in (self._stdin, *self._outputs):
            pipe.close()


def _command(host: Host) -> list[str]:
    if host.shell is Shell.POWERSHELL:
        return render.powershell_command("pwsh").split(" ")
    command = render.SH_COMMAND.split(" ")
    return [*SUDO.split(), *command] if host.become else command
