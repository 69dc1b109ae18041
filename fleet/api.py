"""The library's face: load, plan, run. It returns values and raises ``FleetError``; it never prints,
asks or exits.

    inventory = fleet.load_inventory("prod.yaml")
    plan = fleet.plan("ExtensionFailedVssWriterInBadState", inventory.select("windows:&tonight"))
    for result in fleet.run(plan, allow="service-interruption"):
        print(result.host, result.outcome, result.message)
"""

from __future__ import annotations

import getpass
import socket
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import fleet
from fleet import catalog as _catalog
from fleet import inventory as _inventory
from fleet.catalog import Catalog
from fleet.engine import ladder
from fleet.engine.connect import Connections, NetworkConnections
from fleet.engine.plan import Plan, procedure_for
from fleet.engine.run import DEFAULT_WORKERS, Execution, HostProcedure, RunHeader, describe_hosts
from fleet.engine.steps import World
from fleet.errors import SelectionError, UsageError
from fleet.inventory import Inventory
from fleet.journal import History, Journal, SqliteStorage
from fleet.model import JsonValue, Result, Risk
from fleet.ports import Clock, Entropy, SystemClock, SystemEntropy
from fleet.transport import Limits

Mode = Literal["look", "plan", "check", "apply"]
"""Look only; ask the next rung; ask every rung; carry out."""


def load_inventory(*paths: str | Path) -> Inventory:
    """Read one or several inventory files as one. Raises ``InventoryError`` with file and line."""
    return _inventory.load([Path(path) for path in paths])


def load_catalog(*folders: str | Path) -> Catalog:
    """The built-in snippets and runbooks, and those of more folders. Raises ``CatalogError``."""
    return _catalog.load([Path(folder) for folder in folders])


def plan(
    name: str,
    hosts: Inventory,
    *,
    params: Mapping[str, object] | None = None,
    catalog: Catalog | None = None,
    text: bool = False,
) -> Plan:
    """What is to be done: a check, a remedy, or the ladder of a runbook or error code.

    Contacts nobody. ``text`` says that the values of ``params`` are text, as from a command line.
    Raises ``CatalogError``, ``ParameterError``, or ``SelectionError`` without hosts.
    """
    catalog = catalog or load_catalog()
    if not len(hosts):
        raise SelectionError("no host is selected")
    values = dict(params or {})
    return Plan(
        procedure=procedure_for(catalog, name, values, text=text),
        hosts=tuple(hosts),
        catalogue=catalog.digest,
        inventory=hosts.digest,
        params=values,
    )


def run(
    plan: Plan,
    *,
    allow: str | Risk = Risk.SAFE,
    mode: Mode | None = None,
    state: str | Path | None = None,
    workers: int = DEFAULT_WORKERS,
    timeout: int | None = None,
) -> Iterator[Result]:
    """Carry a plan out and yield results as they come; checks only look.

    ``mode`` asks instead of acting: ``plan`` (the next rung) or ``check`` (every rung).
    Raises ``JournalError`` where nothing can be recorded; a failed host is a result.
    """
    ran = execution(
        plan,
        mode or ("apply" if plan.procedure.rungs else "look"),
        Settings(allow=Risk(allow), workers=workers, timeout=timeout),
        state=default_state() if state is None else Path(state),
        command=f"fleet.run({plan.procedure.name!r})",
    )
    yield from ran


def default_state() -> Path:
    """The platform's folder for a program's state (journals)."""
    import platformdirs

    return platformdirs.user_state_path("fleet", appauthor=False)


@dataclass(frozen=True, slots=True)
class Settings:
    """How a run is carried out."""

    allow: Risk = Risk.SAFE
    workers: int = DEFAULT_WORKERS
    timeout: int | None = None


@dataclass(frozen=True, slots=True)
class Ports:
    """The world of a run; a simulator replaces what it needs to."""

    clock: Clock
    entropy: Entropy
    connections: Connections


def system_ports(limits: Limits | None = None) -> Ports:
    """The real clock, randomness and network."""
    clock = SystemClock()
    return Ports(clock, SystemEntropy(), NetworkConnections(clock, limits or Limits()))


def execution(
    plan: Plan,
    mode: Mode,
    settings: Settings,
    *,
    state: Path,
    command: str,
    ports: Ports | None = None,
) -> Execution:
    """A run that is ready to be iterated over; its journal file exists, nothing was contacted."""
    if not 1 <= settings.workers <= 500:
        raise UsageError(f"--workers takes 1 to 500, not {settings.workers}")
    ports = ports or system_ports()
    run_id, storage = _new_journal(History(state), ports)
    header = RunHeader(
        id=run_id,
        command=command,
        catalogue=plan.catalogue,
        inventory=plan.inventory,
        apply=mode == "apply",
        planned=mode in {"plan", "check"},
        details=_details(plan, settings),
    )
    world = World(ports.connections, Journal(storage), ports.clock, ports.entropy, settings.timeout)
    return Execution(header, plan.hosts, _host_procedure(plan, mode, settings), world, settings.workers)


def _host_procedure(plan: Plan, mode: Mode, settings: Settings) -> HostProcedure:
    if mode == "look":
        return partial(ladder.look, procedure=plan.procedure)
    if mode == "apply":
        return partial(ladder.climb, procedure=plan.procedure, allow=settings.allow)
    return partial(ladder.ask, procedure=plan.procedure, every_rung=mode == "check")


def _details(plan: Plan, settings: Settings) -> dict[str, JsonValue]:
    return {
        "name": plan.procedure.name,
        "title": plan.procedure.title,
        "params": dict(plan.params),
        "allow": settings.allow.value,
        "outside": list(plan.procedure.outside),
        "fleet": fleet.__version__,
        "operator": f"{getpass.getuser()}@{socket.gethostname()}",
        **describe_hosts(plan.hosts),
    }


def _new_journal(history: History, ports: Ports) -> tuple[str, SqliteStorage]:
    """Find an id that is free; two runs of one minute differ in their last two characters."""
    attempts: Iterable[int] = range(50)
    for _ in attempts:
        run_id = f"{ports.clock.now():%Y%m%d-%H%M}-{ports.entropy.token(2)}"
        try:
            return run_id, history.create(run_id)
        except FileExistsError:
            continue
    raise UsageError("fifty run ids in a row were taken; wait a minute")
