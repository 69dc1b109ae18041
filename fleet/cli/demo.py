"""``fleet demo`` and ``fleet lab``: simulated guests on this machine, to watch and to practise on."""

from __future__ import annotations

from pathlib import Path

import click

_folder = click.option(
    "--folder",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="New folder for everything the lab writes.  [default: a temporary folder, which is kept]",
)


@click.command()
@_folder
def demo(folder: Path | None) -> int:
    """Find and mend planted faults in a simulated fleet on this machine.

    Ping, check, plan, apply, check again, report: less than a minute, no privileges, and nothing is written
    outside its folder.
    """
    from fleet.cli import stage

    return stage.play(folder)


@click.command()
@_folder
def lab(folder: Path | None) -> int:
    """Keep a simulated fleet running until you stop it with Ctrl-C.

    The same guests and faults as in the demo, with an inventory to try every command on.
    """
    from fleet.cli import stage

    return stage.keep_running(folder)
