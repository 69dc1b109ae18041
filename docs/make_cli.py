"""Writes docs/cli.md: every command's own help, so that document and program can't disagree."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from fleet.cli.main import cli

TARGET = Path(__file__).with_name("cli.md")

HEAD = """\
# Commands

Written by `./dev docs` from the help of the commands; a test compares the two.
"""


def visible(group: click.Group, context: click.Context) -> Iterator[tuple[str, click.Command]]:
    """Commands of a group that its help lists."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is not None and not command.hidden:
            yield name, command


def sections(command: click.Command, name: str, parent: click.Context | None = None) -> Iterator[str]:
    """One section a command, its own commands after it."""
    context = click.Context(
        command,
        info_name=name,
        parent=parent,
        terminal_width=96,
        max_content_width=96,
        help_option_names=cli.context_settings["help_option_names"],
    )
    lines = (line.rstrip() for line in command.get_help(context).splitlines())
    yield f"## {context.command_path}\n\n```text\n" + "\n".join(lines) + "\n```\n"
    if isinstance(command, click.Group):
        for child, below in visible(command, context):
            yield from sections(below, child, context)


def document() -> str:
    """The whole file."""
    return "\n".join([HEAD, *sections(cli, "fleet")])


if __name__ == "__main__":
    TARGET.write_text(document(), "utf-8")
