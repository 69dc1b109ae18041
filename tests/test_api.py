"""fleet from Python, as in the documentation: it yields results and raises; it prints and asks nothing."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

import fleet
from fleet.engine.plan import Plan
from tests.cli.conftest import inventory, root, scripts  # noqa: F401 (fixtures)


@pytest.fixture
def plan(inventory: Path, scripts: Path, root: Path) -> Plan:  # noqa: F811
    hosts = fleet.load_inventory(inventory)
    return fleet.plan("FlagMissing", hosts.select("here1"), catalog=fleet.load_catalog(scripts))


def test_a_fix_by_its_code(
    plan: Plan,
    root: Path,  # noqa: F811
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    results = list(fleet.run(plan, allow="service-interruption", state=tmp_path / "state"))
    assert [(result.host, result.phase, result.outcome) for result in results] == [
        ("here1", "look", fleet.Outcome.FAILED),
        ("here1", "act", fleet.Outcome.CHANGED),
        ("here1", "verify", fleet.Outcome.OK),
    ]
    assert str(results[1].message) == "made /flag"
    assert (root / "flag").exists()
    assert capfd.readouterr() == ("", "")


def test_without_a_word_about_risk_only_what_is_safe_is_done(plan: Plan, root: Path, tmp_path: Path) -> None:  # noqa: F811
    last = list(fleet.run(plan, state=tmp_path / "state"))[-1]
    assert last.outcome is fleet.Outcome.HELD
    assert not (root / "flag").exists()


def test_a_plan_is_asked_and_changes_nothing(plan: Plan, root: Path, tmp_path: Path) -> None:  # noqa: F811
    last = list(fleet.run(plan, mode="plan", state=tmp_path / "state"))[-1]
    assert (last.outcome, str(last.message)) == (fleet.Outcome.CHANGED, "would make /flag")
    assert not (root / "flag").exists()


def test_who_stops_listening_stops_the_run(plan: Plan, tmp_path: Path) -> None:
    results = fleet.run(plan, allow="service-interruption", state=tmp_path / "state")
    assert next(results).phase == "look"
    results.close()  # type: ignore[attr-defined]
    assert [thread for thread in threading.enumerate() if thread.name.startswith("fleet-")] == []


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (
            {"allow": "everything"},
            "allow takes safe, service-interruption, reboot, destructive; not 'everything'",
        ),
        ({"workers": 0}, "--workers takes 1 to 500, not 0"),
    ],
)
def test_wrong_values_are_said_before_anything_is_contacted(
    plan: Plan,
    tmp_path: Path,
    wrong: dict[str, object],
    sentence: str,
) -> None:
    with pytest.raises(fleet.FleetError) as caught:
        next(fleet.run(plan, state=tmp_path / "state", **wrong))  # type: ignore[arg-type]
    assert str(caught.value) == sentence


def test_an_empty_selection_and_an_unknown_name_are_errors(inventory: Path) -> None:  # noqa: F811
    hosts = fleet.load_inventory(inventory)
    with pytest.raises(fleet.FleetError, match="selects no host"):
        hosts.select("all:!all")
    with pytest.raises(fleet.FleetError, match="no runbook, error code or snippet"):
        fleet.plan("nonsense", hosts)
