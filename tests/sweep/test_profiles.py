"""Profiles: all that the documents want looked at is in one; a mistake in a file is a line with its place."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import pytest

from fleet.catalog import Catalog, Profile, load
from fleet.model import Kind, Os, Severity, Shell
from tests.catalog.support import CHECK, Folder, complaint
from tests.sweep.readiness_index import CATALOGUE, INDEX, build

READINESS: dict[str, dict[str, Any]] = json.loads(INDEX.read_text("utf-8"))
PROFILES = ("azure-vm", "guest-agent", "mars", "network")
WORKLOAD = {"azure-vm-backup": "azure-vm", "guest-agent": "guest-agent", "mars-agent": "mars"}
SHELLS = {"linux": [Shell.SH], "windows": [Shell.POWERSHELL], "any": list(Shell)}


@functools.cache
def catalog() -> Catalog:
    return load()


def covered(profile: Profile) -> dict[str, str]:
    """What the documents want looked at, by its id, and the check that does it."""
    return {id: each.check for each in profile.checks for id in each.covers}


NOT_FOR_A_SWEEP = {
    "ping": "what every host is asked first, by a command of its own",
    "backup-extension": "of a dead agent it says again what the agent's own checks say",
    "mars-registration": "of a key file that is missing it says what mars-kek says",
    "disks-offline": "of a machine that was just restored",
    "waagent-logs": "what support asks for, not what a backup needs",
    "volume-damage": "takes as long as a volume is large, and asks for its drive",
    "mars-offline-powershell": "for a first backup that is sent on disks, which few servers have before them",
    "mars-earlier-registration": "of a server to be registered again; of every other one it finds nothing",
    "mars-schedule": "says again together what mars-task, mars-powershell and mars-module say",
    "snapshot-host-first": "a setting for machines whose snapshots time out, not one that all should have",
}


class TestOwnProfiles:
    def test_every_check_is_in_one_of_them_or_is_known_not_to_be(self) -> None:
        checks = {name for name, snippet in catalog().snippets.items() if snippet.kind is Kind.CHECK}
        used = {each.check for name in PROFILES for each in catalog().profile(name).checks}
        assert checks - used == NOT_FOR_A_SWEEP.keys(), "put the new check into a profile"

    def test_the_index_is_that_of_the_catalogue(self) -> None:
        if not CATALOGUE.exists():
            pytest.skip("the catalogue is not beside this checkout")
        assert build(CATALOGUE) == READINESS, f"python -m tests.sweep.readiness_index {CATALOGUE}"

    def test_are_these(self) -> None:
        assert tuple(catalog().profiles) == PROFILES
        assert len(READINESS) == 55

    @pytest.mark.parametrize("id", READINESS)
    def test_all_that_the_documents_want_looked_at_is_in_the_profiles_of_its_workloads(self, id: str) -> None:
        for workload in READINESS[id]["workload"]:
            profile = catalog().profile(WORKLOAD[workload])
            assert (id in covered(profile)) != (id in {each.id for each in profile.to_come}), profile.id

    def test_nothing_is_still_to_come(self) -> None:
        assert {each.id for name in PROFILES for each in catalog().profile(name).to_come} == set()

    @pytest.mark.parametrize("id", READINESS)
    def test_its_check_has_a_form_for_its_system_and_the_documents_severity(self, id: str) -> None:
        for name in PROFILES:
            profile = catalog().profile(name)
            check = covered(profile).get(id)
            if check is None:
                continue
            entry = next(each for each in profile.checks if each.check == check)
            snippet = catalog().snippet(check)
            for shell in SHELLS[READINESS[id]["platform"]]:
                assert shell in snippet.texts
            assert (entry.severity or snippet.severity) == READINESS[id]["severity"]

    @pytest.mark.parametrize("name", PROFILES)
    def test_nothing_is_covered_that_the_documents_do_not_know(self, name: str) -> None:
        profile = catalog().profile(name)
        assert {*covered(profile), *(each.id for each in profile.to_come)} <= READINESS.keys()

    def test_the_default_has_checks_for_both_systems(self) -> None:
        shells = [set(catalog().snippet(each.check).texts) for each in catalog().profile("azure-vm").checks]
        assert sum(Shell.SH in each for each in shells) >= 6
        assert sum(Shell.POWERSHELL in each for each in shells) >= 5
        assert len(Os) == 2


MINE = """\
id: mine
title: Mine
about: What I look at.
checks:
  - {check: x-there, severity: warning}
"""


@pytest.fixture
def mine(tmp_path: Path) -> Folder:
    """A user's folder with a profile."""
    folder = Folder(tmp_path / "mine")
    (folder.path / "profiles").mkdir()
    folder.write("profiles/mine.yaml", MINE)
    return folder


def profile(folder: Folder, name: str = "mine") -> Profile:
    return load([folder.path]).profile(name)


