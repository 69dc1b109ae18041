"""The type checker keeps guest data and secrets out of program text."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CASES = ROOT / "tests" / "typing" / "untrusted_in_render.py"


def test_guest_data_and_secrets_are_rejected_where_text_becomes_code(tmp_path: Path) -> None:
    # in a process of its own: mypy raises the limit of recursion, which other tests reach on purpose
    options = ["--strict", "--cache-dir", str(tmp_path), "--follow-imports=silent"]
    ended = subprocess.run(
        [sys.executable, "-m", "mypy", *options, str(CASES)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ended.stderr == ""
    complaint = r"untrusted_in_render\.py:(\d+): error: .*\[(?:arg-type|dict-item)\]"
    rejected = {int(line) for line in re.findall(complaint, ended.stdout)}
    lines = CASES.read_text().splitlines()
    assert rejected == {number for number, line in enumerate(lines, 1) if "# rejected" in line}, ended.stdout
