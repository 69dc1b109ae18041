"""SSH: Fabric opens the connection by our rules, Paramiko runs the channel.

What the two do by default and is not done here: accept unknown host keys, ask an agent, look for keys,
try several methods, answer prompts, read the user's ssh_config, forward anything, wait for ever.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self

import paramiko

from fleet import render
from fleet.errors import BusyError, DeniedError, UnreachableError
from fleet.model import Completed, Host, Script, Secret, Shell
from fleet.ports import Clock
from fleet.transport import Limits
from fleet.transport.conversation import converse, converse_streaming
from fleet.transport.ssh_files import SshFiles
from fleet.transport.ssh_login import Link, Login, close_all, cut_after
from fleet.transport.sudo import SUDO, refuse_sudo

_BIG = 65_536
"""Bytes of payload that surely fit between the two ends, so that writing them can't block."""

_WINDOW = 2_097_152
"""Bytes Paramiko lets the other side send ahead on a channel; reading that much empties its buffer."""


class SshTransports:
    """Opens connections; holds what a whole run shares. Threads may use one together."""

    def __init__(self, clock: Clock, limits: Limits | None = None) -> None:
        self._clock = clock
        self._limits = limits or Limits()
        self._files = SshFiles()
        self._config = paramiko.SSHConfig()

    def open(
        self, host: Host, password: Secret | None = None, passphrase: Secret | None = None
    ) -> SshTransport:
        """Connect and log in, through the jump hosts if there are any.

        Raises:
            UnreachableError: No connection, or no login within its time.
            DeniedError: Unknown or changed host key, login refused, no algorithm that both accept.
            BusyError: The server hung up before its greeting, as it does when too many log in at once.
            ProtocolError: What answers does not speak SSH.
        """
        config = self._config if host.ssh.config_file is None else self._files.config(host.ssh.config_file)
        login = Login(host, password, passphrase, config, self._files, self._limits, self._clock)
        links = login.links()
        try:
            return SshTransport(host, links, self._clock, self._limits)
        except BaseException:
            close_all(links)
            raise


class SshTransport:
    """An open connection; implements ``fleet.transport.Transport``."""

    def __init__(self, host: Host, links: list[Link], clock: Clock, limits: Limits) -> None:
        self._host = host
        self._links = links
        self._clock = clock
        self._limits = limits

    def run(self, scripts: Sequence[Script]) -> Iterator[Completed]:
        """Run the scripts over one channel; see ``fleet.transport.Transport.run``."""
        answers = converse(self._start, scripts, self._clock, self._limits)
        return refuse_sudo(answers, scripts) if self._sudo else answers

    def stream(self, script: Script, sink: Callable[[bytes], None]) -> Completed:
        """Run one script with its output to a sink; see ``fleet.transport.Transport.stream``."""
        answers = converse_streaming(self._start, script, sink, self._clock, self._limits)
        (completed,) = refuse_sudo(answers, [script]) if self._sudo else answers
        return completed

    def close(self) -> None:
        """Close the connection and those to the jump hosts."""
        close_all(self._links)
        self._links = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _sudo(self) -> bool:
        return self._host.become and self._host.shell is Shell.SH

    def _start(self) -> _Channel:
        if not self._links or not self._links[-1].transport.is_active():
            raise UnreachableError(f"the connection to {self._host.endpoint} was lost; nothing more was sent")
        command = render.SH_COMMAND if self._host.shell is Shell.SH else render.POWERSHELL_COMMAND
        if self._sudo:
            command = f"{SUDO} {command}"
        return _open_channel(self._links[-1], command, self._host, self._limits)


def _open_channel(link: Link, command: str, host: Host, limits: Limits) -> _Channel:
    """Start a command line in the guest."""
    try:
        channel = link.transport.open_session(timeout=limits.login)
    except paramiko.ChannelException:
        raise BusyError(
            f"{host.endpoint} opens no further session; see MaxSessions in its sshd_config, then try again"
        ) from None
    except (paramiko.SSHException, EOFError, OSError):
        raise UnreachableError(f"the connection to {host.endpoint} was lost; nothing more was sent") from None
    channel.settimeout(0.0)
    try:
        with cut_after(limits.login, link):
            channel.exec_command(command)
    except (paramiko.SSHException, EOFError, OSError):
        channel.close()
        if not _gone(link):
            raise DeniedError(
                f"{host.endpoint} does not let this account run commands; see ForceCommand and its shell"
            ) from None
        raise UnreachableError(
            f"{host.endpoint} started no shell within {limits.login:g} s; try again"
        ) from None
    return _Channel(channel, link)


