"""docs/readiness.md: its profile and its waivers file are loaded as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

from fleet.catalog import load, waivers
from fleet.model import Severity
from fleet.report.readiness import Verdict
from tests.catalog.support import CHECK, Folder

TEXT = (Path(__file__).resolve().parents[2] / "docs/readiness.md").read_text("utf-8")


def block(beginning: str) -> str:
    blocks: list[str] = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    return next(found for found in blocks if found.startswith(beginning))


def test_the_profile_is_loaded(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "mine")
    (folder.path / "profiles").mkdir()
    folder.write("profiles/tonight.yaml", block("id: tonight"))
    folder.write("sh/our-own-check.sh", CHECK)
    profile = load([folder.path]).profile("tonight")
    checks = {each.check: each for each in profile.checks}
    assert checks["system-load"].severity is Severity.ERROR
    assert checks["system-load"].params == {"max_load": 75, "load_seconds": 60}
    assert "waagent-selinux" not in checks
    assert "our-own-check" in checks


def test_the_waivers_are_loaded(tmp_path: Path) -> None:
    path = tmp_path / "waivers.yaml"
    path.write_text(block("waivers:"), "utf-8")
    (entry,) = waivers.load(path, load())
    assert (entry.check, entry.patterns, entry.owner) == ("strong-crypto", ("win-app",), "app-team")


def test_every_verdict_and_profile_is_in_it() -> None:
    for verdict in Verdict:
        assert f"| {verdict.words} |" in TEXT
    for name, profile in load().profiles.items():
        assert f"{name}" in TEXT
        assert profile.title in TEXT
