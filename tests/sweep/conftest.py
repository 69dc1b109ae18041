"""The command line on this machine, with a small library of snippets, as the tests of the CLI have it."""

from tests.cli.conftest import fleet, inventory, root, scripts

__all__ = ["fleet", "inventory", "root", "scripts"]
