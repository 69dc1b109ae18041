"""``fleet runs`` and ``fleet report``: what happened, drawn from the journal."""

from __future__ import annotations

import json
from pathlib import Path

import click

from fleet.cli import carry, complete, options
from fleet.codec import instant
from fleet.errors import SelectionError
from fleet.journal import History, Run, RunSummary, default_state
from fleet.model import printable
from fleet.report import terminal
from fleet.report.readiness import is_sweep


@click.command()
@options.state
@options.list_format
def runs(state: Path | None, format_: str) -> None:
    """List the runs of this machine, the newest first."""
    summaries = History(state or default_state()).runs()
    if format_ == "terminal":
        lines = [_line(summary) for summary in summaries]
        click.echo("\n".join(lines) if lines else "No runs yet.")
        return
    documents = [_document(summary) for summary in summaries]
    if format_ == "json":
        click.echo(json.dumps({"schema": "fleet.runs/1", "runs": documents}, indent=2))
    else:
        for document in documents:
            click.echo(json.dumps(document))


def _line(summary: RunSummary) -> str:
    if summary.problem:
        return f"{summary.id}  NOT READABLE  {printable(summary.problem)}"
    names = {word.value: name for word, name in terminal.PLANNED.items()} if summary.planned else {}
    tally = " + ".join(
        f"{count} {names.get(word, word.replace('_', ' '))}" for word, count in summary.counts.items()
    )
    hosts = f"{summary.targets} {'host' if summary.targets == 1 else 'hosts'}"
    state = (tally or "not ended") + (", interrupted" if summary.interrupted else "")
    return f"{summary.id}  {hosts} = {state}\n    {printable(summary.command)}"


def _document(summary: RunSummary) -> dict[str, object]:
    return {
        "id": summary.id,
        "command": summary.command,
        "started": instant(summary.started),
        "finished": None if summary.finished is None else instant(summary.finished),
        "targets": summary.targets,
        "counts": dict(summary.counts),
        "planned": summary.planned,
        "interrupted": summary.interrupted,
        "problem": summary.problem,
    }


@click.command()
@click.argument("run", shell_complete=complete.runs)
@options.limit
@options.format_
@options.output
@options.state
def report(run: str, limit: str | None, format_: str, outputs: tuple[Path, ...], state: Path | None) -> int:
    """Draw a run again. RUN is its id, or last. With -l every step of those hosts is shown."""
    forms = options.output_forms(outputs)
    found = History(state or default_state()).run(run)
    chosen = _select(found, limit)

    def show(whole: Run) -> str:
        if limit is None:
            show_all = carry.show_readiness if is_sweep(whole) else carry.show_table
            return _heading(whole) + show_all(whole) + _archive(whole)
        return _heading(whole) + "\n".join(terminal.details(whole, chosen)) + "\n"

    click.echo(carry.render(found, format_, show), nl=False)
    carry.write_outputs(found, forms, show)
    return carry.exit_code_of(found)


def _heading(run: Run) -> str:
    title = f"{run.header.get('name', '')} · {run.header.get('title', '')}"
    return f"{printable(title)}\n{instant(run.started)}  {printable(str(run.header['command']))}\n\n"


def _archive(run: Run) -> str:
    """Where what was collected is, of a run that did."""
    collect = run.header.get("collect")
    return f"Archive: {printable(str(collect['archive']))}\n" if collect else ""


def _select(run: Run, limit: str | None) -> list[str]:
    """Hosts of a run by name, glob or list; groups are not known to a journal."""
    if limit is None or limit == "all":
        return list(run.targets)
    import fnmatch

    patterns = [part for part in limit.split(",") if part]
    chosen = [name for name in run.targets if any(fnmatch.fnmatchcase(name, part) for part in patterns)]
    if not chosen:
        raise SelectionError(f"no host of run {run.id} matches -l {limit}; names, globs and commas work here")
    return chosen
