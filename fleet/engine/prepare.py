"""Making a run ready: its journal, its world, and what is done on each host."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from fleet import __version__
from fleet.engine import ladder
from fleet.engine.connect import Connections, NetworkConnections
from fleet.engine.plan import Plan
from fleet.engine.run import DEFAULT_WORKERS, Execution, HostProcedure, RunHeader, describe_hosts
from fleet.engine.steps import World
from fleet.errors import JournalError, UsageError
from fleet.journal import History, Journal, SqliteStorage
from fleet.model import JsonValue, Risk
from fleet.ports import Clock, Entropy, SystemClock, SystemEntropy
from fleet.transport import Limits

Mode = Literal["look", "plan", "check", "apply"]
"""Look only; ask the next rung; ask every rung; carry out."""

_ID_ATTEMPTS = 50


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
    return prepared(
        plan,
        lambda _run: _host_procedure(plan, mode, settings),
        settings,
        state=state,
        command=command,
        ports=ports,
        apply=mode == "apply",
        planned=mode in {"plan", "check"},
    )


def prepared(
    plan: Plan,
    procedure: Callable[[str], HostProcedure],
    settings: Settings,
    *,
    state: Path,
    command: str,
    ports: Ports | None = None,
    apply: bool = False,
    planned: bool = False,
) -> Execution:
    """The same for what is done on each host by a procedure of its own, made for the run's id."""
    if not 1 <= settings.workers <= 500:
        raise UsageError(f"--workers takes 1 to 500, not {settings.workers}")
    ports = ports or system_ports()
    run_id, storage = _new_journal(History(state), ports)
    header = RunHeader(
        id=run_id,
        command=command,
        catalogue=plan.catalogue,
        inventory=plan.inventory,
        apply=apply,
        planned=planned,
        details=_details(plan, settings),
    )
    world = World(ports.connections, Journal(storage), ports.clock, ports.entropy, settings.timeout)
    return Execution(header, plan.hosts, procedure(run_id), world, settings.workers)


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
        "fleet": __version__,
        "operator": f"{_operator()}@{socket.gethostname()}",
        **describe_hosts(plan.hosts),
        **plan.details,
    }


def _operator() -> str:
    """Who runs this, as far as the system knows: in a container a number may have no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return f"uid {os.getuid()}"


def _new_journal(history: History, ports: Ports) -> tuple[str, SqliteStorage]:
    """Find an id that is free; two runs of one minute differ in their last two characters."""
    for _ in range(_ID_ATTEMPTS):
        run_id = f"{ports.clock.now():%Y%m%d-%H%M}-{ports.entropy.token(2)}"
        try:
            return run_id, history.create(run_id)
        except FileExistsError:
            continue
    raise JournalError(f"{_ID_ATTEMPTS} run ids in a row were taken; wait a minute")
