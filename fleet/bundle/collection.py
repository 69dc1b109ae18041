"""A run that collects and the archive it fills, from the first check of its name to the last byte."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from fleet.bundle.archive import Archive
from fleet.bundle.assemble import assemble, know_hosts
from fleet.bundle.cleaning import Cleaner, Level
from fleet.bundle.manifest import Manifest
from fleet.bundle.pseudonyms import Pseudonyms
from fleet.bundle.signatures import Signatures
from fleet.catalog import Bundle, Catalog
from fleet.engine.collect import Collected, Collector, Request
from fleet.engine.fetch import Budget
from fleet.engine.plan import Plan, Procedure
from fleet.engine.prepare import Ports, Settings, prepared, system_ports
from fleet.engine.run import Execution
from fleet.engine.spool import Spool
from fleet.errors import FleetError, SelectionError
from fleet.inventory import Inventory
from fleet.journal import Run
from fleet.model import JsonValue, Os
from fleet.redact import Redactor
from fleet.report.collected import HostPart, Summary
from fleet.report.document import run_document

DEFAULTS = {Os.LINUX: "azure-vm-linux", Os.WINDOWS: "azure-vm-windows"}
"""What is collected where no bundle is named."""

GIGABYTE = 1024**3

_STREAMS = 16
"""Connections of the whole run that fetch at once; more would only share the same line."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How a collection is carried out."""

    level: Level = Level.SECRETS
    since: timedelta | None = None
    """How old what is taken may be; None: all is taken."""
    most: int = 2 * GIGABYTE
    """Bytes that may be fetched in all."""
    settings: Settings = field(default_factory=Settings)


