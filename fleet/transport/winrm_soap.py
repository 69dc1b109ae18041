"""The WinRM service's six operations on shells (MS-WSMV 3.1.4), built with pywinrm's ``Protocol``.

Replies are read by our own reader, and faults become errors in words. The operations of ``Protocol``
itself are not used: they parse whatever comes with ``xml.etree``, end in StopIteration where an exit code
is missing, and leave the choice of ids to the guest, so that a shell whose answer was lost stays behind.
"""

from __future__ import annotations

import base64
import binascii
import uuid
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element

import xmltodict
from winrm.protocol import Protocol

from fleet.errors import BusyError, DeniedError, ProtocolError, TransportError, UnreachableError
from fleet.ports import Clock, Deadline
from fleet.transport.winrm_login import GuardedTransport
from fleet.transport.winrm_xml import XmlError, parse

OPERATION_TIMEOUT = 20.0
"""Seconds after which the guest answers "nothing yet"; our own read timeout is ten more."""

READ_MARGIN = 10.0
"""Seconds beyond the operation timeout after which a silent connection counts as lost."""

SEND_BYTES = 112_000
"""Bytes of stdin in one Send. As base64, sealed and with the header around it they fit into 150 kB, the
envelope of Windows Server 2008 R2; the 500 kB of newer ones would save a request for payloads that big."""

_MAX_ENVELOPE = "512000"
"""Bytes of an envelope that we take; MaxEnvelopeSizekb is 500 since Windows 8."""

_IDLE = "PT900S"
"""After so long without a request the guest takes back a shell that we could not delete."""

_SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
_RESOURCE = f"{_SHELL}/cmd"
_TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer"

_SPACES = {
    "s": "http://www.w3.org/2003/05/soap-envelope",
    "a": "http://schemas.xmlsoap.org/ws/2004/08/addressing",
    "w": "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd",
    "f": "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault",
    "m": "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/MSFT_WmiError",
    "r": _SHELL,
}

_NOTHING_YET = 2150858793
"""The operation timeout passed."""

_GONE = {2150858843, 995}
"""There is no such shell (any more); the operation was aborted because it went."""

_QUOTAS = {2150859173, 2150859174, 2150859175, 2150859176, 2150859179, *range(2150859236, 2150859242)}
"""ERROR_WSMAN_QUOTA_* of wsmerror.h. Windows puts them into an MSFT_WmiError, not into a WSManFault."""


class ShellGoneError(UnreachableError):
    """The guest has no such shell: it was idle for too long, or the service was started anew."""


class _NothingYetError(TransportError):
    """The operation timeout passed; no failure."""


@dataclass(frozen=True, slots=True)
class Received:
    """What one Receive brought."""

    stdout: bytes = b""
    stderr: bytes = b""
    done: bool = False
    exit_code: int | None = None


