"""The type checker keeps guest data and secrets out of program text."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from mypy import api

ROOT = Path(__file__).resolve().parents[1]
CASES = ROOT / "tests" / "typing" / "untrusted_in_render.py"


def test_guest_data_and_secrets_are_rejected_where_text_becomes_code(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(ROOT)
    said, errors, _ = api.run(
        ["--strict", "--cache-dir", str(tmp_path), "--follow-imports=silent", str(CASES)]
    )
    assert errors == ""
    rejected = {
        int(line)
        for line in re.findall(r"untrusted_in_render\.py:(\d+): error: .*\[(?:arg-type|dict-item)\]", said)
    }
    marked = {number for number, line in enumerate(CASES.read_text().splitlines(), 1) if "# rejected" in line}
    assert rejected == marked, said
