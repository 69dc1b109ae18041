"""docs/bundles.md: its commands are run in the lab it was written with, and print what it says."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

DOCS = Path(__file__).resolve().parents[2] / "docs"


def show_bundle() -> ModuleType:
    specification = importlib.util.spec_from_file_location("show_bundle", DOCS / "show_bundle.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def plain(text: str) -> str:
    """Without what differs from run to run, or as a bundle grows: hashes, ids, sizes, counts, line ends."""
    text = re.sub(r"\b[0-9a-f]{64}\b", "SHA-256", text)
    text = re.sub(r"\b\d{8}-\d{4}-\w\w\b", "RUN", text)
    text = re.sub(r"\b[\d.]+ (?:bytes|kB)", "SIZE", text)
    text = re.sub(r"\b\d+ (files|missing|more)", r"NUMBER \1", text)
    return " ".join(text.split())


def test_its_commands_print_what_it_says(tmp_path: Path) -> None:
    page = show_bundle()
    commands = list(page.shown())
    assert len(commands) == 2
    with page.lab(tmp_path):
        for command, output in commands:
            assert plain(page.carry_out(command, tmp_path)) == plain(output), command
