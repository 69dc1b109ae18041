"""What a WinRM service of the lab serves, and its record of what was asked of it."""

from __future__ import annotations

import ssl
import threading
from pathlib import Path

from fleet.lab.guest import Guest
from fleet.lab.winrm_faults import Fault
from fleet.lab.winrm_shells import ShellHost


class GuestService:
    """One guest, its shells, how to misbehave, and a record of the operations."""

    def __init__(
        self,
        guest: Guest,
        context: ssl.SSLContext | None,
        binding: bytes,
        passwords: Path,
        offers: tuple[str, ...],
        max_shells: int,
    ) -> None:
        self.guest = guest
        self.context = context
        self.binding = binding
        self.passwords = passwords
        self.offers = offers
        self.shells = ShellHost(guest, max_shells)
        self.requests: list[str] = []
        """Names of all operations asked for, in order; "Login" for a step of a login."""
        self.messages = 0
        """HTTP requests, those without an answer to their login included."""
        self.elsewhere = 0
        """Requests for another path than ``/wsman``, where a redirect would lead."""
        self.connections = 0
        self.stopping = False
        self._planned: list[tuple[Fault, str]] = []
        self._lock = threading.Lock()

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
