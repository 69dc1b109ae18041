"""``fleet collect`` and ``fleet bundle`` with what people get wrong: one line, and nothing is contacted."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from tests.cli.conftest import Fleet, Ran

LITTLE = """\
id: little
title: A log
about: For tests.
os: linux
files:
  - {name: log, paths: ['/var/log/app.log']}
"""


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    folder = tmp_path / "scripts"
    (folder / "bundles").mkdir(parents=True)
    (folder / "bundles/little.yaml").write_text(LITTLE)
    return folder


@pytest.fixture
def guest(root: Path) -> Path:
    """A guest with one log, this machine's own tools, and a place to stage."""
    for name in ("var/log", "var/tmp"):
        (root / name).mkdir(parents=True)
    (root / "var/log/app.log").write_text("password=hunter2hunter2\nall is well\n")
    return root


def refused(ran: Ran, *texts: str) -> None:
    assert ran.code == 2, ran
    assert ran.out == ""
    assert len(ran.err.strip().splitlines()) == 1
    for text in texts:
        assert text in ran.err


class TestWrongUse:
    @pytest.mark.parametrize(
        ("words", "texts"),
        [
            (["azure-vm-linx"], ['no bundle is called "azure-vm-linx"', 'did you mean "azure-vm-linux"']),
            (["--since", "yesterday"], ["24h", '"yesterday"', "fleet collect --help"]),
            (["--since", "0h"], ["takes an age"]),
            (["--since", "-5h"], ["takes an age"]),
            (["--since", "99999w"], ["takes an age"]),
            (["--max-size", "huge"], ["500M", '"huge"']),
            (["--max-size", "0"], ["takes a size"]),
            (["--max-size", "9999999P"], ["takes a size"]),
            (["--redact", "some"], ["none", "secrets", "full"]),
            (["--workers", "0"], ["1<=x<=500"]),
            (["-o", "there-is/no/such/case.zip"], ["there is no folder there-is/no/such"]),
            (["-o", "case.tar"], ["the suffix says the form", ".zip for the archive"]),
            (["-o", "a.zip", "-o", "b.zip"], ["a run writes one archive"]),
            (["-l", "nobody"], ["nobody"]),
        ],
    )
    def test_is_said_in_one_line_and_nothing_is_made(
        self,
        fleet: Fleet,
        inventory: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        words: list[str],
        texts: list[str],
    ) -> None:
        monkeypatch.chdir(tmp_path)
        before = sorted(tmp_path.rglob("*"))
        refused(fleet("collect", *words, "-i", inventory), *texts)
        assert sorted(tmp_path.rglob("*")) == before

    def test_an_archive_that_is_there_stays(self, fleet: Fleet, inventory: Path, tmp_path: Path) -> None:
        (tmp_path / "case.zip").write_text("mine")
        refused(fleet("collect", "-i", inventory, "-o", tmp_path / "case.zip"), "is there already")
        assert (tmp_path / "case.zip").read_text() == "mine"

    def test_without_an_inventory(self, fleet: Fleet) -> None:
        refused(fleet("collect"), "no inventory")

    @pytest.mark.parametrize(
        ("line", "reason"),
        [
            ("files: [{name: x, paths: ['/var/lib/waagent/*.prv']}]", "private keys are never collected"),
            ("files: [{name: x, paths: ['/etc/shadow']}]", "secrets of the system"),
            ("files: [{name: x, paths: ['/var/../etc/shadow']}]", "secrets of the system"),
            ("files: [{name: x, paths: ['/dev/sda']}]", "devices"),
            ("commands: [{name: x, run: [cat, /etc/shadow]}]", "ask for the file under files"),
            ("commands: [{name: x, run: [sh, -c, id]}]", "can run anything"),
        ],
    )
    def test_a_bundle_that_asks_for_what_is_never_taken(
        self, fleet: Fleet, inventory: Path, scripts: Path, line: str, reason: str
    ) -> None:
        bundle = scripts / "bundles/bad.yaml"
        bundle.write_text(f"id: bad\ntitle: Bad\nabout: For tests.\nos: linux\n{line}\n")
        ran = fleet("collect", "bad", "-i", inventory, "--scripts", scripts)
        refused(ran, reason, "bad.yaml:5: ")


