"""From the journal of a sweep over 10,000 hosts to its summary, in CPU seconds; and a diff of two of them.

Target: under 5 s from the file to the last line of the terminal report, and time in proportion to the hosts.
One host in 25 has a finding, one in 100 could not be reached, a waiver covers some.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from fleet.api import load_catalog
from fleet.codec import instant, result_to_json
from fleet.engine.sweep import sweep_plan
from fleet.inventory import Inventory
from fleet.journal import History, Journal, Record
from fleet.model import Address, Host, Os, Outcome, Result, Shell, Untrusted
from fleet.report import readiness_terminal
from fleet.report.compare import compare
from fleet.report.readiness import Readiness, readiness

HOSTS = 10_000
MAX_SECONDS, MAX_GROWTH = 5.0, 1.5
MOMENT = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)


def inventory(count: int) -> Inventory:
    """Half Windows, half Linux, in three zones."""
    hosts = {}
    for number in range(count):
        os = Os.WINDOWS if number % 2 else Os.LINUX
        shell = Shell.POWERSHELL if number % 2 else Shell.SH
        name = f"{'win' if number % 2 else 'lin'}{number:05}"
        address = Address(f"10.{number // 62500}.{number // 250 % 250}.{number % 250 + 1}", 4)
        hosts[name] = Host(name, address, "fake", os, shell, 22, zone=f"zone-{number % 3}")
    return Inventory(hosts, {"all": tuple(hosts), "ungrouped": tuple(hosts)})


def results(host: Host, number: int, checks: Iterable[tuple[str, bool]]) -> Iterable[Result]:
    """What a host said: nothing but a refusal, or an answer to each check."""
    for step, (check, fits) in enumerate(checks, 1):
        outcome, message = Outcome.OK, "all is well here, and this is what was seen"
        if not fits:
            outcome, message = Outcome.SKIPPED, f"{check} has no version for {host.os}"
        elif number % 100 == 7:
            outcome, message = Outcome.UNREACHABLE, f"{host.endpoint} refused the connection"
        elif number % 25 == 3 and step % 4 == 1:
            outcome, message = Outcome.FAILED, f"only {number % 90} of what is needed is there"
        result = Result(host.name, host.os, step, check, outcome, Untrusted(message), MOMENT, 0.3)
        yield result
        if outcome is Outcome.UNREACHABLE:
            return


def written(state: Path, count: int, run_id: str) -> None:
    """The journal of a sweep, as the engine writes it."""
    hosts = inventory(count)
    catalog = load_catalog()
    plan = sweep_plan(catalog, "azure-vm", hosts, params={})
    journal = Journal(History(state).create(run_id))
    head = {"id": run_id, "command": "fleet sweep", "started": instant(MOMENT), "name": "azure-vm"}
    head |= {"title": plan.procedure.title, "catalogue": plan.catalogue, "inventory": plan.inventory}
    targets = {host.name: host.os.value for host in hosts}
    journal.append(Record("run", "", {**head, "targets": targets, **plan.details}))
    snippets = [task.snippet for task in plan.procedure.checks]
    for number, host in enumerate(hosts):
        checks = [(snippet.name, host.shell in snippet.texts) for snippet in snippets]
        for result in results(host, number, checks):
            journal.append(Record("result", host.name, result_to_json(result)))
    journal.append(Record("finished", "", {"finished": instant(MOMENT), "counts": {}, "interrupted": False}))
    journal.close()


def summary(state: Path, run_id: str) -> tuple[float, float, Readiness]:
    """CPU seconds to read the journal, to judge and write the report; and the verdicts."""
    start = time.process_time()
    run = History(state).run(run_id)
    read = time.process_time()
    ready = readiness(run)
    text = "\n".join(readiness_terminal.lines(ready))
    assert "hosts = " in text
    return read - start, time.process_time() - read, ready


def main() -> int:
    """Measure, print, and give 1 where a target is missed."""
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        written(state, HOSTS // 10, "20261120-2000-a1")
        written(state, HOSTS, "20261121-2000-b7")
        small = sum(summary(state, "20261120-2000-a1")[:2])
        read, judged, ready = summary(state, "20261121-2000-b7")
        start = time.process_time()
        compare(ready, ready)
        compared = time.process_time() - start
    growth = (read + judged) / small / 10
    print(f"{HOSTS:,} hosts, {len(ready.checks)} checks: journal {read:.2f} s, report {judged:.2f} s")
    print(f"together {read + judged:.2f} s (at most {MAX_SECONDS:.0f}), growth per host {growth:.2f}")
    print(f"diff of two such sweeps {compared:.2f} s")
    return 0 if read + judged <= MAX_SECONDS and growth <= MAX_GROWTH else 1


if __name__ == "__main__":
    sys.exit(main())
