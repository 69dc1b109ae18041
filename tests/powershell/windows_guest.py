"""A guest of the Windows lab with an engine in it, as tests use it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from fleet.catalog import Catalog
from fleet.model import Outcome, ParamValue, Reply
from tests.powershell import record
from tests.powershell.conftest import guest_engine
from tests.powershell.engine import Engine, fine, snippet_of

LAB = r"HKLM\SOFTWARE\WindowsLab"
"""Where a guest's own programs are told how to behave."""


class Windows:
    """A guest with an engine in it."""

    def __init__(self, lab: ModuleType, guest: Any, engine: Engine, catalog: Catalog, node: Any) -> None:
        self.guest = guest
        self.engine = engine
        self._lab = lab
        self._catalog = catalog
        self._node = node
        self._seen: Any = None

    def run(self, name: str, outcome: str, check: bool = False, **values: ParamValue) -> Reply:
        """Run a snippet of the catalogue."""
        record.covers(self._node, self.engine, (*record.FRAME, f"{name}.ps1"))
        script = self.engine.named(self._catalog, name, values, check=check)
        return fine(self.engine.run([script])[0], Outcome(outcome))

    def body(self, text: str) -> Mapping[str, Any]:
        """Run a text against the library; its data."""
        return fine(self.engine.run([self.engine.script(snippet_of(text), timeout=60)])[0]).data

    def look(self) -> None:
        """Remember what the guest is like."""
        self._seen = self.guest.snapshot()

    def changes(self) -> Any:
        """What has changed since, services first; remembers anew."""
        before, self._seen = self._seen, self.guest.snapshot()
        return self._lab.diff(before, self._seen)

    def restarts(self) -> dict[str, tuple[int, int]]:
        """Stops and starts of each service since; nothing else may have changed."""
        changes = self.changes()
        assert set(changes) <= {"services"}, changes
        found = {}
        for name, change in changes.get("services", {}).items():
            assert set(change) <= {"starts", "stops"}, (name, change)
            found[name] = (len(change.get("stops", [])), len(change.get("starts", [])))
        return found


@contextmanager
def one_guest(lab: ModuleType, *roles: str, language: str = "en") -> Iterator[tuple[Any, Engine]]:
    """A guest for the tests of a module, each of which leaves it as the next needs it."""
    with lab.Guest(roles=list(roles), language=language) as guest:
        guest.start("VSS")  # vssadmin would start it
        engine = guest_engine(guest)
        try:
            try:
                engine.identify()
            except AssertionError:  # wine now and then ends a program at its start; a second try tells
                engine.identify()
            yield guest, engine
        finally:
            engine.close()


@contextmanager
def left_as_found(lab: ModuleType, windows: Windows) -> Iterator[Windows]:
    """See that the registry of a guest is in the end what it was in the beginning."""
    before = windows.guest.snapshot()
    yield windows
    assert lab.diff(before, windows.guest.snapshot()).get("registry", {}) == {}
