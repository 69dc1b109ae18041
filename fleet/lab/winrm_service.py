"""What a WinRM service of the lab serves, and its record of what was asked of it."""

from __future__ import annotations

import ssl
import threading
from dataclasses import dataclass, field
from pathlib import Path

from fleet.lab.guest import Guest
from fleet.lab.winrm_faults import Fault
from fleet.lab.winrm_shells import ShellHost


@dataclass
class GuestService:
    """One guest, its shells, how to misbehave, and a record of the operations."""

    guest: Guest
    context: ssl.SSLContext | None
    binding: bytes
    passwords: Path
    offers: tuple[str, ...]
    shells: ShellHost
    requests: list[str] = field(default_factory=list)
    """Names of all operations asked for, in order; "Login" for a step of a login."""
    messages: int = 0
    """HTTP requests, those without an answer to their login included."""
    elsewhere: int = 0
    """Requests for another path than ``/wsman``, where a redirect would lead."""
    connections: int = 0
    stopping: bool = False
    _planned: list[tuple[Fault, str]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def misbehave(self, how: Fault, at: str, times: int = 1) -> None:
        """Misbehave at the next ``times`` operations of that name ("Create", "Receive", …, "Login")."""
        with self._lock:
            self._planned += [(how, at)] * times

    def note(self, operation: str) -> Fault | None:
        """Record an operation; give how to misbehave at it, if so planned."""
        with self._lock:
            self.requests.append(operation)
            for plan in self._planned:
                if plan[1] == operation:
                    self._planned.remove(plan)
                    return plan[0]
        return None
