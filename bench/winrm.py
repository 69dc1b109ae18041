"""WinRM against pywinrm's own session, in one run on one machine: requests, and client CPU as ratios.

The lab's service on the loopback stands for the guest, so the number of requests and the CPU of the
client's thread are what counts, not the time. Targets: no more than 5 requests for the first script after
the login, no more than 2 for each further one, no more than 8 for 12 checks sent together.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

ROOT = Path(__file__).parent.parent
sys.path[0] = str(ROOT)  # in place of this folder, where this file would hide pywinrm

import winrm  # noqa: E402

from fleet.render import powershell_command  # noqa: E402
from tests.transport.winrm_world import ChildProcess, LineGuest, World, script  # noqa: E402

PASSWORD = "correct-horse"
FIRST, FURTHER, TOGETHER = 5, 2, 8
CHECKS = 12
WORLDS: list[tuple[Literal["https", "http"], str, str]] = [
    ("https", "basic", "Basic over HTTPS"),
    ("https", "ntlm", "NTLM over HTTPS"),
    ("http", "ntlm", "NTLM sealed over HTTP"),
]


class Guest(LineGuest):
    """Answers fleet's constant command line, and any other as a trivial PowerShell would."""

    def __init__(self) -> None:
        super().__init__()
        self.accounts = {"operator": PASSWORD}

    def spawn(self, command: str) -> ChildProcess:
        if command == powershell_command():
            return super().spawn(command)
        return ChildProcess(["sh", "-c", "echo hello"])


class Meter:
    """Requests and client CPU of what is done within it."""

    def __init__(self, world: World) -> None:
        self._world = world

    def measure(self, work: Callable[[], object]) -> tuple[int, float]:
        messages, cpu = self._world.service.messages, time.thread_time()
        work()
        return self._world.service.messages - messages, (time.thread_time() - cpu) * 1000


def pywinrm_run_ps(world: World) -> None:
    session = winrm.Session(
        f"{world.scheme}://127.0.0.1:{world.service.port}/wsman",
        auth=("operator", PASSWORD),
        transport=world.auth,
        ca_trust_path=str(world.ca) if world.ca else None,
    )
    assert session.run_ps("Write-Output hello").std_out == b"hello\n"


def rounds(world: World, count: int) -> dict[str, list[tuple[int, float]]]:
    """Measure each way of working ``count`` times, interleaved."""
    meter = Meter(world)
    seen: dict[str, list[tuple[int, float]]] = {
        "pywinrm run_ps": [],
        "login and shell": [],
        "first script": [],
        "further script": [],
        f"{CHECKS} checks together": [],
        "close": [],
    }
    for _ in range(count):
        seen["pywinrm run_ps"].append(meter.measure(lambda: pywinrm_run_ps(world)))
        held: list[Any] = []

        def login(held: list[Any] = held) -> None:
            held.append(world.open(PASSWORD, user="operator"))

        def run(number: int, held: list[Any] = held) -> None:
            assert len(list(held[0].run([script("echo hello") for _ in range(number)]))) == number

        seen["login and shell"].append(meter.measure(login))
        seen["first script"].append(meter.measure(lambda: run(1)))
        seen["further script"].append(meter.measure(lambda: run(1)))
        seen[f"{CHECKS} checks together"].append(meter.measure(lambda: run(CHECKS)))
        seen["close"].append(meter.measure(held[0].close))
    return seen


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    count = parser.parse_args().rounds
    warnings.simplefilter("ignore")
    print(f"Python {platform.python_version()}, pywinrm {version('pywinrm')}, requests {version('requests')}")
    good = True
    for scheme, auth, title in WORLDS:
        with World(Guest(), scheme, auth) as world:
            rounds(world, 1)  # what is loaded or read once
            seen = rounds(world, count)
        base = statistics.median(cpu for _, cpu in seen["pywinrm run_ps"])
        print(f"\n{title}: requests, client CPU (pywinrm run_ps = 1.00 = {base:.1f} ms)")
        worst = {name: max(requests for requests, _ in values) for name, values in seen.items()}
        for name, values in seen.items():
            ratio = statistics.median(cpu for _, cpu in values) / base
            print(f"  {name:<20} {worst[name]:>3} {ratio:>6.2f}")
        # the shell belongs to the first script: all but the login
        shell_and_first = worst["first script"] + 1
        good = good and shell_and_first <= FIRST and worst["further script"] <= FURTHER
        good = good and worst[f"{CHECKS} checks together"] + 2 <= TOGETHER  # with the shell and the process
    print(f"\n{'targets met' if good else 'TARGETS MISSED'}: {FIRST}, {FURTHER} and {TOGETHER} requests")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
