"""``fleet completion``: the script that makes a shell complete fleet's commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell; evaluate it in the shell's start file.

    bash: eval "$(fleet completion bash)"
    """
    from fleet.cli.main import cli

    completer = get_completion_class(shell)
    assert completer is not None
    click.echo(completer(cli, {}, "fleet", "_FLEET_COMPLETE").source())
