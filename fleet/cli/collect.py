"""``fleet collect``: what a support case needs from every host, in one archive."""

from __future__ import annotations

import re
import shlex
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from fleet import api
from fleet.bundle.cleaning import Level
from fleet.bundle.collection import Collection, Terms
from fleet.cli import carry, complete, options, streams
from fleet.engine.prepare import Settings
from fleet.errors import UsageError
from fleet.journal import Run, default_state
from fleet.report import collected

_AGE = re.compile(r"(\d{1,5})([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SIZE = re.compile(r"(\d{1,9})([KMGT]?)(?:i?B)?", re.IGNORECASE)


class _Age(click.ParamType[timedelta]):
    name = "age"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """``90m``, ``24h``, ``7d`` or ``2w``; at most ten years."""
        found = _AGE.fullmatch(value)
        age = timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else timedelta()
        if not timedelta() < age <= timedelta(days=3660):
            self.fail(f'takes an age such as 90m, 24h, 7d or 2w, not "{value[:40]}"', param, ctx)
        return age


class _Size(click.ParamType[int]):
    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """``500M`` or ``2G``, of 1,024 each."""
        found = _SIZE.fullmatch(value)
        size = int(found[1]) * 1024 ** " KMGT".index(found[2].upper() or " ") if found else 0
        if not 1024**2 <= size <= 1024**5:
            self.fail(f'takes a size such as 500M or 2G, from 1M on, not "{value[:40]}"', param, ctx)
        return size


@click.command()
@click.argument("bundle", required=False, shell_complete=complete.names_of("bundle"))
@options.compose(options.inventory, options.limit)
@click.option("--since", type=_Age(), metavar="AGE", help="Only what is newer: 90m, 24h, 7d. Default: all.")
@click.option(
    "--max-size",
    type=_Size(),
    default="2G",
    show_default=True,
    metavar="SIZE",
    help="Of all that is fetched, deflated; a host's own limit is its bundle's.",
)
@click.option(
    "--redact",
    type=click.Choice([level.value for level in Level]),
    default=Level.SECRETS.value,
    show_default=True,
    help="What is replaced: nothing, secrets, or names and addresses too.",
)
@options.compose(options.workers, options.timeout, options.format_)
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    type=click.Path(path_type=Path),
    help=f"The archive, .zip; default: case-TIME.zip. Or a report: {' '.join(options.SUFFIXES)}. Repeatable.",
)
@options.compose(options.state, options.scripts)
def collect(
    bundle: str | None,
    *,
    inventories: tuple[Path, ...],
    limit: str | None,
    since: timedelta | None,
    max_size: int,
    redact: str,
    format_: str,
    outputs: tuple[Path, ...],
    state: Path | None,
    scripts: tuple[Path, ...],
    **chosen: Any,
) -> int:
    """Bring logs, events and settings of every selected host into one archive.

    BUNDLE is one of ``fleet list --kind bundle``; the default is azure-vm-linux or azure-vm-windows, as a
    host is. Nothing is changed in a guest and nothing stays there. Keys and credentials are never taken, and
    secrets in what is taken are masked. Ctrl-C ends it early and keeps what came.
    """
    path, reports = _outputs(outputs)
    catalog = api.load_catalog(*scripts)
    hosts = options.load_hosts(inventories).select("all" if limit is None else limit)
    folder = state or default_state()
    collection = Collection(
        catalog,
        bundle,
        hosts,
        Terms(Level(redact), since, max_size, Settings(**chosen)),
        state=folder,
        command=shlex.join(carry.command_line()),
        path=path,
    )
    with collection:

        def show(run: Run) -> str:
            return collected.to_text(run, collection.summary(), carry.paint)

        def finish(run: Run) -> None:
            collection.finish(run)
            if format_ != "terminal":  # whose text says all this
                for line in collected.archive_lines(collection.summary()):
                    streams.say(line)

        return carry.carry_out(collection.execution, folder, format_, reports, show, finish=finish)


def _outputs(outputs: tuple[Path, ...]) -> tuple[Path | None, dict[Path, str]]:
    """The archive's path, and the reports with their forms."""
    archives = [path for path in outputs if path.suffix == ".zip"]
    if len(archives) > 1:
        raise UsageError(f"-o {archives[1]}: a run writes one archive, and that is {archives[0]}")
    for path in outputs:
        if path.suffix != ".zip" and path.suffix not in options.SUFFIXES:
            words = " ".join(options.SUFFIXES)
            raise UsageError(f"-o {path}: the suffix says the form; use .zip for the archive, {words}")
        if not path.parent.is_dir():
            raise UsageError(f"-o {path}: there is no folder {path.parent}")
    reports = options.output_forms(tuple(path for path in outputs if path.suffix != ".zip"))
    return (archives[0] if archives else None), reports
