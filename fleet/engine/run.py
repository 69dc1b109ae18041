"""A run: many hosts at once over a bounded pool, results as they come, everything in the journal."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import MappingProxyType

from fleet.codec import instant
from fleet.engine.steps import HostSession, World
from fleet.engine.verdict import counts, verdicts
from fleet.errors import JournalError
from fleet.journal import Record
from fleet.model import Host, JsonValue, Outcome, Result

DEFAULT_WORKERS = 32

HostProcedure = Callable[[HostSession], Iterator[Result]]
"""What is done on one host: a function of ``fleet.engine.ladder`` with its arguments filled in."""


@dataclass(frozen=True, slots=True)
class RunHeader:
    """What a run is, for the journal."""

    id: str
    command: str
    catalogue: str
    inventory: str
    apply: bool = False
    planned: bool = False
    """Whether it only makes a plan: what is to be done is no failure then."""
    details: Mapping[str, JsonValue] = field(default_factory=lambda: MappingProxyType({}))


class Execution:
    """One run under way. Iterate over it once to carry it out; results come in the order they end.

    ``cancel`` starts no further host and no further step and waits for what is under way.
    ``abandon`` does not wait: what was sent and has not answered becomes ``unknown``.
    """

    def __init__(
        self,
        header: RunHeader,
        hosts: Sequence[Host],
        procedure: HostProcedure,
        world: World,
        workers: int = DEFAULT_WORKERS,
    ) -> None:
        self.header = header
        self.hosts = tuple(hosts)
        self.results: list[Result] = []
        self.interrupted = False
        self._procedure = procedure
        self._world = world
        self._workers = min(workers, max(1, len(self.hosts)))
        self._cancelled = threading.Event()
        self.abandoned = False
        self._queue: queue.SimpleQueue[Result | _Ended | None] = queue.SimpleQueue()
        self._sessions: dict[str, HostSession] = {}
        self.ended: set[str] = set()

    @property
    def words(self) -> dict[str, Outcome]:
        """The word about every target so far."""
        return verdicts((host.name for host in self.hosts), self.results)

    @property
    def warnings(self) -> list[str]:
        """Sentences for the operator about secrets and connections."""
        return self._world.connections.warnings()

    def cancel(self) -> None:
        """Start nothing further; may be called from a signal handler or another thread."""
        self.interrupted = True
        self._cancelled.set()

    def abandon(self) -> None:
        """Don't wait for what is under way either."""
        self.cancel()
        self.abandoned = True
        self._queue.put(None)

    def __iter__(self) -> Iterator[Result]:
        """Carry the run out. Raises ``JournalError``, before anything was contacted or at the end."""
        try:
            self._world.journal.commit(Record("run", "", self._header_body()))
        except JournalError:
            self._world.journal.close()
            raise
        pool = ThreadPoolExecutor(self._workers, thread_name_prefix="fleet-host")
        try:
            for host in self.hosts:
                pool.submit(self._work, host)
            for result in self._arriving():
                self.results.append(result)
                yield result
        finally:
            if len(self.ended) < len(self.hosts):
                self.cancel()  # the consumer went away early
            pool.shutdown(wait=not self.abandoned, cancel_futures=True)
            self._finish()
        if self._world.journal.failure is not None:
            raise self._world.journal.failure

    def _arriving(self) -> Iterator[Result]:
        while len(self.ended) < len(self.hosts):
            item = self._queue.get()
            if item is None:
                yield from self._left_behind()
                return
            if isinstance(item, _Ended):
                self.ended.add(item.host)
            else:
                yield item

    def _left_behind(self) -> Iterator[Result]:
        for host in self.hosts:
            session = self._sessions.get(host.name)
            if host.name not in self.ended and session is not None:
                yield session.abandon()

    def _work(self, host: Host) -> None:
        try:
            if not self._cancelled.is_set():
                self._carry_out(host)
        finally:
            self._queue.put(_Ended(host.name))

    def _carry_out(self, host: Host) -> None:
        with HostSession(host, self._world, self._cancelled.is_set) as session:
            self._sessions[host.name] = session
            try:
                for result in self._procedure(session):
                    self._queue.put(result)
                    if self._cancelled.is_set() or self._world.journal.failure is not None:
                        return
            except JournalError as error:
                self._cancelled.set()
                self._queue.put(session.fail(Outcome.NOT_RUN, f"nothing was sent: {error}"))
            except Exception as error:  # noqa: BLE001 (one host's surprise must not end the others)
                self._queue.put(session.surprise(error))

    def _header_body(self) -> dict[str, JsonValue]:
        return {
            "id": self.header.id,
            "command": self.header.command,
            "started": instant(self._world.clock.now()),
            "catalogue": self.header.catalogue,
            "inventory": self.header.inventory,
            "apply": self.header.apply,
            "planned": self.header.planned,
            "targets": {host.name: host.os.value for host in self.hosts},
            **self.header.details,
        }

    def _finish(self) -> None:
        body: dict[str, JsonValue] = {
            "finished": instant(self._world.clock.now()),
            "counts": counts(self.words),
            "interrupted": self.interrupted,
        }
        self._world.journal.append(Record("finished", "", body))
        self._world.journal.close()


@dataclass(frozen=True, slots=True)
class _Ended:
    """Nothing more will come from this host."""

    host: str


def describe_hosts(hosts: Sequence[Host]) -> dict[str, JsonValue]:
    """What reports say of these hosts: zones, and where a hard default was loosened."""
    unverified = sorted(host.name for host in hosts if host.connection == "winrm" and not host.winrm.verify)
    zones = {host.name: host.zone for host in hosts if host.zone}
    return {
        **({"certificate_not_verified": unverified} if unverified else {}),
        **({"zones": zones} if zones else {}),
    }
