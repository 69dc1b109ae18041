"""A Windows guest without Windows and without PowerShell: it answers from a model, over the real wire."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence

from fleet.catalog import Catalog
from fleet.envelope import prefix
from fleet.lab import ps_frame
from fleet.lab.guest import Process
from fleet.lab.model_process import ModelProcess
from fleet.lab.windows_answers import answer
from fleet.lab.windows_state import WindowsState
from fleet.model import Shell
from fleet.render import POWERSHELL_COMMAND

_NOT_FOUND = 9009
"""What cmd.exe ends with where there is no such program."""


class WindowsModel:
    """Implements ``fleet.lab.guest.Guest``; ``simulated`` stands in the data of its every answer.

    A snippet is recognised by its whole text: one that was changed, or that the model does not know, fails.
    """

    def __init__(self, name: str, accounts: Mapping[str, str], state: WindowsState, catalog: Catalog) -> None:
        self.name = name
        self.accounts = accounts
        self.state = state
        self._names = {
            snippet.texts[Shell.POWERSHELL].text: snippet.name
            for snippet in catalog.snippets.values()
            if Shell.POWERSHELL in snippet.texts
        }
        self._checks = {name for name in self._names.values() if not catalog.snippet(name).mutates}
        self._lock = threading.Lock()

    @property
    def ledger(self) -> Sequence[str]:
        """What was done to it, one line each, in order."""
        return self.state.ledger

    def spawn(self, command: str) -> Process:
        """Start fleet's constant PowerShell command line; any other ends at once, as an unknown program."""
        if command != POWERSHELL_COMMAND:
            shown = command.split(" ", 1)[0]
            text = (
                f"'{shown}' is not recognized: this guest is simulated and knows only fleet's own command\r\n"
            )
            return ModelProcess(self._reply, opening=text.encode(), exit_code=_NOT_FOUND)
        return ModelProcess(self._reply)

    def _reply(self, line: bytes) -> bytes:
        if not line.strip():
            return b""
        try:
            frame = ps_frame.read(ps_frame.unpack(line))
        except ps_frame.FrameError as error:
            return f"FLEET-FRAME {error}\n".encode()
        name = self._names.get(frame.body, "this text, which is no snippet of the catalogue,")
        with self._lock:
            call = answer(self.state, name, frame.parameters, frame.check, looks=name in self._checks)
        log = "".join(f"verbose: {text}\n" for text in call.log)
        rest = {"outcome": call.outcome, "message": call.message, "data": call.data, "seconds": 0.0}
        return (
            log.encode()
            + call.raw
            + b"\n"
            + prefix(frame.nonce)
            + json.dumps(rest)[1:].encode("ascii")
            + b"\n"
        )
