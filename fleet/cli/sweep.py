"""``fleet sweep``: is every host ready for tonight, and if not, why and what to do."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fleet import api
from fleet.cli import carry, complete, options
from fleet.engine.prepare import Settings, execution
from fleet.journal import History, Run, default_state
from fleet.report import compare
from fleet.report.readiness import readiness

if TYPE_CHECKING:
    from fleet.catalog import Catalog
    from fleet.catalog.waivers import WaiverEntry


@click.command()
@click.argument("profile", default="azure-vm", shell_complete=complete.names_of("profile"))
@options.compose(
    options.inventory,
    options.limit,
    options.params,
    options.names("--only", "Run only these checks of the profile."),
    options.names("--skip", "Leave these checks out."),
)
@click.option(
    "--waivers", type=click.Path(path_type=Path), help="File of findings that somebody answers for."
)
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warning", "never"]),
    default="error",
    show_default=True,
    help="Mildest finding that makes the exit code 1; never: it is 0 whatever was found.",
)
@click.option("-q", "--quiet", is_flag=True, help="No progress; print nothing where the exit code is 0.")
@options.compose(
    options.workers,
    options.timeout,
    options.format_,
    options.output,
    options.state,
    options.scripts,
)
def sweep(
    profile: str,
    *,
    inventories: tuple[Path, ...],
    limit: str | None,
    params: tuple[str, ...],
    only: tuple[str, ...],
    skip: tuple[str, ...],
    waivers: Path | None,
    fail_on: str,
    quiet: bool,
    format_: str,
    outputs: tuple[Path, ...],
    state: Path | None,
    scripts: tuple[Path, ...],
    **chosen: Any,
) -> int:
    """Run all checks of a profile on every selected host and say which are ready.

    PROFILE is one of ``fleet list --kind profile``; the default is azure-vm. Nothing is changed. A host that
    can't be looked at is never ready. ``-p`` sets a threshold of every check that has it.
    """
    forms = options.output_forms(outputs)
    values = options.parse_params(params)
    catalog = api.load_catalog(*scripts)
    waived = _waivers(waivers, catalog)
    everyone = options.load_hosts(inventories)
    plan = api.sweep_plan(
        profile,
        everyone.select("all" if limit is None else limit),
        params=values,
        only=only,
        skip=skip,
        waivers=waived,
        everyone=everyone,
        reach=carry.reach(),
        limit="all" if limit is None else limit,
        fail_on=fail_on,
        catalog=catalog,
        text=True,
    )
    folder = state or default_state()
    started = execution(
        plan, "look", Settings(**chosen), state=folder, command=shlex.join(carry.command_line())
    )
    words = () if state is None else ("--state", str(state))

    def show(run: Run) -> str:
        return carry.show_readiness(run) + _since_last(run, History(folder), words)

    return carry.carry_out(started, folder, format_, forms, show, quiet=quiet)


def _since_last(run: Run, history: History, words: tuple[str, ...]) -> str:
    """What changed since the same command ran before, as every evening; nothing where nothing did."""
    command = str(run.header["command"])
    before = next(
        (
            each
            for each in history.runs()
            if each.command == command and each.started < run.started and each.finished and not each.problem
        ),
        None,
    )
    if before is None:
        return ""
    found = compare.compare(readiness(history.run(before.id)), readiness(run))
    if not (found.new or found.lost or found.fixed):
        return ""
    told = f"New since {before.id}: {len(found.new)}, fixed: {len(found.fixed)}"
    told += f", not known any more: {len(found.lost)}" if found.lost else ""
    return f"{told}\n  {shlex.join(['fleet', 'diff', *words, before.id, run.id])}\n"


def _waivers(path: Path | None, catalog: Catalog) -> list[WaiverEntry]:
    if path is None:
        return []
    from fleet.catalog import waivers

    return waivers.load(path, catalog)
