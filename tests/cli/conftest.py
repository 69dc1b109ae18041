"""The command line as a person uses it, on this machine, with a small library of snippets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from fleet.cli import main

CHECK = """\
#!/bin/sh
# /// fleet
# kind = "check"
# title = "The flag file is there"
# severity = "error"
# timeout = 20
# [params.path]
# type = "str"
# default = "/flag"
# about = "The flag file"
# ///
[ -e "$root$path" ] || fail "no flag at $path"
ok "the flag is there"
"""

REMEDY = """\
#!/bin/sh
# /// fleet
# kind = "remedy"
# title = "Make the flag file"
# risk = "service-interruption"
# idempotent = "yes"
# timeout = 20
# undo_note = "remove the file"
# [params.path]
# type = "str"
# default = "/flag"
# about = "The flag file"
# [params.tries]
# type = "int"
# default = 1
# maximum = 5
# about = "How often"
# ///
if [ -e "$root$path" ]; then ok "it is there"; exit 0; fi
if [ "$check" = 1 ]; then changed "would make $path"; exit 0; fi
: > "$root$path"
changed "made $path"
"""

RUNBOOK = """\
id: test-flag
title: The flag is missing
codes: [FlagMissing]
os: linux
about: Nothing set the flag.
detect: flag-is-set
ladder:
  - remedy: set-flag
outside: [start a backup from the portal]
sources: [{document: none, edition: "2026"}]
"""


@dataclass(frozen=True)
class Ran:
    """What a command printed and returned."""

    code: int
    out: str
    err: str


Fleet = Callable[..., Ran]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The guest's file system: a folder."""
    folder = tmp_path / "root"
    folder.mkdir()
    monkeypatch.setenv("FLEET_ROOT", str(folder))
    return folder


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """A user's own snippets: a check, a remedy, and the runbook that ties them."""
    folder = tmp_path / "scripts"
    for name, text in (
        ("sh/flag-is-set.sh", CHECK),
        ("sh/set-flag.sh", REMEDY),
        ("runbooks/test-flag.yaml", RUNBOOK),
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    """This machine, under two names."""
    path = tmp_path / "inv.yaml"
    path.write_text(
        "all:\n"
        "  hosts:\n"
        "    here1: {ansible_connection: local, ansible_host: localhost}\n"
        "    here2: {ansible_connection: local, ansible_host: localhost}\n"
    )
    return path


@pytest.fixture
def fleet(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Fleet:
    """Run a command line: ``fleet("hosts", "-i", path)``."""
    monkeypatch.setenv("FLEET_STATE", str(tmp_path / "state"))

    def run(*words: object) -> Ran:
        argv = [str(word) for word in words]
        monkeypatch.setattr("sys.argv", ["fleet", *argv])
        capsys.readouterr()
        code = main(argv)
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run
