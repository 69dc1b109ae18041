"""What of PowerShell's library travels with a script: all that it needs, and little more."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.catalog import load, scripts_folder
from fleet.model import Shell
from fleet.needed import needed, without_comments

LIBRARY = """\
# The words of a snippet.

function Get-One { Get-Two 'x' }

function Get-Two([string]$Text) {
    $source = @'
function Get-Three { }
$Table = 1
# stays
'@
    "$source$($Table)"
}

$Table = @(
    'a'
)

function Get-Three {
    # leaves
    Get-One
}

function Get-Four { 4 }
"""


def names(text: str) -> list[str]:
    return re.findall(r"(?m)^(?:function )?(\$?[A-Z][\w-]+)(?: = @\(|.*\{)", text)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        ("Get-Four", ["Get-Four"]),
        ("get-FOUR", ["Get-Four"]),
        ("& (Get-Command 'Get-Four')", ["Get-Four"]),
        ("# Get-Four", ["Get-Four"]),
        ("Get-FourMore; Forget-Four; $TableTop", []),
        ("$table.Count", ["$Table"]),
        ('"in text: $Table"', ["$Table"]),
        ('"${Table}: $Table-1"', ["$Table"]),
        ("$Table-1", ["$Table"]),
        ("Get-Three", ["Get-One", "Get-Two", "Get-Three", "$Table"]),
        ("function Get-Four { 5 }\nGet-Four", []),
    ],
)
def test_a_part_travels_when_its_name_stands_in_the_text_or_in_a_part_that_travels(
    text: str, parts: list[str]
) -> None:
    found = needed(LIBRARY, text)
    assert set(names(found)) - {"Get-Three" if "Get-Three" not in parts else ""} == set(parts)


def test_parts_keep_their_order_and_their_text() -> None:
    whole = needed(LIBRARY, "Get-Three Get-Four")
    assert whole == LIBRARY


def test_a_here_string_is_no_part_and_keeps_its_lines() -> None:
    assert "# stays" in without_comments(LIBRARY)
    assert "# leaves" not in without_comments(LIBRARY)
    assert "'@\n    \"$source" in needed(LIBRARY, "Get-Two")


@given(st.text())
def test_no_text_brings_more_than_the_library(text: str) -> None:
    assert len(needed(LIBRARY, text)) <= len(LIBRARY)


def test_the_library_is_written_to_be_cut() -> None:
    """Whatever begins a line outside a here-string begins a part, or ends one."""
    text = without_comments((scripts_folder() / "ps" / "_library.ps1").read_text("ascii"))
    plain = re.sub(r"@'\n.*?\n'@", "''", text, flags=re.DOTALL)
    loose = [line for line in plain.splitlines() if line and not re.match(r"function |\$\w+ = |[ })]", line)]
    assert loose == []


def test_no_name_of_the_library_is_put_together_while_a_script_runs() -> None:
    together = re.compile(r"-Fleet(\w*\$|['\"])|\$\{?Fleet\w*\$")
    for snippet in load().snippets.values():
        text = snippet.texts.get(Shell.POWERSHELL)
        assert text is None or not together.search(text.text)
