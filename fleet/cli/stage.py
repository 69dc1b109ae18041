"""What ``fleet demo`` and ``fleet lab`` do; loaded only by them, because a lab brings whole servers along."""

from __future__ import annotations

import shlex
import shutil
import signal
import sys
import tempfile
import threading
from itertools import groupby
from pathlib import Path

import click

from fleet import api
from fleet.cli import carry
from fleet.engine.verdict import EXIT_FAILED, EXIT_FINE
from fleet.lab import fake_windows
from fleet.lab.demo import FAULTS, Act, Demo, summary
from fleet.lab.lab import DEAD, LEGACY, Lab, new_folder
from fleet.lab.world import make_lab
from fleet.report import document, terminal
from fleet.report.fold import fold


def play(folder: Path | None) -> int:
    """Play the demo in a lab of its own; 0 when it went as planned."""
    with _lab(folder, "demo") as lab:
        click.echo(_who("fleet demo", lab))
        click.echo(f"\n$ export FLEET_INVENTORY={shlex.quote(str(lab.inventory))}")
        played = Demo(lab, api.load_catalog())
        acts: list[Act] = []
        for number, (step, run_acts) in enumerate(groupby(played.acts(), key=lambda act: act.step), 1):
            click.echo(f"\n--- {number} {step} ---")
            done = []
            for act in run_acts:
                done.append(act)
                click.echo(f"{_prompt(act.command)}\n{_table(act)}")
            click.echo(f"= {summary(done)}")
            acts += done
        surprises = played.surprises(acts)
        _report(lab, acts)
    click.echo("\n" + _ending(lab, played, surprises))
    return EXIT_FAILED if surprises else EXIT_FINE


def keep_running(folder: Path | None) -> int:
    """Keep a lab running until SIGINT or SIGTERM, then say what was done to its guests."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stop.set())
    with _lab(folder, "lab") as running:
        click.echo(_who("fleet lab", running))
        click.echo(f"\nIn another terminal:\n  export FLEET_INVENTORY={shlex.quote(str(running.inventory))}")
        fault = FAULTS[0]
        for words in (
            "ping",
            f"check {fault.check} -l {fault.group}",
            f"fix {fault.runbook} -l {fault.host}",
        ):
            click.echo(f"  {_program()} {words}")
        click.echo("Ctrl-C ends it.")
        stop.wait()
        done = {name: guest.ledger for name, guest in running.guests.items()}
    click.echo("\nWhat was done to the guests:")
    lines = [f"  {name}: {line}" for name, ledger in done.items() for line in ledger]
    click.echo("\n".join(lines) or "  nothing")
    return EXIT_FINE


def _lab(folder: Path | None, purpose: str) -> Lab:
    chosen = folder or Path(tempfile.mkdtemp(prefix=f"fleet-{purpose}-"))
    return make_lab(new_folder(chosen), api.load_catalog())


def _who(title: str, lab: Lab) -> str:
    windows = [name for name in lab.guests if name.startswith("win-")]
    linux = [name for name in lab.guests if name not in windows]
    how = (
        "real PowerShell, simulated Windows"
        if fake_windows.available()
        else "no PowerShell here: answers come from a model"
    )
    return "\n".join(
        [
            f"{title}: {len(lab.guests)} guests on this machine, in {lab.folder}",
            f"  {' '.join(windows):<28} {how}",
            f"  {' '.join(linux):<28} real shell, simulated services",
            f"  {DEAD:<28} dead: nothing answers there",
            f"  {LEGACY:<28} has another password than the inventory knows",
        ]
    )


def _prompt(command: str) -> str:
    """A command as it is typed, on two lines where one is too short."""
    if len(command) > terminal.WIDTH - 2:
        command = command.replace(" --", " \\\n    --", 1)
    return f"$ {command}"


def _table(act: Act) -> str:
    """The hosts of a run; after the first one, those that can't be reached are only named."""
    lines = terminal.host_lines(act.run)
    if act.step == "ping":
        return terminal.table(lines, carry.paint)
    names = terminal.PLANNED if act.run.header.get("planned") else None
    known = [line for line in lines if not line.outcome.truth_missing]
    missing = [line.host for line in lines if line.outcome.truth_missing]
    text = terminal.table(known, carry.paint, names)
    return text + (f"not known: {fold(missing)}\n" if missing else "")


def _report(lab: Lab, acts: list[Act]) -> None:
    """Write every step of every host, and all results as JSON lines."""
    parts = []
    for act in acts:
        parts += [f"$ {act.command}", *terminal.details(act.run, act.run.targets), ""]
    (lab.folder / "report.txt").write_text("\n".join(parts), encoding="utf-8")
    results = [result for act in acts for result in act.run.results]
    (lab.folder / "results.ndjson").write_text(document.to_ndjson(results), encoding="utf-8")


def _ending(lab: Lab, played: Demo, surprises: list[str]) -> str:
    lines = ["What the guests' own ledgers say was done:"]
    for name, ledger in played.touched().items():
        lines += [name, *(f"  {line}" for line in ledger)]
    if surprises:
        lines += ["NOT AS PLANNED:", *(f"  {line}" for line in surprises)]
    else:
        lines.append("Nothing else was touched.")
    return "\n".join(
        [
            *lines,
            "",
            f"Report   {lab.folder / 'report.txt'}",
            f"History  {_program()} runs --state {shlex.quote(str(played.state))}",
            f"Next     {_program()} lab   (the same fleet, to try every command on)",
        ]
    )


def _program() -> str:
    """How this program is called by somebody who wants to call it again."""
    own = Path(sys.argv[0])
    if own.name != "fleet":
        return "python -m fleet"
    found = shutil.which("fleet")
    if found and own.exists() and Path(found).samefile(own):
        return "fleet"
    below = own.is_relative_to(Path.cwd())
    return shlex.quote(str(own.relative_to(Path.cwd()) if below else own))
