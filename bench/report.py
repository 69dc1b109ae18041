"""Reports of a sweep of 10,000 hosts with twelve checks each: CPU seconds and bytes of each form.

Targets: reading the journal and drawing the page take less than 5 CPU seconds together, and the page is
below 15 MB even where every message is noise that can't be deflated. ``read`` is done once a command.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from fleet.codec import instant, result_to_json
from fleet.journal import History, Journal, Record, Run
from fleet.model import JsonValue, Os, Outcome, Result, Severity, Untrusted
from fleet.report import forms

HOSTS, CHECKS = 10_000, 12
MOST_SECONDS, MOST_BYTES = 5.0, 15_000_000
STARTED = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)
RUN_ID = "20261121-2000-b7"


def header() -> dict[str, JsonValue]:
    """The head of a sweep, as its journal has it."""
    answers = [{"runbook": "fault", "title": "A fault", "os": None, "mends": True, "params": {}}]
    checks = [
        {
            "check": f"check-{number:02d}",
            "title": f"Part {number} is well",
            "severity": "error",
            "params": {},
            "answers": answers,
        }
        for number in range(CHECKS)
    ]
    zones = {f"host{number:05d}": f"westeurope-{number % 3 + 1}" for number in range(HOSTS)}
    sweep = {
        "profile": "azure-vm",
        "title": "Azure VM backup",
        "checks": checks,
        "waivers": [],
        "zones": zones,
        "reach": ["-i", "prod.yaml"],
        "limit": "all",
        "fail_on": "error",
    }
    return {
        "id": RUN_ID,
        "command": "fleet sweep -i prod.yaml",
        "started": instant(STARTED),
        "catalogue": "c" * 64,
        "inventory": "i" * 64,
        "apply": False,
        "planned": False,
        "name": "azure-vm",
        "title": "Azure VM backup",
        "targets": dict.fromkeys(zones, "linux"),
        "zones": zones,
        "sweep": sweep,
    }


def results(chance: random.Random, *, noise: bool) -> Iterator[Result]:
    """One in twenty fails; every answer has numbers of its own, with noise also 600 random characters."""
    for host in range(HOSTS):
        for check in range(CHECKS):
            failed = chance.random() < 0.05
            free, size = chance.randrange(1_000_000), chance.randrange(1_000_000)
            text = f"{free} of {size} blocks are free on /dev/sd{chance.choice('abcdef')}"
            if noise:
                text = chance.randbytes(450).hex()
            yield Result(
                host=f"host{host:05d}",
                os=Os.LINUX,
                step=check + 1,
                snippet=f"check-{check:02d}",
                outcome=Outcome.FAILED if failed else Outcome.OK,
                message=Untrusted(text),
                started=STARTED + timedelta(milliseconds=host),
                seconds=chance.random(),
                severity=Severity.ERROR,
                data={"free": free, "size": size, "path": "/", "units": ["block", "byte"]},
                log=Untrusted("looked at / and at /boot\n"),
            )


def record(history: History, *, noise: bool) -> None:
    """A journal as a sweep would have left it."""
    journal = Journal(history.create(RUN_ID))
    journal.commit(Record("run", "", header()))
    for result in results(random.Random(7), noise=noise):
        journal.append(Record("result", result.host, result_to_json(result)))
    finished = {"finished": instant(STARTED + timedelta(seconds=60)), "counts": {}, "interrupted": False}
    journal.append(Record("finished", "", finished))
    journal.close()


def timed(name: str, text: str, seconds: float, read: float) -> bool:
    """Print a line; whether it keeps the targets."""
    size = len(text.encode())
    kept = name != "html" or (read + seconds < MOST_SECONDS and size < MOST_BYTES)
    print(f"  {name:<10} {seconds:5.2f} s  {size / 1e6:7.2f} MB{'' if kept else '   TOO MUCH'}")
    return kept


def measure(*, noise: bool) -> bool:
    """All forms of one run."""
    with tempfile.TemporaryDirectory() as folder:
        history = History(Path(folder))
        record(history, noise=noise)
        start = time.process_time()
        run: Run = history.run(RUN_ID)
        read = time.process_time() - start
        print(f"  {'read':<10} {read:5.2f} s")
        kept = []
        for form in forms.FORMS:
            start = time.process_time()
            text = forms.render(run, form)
            kept.append(timed(form, text, time.process_time() - start, read))
    return all(kept)


def main() -> int:
    """Measure, print, and give 1 where a target is missed."""
    kept = []
    for noise in (False, True):
        print(f"{HOSTS:,} hosts, {CHECKS} checks{', every message random' if noise else ''}:")
        kept.append(measure(noise=noise))
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
