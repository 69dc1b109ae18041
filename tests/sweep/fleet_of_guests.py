"""A fleet without network whose guests answer every check of a profile, with the faults planted in each."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from fleet.catalog import Catalog
from fleet.engine import prepare
from fleet.engine.prepare import Ports, Settings
from fleet.engine.sweep import sweep_plan
from fleet.envelope import prefix
from fleet.errors import TransportError
from fleet.inventory import Inventory
from fleet.journal import History, Run
from fleet.model import Completed, Host, Os, Script
from fleet.redact import Redactor
from fleet.transport import Transport
from tests.engine.simulator import CountingEntropy, StillClock, sim_host


@dataclass
class Guest:
    """What a guest will say."""

    os: Os = Os.LINUX
    faults: Mapping[str, str] = field(default_factory=dict)
    """Message by check that fails."""
    absent: Mapping[str, str] = field(default_factory=dict)
    """Reason by check that does not apply."""
    refuses: TransportError | None = None
    cut_after: int | None = None
    """Answers after which the connection is lost."""


class CountedTransport:
    """Answers scripts and counts how often it is asked."""

    def __init__(self, guest: Guest, batches: list[list[str]]) -> None:
        self._guest = guest
        self._batches = batches

    def run(self, scripts: Sequence[Script]) -> Iterator[Completed]:
        self._batches.append([script.snippet for script in scripts])
        for number, script in enumerate(scripts):
            if number == self._guest.cut_after:
                raise TransportError("the connection was lost", sent=True)
            yield Completed(b"\n" + prefix(script.nonce) + self._answer(script.snippet), b"", None, 0.1)

    def stream(self, script: Script, sink: Callable[[bytes], None]) -> Completed:
        raise AssertionError("no check has content")

    def _answer(self, check: str) -> bytes:
        outcome, message = "ok", "fine"
        if check in self._guest.faults:
            outcome, message = "failed", self._guest.faults[check]
        elif check in self._guest.absent:
            outcome, message = "skipped", self._guest.absent[check]
        body = {"outcome": outcome, "message": message, "data": {}, "seconds": 0.1}
        return json.dumps(body, separators=(",", ":"))[1:].encode() + b"\n"

    def close(self) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class GuestNetwork:
    """Opens connections and remembers how many, and what went over each."""

    def __init__(self, guests: Mapping[str, Guest]) -> None:
        self.guests = guests
        self.opened: list[str] = []
        self.batches: dict[str, list[list[str]]] = {name: [] for name in guests}
        self._lock = threading.Lock()

    def open(self, host: Host) -> Transport:
        with self._lock:
            self.opened.append(host.name)
        guest = self.guests[host.name]
        if guest.refuses is not None:
            raise guest.refuses
        return CountedTransport(guest, self.batches[host.name])

    def redactor(self) -> Redactor:
        return Redactor(())

    def warnings(self) -> list[str]:
        return []


def inventory_of(guests: Mapping[str, Guest]) -> Inventory:
    hosts = {name: sim_host(name, guest.os) for name, guest in guests.items()}
    return Inventory(hosts, {"all": tuple(hosts), "ungrouped": tuple(hosts)})


def swept(
    catalog: Catalog, guests: Mapping[str, Guest], state: Path, profile: str = "azure-vm"
) -> tuple[Run, GuestNetwork]:
    """Sweep the guests and read the run back from its journal."""
    network = GuestNetwork(guests)
    plan = sweep_plan(catalog, profile, inventory_of(guests), params={})
    ports = Ports(StillClock(), CountingEntropy(), network)
    execution = prepare.execution(plan, "look", Settings(), state=state, command="fleet sweep", ports=ports)
    for _ in execution:
        pass
    return History(state).run(execution.header.id), network
