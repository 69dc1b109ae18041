"""Options that several commands share, each defined once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from fleet.cli import complete
from fleet.errors import ParameterError, SelectionError, UsageError
from fleet.model import Risk, printable
from fleet.report import forms

if TYPE_CHECKING:
    from fleet.inventory import Inventory

F = TypeVar("F", bound=Callable[..., Any])

FORMATS = ("terminal", *forms.FORMS)
LIST_FORMATS = ("terminal", "json", "ndjson")
SUFFIXES = {**forms.SUFFIXES, ".txt": "terminal"}
MAX_PARAMETER_FILE = 16 * 1_048_576

inventory = click.option(
    "-i",
    "--inventory",
    "inventories",
    multiple=True,
    type=click.Path(path_type=Path),
    envvar="FLEET_INVENTORY",
    help="Inventory file: Ansible YAML or INI, CSV, or az vm list -d -o json. Repeatable.",
)
limit = click.option(
    "-l",
    "--limit",
    metavar="PATTERN",
    help="Which hosts: 'web:&prod:!db01', '*', '~regex', all.",
    shell_complete=complete.pattern,
)
params = click.option(
    "-p",
    "--param",
    "params",
    multiple=True,
    metavar="NAME=VALUE",
    help="A parameter; NAME=@FILE reads the value.",
)
allow = click.option(
    "--allow",
    type=click.Choice([risk.value for risk in Risk]),
    default=Risk.SAFE.value,
    show_default=True,
    help="Highest risk that may be carried out; what is above it is held.",
)
workers = click.option(
    "--workers", type=click.IntRange(1, 500), default=32, show_default=True, help="Hosts at once."
)
timeout = click.option(
    "--timeout",
    type=click.IntRange(1, 86_400),
    metavar="S",
    help="Seconds for each script, instead of its own limit.",
)


def _format(choices: tuple[str, ...]) -> Callable[[F], F]:
    return click.option(
        "--format",
        "format_",
        type=click.Choice(choices),
        default="terminal",
        show_default=True,
        help="Form of the output.",
    )


format_ = _format(FORMATS)
list_format = _format(LIST_FORMATS)
"""For what is no run."""
output = click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    type=click.Path(path_type=Path),
    help=f"Write a report too, its form by suffix: {' '.join(SUFFIXES)}. Repeatable.",
)
state = click.option(
    "--state",
    type=click.Path(path_type=Path),
    envvar="FLEET_STATE",
    help="Folder of the journal; default: the platform's folder for state.",
)
scripts = click.option(
    "--scripts",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A folder with more snippets and runbooks. Repeatable.",
)


def compose(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Several options as one decorator, in the order of ``--help``."""

    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def names(option: str, about: str) -> Callable[[F], F]:
    """An option that takes names, with commas between them or given again."""

    def split(_context: click.Context, _option: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name.strip() for each in given for name in each.split(",") if name.strip())

    return click.option(option, multiple=True, metavar="NAMES", callback=split, help=f"{about} Repeatable.")


def parse_params(items: tuple[str, ...]) -> dict[str, str]:
    """``NAME=VALUE`` and ``NAME=@FILE`` as text by name."""
    values: dict[str, str] = {}
    for item in items:
        name, mark, value = item.partition("=")
        if not mark or not name:
            raise ParameterError(f'-p takes NAME=VALUE, not "{item[:60]}"')
        if name in values:
            raise ParameterError(f"-p {name} is given twice")
        values[name] = _read_parameter(name, Path(value[1:])) if value.startswith("@") else value
    return values


def _read_parameter(name: str, path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_PARAMETER_FILE + 1)
        if len(data) > MAX_PARAMETER_FILE:
            raise ParameterError(f"-p {name}: {path} has more than {MAX_PARAMETER_FILE:,} bytes")
        return data.decode("utf-8")
    except OSError as error:
        raise ParameterError(f"-p {name}: {path} can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ParameterError(f"-p {name}: {path} is not UTF-8 text") from None


def load_hosts(paths: tuple[Path, ...]) -> Inventory:
    """Read the inventory, or say how to name one; what it noticed goes to stderr."""
    if not paths:
        raise UsageError("no inventory: name one with -i FILE, or set FLEET_INVENTORY")
    from fleet import api

    found = api.load_inventory(*paths)
    for note in found.notes:
        click.echo(f"fleet: note: {printable(note)}", err=True)
    return found


def require_limit(command: str, limit: str | None, total: int, paths: tuple[Path, ...]) -> str:
    """There is no default "all" for what changes guests."""
    if limit is None:
        names = ", ".join(path.name for path in paths)
        raise SelectionError(
            f"{command} needs -l/--limit: say which hosts, or -l all for the {total} of {names}"
        )
    return limit


def output_forms(outputs: tuple[Path, ...]) -> dict[Path, str]:
    """The form of each report file, by its suffix; found out before anything is contacted."""
    forms = {}
    for path in outputs:
        if path.suffix not in SUFFIXES:
            raise UsageError(f"-o {path}: the suffix says the form; use one of {' '.join(SUFFIXES)}")
        if not path.parent.is_dir():
            raise UsageError(f"-o {path}: there is no folder {path.parent}")
        forms[path] = SUFFIXES[path.suffix]
    return forms
