"""A fake Windows guest for a machine that has PowerShell: real frame, library and snippets, faked Windows.

The guest's insides are one JSON file; ``fake_windows.ps1`` beside this module says what stands in it and puts
functions over it in the place of those that touch Windows. Every answer says that it is simulated.
"""

from __future__ import annotations

import base64
import functools
import json
import os
import shutil
import signal
import subprocess
import threading
import time
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from fleet import quote
from fleet.catalog.folder import scripts_folder
from fleet.lab import ps_frame
from fleet.lab.guest import Process
from fleet.lab.model_process import ModelProcess
from fleet.lab.windows_state import WindowsState
from fleet.needed import needed, without_comments
from fleet.render import POWERSHELL_COMMAND, powershell_command

ENGINE = "pwsh"
"""Program on PATH that runs the snippets."""

_LIBRARY = Path(__file__).with_name("fake_windows.ps1")
_NOT_FOUND = 9009
"""What cmd.exe ends with where there is no such program."""

EMPTY: dict[str, Any] = {
    "administrator": True,
    "os": {"name": "Windows Server 2019 Datacenter", "version": "10.0.17763.0", "epoch": 1_795_000_000},
    "clock": 0,
    "language": "en",
    "vssadmin": "answers",
    "msdtc": "works",
    "services": {},
    "writers": [],
    "registry": {},
    "processes": [],
    "events": [],
    "logs": [],
    "files": {},
    "texts": {},
    "old": {},
    "hashes": {},
    "versions": {},
    "programs": {},
    "tunnels": {},
    "tasks": {},
    "task_runs": {},
    "disks": [],
    "attributes": {},
    "walk_seconds": 0,
    "in_use": [],
    "drives": [],
    "shadow_storage": "there is no WMI here",
    "iscsi_sessions": 0,
    "volumes": {},
    "defender": {},
    "made": {},
    "holders": [],
    "labels": [],
    "keeps": [],
    "robocopy": {},
    "acl": {},
    "certificates": [],
    "interfaces": [],
    "reachable": ["168.63.129.16:80", "168.63.129.16:32526"],
    "load": [[12, 40]],
    "ledger": [],
}
"""A guest with nothing in it; what a guest does not say is taken from here."""


def available() -> bool:
    """Whether this machine has an engine."""
    return shutil.which(ENGINE) is not None


def with_fake_library(line: bytes, state: Path) -> bytes:
    """Put the fake Windows into a framed script as it goes over the wire. Raises ``ps_frame.FrameError``."""
    text = ps_frame.unpack(line)
    head, marker, rest = text.partition(ps_frame.MARKER)
    if not marker:
        raise ps_frame.FrameError("no line where contact functions may be replaced")
    fake = f"\n$FakePath = {quote.ps_literal(str(state))}\n{_fake_library()}"
    changed = f"{head}{marker}$library += {quote.ps_literal(fake)}\n{rest}"
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return base64.b64encode(deflate.compress(changed.encode()) + deflate.flush()) + b"\n"


@functools.cache
def _fake_library() -> str:
    """The functions in place of those that touch Windows, after what of the real library they use."""
    fake = without_comments(_LIBRARY.read_text("ascii"))
    return (
        needed(without_comments((scripts_folder() / "ps" / "_library.ps1").read_text("ascii")), fake) + fake
    )


_DEFAULT_RIGHTS = {
    r"C:\ProgramData\Microsoft\Crypto\RSA\MachineKeys": "O:SYG:SYD:PAI(A;;0x12019f;;;WD)(A;;FA;;;BA)",
    r"64:HKLM\SOFTWARE\Classes": "O:SYD:PAI(A;CI;KR;;;BU)(A;CI;KA;;;BA)(A;CI;KA;;;SY)",
}
"""Rights that a snippet looks at, as they are where nobody changed them."""

_PROGRAMS = {
    "vssadmin providers": {
        "exit_code": 0,
        "reads": True,
        "output": [
            "Provider name: 'Microsoft Software Shadow Copy provider 1.0'",
            "   Provider type: System",
            "   Provider Id: {b5946137-7b9f-4925-af80-51abd60b20d5}",
            "   Version: 1.0.0.7",
        ],
    },
    "ipconfig.exe": {
        "exit_code": 0,
        "reads": True,
        "output": ["Windows IP Configuration", "   IPv4 Address. . . . . . . . . . . : 10.0.0.5(Preferred)"],
    },
    "route.exe": {"exit_code": 0, "reads": True, "output": ["0.0.0.0  0.0.0.0  10.0.0.1  10.0.0.5  10"]},
    "netsh.exe": {"exit_code": 0, "reads": True, "output": ["    Direct access (no proxy server)."]},
    "systeminfo.exe": {"exit_code": 0, "reads": True, "output": ["OS Name: Windows Server, simulated"]},
}
"""What programs of Windows print where nothing is wrong."""


