"""``fleet diff``: what changed from one sweep to another."""

from __future__ import annotations

import json
from pathlib import Path

import click

from fleet.cli import carry, complete, options
from fleet.engine.verdict import EXIT_FAILED, EXIT_FINE
from fleet.journal import History, default_state
from fleet.report import compare, readiness_terminal
from fleet.report.readiness import readiness


@click.command()
@click.argument("before", shell_complete=complete.runs)
@click.argument("after", default="last", shell_complete=complete.runs)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["terminal", "json"]),
    default="terminal",
    show_default=True,
    help="Form of the output.",
)
@options.state
def diff(before: str, after: str, format_: str, state: Path | None) -> int:
    """Compare two sweeps: what is new, fixed or still there, which hosts came or went.

    BEFORE and AFTER are ids of runs; AFTER is the last run where it is left out. The exit code is 1 when
    something got worse: a new finding that is more than a note, or a host that is not known any more.
    """
    history = History(state or default_state())
    comparison = compare.compare(readiness(history.run(before)), readiness(history.run(after)))
    if format_ == "json":
        click.echo(json.dumps(compare.document(comparison), indent=2))
    else:
        click.echo("\n".join(readiness_terminal.comparison_lines(comparison, carry.paint_verdict)))
    return EXIT_FAILED if comparison.worse else EXIT_FINE
