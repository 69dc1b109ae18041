"""Killed at any moment, fleet knows afterwards which guests it may have touched."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fleet.journal import History
from fleet.model import Outcome

PROGRAM = """
import os, sys
from dataclasses import replace
from pathlib import Path
from fleet.engine import prepare
from tests.engine.conftest import LADDER
from tests.engine.simulator import SimGuest, SimNetwork, sim_host, sim_ports
from fleet.engine.plan import Plan

state, ledger = Path(sys.argv[1]), os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

class Guest(SimGuest):
    def answer(self, script):
        if script.mutates:
            os.write(ledger, f"{self.name}\\n".encode())
        return super().answer(script)

guests = {}
for number in range(200):
    guests[f"h{number:03d}"] = Guest()
    guests[f"h{number:03d}"].name = f"h{number:03d}"
plan = Plan(LADDER, tuple(sim_host(name) for name in guests), "c" * 64, "i" * 64)
ports = sim_ports(SimNetwork(guests))
print("ready", flush=True)
settings = prepare.Settings(workers=8)
for result in prepare.execution(plan, "apply", settings, state=state, command="x", ports=ports):
    if result.phase == "act":
        print(result.host, flush=True)
"""


@pytest.mark.parametrize("seed", range(12))
def test_no_guest_is_touched_without_an_intent(tmp_path: Path, seed: int) -> None:
    ledger = tmp_path / "ledger"
    stop_after = random.Random(seed).randrange(1, 180)
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "state"), str(ledger)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process:
        for count, _line in enumerate(process.stdout):
            if count == stop_after:
                process.send_signal(signal.SIGKILL)
                break
    touched = ledger.read_text().split()
    assert len(touched) == len(set(touched)) > 0
    (summary,) = History(tmp_path / "state").runs()
    run = History(tmp_path / "state").run(summary.id)
    assert run.interrupted
    acted = {result.host: result.outcome for result in run.results if result.phase == "act"}
    assert set(touched) <= set(acted)
    unknown = {host for host, outcome in acted.items() if outcome is Outcome.UNKNOWN}
    assert {host for host, outcome in acted.items() if outcome is Outcome.CHANGED} <= set(touched)
    assert set(acted) - set(touched) <= unknown