class ShellService(Protocol):
    """The operations on shells, each one request over a guarded transport."""

    def __init__(self, transport: GuardedTransport, clock: Clock) -> None:
        super().__init__(transport.endpoint, transport="plaintext", username="-", password="-", proxy=None)  # noqa: S106 (pywinrm wants some; this transport is replaced)
        self.transport: GuardedTransport = transport
        self._clock = clock
        self._last: tuple[Any, str, str] = (None, "", "")
        """What was asked last, with which id and in which words; for content it is asked a thousand times."""

    def create(self, shell: str, deadline: Deadline) -> str:
        """Open a shell under an id of our choice; give the id it got."""
        body = {
            "rsp:Shell": {
                "@ShellId": shell,
                "rsp:IdleTimeOut": _IDLE,
                "rsp:InputStreams": "stdin",
                "rsp:OutputStreams": "stdout stderr",
            }
        }
        options = {"WINRS_NOPROFILE": "TRUE", "WINRS_CODEPAGE": "65001"}
        reply = self._call(f"{_TRANSFER}/Create", body, options=options, deadline=deadline)
        selector = reply.find(".//w:Selector[@Name='ShellId']", _SPACES)
        return _text(selector) or shell

    def command(self, shell: str, line: str) -> str:
        """Start a command line; give its id."""
        command = str(uuid.uuid4()).upper()
        body = {"rsp:CommandLine": {"@CommandId": command, "rsp:Command": line}}
        options = {"WINRS_CONSOLEMODE_STDIN": "FALSE", "WINRS_SKIP_CMD_SHELL": "FALSE"}
        reply = self._call(f"{_SHELL}/Command", body, shell=shell, options=options)
        return _text(reply.find(".//r:CommandId", _SPACES)) or command

    def send(self, shell: str, command: str, data: bytes, *, end: bool = False) -> None:
        """Write to a command's stdin.

        The guest answers when the command has taken the bytes. Where it is busy with what it got before
        and the operation timeout passes, the bytes stand in its queue: they were sent, that is all we know.
        """
        stream: dict[str, str] = {"@Name": "stdin", "@CommandId": command}
        if end:
            stream["@End"] = "true"
        stream["#text"] = base64.b64encode(data).decode("ascii")
        try:
            self._call(f"{_SHELL}/Send", {"rsp:Send": {"rsp:Stream": stream}}, shell=shell)
        except _NothingYetError:
            return

    def receive(self, shell: str, command: str, wait: float) -> Received:
        """Wait for output or the end of a command, at most ``wait`` seconds; nothing is an answer too."""
        body = {"rsp:Receive": {"rsp:DesiredStream": {"@CommandId": command, "#text": "stdout stderr"}}}
        try:
            reply = self._call(f"{_SHELL}/Receive", body, shell=shell, wait=wait)
        except _NothingYetError:
            return Received()
        return _received(reply, command)

    def terminate(self, shell: str, command: str) -> None:
        """End a command."""
        body = {"rsp:Signal": {"@CommandId": command, "rsp:Code": f"{_SHELL}/signal/terminate"}}
        self._call(f"{_SHELL}/Signal", body, shell=shell)

    def delete(self, shell: str, deadline: Deadline | None = None) -> None:
        """Close a shell and end what runs in it."""
        self._call(f"{_TRANSFER}/Delete", {}, shell=shell, deadline=deadline)

    def _call(
        self,
        action: str,
        body: dict[str, Any],
        *,
        shell: str | None = None,
        options: dict[str, str] | None = None,
        wait: float | None = None,
        deadline: Deadline | None = None,
    ) -> Element:
        wait = OPERATION_TIMEOUT if wait is None else wait
        message_id = str(uuid.uuid4()).upper()
        asked = (action, body, shell, options, wait)
        if asked != self._last[0]:
            self._last = (asked, message_id, self._message(*asked, message_id))
        _, last_id, text = self._last
        limit = deadline or Deadline(self._clock, wait + READ_MARGIN)
        status, reply = self.transport.exchange(text.replace(last_id, message_id).encode(), limit)
        return self._read(status, reply, message_id)

    def _message(
        self,
        action: str,
        body: dict[str, Any],
        shell: str | None,
        options: dict[str, str] | None,
        wait: float,
        message_id: str,
    ) -> str:
        envelope = self.build_wsman_header(action, _RESOURCE, shell, message_id)
        header = envelope["env:Header"]
        header["a:To"] = self.transport.endpoint
        header["w:MaxEnvelopeSize"]["#text"] = _MAX_ENVELOPE
        header["w:OperationTimeout"] = f"PT{wait:.3f}S"
        if options:
            header["w:OptionSet"] = {
                "w:Option": [{"@Name": name, "#text": value} for name, value in options.items()]
            }
        envelope["env:Body"] = body
        text: str = xmltodict.unparse({"env:Envelope": envelope})
        return text

    def _read(self, status: int, reply: bytes, message_id: str) -> Element:
        endpoint = self.transport.endpoint
        try:
            root = parse(reply)
        except XmlError as error:
            raise ProtocolError(
                f"The reply of {endpoint} is no message of WinRM ({error}). Find out who answers there."
            ) from None
        relates = _text(root.find("s:Header/a:RelatesTo", _SPACES))
        if relates and relates.lower() != f"uuid:{message_id}".lower():
            raise ProtocolError(
                f"{endpoint} answered a question that was not asked; the connection is given up."
            )
        fault = root.find("s:Body/s:Fault", _SPACES)
        if fault is not None:
            raise _failure(fault, endpoint)
        if status != 200 or root.find("s:Body", _SPACES) is None:
            raise ProtocolError(f"{endpoint} answered with HTTP {status} and no message of WinRM.")
        return root