class TestARun:
    def collect(self, fleet: Fleet, scripts: Path, inventory: Path, *words: object) -> Ran:
        return fleet("collect", "little", "-i", inventory, "-l", "here1", "--scripts", scripts, *words)

    def test_prints_json_and_nothing_else(
        self, fleet: Fleet, guest: Path, scripts: Path, inventory: Path, tmp_path: Path
    ) -> None:
        ran = self.collect(fleet, scripts, inventory, "-o", tmp_path / "case.zip", "--format", "json")
        assert ran.code == 0, ran
        assert guest.exists()
        document = json.loads(ran.out)
        assert document["run"]["collect"] == {
            "bundles": ["little"],
            "redact": "secrets",
            "archive": str(tmp_path / "case.zip"),
        }
        assert f"verify: fleet bundle verify {tmp_path / 'case.zip'}" in ran.err
        lines = self.collect(fleet, scripts, inventory, "-o", tmp_path / "b.zip", "--format", "ndjson").out
        names = [json.loads(line)["snippet"] for line in lines.splitlines()]
        assert names == ["collect-list", "collect-stage", "collect-clean", "collect-send"]

    def test_names_its_archive_by_the_time(
        self,
        fleet: Fleet,
        guest: Path,
        scripts: Path,
        inventory: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert self.collect(fleet, scripts, inventory).code == 0
        assert guest.exists()
        (made,) = tmp_path.glob("case-*.zip")
        with zipfile.ZipFile(made) as file:
            assert b"hunter2" not in file.read("here1/0001-log.txt")

    def test_takes_secrets_too_where_it_is_told_to(
        self, fleet: Fleet, guest: Path, scripts: Path, inventory: Path, tmp_path: Path
    ) -> None:
        ran = self.collect(fleet, scripts, inventory, "-o", tmp_path / "case.zip", "--redact", "none")
        assert ran.code == 0
        assert guest.exists()
        assert "Redacted" not in ran.out
        with zipfile.ZipFile(tmp_path / "case.zip") as file:
            assert b"hunter2hunter2" in file.read("here1/0001-log.txt")

    def test_without_a_place_to_stage_it_fails_and_what_is_known_is_kept(
        self, fleet: Fleet, guest: Path, scripts: Path, inventory: Path, tmp_path: Path
    ) -> None:
        (guest / "var/tmp").rmdir()
        ran = self.collect(fleet, scripts, inventory, "-o", tmp_path / "case.zip")
        assert ran.code == 1
        assert "here1  failed" in ran.out
        assert "Partial: not everything came of 1 of 1 hosts" in ran.out
        assert fleet("bundle", "verify", tmp_path / "case.zip").code == 0


class TestTheBundleCommands:
    def test_verify_what_is_no_archive(self, fleet: Fleet, tmp_path: Path) -> None:
        (tmp_path / "x.zip").write_text("no zip")
        refused(fleet("bundle", "verify", tmp_path / "x.zip"), "is no archive of fleet")
        refused(fleet("bundle", "verify", tmp_path / "none.zip"), "can't be read")

    def test_reveal_without_a_map(self, fleet: Fleet, tmp_path: Path) -> None:
        refused(fleet("bundle", "reveal", "host123456789abc"), "there is no map in", "--map FILE")
        (tmp_path / "x.map").write_text("{}")
        refused(fleet("bundle", "reveal", "--map", tmp_path / "x.map", "x"), "x.map")

    def test_list_and_show_know_bundles(self, fleet: Fleet) -> None:
        listed = fleet("list", "--kind", "bundle", "--format", "json")
        names = [each["name"] for each in json.loads(listed.out)["entries"]]
        assert names == ["azure-vm-linux", "azure-vm-windows", "mars"]
        shown = fleet("show", "azure-vm-linux")
        assert "Next: fleet collect azure-vm-linux -l HOSTS" in shown.out
        both = fleet("show", "mars").out
        assert "Next: fleet sweep mars" in both
        assert "Next: fleet collect mars" in both
