"""From a fault to its fix: nothing without --apply, a saved plan only while it is true, history kept."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fleet import api
from fleet.cli.fix import _after
from fleet.journal import Run
from fleet.model import NOTHING, Os, Outcome, Result
from tests.cli.conftest import CHECK, Fleet

ALL = ("-l", "all")


@pytest.fixture
def common(inventory: Path, scripts: Path) -> tuple[object, ...]:
    return ("-i", inventory, "--scripts", scripts)


def test_a_fix_is_a_plan_until_it_is_applied(fleet: Fleet, common: tuple[object, ...], root: Path) -> None:
    plan = fleet("fix", "FlagMissing", *ALL, *common)
    assert plan.code == 0
    assert "would make /flag" in plan.out
    assert "2 hosts = 2 to do" in plan.out
    assert "Nothing was changed." in plan.out
    assert not (root / "flag").exists()
    assert "2 hosts = 2 to do\n" in fleet("runs").out, "a plan changed nothing, in the history neither"
    command = next(line for line in plan.out.splitlines() if line.strip().startswith("fleet fix"))
    assert command.split()[-3:] == ["--apply", "--allow", "service-interruption"]


def test_apply_carries_out_what_is_allowed_and_checks_again(
    fleet: Fleet, common: tuple[object, ...], root: Path
) -> None:
    held = fleet("fix", "test-flag", *ALL, *common, "--apply")
    assert held.code == 4
    assert "allow it with --allow service-interruption" in " ".join(held.out.split())
    assert not (root / "flag").exists()
    done = fleet("fix", "test-flag", "-l", "here1", *common, "--apply", "--allow", "service-interruption")
    assert done.code == 0
    assert "1 host = 1 changed" in done.out
    assert "Outside the guest (here1): start a backup from the portal" in done.out
    assert (root / "flag").exists()
    again = fleet("fix", "test-flag", *ALL, *common, "--apply", "--allow", "service-interruption")
    assert (again.code, "2 hosts = 2 ok" in again.out) == (0, True)


def test_check_mode_asks_the_script(fleet: Fleet, common: tuple[object, ...], root: Path) -> None:
    asked = fleet("fix", "set-flag", *ALL, *common, "--check")
    assert asked.code == 0
    assert "would make /flag" in asked.out
    assert not (root / "flag").exists()


def test_a_saved_plan_is_carried_out_later(
    fleet: Fleet, common: tuple[object, ...], root: Path, tmp_path: Path
) -> None:
    file = tmp_path / "plan.json"
    saved = fleet("fix", "test-flag", *ALL, *common, "--allow", "service-interruption", "--plan-out", file)
    assert f"fleet apply {file}" in saved.out
    done = fleet("apply", file, "-l", "here2", *common)
    assert done.code == 0, done
    assert "1 host = 1 changed" in done.out
    assert (root / "flag").exists()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("snippet", "a snippet of the plan has changed since this plan was made"),
        ("check", "the catalogue has changed since this plan was made"),
        ("inventory", "the inventory has changed since this plan was made"),
        ("host", "the inventory no longer has here2"),
        ("plan", "it was changed after it was made; make the plan again"),
        ("nonsense", "this is not a plan that fleet saved"),
    ],
)
def test_a_saved_plan_is_refused_when_anything_in_it_changed(
    fleet: Fleet,
    common: tuple[object, ...],
    inventory: Path,
    scripts: Path,
    root: Path,
    tmp_path: Path,
    change: str,
    sentence: str,
) -> None:
    file = tmp_path / "plan.json"
    fleet("fix", "test-flag", *ALL, *common, "--allow", "service-interruption", "--plan-out", file)
    target = {
        "snippet": scripts / "sh/set-flag.sh",
        "check": scripts / "sh/flag-is-set.sh",
        "inventory": inventory,
        "host": inventory,
        "plan": file,
        "nonsense": file,
    }[change]
    replaced = {
        "snippet": target.read_text() + "# one more line\n",
        "check": CHECK + "# one more line\n",
        "inventory": target.read_text().replace("here2: {", "here2: {ansible_become: true, "),
        "host": target.read_text().replace("here2", "there2"),
        "plan": target.read_text().replace("service-interruption", "destructive"),
        "nonsense": "[1, 2]",
    }
    target.write_text(replaced[change])
    refused = fleet("apply", file, *ALL, *common)
    assert refused.code == 2
    assert sentence in refused.err
    assert not (root / "flag").exists()


def test_every_run_is_in_the_history_and_can_be_drawn_again(
    fleet: Fleet, common: tuple[object, ...], tmp_path: Path
) -> None:
    looked = fleet("check", "flag-is-set", *common)
    assert looked.code == 1
    assert "no flag at /flag" in looked.out
    listed = fleet("runs")
    assert "2 hosts = 2 failed" in listed.out
    drawn = fleet("report", "last")
    assert drawn.code == 1
    assert "here[1,2] (2)" in drawn.out
    detail = fleet("report", "last", "-l", "here2")
    assert "here2  step 1  flag-is-set (looked)" in detail.out
    assert "here1" not in detail.out.split("\n\n", 1)[1]


def test_json_is_one_document_and_ndjson_one_result_a_line(
    fleet: Fleet, common: tuple[object, ...], tmp_path: Path
) -> None:
    files = tmp_path / "r.json", tmp_path / "r.ndjson", tmp_path / "r.txt"
    outputs = [word for file in files for word in ("-o", file)]
    ran = fleet("check", "flag-is-set", *common, "--format", "json", *outputs)
    document = json.loads(ran.out)
    assert document["schema"] == "fleet.run/1"
    assert document["run"]["counts"] == {"targets": 2, "failed": 2}
    assert {result["host"] for result in document["results"]} == {"here1", "here2"}
    assert json.loads(files[0].read_text()) == document
    assert [json.loads(line) for line in files[1].read_text().splitlines()] == document["results"]
    assert "2 hosts = 2 failed" in files[2].read_text()
    streamed = fleet("check", "flag-is-set", *common, "--format", "ndjson")
    assert {json.loads(line)["snippet"] for line in streamed.out.splitlines()} == {"flag-is-set"}


def test_a_failed_check_names_the_fix_ready_to_be_run(fleet: Fleet, inventory: Path, scripts: Path) -> None:
    ran = fleet("check", "flag-is-set", "-i", inventory, f"--scripts={scripts}")
    assert ran.code == 1
    assert f"Next: fleet fix test-flag -i {inventory} --scripts={scripts} -l all\n" in ran.out


def test_a_step_whose_end_is_not_known_comes_with_the_check_to_look_with(
    inventory: Path, scripts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = api.plan("test-flag", api.load_inventory(inventory), catalog=api.load_catalog(scripts))
    started = datetime(2026, 11, 21, 2, 31, tzinfo=UTC)
    lost = Result("here1", Os.LINUX, 2, "set-flag", Outcome.UNKNOWN, NOTHING, started, 1.0, phase="act")
    targets = {"here1": Os.LINUX, "here2": Os.LINUX}
    run = Run("20261121-0231-k4", {"outside": []}, targets, (lost,), started, interrupted=False)
    monkeypatch.setattr(
        "sys.argv", ["fleet", "fix", "test-flag", "-i", "inv.yaml", "--state", "st", "--apply"]
    )
    assert list(_after(run, plan)) == [
        "Not known: here1. Nothing will repeat it; look first:",
        "  fleet check flag-is-set -i inv.yaml --state st -l here1",
        "Every step: fleet report 20261121-0231-k4 --state st -l HOST",
    ]