def _gone(link: Link) -> bool:
    """Whether the connection is lost, asked after one of its channels has ended."""
    # Paramiko ends the channels of a lost connection first and marks it as lost a moment later
    link.transport.join(_SETTLE)
    return not link.transport.is_active()


class _Arrived(threading.Event):
    """Set when something arrived on one of the two streams, or they ended.

    In place of ``Channel.fileno()``, whose pipe for both streams loses a wake-up when one is emptied
    while the other is fed.
    """

    def clear(self) -> None:
        """Nothing: that one stream has been emptied says nothing of the other."""

    def rearm(self) -> None:
        """Clear; call it before looking at the streams."""
        super().clear()


class _Channel:
    """A shell in the guest; implements ``ShellProcess``."""

    def __init__(self, channel: paramiko.Channel, link: Link) -> None:
        self._channel = channel
        self._link = link
        self._written = 0
        self._arrived = _Arrived()
        streams: Any = channel  # its buffers are public, but missing from its type stubs
        streams.in_buffer.set_event(self._arrived)
        streams.in_stderr_buffer.set_event(self._arrived)

    def write(self, data: bytes, seconds: float) -> int:
        """Write one packet if the guest has room for it."""
        if self._channel.closed or not self._channel.send_ready():
            return 0
        try:
            if self._written + len(data) <= _BIG:
                count = self._channel.send(data)
            else:
                with cut_after(seconds, self._link):
                    count = self._channel.send(data)
        except OSError:  # before anything is written: the channel is closed, or has no room after all
            return 0
        except (EOFError, paramiko.SSHException):
            count = len(data)  # a part may have left; the loss shows when reading
        self._written += count
        return count

    def close_stdin(self) -> None:
        """End of the input."""
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            self._channel.shutdown_write()

    def wait(self, seconds: float, *, to_write: bool) -> None:
        """Wait for output; Paramiko has no event for room to write, so that is looked for often."""
        if not self.at_end:
            self._arrived.wait(min(seconds, _ROOM_TICK) if to_write else seconds)
        self._arrived.rearm()

    def read(self) -> tuple[bytes, bytes]:
        """Take what Paramiko has received."""
        channel = self._channel
        stdout = _received(channel.recv) if channel.recv_ready() else b""
        stderr = _received(channel.recv_stderr) if channel.recv_stderr_ready() else b""
        return stdout, stderr

    @property
    def at_end(self) -> bool:
        """Whether the guest has closed both streams and all was read."""
        channel = self._channel
        over = channel.eof_received or channel.closed
        return bool(over) and not channel.recv_ready() and not channel.recv_stderr_ready()

    @property
    def lost(self) -> bool:
        """Whether the connection is gone without an exit code."""
        if not self.at_end or self._channel.exit_status >= 0:
            return False
        return _gone(self._link)

    @property
    def ended(self) -> bool:
        """Whether the exit code has come."""
        return self._channel.status_event.is_set()

    def exit_code(self, seconds: float) -> int | None:
        """Exit code; None also for an end by a signal."""
        self._channel.status_event.wait(seconds)
        code = self._channel.exit_status
        return code if code >= 0 else None

    def close(self) -> None:
        """Close the channel; whatever reads or writes it in the guest gets to feel it."""
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            if self.at_end:
                self._channel.close()
            else:
                with cut_after(_CLOSING, self._link):
                    self._channel.close()


def _received(receive: Callable[[int], bytes]) -> bytes:
    """What has come. Taking it tells the guest that there is room for more, which fails where it is gone."""
    try:
        return receive(_WINDOW)
    except (OSError, EOFError, paramiko.SSHException):
        return b""  # the loss shows when the rest has been read


_SETTLE = 0.2
_ROOM_TICK = 0.01
_CLOSING = 1.0
"""Seconds that closing a channel may take before the connection is cut."""
