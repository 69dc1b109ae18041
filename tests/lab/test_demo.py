"""The demo as somebody runs it: goes as planned, soon, touches nothing else, leaves nothing running."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from fleet.catalog import Catalog
from fleet.journal import History
from fleet.lab import fake_windows
from fleet.lab.demo import FAULTS, Act, Demo, summary
from fleet.lab.lab import new_folder
from fleet.lab.world import make_lab
from fleet.model import Outcome

STEPS = ["ping", "check", "plan", "apply", "check again"]


@pytest.fixture(scope="module")
def played(catalog: Catalog, tmp_path_factory: pytest.TempPathFactory) -> tuple[Demo, list[Act]]:
    """The demo with guests that answer from the model: the same wherever it runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fake_windows, "available", lambda: False)
        lab = make_lab(new_folder(tmp_path_factory.mktemp("demo") / "lab"), catalog)
    with lab:
        demo = Demo(lab, catalog)
        acts = list(demo.acts())
    return demo, acts


def summaries(acts: list[Act]) -> dict[str, str]:
    return {step: summary([act for act in acts if act.step == step]) for step in STEPS}


class TestStory:
    def test_goes_as_planned(self, played: tuple[Demo, list[Act]]) -> None:
        demo, acts = played
        assert demo.surprises(acts) == []
        assert list(dict.fromkeys(act.step for act in acts)) == STEPS

    def test_is_told_in_one_line_a_step(self, played: tuple[Demo, list[Act]]) -> None:
        told = summaries(played[1])
        assert sorted(told["ping"].split(", ")) == ["1 denied", "1 unreachable", "5 reachable"]
        assert told["check"] == "2 ready, 3 not ready, 2 not known"
        assert told["plan"] == "3 hosts to do, highest risk service-interruption"
        assert told["apply"] == "3 of 3 changed"
        assert told["check again"] == "5 ready, 0 not ready, 2 not known"

    def test_a_plan_changes_nothing(self, played: tuple[Demo, list[Act]]) -> None:
        plans = [act for act in played[1] if act.step == "plan"]
        assert {result.phase for act in plans for result in act.run.results} == {"look", "try"}

    def test_only_the_guests_with_faults_were_touched(self, played: tuple[Demo, list[Act]]) -> None:
        assert set(played[0].touched()) == {fault.host for fault in FAULTS}

    def test_windows_guests_of_the_model_say_so(self, played: tuple[Demo, list[Act]]) -> None:
        results = [result for act in played[1] for result in act.run.results if result.host == "win-sql"]
        assert all(result.simulated for result in results)

    def test_its_runs_are_in_its_own_journal(self, played: tuple[Demo, list[Act]]) -> None:
        demo, acts = played
        assert {run.id for run in History(demo.state).runs()} == {act.run.id for act in acts}


class TestSurprises:
    """The proof at the end proves something: it is shown a demo that went wrong."""

    def test_a_fault_that_is_still_there(self, played: tuple[Demo, list[Act]]) -> None:
        demo, acts = played
        broken = [replace(act, step="check again") if act.step == "check" else act for act in acts]
        assert any("check again says failed, not ok" in line for line in demo.surprises(broken))

    def test_a_guest_that_was_touched_without_a_fault(
        self, played: tuple[Demo, list[Act]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        demo, acts = played
        touched = {**demo.touched(), "lin-db": ("agent stopped",)}
        monkeypatch.setattr(demo, "touched", lambda: touched)
        assert demo.surprises(acts) == ["lin-db: nobody wanted this: agent stopped"]

    def test_more_than_the_fault_of_a_guest_was_touched(
        self, played: tuple[Demo, list[Act]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        demo, acts = played
        touched = {"win-sql": ("stop SQLWriter", "start SQLWriter", "stop MSSQLSERVER")}
        monkeypatch.setattr(demo, "touched", lambda: touched)
        assert demo.surprises(acts) == ["win-sql: nobody wanted this: stop MSSQLSERVER"]


ENGINES = [
    pytest.param("/usr/bin:/bin", id="model"),
    pytest.param(
        os.environ.get("PATH", os.defpath),
        id="PowerShell",
        marks=[
            pytest.mark.pwsh,
            pytest.mark.skipif(
                shutil.which("pwsh") is None, reason="needs a PowerShell engine on PATH as pwsh"
            ),
        ],
    ),
]


@pytest.mark.parametrize("path", ENGINES)
def test_the_command_takes_less_than_a_minute_and_stays_in_its_folder(path: str, tmp_path: Path) -> None:
    home, temporary, folder = tmp_path / "home", tmp_path / "tmp", tmp_path / "demo"
    home.mkdir()
    temporary.mkdir()
    environment = {"PATH": path, "HOME": str(home), "TMPDIR": str(temporary), "LANG": "C.UTF-8"}
    began = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-m", "fleet", "demo", "--folder", str(folder)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=environment,
        cwd=home,
    )
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stdout
    assert time.monotonic() - began < 60
    assert "Nothing else was touched." in ended.stdout
    lines = ended.stdout.replace(str(tmp_path), "").splitlines()
    assert [line for line in lines if len(line) > 80 and "HKLM" not in line] == []  # a key can't be broken
    results = [json.loads(line) for line in (folder / "results.ndjson").read_text().splitlines()]
    assert {result["outcome"] for result in results} >= {"ok", "failed", "changed", "denied", "unreachable"}
    assert "agent started as pid" not in (folder / "report.txt").read_text()
    assert [*home.iterdir(), *temporary.iterdir()] == []
    assert processes_in(folder) == []


def processes_in(folder: Path) -> list[str]:
    """Command lines of processes that work in a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink().is_relative_to(folder):
                found.append((process / "cmdline").read_text())
        except OSError:
            continue
    return found


def test_every_host_has_its_say_in_the_first_step(played: tuple[Demo, list[Act]]) -> None:
    ping = played[1][0]
    words = ping.words
    assert words["lin-old"] is Outcome.UNREACHABLE
    assert words["win-legacy"] is Outcome.DENIED
    assert len(words) == 7
