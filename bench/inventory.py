"""Loading an inventory of 10,000 hosts against PyYAML alone on the same file, in one run: ratios.

Targets: no more than ``yaml.load`` with its C loader takes to make plain dictionaries (it keeps no lines,
checks nothing and inherits nothing), and time in proportion to 1,000 hosts.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).parent.parent))

from fleet.inventory import load

ROUNDS = 5
MAX_RATIO, MAX_GROWTH = 1.0, 1.25


def inventory_text(hosts: int) -> str:
    """Two groups, five settings and a variable a host."""
    lines = ["all:", "  vars: {ansible_user: ops}", "  children:", "    windows:"]
    lines += ["      vars: {ansible_connection: winrm}", "      hosts:"]
    for number in range(hosts):
        lines += [
            f"        host{number}:",
            f"          ansible_host: 10.{number // 62500}.{number // 250 % 250}.{number % 250 + 1}",
            "          ansible_user: 'CORP\\ops'",
            f"          fleet_zone: zone-{number % 3}",
            "          fleet_password: {env: OPS_PW}",
            f"          rack: {number}",
        ]
    return "\n".join([*lines, ""])


def seconds(action: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    start = time.process_time()
    action()
    return time.process_time() - start


def main() -> int:
    """Measure, print, and give 1 where a target is missed."""
    with tempfile.TemporaryDirectory() as folder:
        small, large = Path(folder, "small.yaml"), Path(folder, "large.yaml")
        small.write_text(inventory_text(1_000), "utf-8")
        large.write_text(inventory_text(10_000), "utf-8")
        text = large.read_text("utf-8")
        rounds = [
            (
                seconds(lambda: load([small])),
                seconds(lambda: load([large])),
                seconds(lambda: yaml.load(text, Loader=yaml.CSafeLoader)),
            )
            for _ in range(ROUNDS)
        ]
    thousand, ten_thousand, plain = (statistics.median(column) for column in zip(*rounds, strict=True))
    ratio, growth = ten_thousand / plain, ten_thousand / thousand / 10
    print(f"10,000 hosts: {ten_thousand:.2f} s, PyYAML alone {plain:.2f} s")
    print(f"ratio {ratio:.2f} (at most {MAX_RATIO})")
    print(f"1,000 hosts: {thousand:.3f} s, growth per host {growth:.2f} (at most {MAX_GROWTH})")
    return 0 if ratio <= MAX_RATIO and growth <= MAX_GROWTH else 1


if __name__ == "__main__":
    sys.exit(main())