def _received(reply: Element, command: str) -> Received:
    streams: dict[str, list[bytes]] = {"stdout": [], "stderr": []}
    for stream in reply.iterfind(".//r:Stream", _SPACES):
        kept = streams.get(stream.get("Name", ""))
        if kept is None or stream.get("CommandId", command).upper() != command.upper():
            continue
        try:
            kept.append(_decoded(stream.text or ""))
        except (binascii.Error, ValueError):
            raise ProtocolError(
                "The guest sent output that is not base64; the connection is given up."
            ) from None
    done, exit_code = False, None
    state = reply.find(".//r:CommandState", _SPACES)
    if state is not None and state.get("State", "").endswith("/CommandState/Done"):
        done, exit_code = True, _number(state.find("r:ExitCode", _SPACES))
    return Received(b"".join(streams["stdout"]), b"".join(streams["stderr"]), done, exit_code)


def _decoded(text: str) -> bytes:
    """Decode base64; white space, which XML may have anywhere in it (xs:base64Binary), is rare."""
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error:
        return binascii.a2b_base64("".join(text.split()), strict_mode=True)


def _failure(fault: Element, endpoint: str) -> TransportError:
    """Make a fault an error; what the guest says itself travels apart, as data of the guest."""
    code = _number(fault.find("s:Detail/m:MSFT_WmiError/m:error_Code", _SPACES))
    plain = fault.find("s:Detail/f:WSManFault", _SPACES)
    if plain is not None:
        code = _number(plain, plain.get("Code"))
    subcode = _text(fault.find("s:Code/s:Subcode/s:Value", _SPACES)).rpartition(":")[2]
    said = _text(fault.find("s:Reason/s:Text", _SPACES)).encode()[:2000]
    if code == _NOTHING_YET or (code is None and subcode == "TimedOut"):
        return _NothingYetError("nothing yet")
    if code in _QUOTAS or subcode == "QuotaLimit":
        return BusyError(
            f"{endpoint} is at a limit for this user (shells, operations or users; code {code}). "
            "Wait for other sessions to end, or look at winrm get winrm/config/winrs there.",
            stderr=said,
        )
    if code in _GONE:
        return ShellGoneError(
            f"{endpoint} has closed our shell (code {code}): its WinRM service was started anew or the shell "
            "stood idle. Run the command again.",
            stderr=said,
        )
    if code == 5 or subcode == "AccessDenied":
        return DeniedError(
            f"{endpoint} denies a remote shell to this user. "
            "Put it into Administrators or Remote Management Users.",
            stderr=said,
        )
    named = f"code {code}" if code is not None else f"fault {subcode}" if subcode.isalnum() else "a fault"
    return ProtocolError(
        f"The WinRM service of {endpoint} refused the request with {named}. "
        "Look into its log (Microsoft-Windows-WinRM/Operational).",
        stderr=said,
    )


def _text(element: Element | None) -> str:
    return (element.text or "").strip() if element is not None else ""


def _number(element: Element | None, text: str | None = None) -> int | None:
    """A whole number of at most 32 bits, as exit codes and fault codes are; None where it is none."""
    digits = text if text is not None else _text(element)
    try:
        value = int(digits[:12])
    except ValueError:
        return None
    return value if -(2**31) <= value < 2**32 else None