class Collection:
    """A context: iterate over ``execution`` in it, then call ``finish``. Its end removes what was fetched."""

    def __init__(
        self,
        catalog: Catalog,
        bundle: str | None,
        hosts: Inventory,
        terms: Terms,
        *,
        state: Path,
        command: str,
        path: Path | None = None,
        ports: Ports | None = None,
    ) -> None:
        """Nothing is contacted. ``path`` of the archive: None names it by the time, in the current folder.

        Raises ``CatalogError``, ``SelectionError``, ``UsageError`` or ``JournalError``.
        """
        if not len(hosts):
            raise SelectionError("no host is selected")
        bundles = _bundles(catalog, bundle, hosts)
        ports = ports or system_ports()
        self.started = ports.clock.now()
        self.level = terms.level
        self._finished = False
        self.path = path or Path(f"case-{self.started:%Y%m%d-%H%M%S}.zip")
        self._hosts, self._state, self._ports = tuple(hosts), state, ports
        self._pseudonyms, self._redactor = Pseudonyms(), Redactor()
        know_hosts(self._pseudonyms, self._hosts)
        self._cleaner = Cleaner(terms.level, self._redactor, self._pseudonyms)
        self.archive = Archive(
            self.path,
            run="",
            created=self.started,
            cleaner=self._cleaner,
            signatures=Signatures(catalog.runbooks),
        )
        try:
            self.execution = self._prepare(catalog, bundles, hosts, terms, command)
        except BaseException:
            self.archive.discard()
            raise
        self.archive.run = self.execution.header.id

    def _prepare(
        self, catalog: Catalog, bundles: Mapping[Os, Bundle], hosts: Inventory, terms: Terms, command: str
    ) -> Execution:
        since = 0 if terms.since is None else int((self.started - terms.since).timestamp())
        request = Request(bundles, since, events_as_they_are=terms.level is not Level.FULL)

        def procedure(run: str) -> Collector:
            self._spool = Spool(self._state, run)
            self._collector = Collector(
                catalog,
                request,
                folder=self._spool.folder,
                budget=Budget(terms.most, _STREAMS),
                clock=self._ports.clock,
                entropy=self._ports.entropy,
            )
            return self._collector

        names = [each.id for each in bundles.values()]
        plan = Plan(
            Procedure(" and ".join(names), "Diagnostic bundle"),
            self._hosts,
            catalog.digest,
            hosts.digest,
            details={"collect": {"bundles": names, "redact": terms.level.value, "archive": str(self.path)}},
        )
        return prepared(
            plan, procedure, terms.settings, state=self._state, command=command, ports=self._ports
        )

    def __enter__(self) -> Self:
        """Make the folder for what is fetched. Raises ``JournalError``."""
        try:
            self._spool.__enter__()
        except BaseException:
            self.archive.discard()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove what was fetched; what was collected is kept where ``finish`` was not come to."""
        try:
            if not self._finished:
                self.finish(None, partial="fleet ended before it was whole")
        finally:
            self._spool.remove()

    def finish(self, run: Run | None, partial: str | None = None) -> None:
        """Fill the archive with what came, and remove what was fetched. Once.

        Raises ``FleetError`` where the disk here is full: what there was room for is kept.
        """
        self._finished = True
        self._redactor.learn(self._ports.connections.redactor())
        collected = self._collector.collected
        mine = [
            collected.get(host.name, Collected(host, reason="it was not started")) for host in self._hosts
        ]
        try:
            with self.archive:
                assemble(
                    self.archive,
                    self._cleaner,
                    mine,
                    None if run is None else _results(run),
                    created=self.started,
                )
                self._save_map()
                self.archive.finish(partial or _partial(run, mine))
        except OSError as error:
            kept = f"what there was room for is in {self.path}" if self.path.exists() else "nothing is kept"
            raise FleetError(f"{self.path}: can't be written: {error.strerror}; {kept}") from None
        finally:
            self._spool.remove()

    def _save_map(self) -> None:
        if self.level is Level.FULL:
            self._pseudonyms.save(self._spool.map)

    def summary(self) -> Summary:
        """What the archive came to, with the names that its pseudonyms stand for."""
        said, back = self.archive.said, self._told
        parts = {} if said is None else {back(host): _part(said, host, back) for host in said.hosts}
        return Summary(
            path=self.path,
            size=0 if said is None else self.path.stat().st_size,
            partial=None if said is None else said.partial,
            hosts=parts,
            replaced={} if said is None else said.replaced,
            map=self._spool.map if self._spool.map.exists() else None,
            signs=()
            if said is None
            else tuple((back(each.host), back(each.what), each.runbook) for each in said.stands_out),
            manifest_sha256=self.archive.manifest_sha256,
            left=tuple(self._collector.staged),
        )

    def _told(self, text: str) -> str:
        """A text of the archive for the operator, who may know the names."""
        return self._pseudonyms.reveal(text) if self.level is Level.FULL else text


def _part(said: Manifest, host: str, back: Callable[[str], str]) -> HostPart:
    files = [each for each in said.files if each.host == host]
    return HostPart(
        files=len(files),
        size=sum(each.size for each in files),
        missing=tuple((back(each.origin), back(each.reason)) for each in said.missing if each.host == host),
    )


def _results(run: Run) -> JsonValue:
    """Its document in the order of hosts and steps, not in that in which they ended."""
    place = {host: number for number, host in enumerate(run.targets)}
    results = sorted(run.results, key=lambda result: (place[result.host], result.step))
    document = run_document(replace(run, results=tuple(results)))
    document["run"]["collect"] = {**document["run"]["collect"], "archive": None}
    return document


def _partial(run: Run | None, collected: Sequence[Collected]) -> str | None:
    """Why the archive is not whole, where it is not."""
    if run is not None and run.interrupted:
        return "it was interrupted"
    short = sum(each.meant and each.reason is not None for each in collected)
    return f"not everything came of {short} of {len(collected)} hosts" if short else None


def _bundles(catalog: Catalog, name: str | None, hosts: Inventory) -> dict[Os, Bundle]:
    """What is collected from each system. Raises ``CatalogError``."""
    if name is not None:
        bundle = catalog.bundle(name)
        return {bundle.os: bundle}
    systems = {host.os for host in hosts}
    return {os: catalog.bundle(DEFAULTS[os]) for os in Os if os in systems}
