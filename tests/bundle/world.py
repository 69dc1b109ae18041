"""A run that collects without a network: guests that answer the four scripts, truthfully or not."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fleet import catalog
from fleet.bundle.cleaning import Level
from fleet.bundle.collection import Collection, Terms
from fleet.engine.prepare import Ports, Settings
from fleet.errors import UnreachableError
from fleet.inventory import Inventory
from fleet.journal import History, Run
from fleet.model import Host, Os, Script, Secret
from fleet.redact import Redactor
from fleet.render import rendered_text
from fleet.transport import Transport
from fleet.transport.fake import Answer, FakeTransports, Reaction
from tests.bundle.packs import END, record
from tests.engine.simulator import CountingEntropy, StillClock, sim_host

LOG = b"2026-11-20 23:04 agent: all is well\n" * 50

CATALOG = catalog.load([Path(__file__).with_name("scripts")])
"""The bundle ``little`` is in it."""

LISTING = b"F\t1\t1800\t1763690000\t/var/log/agent.log\nF\t2\t1679\t1763690000\t/var/lib/agent/key.prv\n"
PACK = record(1, LOG) + record(2, b" 02:31 up 3 days\n", code="whole") + END


class HastyClock(StillClock):
    """Stands still for people; whoever waits has waited long enough at once."""

    def monotonic(self) -> float:
        self.seconds += 5
        return self.seconds


@dataclass
class PackedGuest:
    """A guest that has a pack and sends it when it is asked."""

    listing: bytes = LISTING
    pack: bytes = PACK
    size: object = None
    """What it says that its pack has; None: the truth."""
    instead: dict[str, Reaction] = field(default_factory=dict)
    """What it answers to a script instead."""
    before: Callable[[str], None] = lambda _snippet: None
    staged: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)

    def answer(self, script: Script) -> Reaction:
        name = script.snippet
        self.asked.append(name)
        self.before(name)
        if name == "collect-stage":
            self.staged.add(value(script, "stage"))
        if name in self.instead:
            return self.instead[name]
        if name == "collect-list":
            return Answer(log=self.listing, data={"files": 2, "free": 10**10})
        if name == "collect-stage":
            size = len(self.pack) if self.size is None else self.size
            return Answer(data={"size": size, "left": []})
        if name == "collect-send":
            start = int(value(script, "offset"))
            part = self.pack[start : start + int(value(script, "length"))]
            answer = part + b"\n"  # which the frame writes before its envelope
            return Answer(log=answer, data={"sha256": hashlib.sha256(part).hexdigest(), "size": len(part)})
        assert name == "collect-clean"
        there = value(script, "stage") in self.staged
        self.staged.discard(value(script, "stage"))
        return Answer(data={"removed": there})


def value(script: Script, name: str) -> str:
    """A parameter that the script was rendered with."""
    found = re.search(rf"(?m)(?:^|[{{;]'?){name}'?='?([0-9a-z]+)'?", rendered_text(script))
    assert found, name
    return found[1]


class Network:
    """Opens connections to packed guests; ``connections`` of a run."""

    def __init__(self, guests: dict[str, PackedGuest], secrets: list[str]) -> None:
        self.guests = guests
        self._fake = FakeTransports(lambda host, script: self.guests[host.name].answer(script))
        self._redactor = Redactor(Secret(secret) for secret in secrets)
        self.dead: set[str] = set()

    def open(self, host: Host) -> Transport:
        if host.name in self.dead:
            raise UnreachableError("connection refused")
        return self._fake.open(host)

    def redactor(self) -> Redactor:
        return self._redactor

    def warnings(self) -> list[str]:
        return []


@dataclass
class World:
    """A folder, guests in it, and what a run left."""

    folder: Path
    guests: dict[str, PackedGuest]
    secrets: list[str] = field(default_factory=list)
    windows: set[str] = field(default_factory=set)
    users: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.network = Network(self.guests, self.secrets)
        self.clock = HastyClock()
        self.folder.mkdir(exist_ok=True)

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def path(self) -> Path:
        return self.folder / "case.zip"

    def hosts(self) -> Inventory:
        made = [sim_host(name, Os.WINDOWS if name in self.windows else Os.LINUX) for name in self.guests]
        made = [replace(host, user=self.users.get(host.name)) for host in made]
        return Inventory({host.name: host for host in made}, {})

    @contextmanager
    def collection(self, level: Level = Level.SECRETS, **terms: Any) -> Iterator[Collection]:
        settings = Settings(workers=terms.pop("workers", 4))
        bundle = terms.pop("bundle", "little")
        made = Collection(
            CATALOG,
            bundle,
            self.hosts(),
            Terms(level, settings=settings, **terms),
            state=self.state,
            command="fleet collect",
            path=self.path,
            ports=Ports(self.clock, CountingEntropy(), self.network),
        )
        with made:
            yield made

    def collect(self, level: Level = Level.SECRETS, **terms: Any) -> Run:
        """A whole run."""
        with self.collection(level, **terms) as made:
            for _ in made.execution:
                pass
            run = History(self.state).run(made.execution.header.id)
            made.finish(run)
            self.summary = made.summary()
        return run
