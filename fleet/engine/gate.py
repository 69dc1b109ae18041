"""The credential gate: one bad password never reaches a second host of the same realm.

Ten thousand bad logons lock a domain account after the first few. So the first login with a password
in a realm goes alone; the others wait for what becomes of it. A password that was refused is not
tried again. One that works is let through; a host that refuses it all the same counts, and the second
such host closes the gate for what has not started.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from fleet.errors import DeniedError
from fleet.model import Host

_MAX_REFUSALS = 2


@dataclass(slots=True)
class _State:
    testing: bool = False
    proven: bool = False
    refusals: int = 0
    refused_by: str = ""

    @property
    def closed(self) -> bool:
        return self.refusals >= (_MAX_REFUSALS if self.proven else 1)


class CredentialGate:
    """Shared by all threads of a run."""

    def __init__(self) -> None:
        self._states: dict[tuple[str, ...], _State] = {}
        self._changed = threading.Condition()

    @contextmanager
    def passage(self, host: Host) -> Iterator[None]:
        """Surround a login. Raises ``DeniedError`` where the gate is closed; nothing was sent then."""
        if host.password is None:
            yield
            return
        key = (host.realm or "", host.user or "", str(host.password))
        state = self._enter(key)
        try:
            yield
        except DeniedError as error:
            self._leave(state, refused_by=host.name if error.login else "")
            raise
        except BaseException:
            self._leave(state)
            raise
        self._leave(state, proven=True)

    def _enter(self, key: tuple[str, ...]) -> _State:
        with self._changed:
            state = self._states.setdefault(key, _State())
            self._changed.wait_for(lambda: state.closed or state.proven or not state.testing)
            if state.closed:
                raise DeniedError(
                    f"not tried: {state.refused_by} refused this password, and trying it on more hosts may "
                    "lock the account. Mend the password, then run again"
                )
            state.testing = True
            return state

    def _leave(self, state: _State, *, proven: bool = False, refused_by: str = "") -> None:
        with self._changed:
            state.testing = False
            state.proven = state.proven or proven
            if refused_by:
                state.refusals += 1
                state.refused_by = refused_by
            self._changed.notify_all()
