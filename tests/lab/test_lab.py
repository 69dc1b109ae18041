"""A lab: what stands in its folder, who answers, and that nothing of it is left."""

from __future__ import annotations

import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fleet import api
from fleet.catalog import Catalog
from fleet.errors import UsageError
from fleet.lab import fake_windows
from fleet.lab.lab import DEAD, LEGACY, Lab, new_folder
from fleet.lab.world import make_lab
from fleet.render import POWERSHELL_COMMAND

FLEET = [sys.executable, "-m", "fleet"]


@pytest.fixture
def without_powershell(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lab takes the model, whatever this machine has."""
    monkeypatch.setattr(fake_windows, "available", lambda: False)


@pytest.fixture
def lab(tmp_path: Path, catalog: Catalog, without_powershell: None) -> Lab:
    return make_lab(new_folder(tmp_path / "lab"), catalog)


class TestFolder:
    def test_may_be_new_or_empty(self, tmp_path: Path) -> None:
        assert new_folder(tmp_path / "a" / "b").is_dir()
        assert new_folder(tmp_path / "a" / "b").is_dir()

    def test_is_the_owners_alone(self, tmp_path: Path) -> None:
        assert stat.S_IMODE(new_folder(tmp_path / "lab").stat().st_mode) == 0o700

    def test_that_holds_something_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "mine").touch()
        with pytest.raises(UsageError, match="is not empty; a lab wants a new folder"):
            new_folder(tmp_path)

    def test_that_is_a_file_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "mine").touch()
        with pytest.raises(UsageError, match="can't be used"):
            new_folder(tmp_path / "mine")


class TestLab:
    def test_writes_an_inventory_that_loads_and_says_who_is_there(self, lab: Lab) -> None:
        with lab:
            inventory = api.load_inventory(lab.inventory)
        assert set(inventory.hosts) == set(lab.guests) | {DEAD}
        assert len(inventory.select("linux")) == 4
        assert len(inventory.select("windows")) == 3
        assert all(host.address.text == "127.0.0.1" for host in inventory)

    def test_keeps_its_passwords_to_its_owner_and_out_of_the_inventory(self, lab: Lab) -> None:
        with lab:
            secrets = list((lab.folder / "secrets").iterdir())
            text = lab.inventory.read_text()
        assert len(secrets) == 3
        for path in secrets:
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert path.read_text().strip() not in text

    def test_gives_every_lab_its_own_passwords(
        self, tmp_path: Path, catalog: Catalog, without_powershell: None
    ) -> None:
        first, second = (make_lab(new_folder(tmp_path / name), catalog) for name in "ab")
        assert first.guests["lin-db"].accounts != second.guests["lin-db"].accounts

    def test_has_a_guest_whose_password_the_inventory_does_not_know(self, lab: Lab) -> None:
        told = (lab.folder / "secrets/legacy").read_text().strip()
        assert told not in lab.guests[LEGACY].accounts.values()

    def test_listens_on_loopback_while_it_is_open_and_not_afterwards(self, lab: Lab) -> None:
        with lab:
            ports = {host.name: host.port for host in api.load_inventory(lab.inventory)}
            for name, port in ports.items():
                assert answers(port) == (name != DEAD), name
        assert not any(answers(port) for port in ports.values())

    def test_guests_begin_with_an_empty_ledger(self, lab: Lab) -> None:
        assert [line for guest in lab.guests.values() for line in guest.ledger] == []


def answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_fleet_lab_runs_until_it_is_stopped(number: signal.Signals, tmp_path: Path) -> None:
    folder = tmp_path / "lab"
    # in a PATH without pwsh its guests are there at once
    environment = {**os.environ, "PATH": os.defpath}
    command = [*FLEET, "lab", "--folder", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as running:
        assert running.stdout is not None
        shown = []
        for line in running.stdout:
            shown.append(line)
            if "Ctrl-C" in line:
                break
        assert any(f"FLEET_INVENTORY={folder}/inventory.yaml" in line for line in shown)
        ping = [
            *FLEET,
            "ping",
            "-i",
            str(folder / "inventory.yaml"),
            "-l",
            "lin-db",
            "--state",
            str(tmp_path / "s"),
        ]
        answered = subprocess.run(ping, capture_output=True, text=True, timeout=60, check=False)
        running.send_signal(number)
        rest = running.stdout.read()
        assert running.wait(20) == 0
    assert answered.returncode == 0, answered.stdout + answered.stderr
    assert re.search(r"What was done to the guests:\n  nothing", rest)


def test_a_windows_guest_of_the_lab_keeps_the_time_of_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long a lab runs, no check is to find a clock that nobody put wrong."""
    monkeypatch.setattr(fake_windows, "_Engine", lambda path: path)
    guest = fake_windows.FakeWindows("win-app", {}, {"clock": 30}, tmp_path, right_clock=True)
    guest.spawn(POWERSHELL_COMMAND)
    told = guest.state["os"]["epoch"] + guest.state["clock"]
    assert abs(told - time.time()) < 30
