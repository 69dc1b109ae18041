"""How long commands take that contact nobody: wall time of whole processes, beside an empty interpreter.

The aim is 150 ms. Medians of interleaved runs, so that a busy machine slows all of them alike.
"""

from __future__ import annotations

import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

import fleet

ROUNDS = 9
AIM = 0.150
EXAMPLES = Path(__file__).resolve().parents[1] / "inventory"

COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "fleet --version": [sys.executable, "-m", "fleet", "--version"],
    "fleet list": [sys.executable, "-m", "fleet", "list"],
    "fleet hosts": [sys.executable, "-m", "fleet", "hosts", "-i", str(EXAMPLES / "ansible-style.yaml")],
    "fleet show vss-writers": [sys.executable, "-m", "fleet", "show", "vss-writers"],
    "fleet explain CODE": [sys.executable, "-m", "fleet", "explain", "ExtensionFailedVssWriterInBadState"],
    "fleet explain TEXT": [sys.executable, "-m", "fleet", "explain", "vss writers were in a bad state"],
}


def main() -> int:
    """Time the commands and print medians; 1 where one misses the aim."""
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(ROUNDS):
        for name, words in COMMANDS.items():
            began = time.perf_counter()
            subprocess.run(words, stdout=subprocess.DEVNULL, check=True)
            times[name].append(time.perf_counter() - began)
    base = statistics.median(times["python -c pass"])
    print(f"fleet {fleet.__version__}, Python {platform.python_version()}, medians of {ROUNDS}")
    missed = False
    for name, taken in times.items():
        median = statistics.median(taken)
        missed |= median > AIM
        print(f"{name:<24} {median * 1000:6.0f} ms   {median / base:5.1f} times an empty interpreter")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
