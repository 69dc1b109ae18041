"""Reports by the command line: several at once, of any run, the same at any time later."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from lxml import etree

from fleet.cli import options
from tests.cli.conftest import Fleet

NAMES = ("r.html", "r.xml", "r.csv", "r.md", "r.json", "r.ndjson", "r.txt")
BEGINNINGS = {
    "html": "<!DOCTYPE html>",
    "junit": "<?xml",
    "csv": '\ufeff"run"',
    "markdown": "# `",
    "json": "{",
    "ndjson": '{"host"',
}


def outputs(folder: Path) -> list[object]:
    folder.mkdir(exist_ok=True)
    return [word for name in NAMES for word in ("-o", folder / name)]


@pytest.fixture
def common(inventory: Path, scripts: Path) -> tuple[object, ...]:
    return ("-i", inventory, "--scripts", scripts)


def test_every_form_has_a_suffix() -> None:
    assert {options.SUFFIXES[Path(name).suffix] for name in NAMES} == set(options.FORMATS)


@pytest.mark.parametrize(
    "command",
    [
        ["check", "flag-is-set"],
        ["ping"],
        ["fix", "test-flag", "-l", "all"],
        ["fix", "test-flag", "-l", "all", "--apply", "--allow", "service-interruption"],
    ],
)
def test_all_forms_at_once_and_the_same_again_later(
    fleet: Fleet, common: tuple[object, ...], tmp_path: Path, command: list[str]
) -> None:
    ran = fleet(*command, *common, *outputs(tmp_path / "now"))
    assert sorted(path.name for path in (tmp_path / "now").iterdir()) == sorted(NAMES)
    later = fleet("report", "last", *outputs(tmp_path / "later"))
    for name in NAMES:
        if name != "r.txt":  # fleet report puts a heading above the table
            assert (tmp_path / "now" / name).read_bytes() == (tmp_path / "later" / name).read_bytes()
    if command[0] != "ping":
        assert later.code == ran.code


def test_what_is_written_can_be_read(fleet: Fleet, common: tuple[object, ...], tmp_path: Path) -> None:
    fleet("check", "flag-is-set", *common, *outputs(tmp_path))
    root = etree.fromstring((tmp_path / "r.xml").read_bytes())
    assert [suite.get("failures") for suite in root] == ["1", "1"]
    with (tmp_path / "r.csv").open(encoding="utf-8-sig", newline="") as file:
        assert [row["outcome"] for row in csv.DictReader(file)] == ["failed", "failed"]
    assert json.loads((tmp_path / "r.json").read_text())["run"]["counts"] == {"targets": 2, "failed": 2}
    assert "2 hosts = 2 failed" in (tmp_path / "r.html").read_text()
    assert "no flag at /flag" in (tmp_path / "r.md").read_text()


@pytest.mark.parametrize("form", BEGINNINGS)
def test_each_form_goes_to_stdout_too(fleet: Fleet, common: tuple[object, ...], form: str) -> None:
    fleet("check", "flag-is-set", *common)
    ran = fleet("report", "last", "--format", form)
    assert ran.out.startswith(BEGINNINGS[form])
    assert ran.err == ""


def test_a_zone_of_the_inventory_is_in_every_report(
    fleet: Fleet, scripts: Path, inventory: Path, tmp_path: Path
) -> None:
    inventory.write_text(
        inventory.read_text().replace("localhost}", "localhost, fleet_zone: westeurope-1}", 1)
    )
    fleet("check", "flag-is-set", "-i", inventory, "--scripts", scripts, *outputs(tmp_path))
    assert json.loads((tmp_path / "r.json").read_text())["run"]["zones"] == {"here1": "westeurope-1"}
    assert "westeurope-1" in (tmp_path / "r.csv").read_text()
    assert "westeurope-1" in (tmp_path / "r.xml").read_text()


@pytest.mark.parametrize("command", ["hosts", "list", "runs", "explain"])
def test_lists_have_only_the_forms_of_lists(fleet: Fleet, command: str) -> None:
    ran = fleet(command, "--format", "html")
    assert ran.code == 2
    assert "html" in ran.err


def test_an_unknown_suffix_is_refused_before_anything_is_contacted(
    fleet: Fleet, common: tuple[object, ...], tmp_path: Path
) -> None:
    ran = fleet("check", "flag-is-set", *common, "-o", tmp_path / "r.pdf")
    assert ran.code == 2
    assert "use one of .json .ndjson .xml .csv .html .md .txt" in ran.err
    assert "No runs yet" in fleet("runs").out
