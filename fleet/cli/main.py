"""The command group, loaded piece by piece, and the one place where errors become words."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

from fleet import __version__
from fleet.cli import streams
from fleet.cli.streams import say
from fleet.engine.verdict import EXIT_FINE, EXIT_INTERRUPTED, EXIT_NOT_KNOWN, EXIT_USAGE
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
    "collect": "fleet.cli.collect:collect",
    "bundle": "fleet.cli.bundle:bundle",
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

    def invoke(self, ctx: click.Context) -> Any:
        """Keep errors of the output from click, for which a broken pipe is exit code 1: some failed."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except OSError as error:
            raise streams.OutputError(error) from error
        return result

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
    streams.mend()
    _dump_no_core()
    try:
        code = cli.main(args=argv, prog_name="fleet", standalone_mode=False)
        return code if isinstance(code, int) else EXIT_FINE
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return EXIT_USAGE
    except click.ClickException as error:
        say(_with_advice(error))
        return EXIT_USAGE
    except (click.Abort, KeyboardInterrupt):
        say("interrupted")
        return EXIT_INTERRUPTED
    except streams.OutputError as error:
        return _without_output(error)
    except OSError as error:
        return _without_output(streams.OutputError(error))
    except FleetError as error:
        _say_error(error)
        return EXIT_USAGE if isinstance(error, UsageError) else EXIT_NOT_KNOWN
    except Exception as error:  # noqa: BLE001 (the last resort of a person who has other worries)
        return _own_mistake(error)


def _dump_no_core() -> None:
    """A crash of the interpreter must not leave its memory, and the passwords in it, in a file."""
    try:
        import resource
    except ImportError:  # Windows writes no core files
        return
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, most))


def _with_advice(error: click.ClickException) -> str:
    """What click found wrong, and where the right words are."""
    message = error.format_message()
    if isinstance(error, click.UsageError) and error.ctx is not None:
        return f"{message.rstrip('.')}; see {error.ctx.command_path} --help"
    return message


def _without_output(error: streams.OutputError) -> int:
    streams.drop_output()
    if error.reader_gone:
        return EXIT_FINE  # head or less: what it wanted, it has
    say(error)
    return EXIT_NOT_KNOWN


def _own_mistake(error: Exception) -> int:
    if sys.flags.dev_mode:
        raise error
    last = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{last.filename.rpartition('/')[2]}:{last.lineno}"
    say(
        f"an error in fleet itself, {type(error).__name__} at {place}. What was done is kept: fleet runs. "
        "Please report it, with what PYTHONDEVMODE=1 shows"
    )
    return EXIT_NOT_KNOWN


def _say_error(error: FleetError) -> None:
    if isinstance(error, UsageErrors):
        for each in error.errors:
            click.echo(printable(str(each)), err=True)
    elif isinstance(error, UsageError) and error.place is not None:
        click.echo(printable(str(error)), err=True)
    else:
        say(error)
