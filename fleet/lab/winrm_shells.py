"""The shells of a simulated WinRM service: MS-WSMV's operations in front of the processes of a guest.

Written from the specification and not from fleet's client, so that a mistake of one is not made by both.
"""

from __future__ import annotations

import base64
import os
import re
import selectors
import subprocess
import threading
import uuid
from collections import deque
from typing import Any, BinaryIO
from xml.sax.saxutils import escape

from fleet.lab.guest import Guest, Process
from fleet.transport.winrm_xml import parse

_SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
_TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
_IDENTIFY = "http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"
_SPACES = {
    "s": "http://www.w3.org/2003/05/soap-envelope",
    "a": "http://schemas.xmlsoap.org/ws/2004/08/addressing",
    "w": "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd",
    "r": _SHELL,
    "i": _IDENTIFY,
}
_DECLARATIONS = " ".join(
    f'xmlns:{prefix}="{space}"'
    for prefix, space in {
        **_SPACES,
        "x": _TRANSFER,
        "f": "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault",
        "m": "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/MSFT_WmiError",
    }.items()
)

MAX_SHELLS = 30
"""MaxShellsPerUser as Windows has it by default."""

_ENVELOPE = 153_600
"""MaxEnvelopeSize where a request names none; a Receive brings less output than that."""

_BUFFER = 1_048_576
"""Bytes of output kept for a client that does not ask; then the command has to wait."""

_GATHER = 0.01
"""Seconds in which output that comes close together is put into one reply."""

_LOOK = 0.5
"""Seconds after which output that does not end is looked at for a command that was ended."""

TIMED_OUT, NO_SHELL, TOO_MANY_SHELLS, NO_RIGHT = 2150858793, 2150858843, 2150859173, 5


class FaultReply(Exception):
    """A fault to answer with."""

    def __init__(self, code: int, subcode: str, text: str, *, wmi: bool = False) -> None:
        super().__init__(text)
        self.code = code
        self.subcode = subcode
        self.wmi = wmi


class Command:
    """A command that runs in a shell, with its output until somebody receives it."""

    def __init__(self, process: Process) -> None:
        self.id = str(uuid.uuid4()).upper()
        self.quiet = False
        """Whether its end is told without an exit code, as some faulty services do."""
        self._process = process
        self._changed = threading.Condition()
        self._output: deque[tuple[str, bytes]] = deque()
        self._size = 0
        self._input: deque[bytes | None] = deque()
        self._writing = False
        self._running = True
        self._ended = False
        streams = {"stderr": process.stderr, "stdout": process.stdout}
        self._threads = [
            threading.Thread(target=self._pump, args=(streams,), name="lab-winrm-out"),
            threading.Thread(target=self._feed, args=(process.stdin,), name="lab-winrm-in"),
        ]
        for thread in self._threads:
            thread.start()

    def send(self, data: bytes, end: bool, wait: float) -> bool:
        """Give bytes to the command; whether it has taken them in time. They stay in the queue otherwise."""
        with self._changed:
            self._input.append(data)
            if end:
                self._input.append(None)
            self._changed.notify_all()
            return self._changed.wait_for(lambda: not self._input and not self._writing, wait)

    def receive(self, wait: float, room: int) -> tuple[list[tuple[str, bytes]], bool]:
        """Wait for output or the end; give what fits, and whether that was all there will be."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._output or self._over(), wait):
                raise FaultReply(TIMED_OUT, "w:TimedOut", "The operation did not end in time.")
            self._changed.wait_for(lambda: self._over() or self._size >= room, _GATHER)
            taken = []
            while self._output and room > 0:
                name, data = self._output.popleft()
                taken.append((name, data[:room]))
                if len(data) > room:
                    self._output.appendleft((name, data[room:]))
                room -= len(data) + 150  # what the element around it takes
            self._size = sum(len(data) for _, data in self._output)
            self._changed.notify_all()
            return taken, self._over() and not self._output

    def exit_code(self) -> int | None:
        """Exit code, once the command has ended."""
        try:
            return self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return None

    def end(self) -> None:
        """End the command and everything that serves it."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        self._process.kill()
        for thread in self._threads:
            thread.join(5)
        self.exit_code()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            _close(stream)

    def _over(self) -> bool:
        return self._ended or not self._running

    def _pump(self, streams: dict[str, BinaryIO | None]) -> None:
        """Take output as it comes; stderr first, so that it is there when an answer on stdout is."""
        with selectors.DefaultSelector() as waiting:
            for name, stream in streams.items():
                if stream is not None:
                    waiting.register(stream, selectors.EVENT_READ, name)
            while waiting.get_map() and not self._ended:
                ready = {str(key.data): key for key, _ in waiting.select(_LOOK)}
                for name in sorted(ready):
                    data = os.read(ready[name].fd, 65_536)
                    if data:
                        self._keep(name, data)
                    else:
                        waiting.unregister(ready[name].fileobj)
        with self._changed:
            self._running = False
            self._changed.notify_all()

    def _keep(self, name: str, data: bytes) -> None:
        with self._changed:
            self._output.append((name, data))
            self._size += len(data)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._size < _BUFFER or self._ended)

    def _feed(self, stdin: BinaryIO | None) -> None:
        while True:
            with self._changed:
                self._writing = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._input or self._over())
                if not self._input:
                    return
                data = self._input.popleft()
                self._writing = True
            try:
                if stdin is None or data is None:
                    _close(stdin)
                else:
                    stdin.write(data)
                    stdin.flush()
            except (OSError, ValueError):
                _close(stdin)


