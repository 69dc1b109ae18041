"""A small catalogue and a world without network for every test of the engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import MappingProxyType

import pytest

from fleet.catalog import bind
from fleet.engine import prepare
from fleet.engine.plan import Plan, Procedure
from fleet.engine.run import Execution
from fleet.engine.steps import Task
from fleet.model import Kind, Risk, Severity, Shell, Snippet, SnippetText
from tests.engine.simulator import SimGuest, SimNetwork, sim_host, sim_ports

BOTH = (Shell.SH, Shell.POWERSHELL)


def snippet(name: str, kind: Kind, risk: Risk | None = None, shells: Sequence[Shell] = BOTH) -> Snippet:
    text = SnippetText("# nothing here runs\n", Path(name), "0" * 64)
    return Snippet(
        name=name,
        kind=kind,
        title=f"Title of {name}",
        timeout=30,
        texts=MappingProxyType(dict.fromkeys(shells, text)),
        risk=risk,
        severity=Severity.ERROR if kind is Kind.CHECK else None,
    )


def task(name: str, risk: Risk | None = None, shells: Sequence[Shell] = BOTH) -> Task:
    made = snippet(name, Kind.CHECK if risk is None else Kind.REMEDY, risk, shells)
    return Task(made, bind(made, {}), "look" if risk is None else "act")


LADDER = Procedure(
    "fault",
    "Title of the fault",
    checks=(task("check-it"),),
    rungs=(
        (task("mild", Risk.SAFE), None),
        (task("rough", Risk.SERVICE_INTERRUPTION), None),
        (task("last", Risk.REBOOT), "only in a window"),
    ),
)
"""Three rungs, each rougher than the one before, the last one only with a person's word."""

CHECK = Procedure("check-it", "Title", checks=(task("check-it"), task("check-two")))

Run = Callable[..., Execution]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Make an execution against simulated guests: ``run(guests, procedure, mode, ...)``."""

    def make(
        guests: dict[str, SimGuest],
        procedure: Procedure = LADDER,
        mode: prepare.Mode = "apply",
        *,
        allow: Risk = Risk.DESTRUCTIVE,
        workers: int = 4,
        network: SimNetwork | None = None,
    ) -> Execution:
        plan = Plan(procedure, tuple(sim_host(name) for name in guests), "c" * 64, "i" * 64)
        ports = sim_ports(network or SimNetwork(guests))
        settings = prepare.Settings(allow=allow, workers=workers)
        return prepare.execution(plan, mode, settings, state=tmp_path, command="fleet test", ports=ports)

    return make
