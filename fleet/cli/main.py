"""The command group, loaded piece by piece, and the one place where errors become words."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

from fleet import __version__
from fleet.engine.verdict import EXIT_INTERRUPTED, EXIT_NOT_KNOWN, EXIT_USAGE
from fleet.errors import FleetError, UsageError, UsageErrors
from fleet.model import printable

_COMMANDS = {
    "hosts": "fleet.cli.library:hosts",
    "ping": "fleet.cli.look:ping",
    "list": "fleet.cli.library:list_",
    "show": "fleet.cli.library:show",
    "explain": "fleet.cli.explain:explain",
    "check": "fleet.cli.look:check",
    "sweep": "fleet.cli.sweep:sweep",
    "fix": "fleet.cli.fix:fix",
    "apply": "fleet.cli.fix:apply",
    "runs": "fleet.cli.history:runs",
    "report": "fleet.cli.history:report",
    "diff": "fleet.cli.diff:diff",
    "demo": "fleet.cli.demo:demo",
    "lab": "fleet.cli.demo:lab",
    "completion": "fleet.cli.completion:completion",
}
"""Where each command lives; a module is imported when its command is used."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's signature)
        """In the order of use, not of the alphabet."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the command's module."""
        if cmd_name not in _COMMANDS:
            return None
        module, name = _COMMANDS[cmd_name].split(":")
        command = getattr(import_module(module), name)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Suggest what was probably meant."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            from fleet.catalog.files import suggestion

            close = suggestion(args[0], _COMMANDS)
            raise click.UsageError(
                f'there is no command "{args[0]}"{close or "; see fleet --help"}'
            ) from None


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80})
@click.version_option(__version__, prog_name="fleet")
def cli() -> None:
    """Remedy Windows and Linux fleets in the guest, over WinRM and SSH.

    Nothing is changed without --apply. Exit codes: 0 all fine; 1 some failed; 2 wrong use, nothing was
    contacted; 3 the truth about some host is missing; 4 only held steps left; 130 interrupted.
    """


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and give its exit code; no traceback reaches the user."""
    try:
        code = cli.main(args=argv, prog_name="fleet", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        _say(error.format_message())
        return EXIT_USAGE
    except (click.Abort, KeyboardInterrupt):
        _say("interrupted")
        return EXIT_INTERRUPTED
    except FleetError as error:
        _say_error(error)
        return EXIT_USAGE if isinstance(error, UsageError) else EXIT_NOT_KNOWN
    except BrokenPipeError:
        # The reader (head, less) went away; what it wanted, it has.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _say_error(error: FleetError) -> None:
    if isinstance(error, UsageErrors):
        for each in error.errors:
            click.echo(printable(str(each)), err=True)
    elif isinstance(error, UsageError) and error.place is not None:
        click.echo(printable(str(error)), err=True)
    else:
        _say(str(error))


def _say(text: Any) -> None:
    click.echo(f"fleet: {printable(str(text))}", err=True)
