"""The library's face: load, plan, run. It returns values and raises ``FleetError``; it never prints,
asks or exits.

    inventory = fleet.load_inventory("prod.yaml")
    plan = fleet.plan("ExtensionFailedVssWriterInBadState", inventory.select("windows:&tonight"))
    for result in fleet.run(plan, allow="service-interruption"):
        print(result.host, result.outcome, result.message)

What a function needs is imported by it: a command that only lists loads neither engine nor network.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fleet.errors import SelectionError, UsageError
from fleet.model import Result, Risk

if TYPE_CHECKING:
    from fleet.catalog import Catalog
    from fleet.engine.plan import Plan
    from fleet.engine.prepare import Mode
    from fleet.inventory import Inventory


def load_inventory(*paths: str | Path) -> Inventory:
    """Read one or several inventory files as one. Raises ``InventoryError`` with file and line."""
    from fleet import inventory

    return inventory.load([Path(path) for path in paths])


def load_catalog(*folders: str | Path) -> Catalog:
    """The built-in snippets and runbooks, and those of more folders. Raises ``CatalogError``."""
    from fleet import catalog

    return catalog.load([Path(folder) for folder in folders])


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
    from fleet.engine.plan import Plan, procedure_for

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


def sweep_plan(
    profile: str,
    hosts: Inventory,
    *,
    params: Mapping[str, object] | None = None,
    catalog: Catalog | None = None,
    **chosen: Any,
) -> Plan:
    """A readiness sweep: the checks of a profile, one batch a host. Contacts nobody.

    More in ``fleet.engine.sweep.sweep_plan``. Raises ``CatalogError``, ``ParameterError``, or
    ``SelectionError`` without hosts.
    """
    from fleet.engine import sweep

    if not len(hosts):
        raise SelectionError("no host is selected")
    return sweep.sweep_plan(catalog or load_catalog(), profile, hosts, params=dict(params or {}), **chosen)


def run(
    plan: Plan,
    *,
    allow: str | Risk = Risk.SAFE,
    mode: Mode | None = None,
    state: str | Path | None = None,
    workers: int = 32,
    timeout: int | None = None,
) -> Iterator[Result]:
    """Carry a plan out and yield results as they come; checks only look.

    ``mode`` asks instead of acting: ``plan`` (the next rung) or ``check`` (every rung). ``timeout`` in
    seconds takes the place of every script's own. Raises ``UsageError`` for values that there are not,
    ``JournalError`` where nothing can be recorded; a failed host is a result.
    """
    from fleet.engine.prepare import Settings, execution
    from fleet.journal import default_state

    yield from execution(
        plan,
        mode or ("apply" if plan.procedure.rungs else "look"),
        Settings(allow=_risk(allow), workers=workers, timeout=timeout),
        state=default_state() if state is None else Path(state),
        command=f"fleet.run({plan.procedure.name!r})",
    )


def _risk(allow: str | Risk) -> Risk:
    try:
        return Risk(allow)
    except ValueError:
        words = ", ".join(risk.value for risk in Risk)
        raise UsageError(f"allow takes {words}; not {allow!r}") from None
