"""The model says of a guest what the real snippets say of the same guest: word, message, data, ledger."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fleet.catalog import Catalog
from fleet.lab import fake_windows
from fleet.lab.fake_windows import FakeWindows, from_model
from fleet.lab.windows_model import WindowsModel
from fleet.lab.windows_state import Service, WindowsState
from fleet.lab.world import windows_server
from fleet.model import Reply
from tests.lab.conftest import send, send_each

pytestmark = [
    pytest.mark.pwsh,
    pytest.mark.skipif(not fake_windows.available(), reason="needs a PowerShell engine on PATH as pwsh"),
]

SNIPPETS = (
    "vss-writers",
    "restart-vss-writers",
    "complus-msdtc",
    "start-comsysapp",
    "strong-crypto",
    "set-strong-crypto",
    "azure-guest-agent",
    "restart-azure-guest-agent",
)


def failed_writers(state: WindowsState) -> None:
    state.writers[3].state, state.writers[3].last_error = 9, "Retryable error"  # System Writer
    state.writers[4].state, state.writers[4].last_error = 8, "Retryable error"  # ASR Writer
    state.writers[8].state, state.writers[8].last_error = 7, "Retryable error"  # WMI Writer
    state.services["iphlpsvc"] = Service(depends_on=("Winmgmt",))


def writer_with_an_error(state: WindowsState) -> None:
    state.writers[5].last_error = "Retryable error"


def backup(state: WindowsState) -> None:
    failed_writers(state)
    state.writers[9].state = 5
    state.processes[812] = "IaaSBcdrExtension"


def stuck_writers(state: WindowsState) -> None:
    state.writers[9].state = 5


def weak_crypto(state: WindowsState) -> None:
    for values in state.registry.values():
        values.pop("SchUseStrongCrypto", None)
    state.registry["64:HKLM\\SOFTWARE\\Microsoft\\.NETFramework\\v2.0.50727"] = {
        "SchUseStrongCrypto": ("DWord", 0)
    }


def no_dotnet(state: WindowsState) -> None:
    state.registry.clear()


def stopped_services(state: WindowsState) -> None:
    for name in ("EventSystem", "COMSysApp", "MSDTC", "RdAgent", "WindowsAzureGuestAgent"):
        state.services[name].status = "Stopped"


def disabled_com(state: WindowsState) -> None:
    state.services["COMSysApp"].status = "Stopped"
    state.services["COMSysApp"].start_type = "Disabled"
    state.services["MSDTC"].account = "LocalSystem"


def agent_half_down(state: WindowsState) -> None:
    state.services["WindowsAzureGuestAgent"].status = "Stopped"


def no_agent(state: WindowsState) -> None:
    del state.services["RdAgent"], state.services["WindowsAzureGuestAgent"]


PLANTED = {
    "healthy": [],
    "failed writers, weak crypto, stopped services": [failed_writers, weak_crypto, stopped_services],
    "a last error, disabled COM+, half an agent": [writer_with_an_error, disabled_com, agent_half_down],
    "a backup runs, no .NET": [backup, no_dotnet],
    "stuck writers, no agent": [stuck_writers, no_agent],
}
"""Faults that have nothing to do with each other share a guest: every engine takes seconds to start."""


def told(reply: Reply) -> dict[str, Any]:
    return {"outcome": reply.outcome.value, "message": reply.message.raw, "data": dict(reply.data)}


@pytest.mark.parametrize("plants", PLANTED.values(), ids=PLANTED)
def test_the_model_agrees_with_the_engine(
    plants: list[Callable[[WindowsState], None]], catalog: Catalog, tmp_path: Path
) -> None:
    state = windows_server(strong_crypto=True)
    for plant in plants:
        plant(state)
    engine = FakeWindows("win", {}, from_model(state), tmp_path)
    model = WindowsModel("win", {}, copy.deepcopy(state), catalog)
    # all in check mode, which leaves everything as it is, then all in earnest
    calls = [(name, check) for check in (True, False) for name in SNIPPETS]
    real = send_each(engine, catalog, calls, wait_seconds=0)
    modelled = send_each(model, catalog, calls, wait_seconds=0)
    for call, ours, theirs in zip(calls, modelled, real, strict=True):
        assert (call, told(ours)) == (call, told(theirs))
    assert list(model.ledger) == list(engine.ledger)


def test_ping_differs_only_in_what_a_guest_chooses(catalog: Catalog, tmp_path: Path) -> None:
    state = windows_server(strong_crypto=True)
    (real,) = send(FakeWindows("win", {}, from_model(state), tmp_path), catalog, ["ping"])
    (ours,) = send(WindowsModel("win", {}, state, catalog), catalog, ["ping"])
    assert ours.outcome is real.outcome
    assert set(ours.data) == set(real.data)
    for key in set(ours.data) - {"shell", "epoch"}:
        assert ours.data[key] == real.data[key]
