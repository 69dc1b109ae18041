"""Collecting from many at once: forty hosts, Windows and Linux together, over real SSH and WinRM."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from fleet import catalog
from fleet.bundle import pseudonyms
from fleet.bundle.verify import verify
from fleet.lab.fake_root import FakeRoot
from fleet.lab.ssh_server import SshServer
from fleet.lab.windows_model import WindowsModel
from fleet.lab.winrm_server import WinrmServer
from fleet.lab.world import windows_server
from tests.cli.conftest import Fleet, fleet, root  # noqa: F401 (fixtures)

EACH = 20
PASSWORD = "Correct-Horse-42"


@pytest.fixture
def linux(tmp_path: Path) -> list[FakeRoot]:
    guests = [
        FakeRoot(tmp_path / f"lin{n:02d}", f"lin{n:02d}", accounts={"ops": PASSWORD}) for n in range(EACH)
    ]
    for guest in guests:
        guest.path("/var/log/waagent.log").write_text(f"{guest.name} talks to win07 at 10.1.2.3\n")
    return guests


@pytest.fixture
def windows() -> list[WindowsModel]:
    known = catalog.load()
    guests = []
    for number in range(EACH):
        state = windows_server(strong_crypto=True)
        state.texts[r"C:\WindowsAzure\Logs\WaAppAgent.log"] = f"win{number:02d}: asked LIN03 at 10.1.2.4\r\n"
        guests.append(WindowsModel(f"win{number:02d}", {"ops": PASSWORD}, state, known))
    return guests


@pytest.fixture
def inventory(tmp_path: Path, linux: list[FakeRoot], windows: list[WindowsModel]) -> Iterator[Path]:
    (tmp_path / "secret").touch(mode=0o600)
    (tmp_path / "secret").write_text(PASSWORD + "\n")
    with ExitStack() as stack:
        ssh = stack.enter_context(SshServer(linux))
        winrm = stack.enter_context(WinrmServer(windows))
        (tmp_path / "known_hosts").write_text(ssh.known_hosts_text())
        (tmp_path / "ca.pem").write_bytes(winrm.authority.file.read_bytes())
        common = {"ansible_host": "127.0.0.1", "ansible_user": "ops", "fleet_password": {"file": "secret"}}
        of_ssh: dict[str, Any] = common | {"fleet_known_hosts": "known_hosts"}
        of_winrm: dict[str, Any] = common | {
            "ansible_connection": "winrm",
            "ansible_winrm_ca_trust_path": "ca.pem",
        }
        hosts = {name: of_ssh | {"ansible_port": port} for name, (_, port) in ssh.addresses.items()}
        hosts |= {guest.name: of_winrm | {"ansible_port": winrm[guest.name].port} for guest in windows}
        made = tmp_path / "inventory.yaml"
        made.write_text(yaml.safe_dump({"all": {"hosts": hosts}}))
        yield made


def test_forty_at_once_with_names_that_are_the_same_in_all(
    fleet: Fleet,  # noqa: F811
    inventory: Path,
    linux: list[FakeRoot],
    windows: list[WindowsModel],
    tmp_path: Path,
) -> None:
    words = ("-i", inventory, "--redact", "full", "--workers", 40, "-o", tmp_path / "case.zip")
    ran = fleet("collect", *words, "-o", tmp_path / "case.json")
    assert ran.code == 0, ran
    assert "40 hosts = 40 ok" in ran.out
    assert verify(tmp_path / "case.zip").problems == ()
    with zipfile.ZipFile(tmp_path / "case.zip") as file:
        found = {name: file.read(name).decode() for name in file.namelist()}
    said = json.loads(found["manifest.json"])
    assert len(said["hosts"]) == 40
    logs = [text for name, text in found.items() if "-agent-log." in name]
    assert len(logs) == 40
    everything = "\n".join([*found, *found.values()])
    for name in ("lin03", "LIN03", "win07", "10.1.2.3", "10.1.2.4"):
        assert name not in everything
    (kept,) = (tmp_path / "state/bundles").iterdir()
    back = pseudonyms.load(kept)
    revealed = {back.reveal(text).lower().strip() for text in logs}
    assert {"lin03 talks to win07 at 10.1.2.3", "win05: asked lin03 at 10.1.2.4"} <= revealed
    asked = {text.split(" asked ")[1] for text in logs if " asked " in text}
    assert len(asked) == 1
    assert all(not list(guest.path("/var/tmp").iterdir()) for guest in linux)
    assert all(not guest.state.stages for guest in windows)
    document = json.loads((tmp_path / "case.json").read_text())
    assert document["run"]["counts"] == {"targets": 40, "ok": 40}


def test_a_name_is_turned_back_by_the_command(fleet: Fleet, inventory: Path, tmp_path: Path) -> None:  # noqa: F811
    words = ("-i", inventory, "-l", "lin0[1:2]", "--redact", "full", "-o", tmp_path / "case.zip")
    assert fleet("collect", *words).code == 0
    with zipfile.ZipFile(tmp_path / "case.zip") as file:
        host = next(iter(json.loads(file.read("manifest.json"))["hosts"]))
    turned = fleet("bundle", "reveal", f"{host} is slow")
    assert (turned.code, turned.out) == (0, "lin01 is slow\n")
    assert "with " in turned.err
    assert fleet("bundle", "reveal", "--map", tmp_path / "none.map", host).code == 2


def test_each_system_has_its_bundle_and_the_others_are_skipped(
    fleet: Fleet,  # noqa: F811
    inventory: Path,
    tmp_path: Path,
) -> None:
    ran = fleet("collect", "mars", "-i", inventory, "-l", "lin01,win01", "-o", tmp_path / "case.zip")
    assert ran.code == 0, ran
    assert "mars is for windows, and this is linux" in ran.out
    assert "2 hosts = 1 skipped + 1 ok" in ran.out