class TestUsersProfiles:
    def test_stand_beside_the_own(self, mine: Folder) -> None:
        own = profile(mine)
        assert [(each.check, each.severity) for each in own.checks] == [("x-there", Severity.WARNING)]
        assert set(load([mine.path]).profiles) == {*PROFILES, "mine"}

    def test_extend_others_and_change_what_they_say(self, mine: Folder) -> None:
        mine.write(
            "profiles/stricter.yaml",
            "id: stricter\ntitle: S\nabout: S\nextends: [mine, guest-agent]\nleave_out: [waagent-config]\n"
            "checks:\n  - {check: x-there, severity: error}\n"
            "  - {check: waagent-running, params: {max_log_age: 60}}\n",
        )
        found = {each.check: each for each in profile(mine, "stricter").checks}
        assert found["x-there"].severity is Severity.ERROR
        assert found["waagent-running"].severity is Severity.ERROR, "as guest-agent says"
        assert found["waagent-running"].params == {"max_log_age": 60}
        assert found["waagent-running"].covers == ("lin-agent-running",)
        assert "waagent-config" not in found
        assert "azure-guest-agent" in found

    def test_thresholds_that_it_does_not_change_are_those_it_extends(self, mine: Folder) -> None:
        mine.write(
            "profiles/busy.yaml",
            "id: busy\ntitle: B\nabout: B\nextends: [azure-vm]\n"
            "checks:\n  - {check: system-load, params: {max_load: 75}}\n",
        )
        (found,) = [each for each in profile(mine, "busy").checks if each.check == "system-load"]
        assert found.params == {"max_load": 75, "load_seconds": 10}

    def test_what_a_new_check_covers_is_no_longer_to_come(self, mine: Folder) -> None:
        mine.write("profiles/mine.yaml", MINE + "to_come:\n  - {id: x-later, reason: not built}\n")
        mine.write(
            "profiles/more.yaml",
            "id: more\ntitle: M\nabout: M\nextends: [mine]\n"
            "checks:\n  - {check: x-there, covers: [x-later]}\n",
        )
        assert [each.id for each in profile(mine).to_come] == ["x-later"]
        assert not profile(mine, "more").to_come

    def test_are_part_of_the_digest_that_plans_hold(self, mine: Folder) -> None:
        before = load([mine.path]).digest
        mine.edit("profiles/mine.yaml", "warning", "error")
        assert load([mine.path]).digest != before


class TestMistakes:
    @pytest.mark.parametrize(
        ("old", "new", "line", "sentence"),
        [
            ("x-there", "x-ther", 5, 'no snippet is called "x-ther"; did you mean "x-there"?'),
            ("x-there", "put-x", 5, '"put-x" is a remedy, not a check'),
            ("severity: warning", "severity: bad", 5, "\"checks.0.severity\": input should be 'error'"),
            ("severity", "severty", 5, '"checks.0.severty" is not a key here; did you mean "severity"?'),
            ("severity: warning", "params: {size: 3}", 5, 'x-there has no parameters, but was given "size"'),
            ("severity: warning", "runbooks: [x-mising]", 5, 'no runbook is called "x-mising"; did you'),
            (
                "title: Mine",
                "extends: [azur-vm]\ntitle: M",
                2,
                'no profile is called "azur-vm"; did you mean',
            ),
            ("title: Mine", "extends: [mine]\ntitle: M", 2, "goes in a circle: mine extends mine"),
            (
                "title: Mine",
                "extends: [guest-agent]\nleave_out: [waagent-runing]\ntitle: M",
                3,
                'no extended profile has the check "waagent-runing"; did you mean "waagent-running"?',
            ),
            ("about: What I look at.\n", "", 1, '"about" is missing'),
            ("id: mine", "id: yours", 1, 'the id must be the name of the file, "mine"'),
            (
                "warning}\n",
                "warning}\n  - {check: x-there}\n",
                6,
                'the check "x-there" stands twice',
            ),
            ("checks:\n", "checks: 4\nx:\n", 4, '"checks": input should be a valid list'),
        ],
    )
    def test_are_one_line_with_their_place(
        self, mine: Folder, old: str, new: str, line: int, sentence: str
    ) -> None:
        path = mine.edit("profiles/mine.yaml", old, new)
        said = complaint(lambda: load([mine.path])).split("\n")
        assert any(each.startswith(f"{path}:{line}: ") and sentence in each for each in said), said

    def test_a_threshold_of_the_wrong_type(self, mine: Folder) -> None:
        mine.write("sh/y-there.sh", CHECK.replace("timeout = 10\n", "timeout = 10\n" + PARAM))
        path = mine.edit("profiles/mine.yaml", "check: x-there", "check: y-there, params: {least: many}")
        said = complaint(lambda: load([mine.path]))
        assert said == f"{path}:5: y-there: least: must be a whole number, not 'many'"

    def test_an_unknown_name(self) -> None:
        assert complaint(lambda: catalog().profile("azurevm")) == (
            'no profile is called "azurevm"; did you mean "azure-vm"?'
        )

    def test_the_same_name_as_an_own_one(self, mine: Folder) -> None:
        mine.write("profiles/mars.yaml", MINE.replace("id: mine", "id: mars"))
        assert '"mars" is there already' in complaint(lambda: load([mine.path]))

    def test_a_file_that_everybody_may_write(self, mine: Folder) -> None:
        Path(mine.path / "profiles/mine.yaml").chmod(0o666)
        assert "everybody may write here" in complaint(lambda: load([mine.path]))


PARAM = """\
# [params.least]
# type = "int"
# default = 3
# about = "How many"
"""
