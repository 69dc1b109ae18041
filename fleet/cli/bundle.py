"""``fleet bundle``: check an archive, and turn pseudonyms back. Contacts nobody."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from fleet.cli import options
from fleet.cli.streams import say
from fleet.engine.verdict import EXIT_FAILED, EXIT_FINE
from fleet.errors import UsageError
from fleet.journal import default_state
from fleet.model import printable
from fleet.report.sizes import in_bytes


@click.group()
def bundle() -> None:
    """Look after archives that ``fleet collect`` wrote."""


@bundle.command()
@click.argument("file", type=click.Path(path_type=Path))
def verify(file: Path) -> int:
    """Whether an archive is whole and holds what its manifest says.

    Compare the SHA-256 of the manifest with the one that fleet collect printed: then nobody changed it.
    Exit code 1 where something is wrong.
    """
    from fleet.bundle.verify import verify as check

    found = check(file)
    for problem in found.problems:
        click.echo(problem)
    if found.problems:
        number = len(found.problems)
        click.echo(f"{file}: NOT whole: {number} {'problem' if number == 1 else 'problems'}")
        return EXIT_FAILED
    files = f"{found.files} {'file' if found.files == 1 else 'files'}"
    click.echo(f"{file}: whole: {files}, {in_bytes(found.size)}, each as its manifest says")
    if found.partial is not None:
        click.echo(f"It is partial, as it says itself: {found.partial}")
    click.echo(f"SHA-256 of the manifest: {found.manifest_sha256}")
    return EXIT_FINE


@bundle.command()
@click.argument("text")
@click.option(
    "--map",
    "map_",
    type=click.Path(path_type=Path),
    help="The map that fleet collect named; default: the newest in the state folder.",
)
@options.state
def reveal(text: str, map_: Path | None, state: Path | None) -> None:
    """Turn the pseudonyms in a text back; TEXT may be - for standard input."""
    from fleet.bundle import pseudonyms

    path = map_ or _newest(state or default_state())
    known = pseudonyms.load(path)
    if map_ is None:
        say(f"with {path}")
    if text != "-":
        click.echo(printable(known.reveal(text)))
        return
    for line in sys.stdin:
        shown = known.reveal(line)
        click.echo(printable(shown) if sys.stdout.isatty() else shown, nl=False)


def _newest(state: Path) -> Path:
    maps = sorted((state / "bundles").glob("*.map"), key=lambda path: (path.stat().st_mtime, path.name))
    if not maps:
        raise UsageError(f"there is no map in {state / 'bundles'}; name one: --map FILE")
    return maps[-1]
