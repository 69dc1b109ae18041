"""One check against twelve over a line with 80 ms of round trip, by SSH and by WinRM: seconds a host.

Target: what the line adds to twelve checks is at most 1.5 times what it adds to one; what it adds is the time
with the delay less the time without it, in which guest and fleet do the same work. Guests of the lab.
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
sys.path.remove(str(Path(__file__).resolve().parent))  # its winrm.py is not pywinrm

from bench._line import delayed
from fleet import load_inventory
from fleet.api import load_catalog
from fleet.engine.plan import Plan, Procedure, bind_own
from fleet.engine.prepare import Settings, execution
from fleet.engine.steps import Task
from fleet.lab.fake_root import FakeRoot
from fleet.lab.lab import Accounts, Lab
from fleet.lab.windows_model import WindowsModel
from fleet.lab.world import windows_server
from fleet.model import Host, Outcome

ONE_WAY, ROUNDS, MANY = 0.04, 6, 12
MAX_RATIO = 1.5


def seconds(host: Host, check: str, count: int, state: Path) -> float:
    """Wall seconds of a run with the same check so many times; the best of some rounds."""
    snippet = load_catalog().snippet(check)
    task = Task(snippet, bind_own(snippet, {}, {}, text=False), "look")
    plan = Plan(Procedure(check, snippet.title, checks=(task,) * count), (host,), "c", "i")
    found = []
    for _ in range(ROUNDS):
        run = execution(plan, "look", Settings(), state=state, command="bench")
        start = time.perf_counter()
        results = list(run)
        found.append(time.perf_counter() - start)
        assert [result.outcome for result in results] == [Outcome.OK] * count, results[0].message
    return min(found)


def measure(name: str, host: Host, check: str, state: Path) -> bool:
    """Print one line; whether the target is met."""
    seconds(host, check, 1, state)  # what is loaded once
    direct = [seconds(host, check, count, state) for count in (1, MANY)]
    with delayed(host.port, ONE_WAY) as port:
        if host.ssh.known_hosts is not None:
            known = host.ssh.known_hosts.read_text()
            host.ssh.known_hosts.write_text(known + known.replace(f":{host.port} ", f":{port} "))
        slow = replace(host, port=port)
        behind = [seconds(slow, check, count, state) for count in (1, MANY)]
    one, many = (late - early for late, early in zip(behind, direct, strict=True))
    print(
        f"{name}: one check {behind[0]:.2f} s, {MANY} checks {behind[1]:.2f} s; "
        f"of this the line {one:.2f} s and {many:.2f} s, ratio {many / one:.2f} (at most {MAX_RATIO})"
    )
    return many <= MAX_RATIO * one


def main() -> int:
    """Measure, print, and give 1 where a target is missed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        accounts = Accounts(folder / "secrets")
        linux = [FakeRoot(folder / "lin", "lin", accounts=accounts.linux, uid=1000)]
        state = windows_server(strong_crypto=True)
        windows = [WindowsModel("win", accounts.windows, state, load_catalog())]
        with Lab(folder, linux, windows) as lab:
            hosts = load_inventory(lab.inventory).hosts
            met = [
                measure("ssh", hosts["lin"], "waagent-verbose-logging", folder / "state"),
                measure("winrm", hosts["win"], "complus-msdtc", folder / "state"),
            ]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
