"""A world without network: guests with a ledger of what was done to them, a clock that stands still.

The engine runs unchanged in it. A guest answers the way a real one does, by an envelope, or it breaks
in one of the ways real ones break.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Literal, Self

from fleet.engine.prepare import Ports
from fleet.envelope import prefix
from fleet.errors import DeniedError, TransportError, UnreachableError
from fleet.model import Address, Completed, Host, Os, Script, Shell
from fleet.redact import Redactor
from fleet.transport import Transport

Breakage = Literal["", "refused", "password", "cut before sending", "cut after sending", "silent", "garbage"]


class StillClock:
    """Time that moves only when it is told to."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 21, 2, 31, tzinfo=UTC)
        self.seconds = 0.0

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.seconds

    def advance(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)
        self.seconds += seconds


class CountingEntropy:
    """Tokens that can be foretold."""

    def __init__(self) -> None:
        self._count = 0
        self._lock = threading.Lock()

    def token(self, length: int) -> str:
        with self._lock:
            self._count += 1
            return f"{self._count:0{length}d}"[-length:]


@dataclass
class SimGuest:
    """A guest with one fault that ``remedy`` cures."""

    faulty: bool = True
    breaks: Breakage = ""
    breaks_at: str = ""
    """Snippet at which it breaks; empty: at the first contact."""
    cure_fails: bool = False
    holds: bool = False
    ledger: list[str] = field(default_factory=list)
    """What really happened in the guest."""
    before_answer: Callable[[str], None] = lambda _snippet: None

    def answer(self, script: Script) -> dict[str, object]:
        self.before_answer(script.snippet)
        if script.snippet.startswith("check"):
            self.ledger.append(script.snippet)
            return _body("failed" if self.faulty else "ok", "it is faulty" if self.faulty else "fine")
        if self.holds:
            return _body("skipped", "a backup is running", held=["backup"])
        if not self.faulty:
            return _body("ok", "nothing to do")
        if script.mutates:
            self.ledger.append(f"DID {script.snippet}")
            self.faulty = self.cure_fails
        return _body("changed", "restarted it" if script.mutates else "would restart it")


def _body(outcome: str, message: str, **data: object) -> dict[str, object]:
    return {"outcome": outcome, "message": message, "data": data, "seconds": 0.1}


class SimTransport:
    """A connection to a ``SimGuest``."""

    def __init__(self, guest: SimGuest) -> None:
        self._guest = guest
        self.closed = False

    def run(self, scripts: Sequence[Script]) -> Iterator[Completed]:
        for script in scripts:
            if self._guest.breaks and self._guest.breaks_at in {"", script.snippet}:
                yield self._broken(script)
                continue
            body = json.dumps(self._guest.answer(script), separators=(",", ":"))[1:]
            yield Completed(b"some log\n" + prefix(script.nonce) + body.encode() + b"\n", b"", None, 0.1)

    def stream(self, script: Script, sink: Callable[[bytes], None]) -> Completed:
        raise AssertionError("nothing that is simulated here has content")

    def _broken(self, script: Script) -> Completed:
        match self._guest.breaks:
            case "cut before sending":
                raise UnreachableError("the connection was lost", sent=False)
            case "cut after sending":
                self._guest.answer(script)
                raise UnreachableError("the connection was lost", sent=True, stdout=b"half an answ")
            case "silent":
                return Completed(b"working\n", b"", None, 9.0, timed_out=True)
            case _:
                return Completed(b"no envelope here\n", b"oops\n", 3, 0.1)

    def close(self) -> None:
        self.closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class SimNetwork:
    """Opens connections to guests by host name and remembers them."""

    def __init__(self, guests: dict[str, SimGuest]) -> None:
        self.guests = guests
        self.opened: list[SimTransport] = []
        self.dialled: list[str] = []
        self.secrets: Sequence[object] = ()
        self._lock = threading.Lock()

    def open(self, host: Host) -> Transport:
        with self._lock:
            self.dialled.append(host.name)
        guest = self.guests[host.name]
        failure: dict[str, TransportError] = {
            "refused": UnreachableError("connection refused"),
            "password": DeniedError("the password was refused", login=True),
        }
        if guest.breaks in failure:
            raise failure[guest.breaks]
        transport = SimTransport(guest)
        with self._lock:
            self.opened.append(transport)
        return transport

    def warnings(self) -> list[str]:
        return []

    def redactor(self) -> Redactor:
        return Redactor(())


def sim_host(name: str, os: Os = Os.LINUX) -> Host:
    """A host that only the simulator can reach."""
    return Host(
        name=name,
        address=Address("192.0.2.1", 4),
        connection="fake",
        os=os,
        shell=Shell.SH if os is Os.LINUX else Shell.POWERSHELL,
        port=22,
    )


def sim_ports(network: SimNetwork) -> Ports:
    """The simulator's clock, randomness and network."""
    return Ports(StillClock(), CountingEntropy(), network)
