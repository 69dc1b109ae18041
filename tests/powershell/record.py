"""Which file of scripts/ps passed which tests on which engine, and which files changed since."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from tests.powershell.engine import Engine

FOLDER = Path(__file__).parents[2] / "scripts" / "ps"
FILE = FOLDER.parent / "verified.json"
FRAME = ("_bootstrap.ps1", "_frame.ps1.j2", "_library.ps1")
"""What every script runs in: a snippet counts as proved only together with these as they were."""

_Key = tuple[str, str]
"""File and engine."""
_passed: dict[_Key, set[str]] = defaultdict(set)
_failed: set[_Key] = set()
_covered: dict[str, list[_Key]] = {}


def covers(item: Any, engine: Engine, files: tuple[str, ...]) -> None:
    """Say that a test runs these files on that engine."""
    name = f"PowerShell {engine.version} on {engine.platform}"
    _covered.setdefault(item.nodeid, []).extend((file, name) for file in files)


def note(item: pytest.Item, report: pytest.TestReport) -> None:
    """Take down how a part of a test ended."""
    for key in _covered.get(item.nodeid, []):
        if report.failed:
            _failed.add(key)
        elif report.when == "call" and report.passed:
            _passed[key].add(item.nodeid.removeprefix("tests/powershell/"))


def digests() -> dict[str, str]:
    """SHA-256 of every file that can reach a guest, by name."""
    files = sorted(path for path in FOLDER.iterdir() if path.suffix in {".ps1", ".j2"})
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


_at_start = digests()
"""A file that was edited while the tests ran has not been tested."""


def write() -> None:
    """Bring the record up to date with what this session proved."""
    now, old = digests(), _read()
    frame = _frame(now)
    entries: dict[str, Any] = {}
    for name, digest in now.items():
        kept = old.get(name, {})
        same = kept.get("sha256") == digest and kept.get("frame") == frame
        tested = _at_start.get(name) == digest and _frame(_at_start) == frame
        passed: dict[str, list[str]] = dict(kept["passed"]) if same else {}
        for (file, engine), tests in _passed.items():
            if file == name and tested:
                passed[engine] = sorted(tests)
        for file, engine in _failed:
            if file == name:
                passed.pop(engine, None)
        entries[name] = {"sha256": digest, "frame": frame, "passed": dict(sorted(passed.items()))}
    FILE.write_text(json.dumps(entries, indent=1) + "\n", "ascii")


def summary() -> list[str]:
    """Say how many files are proved as they are, and name those that are not."""
    now, old = digests(), _read()
    frame = _frame(now)
    engines: dict[str, int] = defaultdict(int)
    stale = []
    for name, digest in now.items():
        entry = old.get(name, {})
        if entry.get("sha256") != digest or entry.get("frame") != frame or not entry["passed"]:
            stale.append(name)
            continue
        for engine in entry["passed"]:
            engines[engine] += 1
    lines = [
        f"{engine}: {count} of {len(now)} files passed as they are now"
        for engine, count in sorted(engines.items())
    ]
    if stale:
        lines.append(f"{len(stale)} changed since an engine passed them: {', '.join(stale)}")
        lines.append("where there is an engine, ./dev test --record brings scripts/verified.json up to date")
    return lines


def _frame(now: dict[str, str]) -> str:
    return hashlib.sha256("".join(now[name] for name in FRAME).encode()).hexdigest()


def _read() -> dict[str, Any]:
    if not FILE.is_file():
        return {}
    found: dict[str, Any] = json.loads(FILE.read_text("ascii"))
    return found
