"""Collecting from the whole lab: real shells of both kinds, a dead guest, and one with another password."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from fleet import catalog
from fleet.bundle.verify import verify
from fleet.lab.lab import DEAD, LEGACY, new_folder
from fleet.lab.world import make_lab
from tests.cli.conftest import Fleet, fleet, root  # noqa: F401 (fixtures)

LINUX, WINDOWS = ("lin-web1", "lin-web2", "lin-db"), ("win-sql", "win-app")


def test_what_comes_is_kept_and_who_did_not_answer_is_said(fleet: Fleet, tmp_path: Path) -> None:  # noqa: F811
    path = tmp_path / "case.zip"
    with make_lab(new_folder(tmp_path / "lab"), catalog.load()) as lab:
        ran = fleet("collect", "-i", lab.inventory, "-o", path, "-o", tmp_path / "run.json")
        ledger = {name: list(guest.ledger) for name, guest in lab.guests.items()}
    assert ran.code == 3, ran
    assert "7 hosts = 1 denied + 1 unreachable + 5 ok" in ran.out
    assert "Partial: not everything came of 2 of 7 hosts" in ran.out
    assert verify(path).problems == ()
    with zipfile.ZipFile(path) as file:
        said = json.loads(file.read("manifest.json"))
    items = {host: {each["item"] for each in said["files"] if each["host"] == host} for host in said["hosts"]}
    for host in LINUX:
        assert items[host] >= {"agent-log", "agent-config", "agent-folder", "agent-version"}
    for host in WINDOWS:
        assert items[host] >= {"agent-log", "application-events", "system-events", "extension-logs"}
    missing = {each["host"]: each["item"] for each in said["missing"] if each["host"] in {DEAD, LEGACY}}
    assert missing == {DEAD: "everything", LEGACY: "everything"}
    assert {sign["host"] for sign in said["stands_out"]} == {"win-sql"}
    results = json.loads((tmp_path / "run.json").read_text())["results"]
    cleaned = {
        each["host"]: each["data"]["removed"] for each in results if each["snippet"] == "collect-clean"
    }
    assert cleaned == dict.fromkeys((*LINUX, *WINDOWS), True)
    for host in LINUX:
        assert ledger[host] == []
        assert not list((tmp_path / "lab/guests" / host / "var/tmp").iterdir())
    for host in WINDOWS:
        assert set(ledger[host]) <= {"make a private folder for collect"}
