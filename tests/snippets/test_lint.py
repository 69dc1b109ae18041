"""What every sh snippet has to be, beyond doing its job."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fleet import catalog
from fleet.catalog import scripts_folder
from fleet.model import Shell, Snippet

FOLDER = scripts_folder() / "sh"
LIBRARY = FOLDER / "_library.sh"
SNIPPETS = sorted(FOLDER.glob("[a-z]*.sh"))
every_snippet = pytest.mark.parametrize("path", SNIPPETS, ids=lambda path: path.stem)

ABSOLUTE = re.compile(
    r"""(?<![\w}/.*\]-])/(?:etc|var|usr|proc|sys|run|lib|opt|home|root|boot|tmp|bin|sbin)\b"""
)
ALLOWED_ABSOLUTE = re.compile(r"""\$\{?root\}?"?/|/proc/(?:self|uptime|\$\$|\[0-9\]|\$fleet_pid)""")
"""What hangs from the root, and the frame's own processes, which are real ones in a lab too."""


def code(path: Path) -> list[tuple[int, str]]:
    """Lines without comments and without what stands in messages."""
    kept = []
    for number, line in enumerate(path.read_text("ascii").splitlines(), 1):
        bare = re.sub(r"(^|\s)#.*", "", line)
        bare = re.sub(r"\b(fail|ok|skip|changed|note|printf)\b.*", "", bare)
        kept.append((number, re.sub(r'waagent_fault="[^"]*"', "", bare)))
    return kept


def snippet(path: Path) -> Snippet:
    return catalog.load().snippet(path.stem)


@pytest.mark.parametrize("path", [LIBRARY, FOLDER / "_frame.sh.j2", *SNIPPETS], ids=lambda path: path.name)
def test_files_are_ascii_with_unix_line_ends(path: Path) -> None:
    data = path.read_bytes()
    assert data.isascii()
    assert b"\r" not in data
    assert b"\t" not in data
    assert data.endswith(b"\n")


@every_snippet
def test_shellcheck_finds_nothing(path: Path, tmp_path: Path) -> None:
    program = shutil.which("shellcheck", path=str(Path(sys.executable).parent)) or shutil.which("shellcheck")
    if program is None:
        pytest.skip("no shellcheck here")
    whole = tmp_path / path.name
    whole.write_text(LIBRARY.read_text() + path.read_text())
    found = subprocess.run(
        [program, "--shell=sh", "--format=gcc", str(whole)], capture_output=True, text=True, timeout=60
    )
    assert found.stdout == ""


@every_snippet
def test_the_first_working_line_names_exactly_the_declared_parameters(path: Path) -> None:
    text = path.read_text()
    named = re.findall(r'"\$\{(\w+)[:?=]', next(iter(re.findall(r"^: .*(?:\\\n.*)*", text, re.M)), ""))
    named = [name for name in named if name not in ("root", "check")]
    assert sorted(named) == sorted(snippet(path).params)
    body = text.split("# ///\n", 1)[1]
    for name in named:
        assert len(re.findall(rf"\b{name}\b", body)) > 1, f"{name} is not used"


@every_snippet
def test_remedies_ask_for_check_mode(path: Path) -> None:
    assert ('"$check" = 1' in path.read_text()) == snippet(path).mutates


@pytest.mark.parametrize("path", [LIBRARY, *SNIPPETS], ids=lambda path: path.stem)
def test_every_absolute_path_hangs_from_the_root(path: Path) -> None:
    for number, line in code(path):
        rest = ALLOWED_ABSOLUTE.sub("x", line)
        assert not ABSOLUTE.search(rest), f"{path.name}:{number}: {line.strip()}"


@every_snippet
def test_endings_are_left_to_the_library(path: Path) -> None:
    for number, line in code(path):
        place = f"{path.name}:{number}"
        assert not re.search(r"\bexit\s+(?!0\b)\S", line), f"{place}: use fail"
        assert not re.search(r"(^|[;&|]\s*)(exec|trap|eval|set)\b", line.strip()), place
        assert "echo" not in line, f"{place}: use note, or printf for data"
        assert "$FLEET_" not in line, place
        assert not re.search(r"\bfleet_", line), f"{place}: what begins with fleet_ belongs to the frame"


@every_snippet
def test_it_exists_for_the_shell_it_is_in(path: Path) -> None:
    assert Shell.SH in snippet(path).texts
