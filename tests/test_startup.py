"""Commands that contact nobody load nothing that is needed to contact somebody.

What is loaded is asserted, not how long it took: that holds on every machine.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

HEAVY = {
    "cryptography",
    "fabric",
    "invoke",
    "jinja2",
    "paramiko",
    "requests",
    "rich",
    "spnego",
    "urllib3",
    "winrm",
}

RUN_AND_LIST = """
import json, sys
from fleet.cli import main
code = main(json.loads(sys.argv[1]))
print()
print(json.dumps({"code": code, "modules": sorted({name.split(".")[0] for name in sys.modules})}))
"""


def loaded_by(*arguments: str) -> set[str]:
    """Top-level modules in the process after the command; the command has to succeed."""
    finished = subprocess.run(
        [sys.executable, "-c", RUN_AND_LIST, json.dumps(arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    report = json.loads(finished.stdout.splitlines()[-1])
    assert report["code"] == 0, finished.stdout + finished.stderr
    return set(report["modules"])


@pytest.mark.parametrize(
    "arguments",
    [
        ("--version",),
        ("list",),
        ("list", "--kind", "remedy"),
        ("show", "vss-writers"),
        ("show", "azvm-vss-writer-bad-state"),
        ("explain", "ExtensionFailedVssWriterInBadState"),
        ("explain", "UserErrorFsFreezeFailed"),
        ("hosts", "-i", str(ROOT / "inventory/minimal.yaml")),
    ],
    ids=" ".join,
)
def test_a_command_that_contacts_nobody_loads_no_library_for_contact(arguments: tuple[str, ...]) -> None:
    assert loaded_by(*arguments) & HEAVY == set()


def test_the_help_imports_every_command_and_still_no_library_for_contact() -> None:
    """Commands that render bring Jinja2; that is the only one, and costs 30 ms."""
    assert loaded_by("--help") & HEAVY <= {"jinja2"}
