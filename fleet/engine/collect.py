"""What is done on each host to collect from it: list, choose, stage, fetch, clean.

Nothing is unpacked here and nothing is believed: the guest is asked for a list, our own rules choose, what
was chosen is asked for by number, and what comes is a file of bytes for ``fleet.bundle``. Whatever happens
after staging began, the staged folder is removed, over a new connection if need be.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from fleet.catalog import Bundle, Catalog, bind
from fleet.engine.chosen import Chosen, choose, patterns, questions
from fleet.engine.fetch import STREAMS, Budget, Source, fetch
from fleet.engine.listing import Listing
from fleet.engine.steps import HostSession, Task
from fleet.engine.verdict import outcome_of
from fleet.errors import TransportError
from fleet.model import Arguments, Host, Os, Outcome, Result
from fleet.ports import Clock, Entropy

_SNIPPETS = ("collect-list", "collect-stage", "collect-send", "collect-clean")
_STAGE_LENGTH = 20
_LEAST = 64 * 1024
"""Bytes below which nothing is staged."""

_CLEANINGS = 2
"""Connections over which the removal of a staged folder is tried."""


@dataclass(slots=True)
class Collected:
    """What came of one host."""

    host: Host
    chosen: Chosen = field(default_factory=Chosen)
    pack: Path | None = None
    """The fetched bytes, or what there is of them."""
    reason: str | None = None
    """Why not everything that was asked for came."""
    meant: bool = True
    """Whether the bundle is for its system at all."""

    def note(self, result: Result) -> None:
        """Keep the first reason that a step gives."""
        if result.outcome is not Outcome.OK and self.reason is None:
            self.reason = str(result.message) or result.outcome.value


@dataclass(frozen=True, slots=True)
class Request:
    """What to collect, and how much of it."""

    bundles: Mapping[Os, Bundle]
    """For each system; hosts of another one are skipped."""
    since: int = 0
    """Seconds since 1970; files and events before it are left alone. 0: all."""
    events_as_they_are: bool = True
    """Whether event logs of Windows are taken in their own form as well."""


@dataclass(frozen=True, slots=True)
class _Brought:
    """How the fetching of a pack ended."""

    outcome: Outcome
    message: str
    size: int
    started: datetime


class Collector:
    """The procedure of a run that collects; called by many threads, one host each."""

    def __init__(
        self,
        catalog: Catalog,
        request: Request,
        *,
        folder: Path,
        budget: Budget,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        """``folder``: for what is fetched; ours alone. Raises ``CatalogError``."""
        self._snippets = {name: catalog.snippet(name) for name in _SNIPPETS}
        self._request = request
        self._folder, self._budget, self._rooms = folder, budget, _Rooms(budget)
        self._clock, self._entropy = clock, entropy
        self.collected: dict[str, Collected] = {}
        """By host, as far as each came."""
        self.staged: dict[str, None] = {}
        """Hosts that may have something staged at this moment."""

    def __call__(self, session: HostSession) -> Iterator[Result]:
        """Collect from one host."""
        bundle = self._request.bundles.get(session.host.os)
        mine = self.collected[session.host.name] = Collected(session.host)
        if bundle is None:
            mine.meant, mine.reason = False, _other_system(self._request.bundles, session.host.os)
            yield session.skip(Task(self._snippets["collect-list"], Arguments({}), "look"), mine.reason)
            return
        listing = Listing({number: files.files for number, files, _ in patterns(bundle)})
        if bundle.files:
            result = self._list(session, bundle, listing)
            mine.note(result)
            yield result
            if result.outcome is not Outcome.OK:
                return
        mine.chosen = choose(bundle, listing, since=self._request.since)
        if mine.chosen.wanted:
            yield from self._bring(session, mine)

    def _list(self, session: HostSession, bundle: Bundle, listing: Listing) -> Result:
        task = self._task("collect-list", items=questions(bundle), since=0)
        return session.stream(task, listing.feed, listing.end)

    def _bring(self, session: HostSession, mine: Collected) -> Iterator[Result]:
        """Stage, fetch and clean; nothing is handed on before the guest is clean."""
        granted = self._rooms.reserve(mine.chosen.room, session.stopping)
        if granted < _LEAST:
            self._rooms.settle(granted, 0)
            full = _Brought(Outcome.NOT_RUN, "--max-size left no room for it", 0, self._clock.now())
            result = self._tell(session, mine, full)
            mine.note(result)
            yield result
            return
        stage = self._entropy.token(_STAGE_LENGTH)
        self.staged[session.host.name] = None
        results: list[Result] = []
        brought: _Brought | None = None
        try:
            staged, size = self._stage(session, mine, stage, granted)
            results.append(staged)
            if staged.outcome is Outcome.OK:
                brought = self._fetch(session, mine, stage, size)
        finally:
            results += self._clean(session, stage)
        if brought is not None:
            results.append(self._tell(session, mine, brought))
        for each in results:
            mine.note(each)
        yield from results

    def _stage(
        self, session: HostSession, mine: Collected, stage: str, room: int
    ) -> tuple[Result, int | None]:
        """Have it staged; gives the size of the pack, None for one that can't be."""
        task = self._task(
            "collect-stage",
            stage=stage,
            files=mine.chosen.lines("file"),
            commands=mine.chosen.lines("command"),
            events=mine.chosen.lines("events"),
            since=self._request.since,
            room=room,
            evtx=self._request.events_as_they_are,
        )
        size: int | None = None
        try:
            result = next(session.look([task]))
            said = result.data.get("size")
            if isinstance(said, int) and not isinstance(said, bool) and 0 <= said <= room:
                size = said
        finally:
            self._rooms.settle(room, size or 0)
        return result, size

    def _fetch(self, session: HostSession, mine: Collected, stage: str, size: int | None) -> _Brought:
        started = self._clock.now()
        if size is None:
            return _Brought(
                Outcome.BROKEN, "the guest says that its pack has a size it can't have", 0, started
            )
        try:
            first = session.open()
        except TransportError as error:
            return _Brought(outcome_of(error), str(error), 0, started)
        source = Source(
            size,
            ask=lambda offset, length, encoding: session.script(self._send(stage, offset, length, encoding)),
            connect=session.connect,
            streams=STREAMS.get(session.host.connection, 1),
        )
        fetched = fetch(
            source,
            self._folder / f"{stage}.pack",
            first=first,
            budget=self._budget,
            clock=self._clock,
            stopping=session.stopping,
        )
        mine.pack = fetched.path
        session.alive = fetched.alive
        return _Brought(fetched.outcome, fetched.message, fetched.size, started)

    def _clean(self, session: HostSession, stage: str) -> list[Result]:
        """Remove what was staged, over a new connection where the old one is of no use."""
        results: list[Result] = []
        task = self._task("collect-clean", stage=stage)
        for _ in range(_CLEANINGS):
            if not session.alive:
                session.begin_anew()
            result = next(session.look([task]))
            results.append(result)
            if result.outcome is Outcome.OK:
                self.staged.pop(session.host.name, None)
                break
            session.alive = False
        return results

    def _tell(self, session: HostSession, mine: Collected, brought: _Brought) -> Result:
        message = brought.message
        if brought.outcome is Outcome.OK:
            message = f"{brought.size:,} bytes came of {len(mine.chosen.wanted)} things asked for"
        return session.tell(
            self._send("0" * _STAGE_LENGTH, 0, 1, "raw"),
            brought.outcome,
            message,
            started=brought.started,
            size=brought.size,
            asked_for=len(mine.chosen.wanted),
        )

    def _send(self, stage: str, offset: int, length: int, encoding: str) -> Task:
        return self._task("collect-send", stage=stage, offset=offset, length=length, encoding=encoding)

    def _task(self, name: str, **values: object) -> Task:
        snippet = self._snippets[name]
        return Task(snippet, bind(snippet, values), "look")


class _Rooms:
    """Shares among hosts what may be fetched: before staging more has to be reserved than is needed."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._staging = 0
        """Hosts whose pack's size is not known yet."""
        self._changed = threading.Condition()

    def reserve(self, wanted: int, stopping: Callable[[], bool]) -> int:
        """Give room, waiting for hosts that are staging where it is short; ``settle`` has to follow."""
        with self._changed:
            while True:
                granted = self._budget.reserve(wanted)
                if granted >= wanted or not self._staging or stopping():
                    self._staging += 1
                    return granted
                self._budget.give_back(granted)
                self._changed.wait(0.2)  # to look at stopping

    def settle(self, granted: int, needed: int) -> None:
        """Give back what is not needed."""
        with self._changed:
            self._budget.give_back(granted - needed)
            self._staging -= 1
            self._changed.notify_all()


def _other_system(bundles: Mapping[Os, Bundle], os: Os) -> str:
    names = " and ".join(f"{bundle.id} is for {bundle.os}" for bundle in bundles.values())
    return f"{names}, and this is {os}"
