"""Output that nobody reads, that fits nowhere, or that was closed: no traceback, no wrong exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fleet.cli import main
from fleet.cli.main import cli
from fleet.engine.verdict import verdicts
from fleet.errors import JournalError
from fleet.journal import History, Record, SqliteStorage
from fleet.model import Outcome
from tests.cli.conftest import Ran


@pytest.fixture
def look(inventory: Path, scripts: Path, root: Path, tmp_path: Path) -> list[str]:
    """A check that finds nothing wrong."""
    (root / "flag").touch()
    state = str(tmp_path / "state")
    words = ["check", "flag-is-set", "-i", inventory, "--scripts", scripts, "--state", state]
    return [sys.executable, "-m", "fleet", *map(str, words)]


def run(words: list[str], redirection: str, **environment: str) -> Ran:
    """Run a command line in a shell that redirects its output."""
    command = ["sh", "-c", f'"$@" {redirection}', "sh", *words]
    env = {**os.environ, **environment}
    done = subprocess.run(
        command, capture_output=True, encoding="utf-8", errors="replace", timeout=60, check=False, env=env
    )
    return Ran(done.returncode, done.stdout, done.stderr)


full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full")


@full
def test_a_full_disk_under_stdout_is_said_and_the_run_is_kept(look: list[str], tmp_path: Path) -> None:
    ran = run(look, ">/dev/full")
    assert ran.code == 3
    found = History(tmp_path / "state").run("last")
    assert ran.err == (
        "fleet: the output can't be written: No space left on device. "
        f"Everything is kept: fleet report {found.id}\n"
    )
    assert set(verdicts(found.targets, found.results).values()) == {Outcome.OK}


def test_a_full_disk_under_the_journal_is_said_with_what_to_do(
    look: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The header can still be written, what comes after it can't."""
    written = SqliteStorage.append

    def full_disk(self: SqliteStorage, records: list[Record]) -> None:
        if records[0].kind != "run":
            raise JournalError("the journal x.sqlite can't be written: database or disk is full")
        written(self, records)

    monkeypatch.setattr(SqliteStorage, "append", full_disk)
    assert main(look[3:]) == 3
    found = History(tmp_path / "state").run("last")
    assert capsys.readouterr().err == (
        "fleet: the journal x.sqlite can't be written: database or disk is full. Nothing more was sent after "
        f"that. Make room, then see what is known: fleet report {found.id}\n"
    )
    assert found.interrupted


@full
@pytest.mark.parametrize("words", [["list"], ["--help"], ["runs"]])
def test_a_full_disk_is_said_by_commands_that_contact_nobody(words: list[str]) -> None:
    ran = run([sys.executable, "-m", "fleet", *words], ">/dev/full")
    assert (ran.code, ran.err) == (3, "fleet: the output can't be written: No space left on device\n")


@pytest.mark.parametrize("redirection", [">&-", "2>&-", ">&- 2>&- <&-"])
def test_closed_streams_do_not_change_what_is_done(look: list[str], redirection: str, tmp_path: Path) -> None:
    ran = run(look, redirection)
    assert (ran.code, ran.err) == (0, "")
    found = History(tmp_path / "state").run("last")
    assert set(verdicts(found.targets, found.results).values()) == {Outcome.OK}


def test_a_reader_that_has_enough_is_no_failure() -> None:
    ran = run(["bash", "-o", "pipefail", "-c", f"{sys.executable} -m fleet list | true"], "")
    assert (ran.code, ran.err) == (0, "")


def test_when_the_results_are_read_no_more_nothing_new_is_started(
    look: list[str], inventory: Path, tmp_path: Path
) -> None:
    inventory.write_text("all: {hosts: {'h[01:40]': {ansible_connection: local, ansible_host: localhost}}}\n")
    words = [*look, "--format", "ndjson", "--workers", "1"]
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(words, stdout=write, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    os.close(write)
    found = History(tmp_path / "state").run("last")
    assert done.returncode == 3
    assert done.stderr == (
        "fleet: the output can't be written: Broken pipe, so nothing new was started. "
        f"Everything is kept: fleet report {found.id}\n"
    )
    words_ = list(verdicts(found.targets, found.results).values())
    assert words_[0] is Outcome.OK
    assert words_[-1] is Outcome.NOT_RUN


ONE_AFTER_THE_OTHER = """\
#!/bin/sh
# /// fleet
# kind = "check"
# title = "Only the first answers at once"
# severity = "error"
# timeout = 30
# ///
if mkdir "$root/first" 2>/dev/null; then ok first; exit 0; fi
while [ ! -e "$root/go" ]; do sleep 0.02; done
ok second
"""


def test_results_are_streamed_as_they_come(look: list[str], scripts: Path, root: Path) -> None:
    """The second host answers only after the line of the first has been read."""
    (scripts / "sh/in-turn.sh").write_text(ONE_AFTER_THE_OTHER)
    words = ["in-turn" if word == "flag-is-set" else word for word in look]
    with subprocess.Popen([*words, "--format", "ndjson"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        (root / "go").touch()
        second = json.loads(process.stdout.readline())
    assert (first["message"], second["message"]) == ("first", "second")


def test_what_a_terminal_cannot_show_is_escaped(look: list[str]) -> None:
    ran = run([*look, "-p", "path=/\N{RIGHTWARDS ARROW}"], "", PYTHONIOENCODING="iso-8859-1")
    assert (ran.code, ran.err) == (1, "")
    assert "no flag at /\\u2192" in ran.out


def test_an_error_of_fleet_itself_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise TypeError("secret detail")

    monkeypatch.setattr(cli, "main", broken)
    assert main(["list"]) == 3
    err = capsys.readouterr().err
    assert err.startswith("fleet: an error in fleet itself, TypeError at test_streams.py:")
    assert "secret detail" not in err
    assert len(err.splitlines()) == 1


def test_help_without_a_command_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert capsys.readouterr().err.startswith("Usage: fleet [OPTIONS] COMMAND")


def test_a_missing_word_leads_to_the_help_of_its_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fix"]) == 2
    assert capsys.readouterr().err == "fleet: Missing argument 'NAME'; see fleet fix --help\n"
