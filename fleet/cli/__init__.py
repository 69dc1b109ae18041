"""The command line: words, prompts, progress and exit codes. Everything it does is ``fleet.api``."""

from fleet.cli.main import main

__all__ = ["main"]
