"""Forty guests of the lab behind real SSH and WinRM servers: what is planted is found, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet import load_inventory
from fleet.api import load_catalog, sweep_plan
from fleet.catalog import Catalog
from fleet.engine.prepare import Settings, execution
from fleet.journal import History
from fleet.lab import fake_windows
from fleet.lab.fake_root import FakeRoot, Fault
from fleet.lab.lab import DEAD, LEGACY, Accounts, Lab, Resident
from fleet.lab.windows_model import WindowsModel
from fleet.lab.windows_state import Service, WindowsState, Writer
from fleet.lab.world import make_lab, windows_server
from fleet.model import Severity
from fleet.report.readiness import Readiness, Verdict, readiness

LINUX = [f"lin{number:02}" for number in range(1, 27)]
WINDOWS = [f"win{number:02}" for number in range(1, 14)]

FAULTS = {
    "lin03": ((Fault.DEAD, Fault.DISABLED), {"waagent-running"}),
    "lin07": ((Fault.VERBOSE,), {"waagent-verbose-logging"}),
    "lin12": ((Fault.HUNG,), {"waagent-running"}),
    "lin13": ((Fault.CUT_OFF,), {"wire-server"}),
}


def broken_windows(name: str) -> tuple[WindowsState, set[str]]:
    state = windows_server(strong_crypto=name != "win02")
    planted = {"strong-crypto"} if name == "win02" else set()
    if name in {"win05", "win06"}:
        state.services["SQLWriter"] = Service()
        sql = "a65faa63-5ea8-4ebc-9dbd-a0c4db26912a"
        state.writers.append(Writer("SqlServerWriter", sql, "SQLWriter", state=9, last_error="x"))
        planted.add("vss-writers")
    if name == "win09":
        state.services["RdAgent"].status = "Stopped"
        planted.add("azure-guest-agent")
    return state, planted


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


@pytest.fixture(scope="module")
def swept(
    tmp_path_factory: pytest.TempPathFactory, catalog: Catalog
) -> Iterator[tuple[Readiness, dict[str, set[str]], Lab]]:
    """What a sweep over them says, what was planted, and the lab."""
    folder = tmp_path_factory.mktemp("lab")
    accounts = Accounts(folder / "secrets")
    linux: list[Resident] = []
    planted: dict[str, set[str]] = {}
    for name in LINUX:
        faults, planted[name] = FAULTS.get(name, ((), set()))
        linux.append(FakeRoot(folder / name, name, accounts=accounts.linux, uid=1000, faults=faults))
    windows: list[Resident] = []
    for name in WINDOWS:
        state, planted[name] = broken_windows(name)
        windows.append(WindowsModel(name, accounts.windows, state, catalog))
    with Lab(folder, linux, windows) as lab:
        hosts = load_inventory(lab.inventory)
        plan = sweep_plan("azure-vm", hosts, params={"load_seconds": 1}, catalog=catalog)
        run = execution(plan, "look", Settings(), state=folder / "state", command="fleet sweep")
        for _ in run:
            pass
        yield readiness(History(folder / "state").run(run.header.id)), planted, lab


def test_forty_hosts_and_exactly_the_planted_faults(
    swept: tuple[Readiness, dict[str, set[str]], Lab],
) -> None:
    ready, planted, _ = swept
    assert len(ready.hosts) == 40
    found = {host.host: {finding.check.name for finding in host.findings} for host in ready.hosts}
    assert found == {**planted, DEAD: set()}
    verdicts = {host.host: host.verdict for host in ready.hosts}
    assert {name for name, word in verdicts.items() if word is Verdict.NOT_KNOWN} == {DEAD}
    not_ready = {name for name, word in verdicts.items() if word is Verdict.NOT_READY}
    assert not_ready == {"lin03", "lin12", "lin13", "win05", "win06", "win09"}
    assert verdicts["win02"] is Verdict.WARNINGS
    assert verdicts["lin07"] is Verdict.READY


def test_a_sweep_changes_nothing(swept: tuple[Readiness, dict[str, set[str]], Lab]) -> None:
    _, _, lab = swept
    assert {name: guest.ledger for name, guest in lab.guests.items() if guest.ledger} == {}


@pytest.mark.skipif(not fake_windows.available(), reason="no PowerShell here")
def test_in_the_guests_of_the_demo_the_default_profile_finds_what_is_planted(
    tmp_path: Path, catalog: Catalog
) -> None:
    """Real PowerShell, real shells: a check that is new in the profile must find healthy guests healthy."""
    folder = tmp_path / "demo"
    folder.mkdir()
    with make_lab(folder, catalog) as lab:
        plan = sweep_plan(
            "azure-vm", load_inventory(lab.inventory), params={"load_seconds": 1}, catalog=catalog
        )
        run = execution(plan, "look", Settings(), state=tmp_path / "state", command="fleet sweep")
        for _ in run:
            pass
    ready = readiness(History(tmp_path / "state").run(run.header.id))
    found = {(each.host, each.check.name) for each in ready.findings if each.severity is not Severity.INFO}
    assert found == {
        ("lin-web1", "waagent-running"),
        ("win-sql", "vss-writers"),
        ("win-app", "strong-crypto"),
    }
    assert {host.host for host in ready.hosts if host.gaps} == {DEAD, LEGACY}
