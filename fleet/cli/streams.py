"""Standard streams in bad shape: closed, full, hung up, or unable to say a character."""

from __future__ import annotations

import contextlib
import io
import os
import sys

import click

from fleet.errors import FleetError
from fleet.model import printable


class OutputError(FleetError):
    """Standard output can't be written; ``reader_gone`` where its reader simply had enough."""

    def __init__(self, error: OSError) -> None:
        self.reader_gone = isinstance(error, BrokenPipeError)
        place = f"{error.filename}: " if error.filename else "the output can't be written: "
        super().__init__(f"{place}{error.strerror or error}")


def mend() -> None:
    """Make every standard stream one that can be written to.

    In place of a closed one the null device is opened: otherwise the next file or connection gets its
    number, and with it what is meant for a terminal.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a host may have a name this terminal can't show


def drop_output() -> None:
    """Let what is still buffered for standard output go nowhere, so that leaving raises nothing."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(text: object) -> None:
    """One line for the operator on stderr; where that is gone too, nothing."""
    with contextlib.suppress(OSError):
        click.echo(f"fleet: {printable(str(text))}", err=True)
