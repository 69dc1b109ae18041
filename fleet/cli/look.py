"""``fleet ping`` and ``fleet check``: look, change nothing."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import click

from fleet import api
from fleet.cli import carry, complete, options
from fleet.engine.prepare import Settings, execution
from fleet.engine.verdict import EXIT_FAILED, EXIT_FINE
from fleet.journal import History, Run, default_state
from fleet.model import Outcome, Result
from fleet.report import terminal

_looking = options.compose(
    options.inventory,
    options.limit,
    options.workers,
    options.timeout,
    options.format_,
    options.output,
    options.state,
    options.scripts,
)


@click.command()
@_looking
def ping(**chosen: Any) -> int:
    """Connect and run the self-test of the frame on every host.

    Says which system and shell answered, with which rights, and how far its clock is off.
    """
    return _look("ping", {}, show_ping, judge=_probes_intact, **chosen)


@click.command()
@click.argument("name", shell_complete=complete.names_of("check"))
@options.params
@_looking
def check(name: str, params: tuple[str, ...], **chosen: Any) -> int:
    """Run one check on the selected hosts. NAME is a check of ``fleet list``."""
    show = partial(show_check, scripts=chosen["scripts"])
    return _look(name, options.parse_params(params), show, **chosen)


def _look(
    name: str,
    params: dict[str, str],
    show: carry.Show,
    *,
    inventories: tuple[Path, ...],
    limit: str | None,
    workers: int,
    timeout: int | None,
    format_: str,
    outputs: tuple[Path, ...],
    state: Path | None,
    scripts: tuple[Path, ...],
    judge: Callable[[Run], bool] = lambda _run: True,
) -> int:
    forms = options.output_forms(outputs)
    catalog = api.load_catalog(*scripts)
    hosts = options.load_hosts(inventories).select("all" if limit is None else limit)
    plan = api.plan(name, hosts, params=params, catalog=catalog, text=True)
    if plan.procedure.rungs:
        raise click.UsageError(f"{name} is no check; make a plan with: fleet fix {name}")
    folder = state or default_state()
    started = execution(
        plan,
        "look",
        Settings(workers=workers, timeout=timeout),
        state=folder,
        command=shlex.join(carry.command_line()),
    )
    code = carry.carry_out(started, folder, format_, forms, show)
    if code == EXIT_FINE and not judge(History(folder).run(started.header.id)):
        return EXIT_FAILED
    return code


def show_check(run: Run, scripts: tuple[Path, ...] = ()) -> str:
    """The table, and which runbooks answer a failed check."""
    text = carry.show_table(run)
    failed = [line.host for line in terminal.host_lines(run) if line.outcome is Outcome.FAILED]
    if failed:
        catalog = api.load_catalog(*scripts)
        name = str(run.header["name"])
        for runbook in catalog.runbooks.values():
            if runbook.detect == name and runbook.ladder:
                hosts = "all" if len(failed) == len(run.targets) else ",".join(failed)
                command = ["fleet", "fix", runbook.id, *carry.reach(), "-l", hosts]
                text += f"Next: {shlex.join(command)}\n"
    return text


def show_ping(run: Run) -> str:
    """The table, each answer with the skew of its clock and its round trip."""
    by_host = {result.host: result for result in run.results}
    lines, took = [], dict[str, list[float]]()
    for line in terminal.host_lines(run):
        result = by_host.get(line.host)
        if result is not None and line.outcome is Outcome.OK:
            parts = [line.message, *_skew(result)]
            if not _probe_intact(result):
                parts.append("BUT a value came back changed: don't use fleet on it, and report this")
            line = terminal.HostLine(line.host, line.outcome, ", ".join(parts))
            alike = line.message if len(run.targets) > _EACH_BY_ITSELF else line.host
            took.setdefault(alike, []).append(result.seconds * 1000)
        lines.append(line)
    lines = [_with_time(line, took) for line in lines]
    words = {line.host: line.outcome for line in lines}
    body = terminal.table(lines, carry.paint)
    return body + "\n" + "\n".join(terminal.closing(run, words)) + "\n"


_EACH_BY_ITSELF = 24
"""Hosts; of more than that those that say the same share a line, and a range of round trips."""


def _with_time(line: terminal.HostLine, took: Mapping[str, list[float]]) -> terminal.HostLine:
    times = took.get(line.host) or took.get(line.message)
    if times is None or line.outcome is not Outcome.OK:
        return line
    low, high = f"{min(times):.0f}", f"{max(times):.0f}"
    span = low if low == high else f"{low}-{high}"
    return terminal.HostLine(line.host, line.outcome, f"{line.message}, {span} ms")


_SLACK = 0.5
"""Seconds between our looking at the clock and the script's start that are not the guest's fault."""


def _skew(result: Result) -> list[str]:
    """How far the guest's clock is off, as far as whole seconds tell."""
    epoch = result.data.get("epoch")
    if isinstance(epoch, bool) or not isinstance(epoch, int):
        return []
    began = result.started.timestamp() - _SLACK
    ended = result.started.timestamp() + result.seconds + _SLACK
    skew = min(0.0, epoch + 1 - began) + max(0.0, epoch - ended)
    return ["clock right" if skew == 0 else f"clock {skew:+.0f} s"]


def _probes_intact(run: Run) -> bool:
    return all(_probe_intact(result) for result in run.results if result.outcome is Outcome.OK)


def _probe_intact(result: Result) -> bool:
    sent = api.load_catalog().snippet("ping").params["probe"].default
    return bool(result.data.get("probe") == sent)