def _close(stream: BinaryIO | None) -> None:
    if stream is not None:
        try:
            stream.close()
        except (OSError, ValueError):
            return


class ShellHost:
    """All shells of one guest."""

    def __init__(self, guest: Guest, max_shells: int = MAX_SHELLS) -> None:
        self._guest = guest
        self._max_shells = max_shells
        self._shells: dict[str, dict[str, Command]] = {}
        self._lock = threading.Lock()

    @property
    def open(self) -> list[str]:
        """Shells that were opened and not deleted."""
        with self._lock:
            return list(self._shells)

    def close(self) -> None:
        """End everything."""
        for shell in self.open:
            self._forget(shell)

    def answer(self, message: bytes) -> tuple[str, bytes]:
        """Carry an operation out; give its name and the reply. Raises ``FaultReply``."""
        root = parse(message)
        if root.find("s:Body/i:Identify", _SPACES) is not None:
            return "Identify", identity()
        action = _text(root, "s:Header/a:Action").rpartition("/")[2]
        shell = _text(root, "s:Header/w:SelectorSet/w:Selector[@Name='ShellId']").upper()
        body = getattr(self, f"_{action.lower()}", _unknown)(root, shell)
        return action, envelope(body, _text(root, "s:Header/a:MessageID"))

    def _create(self, root: Any, _: str) -> str:
        wanted = root.find("s:Body/r:Shell", _SPACES).get("ShellId") or str(uuid.uuid4())
        shell = wanted.upper()
        with self._lock:
            if len(self._shells) >= self._max_shells:
                text = "This user is allowed a maximum number of concurrent shells, which has been exceeded."
                raise FaultReply(TOO_MANY_SHELLS, "w:QuotaLimit", text, wmi=True)
            self._shells[shell] = {}
        selector = f'<w:SelectorSet><w:Selector Name="ShellId">{shell}</w:Selector></w:SelectorSet>'
        return (
            f"<x:ResourceCreated><a:Address>/wsman</a:Address><a:ReferenceParameters>{selector}"
            f"</a:ReferenceParameters></x:ResourceCreated><r:Shell><r:ShellId>{shell}</r:ShellId></r:Shell>"
        )

    def _command(self, root: Any, shell: str) -> str:
        commands = self._commands(shell)
        line = root.find("s:Body/r:CommandLine", _SPACES)
        process = self._guest.spawn(_text(line, "r:Command"))
        command = Command(process)
        command.id = (line.get("CommandId") or command.id).upper()
        commands[command.id] = command
        return f"<r:CommandResponse><r:CommandId>{command.id}</r:CommandId></r:CommandResponse>"

    def _send(self, root: Any, shell: str) -> str:
        for stream in root.iterfind("s:Body/r:Send/r:Stream", _SPACES):
            command = self._one(shell, stream.get("CommandId"))
            data = base64.b64decode(stream.text or "", validate=True)
            if not command.send(data, stream.get("End", "").lower() == "true", _timeout(root)):
                raise FaultReply(TIMED_OUT, "w:TimedOut", "The command did not take its input in time.")
        return "<r:SendResponse/>"

    def _receive(self, root: Any, shell: str) -> str:
        command = self._one(shell, root.find("s:Body/r:Receive/r:DesiredStream", _SPACES).get("CommandId"))
        limit = int(_text(root, "s:Header/w:MaxEnvelopeSize") or _ENVELOPE)
        pieces, done = command.receive(_timeout(root), (limit - 4_000) * 3 // 4)
        streams = "".join(
            f'<r:Stream Name="{name}" CommandId="{command.id}">{base64.b64encode(data).decode()}</r:Stream>'
            for name, data in pieces
        )
        state, code = "Running", ""
        if done:
            state = "Done"
            streams += f'<r:Stream Name="stdout" CommandId="{command.id}" End="true"/>'
            exit_code = command.exit_code()
            if exit_code is not None and not command.quiet:
                code = f"<r:ExitCode>{exit_code}</r:ExitCode>"
        return (
            f'<r:ReceiveResponse>{streams}<r:CommandState CommandId="{command.id}" '
            f'State="{_SHELL}/CommandState/{state}">{code}</r:CommandState></r:ReceiveResponse>'
        )

    def _signal(self, root: Any, shell: str) -> str:
        command = self._one(shell, root.find("s:Body/r:Signal", _SPACES).get("CommandId"))
        command.end()
        return "<r:SignalResponse/>"

    def _delete(self, _: Any, shell: str) -> str:
        self._commands(shell)
        self._forget(shell)
        return ""

    def forget_exit_codes(self) -> None:
        """From now on the end of a command comes without its exit code."""
        with self._lock:
            for commands in self._shells.values():
                for command in commands.values():
                    command.quiet = True

    def _commands(self, shell: str) -> dict[str, Command]:
        with self._lock:
            if shell not in self._shells:
                raise FaultReply(NO_SHELL, "w:InvalidSelectors", "The shell was not found on the server.")
            return self._shells[shell]

    def _one(self, shell: str, command: str | None) -> Command:
        commands = self._commands(shell)
        if command is None or command.upper() not in commands:
            raise FaultReply(2150858860, "w:InvalidParameter", "The command was not found in the shell.")
        return commands[command.upper()]

    def _forget(self, shell: str) -> None:
        with self._lock:
            commands = self._shells.pop(shell, {})
        for command in commands.values():
            command.end()


def _unknown(*_: Any) -> str:
    raise FaultReply(2150858752, "a:ActionNotSupported", "The action is not supported.")


def identity() -> bytes:
    """What the service says of itself before any login."""
    return envelope(
        "<i:IdentifyResponse><i:ProtocolVersion>http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
        "</i:ProtocolVersion><i:ProductVendor>Microsoft Corporation</i:ProductVendor>"
        "<i:ProductVersion>OS: 0.0.0 SP: 0.0 Stack: 3.0</i:ProductVersion></i:IdentifyResponse>",
        "",
    )


def envelope(body: str, relates_to: str) -> bytes:
    """Put a body into a reply."""
    header = f"<a:RelatesTo>{escape(relates_to)}</a:RelatesTo>" if relates_to else ""
    return (
        f"<s:Envelope {_DECLARATIONS}><s:Header><a:MessageID>uuid:{uuid.uuid4()}</a:MessageID>{header}"
        f"</s:Header><s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def fault(reply: FaultReply) -> bytes:
    """Put a fault into a reply; quotas come as an MSFT_WmiError, the rest as a WSManFault."""
    text = escape(str(reply))
    if reply.wmi:
        detail = f"<m:MSFT_WmiError><m:error_Code>{reply.code}</m:error_Code></m:MSFT_WmiError>"
    else:
        detail = (
            f'<f:WSManFault Code="{reply.code}" Machine="lab"><f:Message>{text}</f:Message></f:WSManFault>'
        )
    return envelope(
        "<s:Fault><s:Code><s:Value>s:Receiver</s:Value><s:Subcode>"
        f"<s:Value>{reply.subcode}</s:Value></s:Subcode></s:Code>"
        f'<s:Reason><s:Text xml:lang="en-US">{text}</s:Text></s:Reason>'
        f"<s:Detail>{detail}</s:Detail></s:Fault>",
        "",
    )


def _text(root: Any, path: str) -> str:
    found = root.find(path, _SPACES)
    return (found.text or "") if found is not None else ""


def _timeout(root: Any) -> float:
    """Seconds of an operation timeout such as ``PT20.000S``; 60 where there is none."""
    match = re.fullmatch(r"PT(\d+(?:\.\d+)?)S", _text(root, "s:Header/w:OperationTimeout"))
    return float(match.group(1)) if match else 60.0
