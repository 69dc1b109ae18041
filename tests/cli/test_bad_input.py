"""Wrong use at 3 a.m.: one clear line, exit code 2, and nothing was contacted."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleet.journal import History
from tests.cli.conftest import Fleet


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["chek"], 'there is no command "chek"; did you mean "check"?'),
        (["check", "flag-is-set"], "no inventory: name one with -i FILE, or set FLEET_INVENTORY"),
        (
            ["fix", "set-flag", "-i", "INV"],
            "fix needs -l/--limit: say which hosts, or -l all for the 2 of inv.yaml",
        ),
        (["check", "flag-is-se", "-i", "INV"], 'is called "flag-is-se"; did you mean "flag-is-set"?'),
        (["fix", "FlagMising", "-i", "INV", "-l", "all"], 'did you mean "FlagMissing"?'),
        (
            ["fix", "flag-is-set", "-i", "INV", "-l", "all"],
            "flag-is-set is a check; run it with: fleet check flag-is-set",
        ),
        (["check", "set-flag", "-i", "INV"], "set-flag is no check; make a plan with: fleet fix set-flag"),
        (["fix", "set-flag", "-i", "INV", "-l", "here9"], "here9"),
        (["fix", "set-flag", "-i", "INV", "-l", "all:!all"], "selects no host"),
        (["fix", "set-flag", "-i", "INV", "-l", ""], "the selection is empty"),
        (["check", "flag-is-set", "-i", "INV", "-l", ""], "the selection is empty"),
        (["ping", "-i", "INV", "-l", ""], "the selection is empty"),
        (["sweep", "-i", "INV", "-l", ""], "the selection is empty"),
        (["hosts", "-i", "INV", "-l", ""], "the selection is empty"),
        (
            ["fix", "set-flag", "-i", "INV", "-l", "all", "--plan-out", "/nowhere/plan.json"],
            "--plan-out /nowhere/plan.json can't be written",
        ),
        (["fix", "set-flag", "-i", "NONE", "-l", "all"], "nowhere.yaml"),
        (["fix", "set-flag", "-i", "INV", "-l", "all", "--apply", "--check"], "Choose one"),
        (["fix", "set-flag", "-i", "INV", "-l", "all", "-p", "pth=/x"], 'did you mean "path"?'),
        (["fix", "set-flag", "-i", "INV", "-l", "all", "-p", "path"], "-p takes NAME=VALUE"),
        (
            ["fix", "set-flag", "-i", "INV", "-l", "all", "-p", "path=a", "-p", "path=b"],
            "-p path is given twice",
        ),
        (["fix", "set-flag", "-i", "INV", "-l", "all", "-p", "path=@/nowhere"], "can't be read"),
        (
            ["fix", "set-flag", "-i", "INV", "-l", "all", "-p", "tries=many"],
            "set-flag: tries: must be a whole number",
        ),
        (
            ["fix", "set-flag", "-i", "INV", "-l", "all", "-p", "tries=6"],
            "set-flag: tries: must be at most 5",
        ),
        (["fix", "set-flag", "-i", "INV", "-l", "all", "-p", "path=a\0b"], "NUL"),
        (["fix", "set-flag", "-i", "INV", "-l", "all", "--allow", "everything"], "everything"),
        (["fix", "set-flag", "-i", "INV", "-l", "all", "--workers", "0"], "--workers"),
        (["fix", "set-flag", "-i", "INV", "-l", "all", "-o", "r.pdf"], "the suffix says the form"),
        (
            ["fix", "set-flag", "-i", "INV", "-l", "all", "-o", "/nowhere/r.json"],
            "there is no folder /nowhere",
        ),
        (["check", "flag-is-set", "-i", "INV", "--scripts", "/nowhere"], "/nowhere"),
        (["apply", "/nowhere.json", "-i", "INV", "-l", "all"], "/nowhere.json can't be read: No such file"),
        (["report", "20200101-0000-aa"], "there is no run 20200101-0000-aa"),
        (["show", "nonsense"], '"nonsense"'),
        (["show", "flag-is-set", "--rendered", "windows"], "has no form for"),
    ],
)
def test_the_line_says_what_is_wrong_and_what_to_do(
    fleet: Fleet, inventory: Path, scripts: Path, tmp_path: Path, words: list[str], sentence: str
) -> None:
    argv: list[object] = [
        {"INV": inventory, "NONE": tmp_path / "nowhere.yaml"}.get(word, word) for word in words
    ]
    if "--scripts" not in words and words[0] in {"check", "fix", "apply", "show"}:
        argv += ["--scripts", scripts]
    ran = fleet(*argv)
    assert ran.code == 2, ran
    assert sentence in ran.err
    assert "Traceback" not in ran.err
    assert len(ran.err.strip().splitlines()) == 1
    assert ran.out == ""
    assert not list(History(tmp_path / "state").runs())


def test_a_snippet_whose_header_is_wrong_is_named_by_file_and_line(
    fleet: Fleet, inventory: Path, scripts: Path
) -> None:
    path = scripts / "sh/flag-is-set.sh"
    path.write_text(path.read_text().replace('kind = "check"', 'kind = "chek"'))
    ran = fleet("check", "flag-is-set", "-i", inventory, "--scripts", scripts)
    assert ran.code == 2
    assert f"{path}:3" in ran.err


def test_a_state_folder_that_cannot_be_made_stops_before_anything_is_contacted(
    fleet: Fleet, inventory: Path, scripts: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    ran = fleet("check", "flag-is-set", "-i", inventory, "--scripts", scripts, "--state", tmp_path / "file")
    assert ran.code != 0
    assert "name another: --state DIR" in ran.err