def from_model(state: WindowsState) -> dict[str, Any]:
    """Say what a model guest is in the words of this one, so that one planted guest serves both."""
    services = {
        name: {
            "status": service.status,
            "start_type": service.start_type,
            "account": service.account,
            "depends_on": list(service.depends_on),
            **({"start": "crash"} if service.fails_to_start else {}),
        }
        for name, service in state.services.items()
    }
    writers = [
        {
            "name": writer.name,
            "id": writer.id,
            "service": writer.service,
            "state": writer.state,
            "error": 0 if writer.last_error == "No error" else 1,
            "cured_by": 0 if writer.state == 1 and writer.last_error == "No error" else 1,
        }
        for writer in state.writers
    ]
    registry = {
        key: {name: {"type": kind, "value": value} for name, (kind, value) in values.items()}
        for key, values in state.registry.items()
    }
    return {
        "os": {**EMPTY["os"], "name": state.product, "version": state.version},
        "services": services,
        "writers": writers,
        "registry": registry,
        "processes": [{"id": number, "name": name} for number, name in state.processes.items()],
        "acl": _DEFAULT_RIGHTS,
        "programs": _PROGRAMS,
        "texts": state.texts,
        "events": state.events,
        "volumes": {"C:\\": {"drive_type": "Fixed", "size": 136_000_000_000, "free": 80_000_000_000}},
    }


class FakeWindows:
    """Implements ``fleet.lab.guest.Guest``. ``folder`` is the guest's own and holds its state.

    ``right_clock`` lets every PowerShell begin with the time of this machine, not with that of the state.
    """

    def __init__(
        self,
        name: str,
        accounts: Mapping[str, str],
        state: Mapping[str, Any],
        folder: Path,
        *,
        right_clock: bool = False,
    ) -> None:
        self.name = name
        self.accounts = accounts
        self._right_clock = right_clock
        self._path = folder / f"{name}.json"
        self._path.write_text(json.dumps({**EMPTY, **state}), "utf-8")

    @property
    def state(self) -> dict[str, Any]:
        """What the guest is like now."""
        found: dict[str, Any] = json.loads(self._path.read_text("utf-8"))
        return found

    @property
    def ledger(self) -> Sequence[str]:
        """What was done to it, one line each, in order."""
        lines: list[str] = self.state["ledger"]
        return lines

    def spawn(self, command: str) -> Process:
        """Start fleet's constant PowerShell command line; any other ends at once, as an unknown program."""
        if command not in {POWERSHELL_COMMAND, powershell_command(ENGINE)}:
            shown = command.split(" ", 1)[0]
            text = (
                f"'{shown}' is not recognized: this guest is simulated and knows only fleet's own command\r\n"
            )
            return ModelProcess(lambda _: b"", opening=text.encode(), exit_code=_NOT_FOUND)
        if self._right_clock:
            state = self.state
            state["os"]["epoch"] = time.time() - state["clock"]
            self._path.write_text(json.dumps(state), "utf-8")
        return _Engine(self._path)


class _Engine:
    """A PowerShell whose every framed script gets the fake library on its way in."""

    def __init__(self, state: Path) -> None:
        self._state = state
        own = state.with_suffix(".home")  # PowerShell keeps caches and sockets, also when it is killed
        own.mkdir(exist_ok=True)
        self._process = subprocess.Popen(  # noqa: S603 (the constant command line, by the name on PATH)
            powershell_command(ENGINE).split(" "),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={
                **os.environ,
                "HOME": str(own),
                "TMPDIR": str(own),
                "NO_COLOR": "1",
                "POWERSHELL_TELEMETRY_OPTOUT": "1",
                "POWERSHELL_UPDATECHECK": "Off",
            },
            start_new_session=True,
        )
        read_end, write_end = os.pipe()
        self.stdin: BinaryIO = os.fdopen(write_end, "wb", buffering=0)
        assert self._process.stdout
        assert self._process.stderr
        self.stdout: BinaryIO = self._process.stdout  # type: ignore[assignment]
        self.stderr: BinaryIO = self._process.stderr  # type: ignore[assignment]
        self._lines = os.fdopen(read_end, "rb")
        self._feeder = threading.Thread(target=self._feed, name="fake-windows", daemon=True)
        self._feeder.start()

    def wait(self, timeout: float | None = None) -> int:
        """Exit code, once it has ended; raises ``subprocess.TimeoutExpired``."""
        code = self._process.wait(timeout)
        self._close()
        return code

    def poll(self) -> int | None:
        """Exit code if it has ended, else None."""
        return self._process.poll()

    def kill(self) -> None:
        """End it and what it started."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _feed(self) -> None:
        engine = self._process.stdin
        assert engine
        with suppress(OSError, ValueError), self._lines, engine:
            for line in self._lines:
                engine.write(self._changed(line))
                engine.flush()

    def _changed(self, line: bytes) -> bytes:
        try:
            return with_fake_library(line, self._state) if line.strip() else line
        except ps_frame.FrameError:
            return line  # the bootstrap says what it makes of it

    def _close(self) -> None:
        with suppress(OSError):
            self.stdin.close()
        self._feeder.join(5)
