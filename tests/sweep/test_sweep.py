"""fleet sweep on the command line: options, exit codes, reports, and bad input refused before any contact."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.conftest import CHECK, Fleet

PROFILE = """\
id: tonight
title: Before tonight
about: The flags are set.
checks:
  - {check: flag-is-set}
  - {check: second-flag, severity: warning, params: {path: /second}}
  - {check: note-flag, severity: info, params: {path: /third}}
"""
WAIVERS = """\
waivers:
  - check: flag-is-set
    hosts: here1
    owner: Jürgen Müller
    reason: its flag is set by hand
    expires: {expires}
"""


@pytest.fixture
def common(inventory: Path, scripts: Path) -> tuple[object, ...]:
    (scripts / "profiles").mkdir()
    (scripts / "profiles/tonight.yaml").write_text(PROFILE)
    for name in ("second-flag", "note-flag"):
        (scripts / f"sh/{name}.sh").write_text(CHECK)
    return ("tonight", "-i", inventory, "--scripts", scripts)


@pytest.fixture
def flags(root: Path) -> Path:
    """A guest in which all is well."""
    for name in ("flag", "second", "third"):
        (root / name).touch()
    return root


def waivers(folder: Path, expires: str = "2199-12-31") -> Path:
    path = folder / "waivers.yaml"
    path.write_text(WAIVERS.format(expires=expires), encoding="utf-8")
    return path


def test_all_is_well(fleet: Fleet, common: tuple[object, ...], flags: Path) -> None:
    ran = fleet("sweep", *common)
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[0] == "READY           2 hosts"
    assert lines[1].startswith("2 hosts = 2 ready")
    assert len(lines) == 2, "no line that does not help"


def test_an_error_is_not_ready_and_the_next_command_fixes_it(
    fleet: Fleet, common: tuple[object, ...], flags: Path, inventory: Path, scripts: Path
) -> None:
    (flags / "flag").unlink()
    ran = fleet("sweep", *common)
    assert ran.code == 1
    assert "NOT READY       2 hosts\n    2  no flag at /flag\n       test-flag   here[1,2]" in ran.out
    (command,) = [line.split() for line in ran.out.splitlines() if line.startswith("  fleet fix")]
    reach = ["-i", str(inventory), "--scripts", str(scripts)]
    assert command == ["fleet", "fix", "test-flag", *reach, "-l", "here1,here2"]
    done = fleet(*command[1:], "--apply", "--allow", "service-interruption")
    assert done.code == 0, done
    assert fleet("sweep", *common).code == 0


@pytest.mark.parametrize(("fail_on", "code"), [("error", 0), ("warning", 1), ("never", 0)])
def test_a_warning_fails_only_where_it_is_asked_to(
    fleet: Fleet, common: tuple[object, ...], flags: Path, fail_on: str, code: int
) -> None:
    (flags / "second").unlink()
    ran = fleet("sweep", *common, "--fail-on", fail_on)
    assert ran.code == code
    assert "WARNINGS        2 hosts" in ran.out
    assert "2 hosts = 2 ready with warnings" in ran.out
    assert fleet("report", "last").code == code, "a report drawn later says the same"


def test_info_never_fails(fleet: Fleet, common: tuple[object, ...], flags: Path) -> None:
    (flags / "third").unlink()
    ran = fleet("sweep", *common, "--fail-on", "warning")
    assert ran.code == 0
    assert "NOTED, no reason against a backup" in ran.out


def test_a_host_that_cannot_be_looked_at_is_never_ready(
    fleet: Fleet, common: tuple[object, ...], flags: Path, inventory: Path
) -> None:
    with inventory.open("a") as file:
        file.write(
            "    gone: {ansible_host: 127.0.0.1, ansible_port: 1, ansible_user: x, fleet_known_hosts: k}\n"
        )
    (inventory.parent / "k").touch()
    ran = fleet("sweep", *common)
    assert ran.code == 3
    assert "NOT KNOWN       1 host\n    1  denied: there is neither a key nor a password" in ran.out
    assert f"  fleet ping -i {inventory}" in ran.out
    assert fleet("sweep", *common, "--fail-on", "never").code == 0


def test_what_changed_since_the_same_command_ran_before(
    fleet: Fleet, common: tuple[object, ...], flags: Path
) -> None:
    first = fleet("sweep", *common)
    assert "New since" not in first.out
    fleet("sweep", *common, "--only", "second-flag")
    (flags / "flag").unlink()
    second = fleet("sweep", *common)
    told = re.search(r"^New since (\S+): 2, fixed: 0\n  (fleet diff .*)$", second.out, re.MULTILINE)
    assert told, second.out
    compared = fleet(*told[2].split()[1:])
    assert compared.code == 1
    assert f"from {told[1]} to " in compared.out
    assert "New since" not in fleet("sweep", *common).out, "nothing changed again"


class TestChoosing:
    def test_only_and_skip_take_names(self, fleet: Fleet, common: tuple[object, ...], flags: Path) -> None:
        only = fleet("sweep", *common, "--only", "second-flag,note-flag", "--skip", "note-flag")
        assert only.code == 0
        streamed = fleet("sweep", *common, "--only", "second-flag", "--format", "ndjson")
        assert {json.loads(line)["snippet"] for line in streamed.out.splitlines()} == {"second-flag"}

    def test_a_value_goes_to_every_check_that_declares_it(
        self, fleet: Fleet, common: tuple[object, ...], flags: Path, root: Path
    ) -> None:
        ran = fleet("sweep", *common, "-p", "path=/elsewhere")
        assert "no flag at /elsewhere" in ran.out
        assert "/second" not in ran.out
        (command,) = [line for line in ran.out.splitlines() if line.startswith("  fleet fix")]
        assert command.endswith("-p path=/elsewhere"), "the fix looks with the threshold of the sweep"

    def test_severity_is_that_of_the_profile(
        self, fleet: Fleet, common: tuple[object, ...], root: Path
    ) -> None:
        ran = fleet("sweep", *common, "--format", "json")
        severities = {each["snippet"]: each["severity"] for each in json.loads(ran.out)["results"]}
        assert severities == {"flag-is-set": "error", "second-flag": "warning", "note-flag": "info"}


def test_a_runbook_that_looks_with_another_check_only_explains(
    fleet: Fleet, common: tuple[object, ...], flags: Path, scripts: Path
) -> None:
    """A fix by it would look with its own check, see nothing wrong, and leave the finding as it is."""
    (flags / "second").unlink()
    profile = scripts / "profiles/tonight.yaml"
    profile.write_text(PROFILE.replace("severity: warning", "severity: warning, runbooks: [test-flag]"))
    ran = fleet("sweep", *common)
    assert "  fleet explain test-flag" in ran.out
    assert "fleet fix" not in ran.out


class TestQuiet:
    def test_says_nothing_where_all_is_well(
        self, fleet: Fleet, common: tuple[object, ...], flags: Path, tmp_path: Path
    ) -> None:
        report = tmp_path / "r.json"
        ran = fleet("sweep", *common, "-q", "-o", report)
        assert (ran.code, ran.out, ran.err) == (0, "", "")
        assert json.loads(report.read_text())["readiness"]["counts"] == {"ready": 2}

    def test_says_everything_where_something_fails(
        self, fleet: Fleet, common: tuple[object, ...], root: Path
    ) -> None:
        ran = fleet("sweep", *common, "--quiet")
        assert ran.code == 1
        assert "NOT READY" in ran.out


class TestWaivers:
    def test_take_a_finding_off_and_are_named(
        self, fleet: Fleet, common: tuple[object, ...], flags: Path, tmp_path: Path
    ) -> None:
        (flags / "flag").unlink()
        ran = fleet("sweep", *common, "--waivers", waivers(tmp_path))
        assert "NOT READY       1 host\n" in ran.out
        assert "READY           1 host   (1 of them by waiver)" in ran.out
        assert "Waived: flag-is-set on here1 until 2199-12-31, Jürgen Müller: its flag is set" in ran.out
        assert "-l here2\n" in ran.out
        alone = fleet("sweep", *common, "--waivers", waivers(tmp_path), "-l", "here1")
        assert alone.code == 0
        assert "by waiver" in fleet("report", "last").out

    def test_that_are_over_count_again_and_are_named(
        self, fleet: Fleet, common: tuple[object, ...], flags: Path, tmp_path: Path
    ) -> None:
        (flags / "flag").unlink()
        ran = fleet("sweep", *common, "--waivers", waivers(tmp_path, "2026-01-31"))
        assert ran.code == 1
        assert "NOT READY       2 hosts" in ran.out
        assert "Waiver over since 2026-01-31: flag-is-set on here1 (Jürgen Müller)" in ran.out

    def test_for_hosts_that_are_not_there_are_named(
        self, fleet: Fleet, common: tuple[object, ...], flags: Path, tmp_path: Path
    ) -> None:
        path = waivers(tmp_path)
        path.write_text(path.read_text("utf-8").replace("here1", "'[here9, web*]'"), "utf-8")
        path.write_text(path.read_text("utf-8").replace("'[here9, web*]'", "[here9, 'web*']"), "utf-8")
        ran = fleet("sweep", *common, "--waivers", path)
        assert ran.code == 0
        assert "Waiver for nobody here: flag-is-set on here9,web*" in ran.out

    @pytest.mark.parametrize(
        ("old", "new", "line", "sentence"),
        [
            ("    owner: Jürgen Müller\n", "", 2, '"waivers.0.owner" is missing'),
            ("    expires: 2199-12-31\n", "", 2, '"waivers.0.expires" is missing'),
            ("    reason: its flag is set by hand\n", "", 2, '"waivers.0.reason" is missing'),
            (
                "flag-is-set",
                "flag-is-sett",
                2,
                'no check is called "flag-is-sett"; did you mean "flag-is-set"?',
            ),
            ("flag-is-set", "set-flag", 2, 'no check is called "set-flag"; did you mean "second-flag"?'),
            ("2199-12-31", "2199-02-31", 6, '"2199-02-31" is no day; write it as 2026-12-31'),
            ("2199-12-31", "tomorrow", 6, '"waivers.0.expires": string should match pattern'),
            ("owner:", "ower:", 4, '"waivers.0.ower" is not a key here; did you mean "owner"?'),
            ("hosts: here1", "hosts: 'here[1'", 3, "a bracket is not closed"),
            ("waivers:", "waiver:", 1, '"waiver" is not a key here; did you mean "waivers"?'),
            ("owner: Jürgen", "owner: @Jürgen", 4, "no YAML"),
        ],
    )
    def test_a_mistake_is_one_line_with_its_place(
        self,
        fleet: Fleet,
        common: tuple[object, ...],
        tmp_path: Path,
        old: str,
        new: str,
        line: int,
        sentence: str,
    ) -> None:
        path = waivers(tmp_path)
        path.write_text(path.read_text("utf-8").replace(old, new, 1), "utf-8")
        ran = fleet("sweep", *common, "--waivers", path)
        assert ran.code == 2
        assert any(
            each.startswith(f"{path}:{line}: ") and sentence in each for each in ran.err.splitlines()
        ), ran.err
        assert fleet("runs").out == "No runs yet.\n", "nothing was contacted"

    def test_a_file_that_everybody_may_write_is_refused(
        self, fleet: Fleet, common: tuple[object, ...], tmp_path: Path
    ) -> None:
        waivers(tmp_path).chmod(0o666)
        ran = fleet("sweep", *common, "--waivers", tmp_path / "waivers.yaml")
        assert (ran.code, "everybody may write here" in ran.err) == (2, True)

    def test_a_file_that_is_not_there_or_not_text(
        self, fleet: Fleet, common: tuple[object, ...], tmp_path: Path
    ) -> None:
        missing = fleet("sweep", *common, "--waivers", tmp_path / "none.yaml")
        assert missing.err == f"{tmp_path / 'none.yaml'}: can't be read: No such file or directory\n"
        (tmp_path / "w.yaml").write_bytes(b"waivers:\n  - owner: \xff\n")
        assert fleet("sweep", *common, "--waivers", tmp_path / "w.yaml").err == (
            f"{tmp_path / 'w.yaml'}:2: is not UTF-8 text\n"
        )


class TestBadInput:
    @pytest.mark.parametrize(
        ("words", "sentence"),
        [
            (("--only", "flag-is-sat"), 'no check "flag-is-sat"; did you mean "flag-is-set"?'),
            (("--skip", "vss-writers"), 'no check "vss-writers"; it has flag-is-set, second-flag'),
            (("--only", "note-flag", "--skip", "note-flag"), "no check after --only and --skip"),
            (("-p", "pth=/x"), 'has a parameter "pth"; did you mean "path"?'),
            (("-l", "nobody"), '"nobody" is no host and no group'),
            (("--fail-on", "info"), "'info' is not one of"),
            (("-o", "r.pptx"), "the suffix says the form"),
        ],
    )
    def test_is_refused_before_any_contact(
        self, fleet: Fleet, common: tuple[object, ...], words: tuple[str, ...], sentence: str
    ) -> None:
        ran = fleet("sweep", *common, *words)
        assert (ran.code, ran.out) == (2, "")
        assert sentence in ran.err
        assert len(ran.err.splitlines()) == 1
        assert fleet("runs").out == "No runs yet.\n"

    def test_an_unknown_profile_gets_a_suggestion(self, fleet: Fleet, common: tuple[object, ...]) -> None:
        ran = fleet("sweep", "tonite", *common[1:])
        assert (ran.code, ran.err) == (2, 'fleet: no profile is called "tonite"; did you mean "tonight"?\n')

    def test_a_threshold_of_the_wrong_type(
        self, fleet: Fleet, common: tuple[object, ...], scripts: Path
    ) -> None:
        text = CHECK.replace('type = "str"\n# default = "/flag"', 'type = "int"\n# default = 3')
        (scripts / "sh/note-flag.sh").write_text(text)
        path = scripts / "profiles/tonight.yaml"
        path.write_text(PROFILE.replace("params: {path: /third}", "params: {path: 3}"))
        ran = fleet("sweep", *common, "-p", "path=many")
        assert (ran.code, ran.err) == (2, "fleet: note-flag: path: must be a whole number, not 'many'\n")
