"""Who is let in, and whom fleet lets in: passwords and certificates, through the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import yaml

from fleet.lab.guest import Process
from fleet.lab.ssh_server import SshServer
from fleet.lab.winrm_server import WinrmServer
from tests.cli.conftest import Fleet, fleet, root  # noqa: F401 (fixtures)

HOSTS = 20


class Bouncer:
    """A guest that takes one password and runs nothing."""

    def __init__(self, name: str, password: str = "the right one") -> None:
        self.name = name
        self.password = password
        self.asked = 0
        """How often its accounts were looked at: over SSH once for each password that was tried."""

    @property
    def accounts(self) -> Mapping[str, str]:
        self.asked += 1
        return {"ops": self.password}

    def spawn(self, command: str) -> Process:
        raise AssertionError(f"nobody was to get in, but somebody ran {command}")


def write_inventory(folder: Path, common: dict[str, object], ports: Mapping[str, int]) -> Path:
    secret = folder / "secret"
    secret.touch(mode=0o600)
    secret.write_text("a wrong one\n")
    hosts = {name: {"ansible_port": port} for name, port in ports.items()}
    every = {"ansible_host": "127.0.0.1", "ansible_user": "ops", "fleet_password": {"file": "secret"}}
    inventory = folder / "inv.yaml"
    inventory.write_text(yaml.safe_dump({"all": {"vars": every | common, "hosts": hosts}}))
    return inventory


@contextmanager
def ssh_hosts(folder: Path, guests: list[Bouncer]) -> Iterator[Path]:
    with SshServer(guests) as server:
        (folder / "known_hosts").write_text(server.known_hosts_text())
        ports = {name: port for name, (_, port) in server.addresses.items()}
        yield write_inventory(folder, {"fleet_known_hosts": "known_hosts"}, ports)


def winrm_settings(folder: Path, server: WinrmServer) -> dict[str, object]:
    (folder / "ca.pem").write_bytes(server.authority.file.read_bytes())
    return {"ansible_connection": "winrm", "ansible_winrm_ca_trust_path": "ca.pem"}


def denied(fleet: Fleet, inventory: Path) -> list[dict[str, str]]:  # noqa: F811
    ran = fleet("ping", "-i", inventory, "--format", "json")
    assert ran.code == 3, ran
    results: list[dict[str, str]] = json.loads(ran.out)["results"]
    assert {result["outcome"] for result in results} == {"denied"}
    return results


class TestAWrongPasswordOfTwentyHosts:
    """All of one realm: the account must not be locked by us."""

    def test_reaches_one_of_them_over_ssh(self, fleet: Fleet, tmp_path: Path) -> None:  # noqa: F811
        guests = [Bouncer(f"h{number:02d}") for number in range(HOSTS)]
        with ssh_hosts(tmp_path, guests) as inventory:
            results = denied(fleet, inventory)
        assert sum(guest.asked for guest in guests) == 1
        assert sum("not tried: " in result["message"] for result in results) == HOSTS - 1

    def test_reaches_one_of_them_over_winrm(self, fleet: Fleet, tmp_path: Path) -> None:  # noqa: F811
        guests = [Bouncer(f"h{number:02d}") for number in range(HOSTS)]
        with WinrmServer(guests) as server:
            ports = {guest.name: server[guest.name].port for guest in guests}
            results = denied(fleet, write_inventory(tmp_path, winrm_settings(tmp_path, server), ports))
            asked = [name for name in ports if "Login" in server[name].requests]
        assert len(asked) == 1
        assert sum("not tried: " in result["message"] for result in results) == HOSTS - 1

    def test_is_tried_again_in_another_realm(self, fleet: Fleet, tmp_path: Path) -> None:  # noqa: F811
        guests = [Bouncer(f"h{number:02d}") for number in range(4)]
        with ssh_hosts(tmp_path, guests) as inventory:
            document = yaml.safe_load(inventory.read_text())
            for number, host in enumerate(document["all"]["hosts"].values()):
                host["fleet_realm"] = "CORP" if number % 2 else "LAB"
            inventory.write_text(yaml.safe_dump(document))
            denied(fleet, inventory)
        assert sum(guest.asked for guest in guests) == 2


class TestACertificate:
    def refused(self, fleet: Fleet, folder: Path, address: str, **server: object) -> str:  # noqa: F811
        guest = Bouncer("sql01")
        with WinrmServer([guest], **server) as lab:  # type: ignore[arg-type]
            settings = winrm_settings(folder, lab)
            inventory = write_inventory(folder, settings, {"sql01": lab["sql01"].port})
            inventory.write_text(inventory.read_text().replace("127.0.0.1", address))
            ran = fleet("check", "vss-writers", "-i", inventory)
            assert lab["sql01"].messages == 0, "nothing may be sent to whom is not known"
        assert ran.code == 3, ran
        assert "1 host = 1 denied" in ran.out
        return " ".join(ran.out.split())

    def test_for_another_name_is_refused(self, fleet: Fleet, tmp_path: Path) -> None:  # noqa: F811
        said = self.refused(fleet, tmp_path, "localhost", names=("old-sql01",))
        assert 'The server\'s certificate is for "old-sql01", not "localhost".' in said
        assert (
            "If that is right: set ansible_winrm_server_name, or have the certificate renewed. "
            "Nothing was sent." in said
        )

    def test_that_has_expired_is_refused(self, fleet: Fleet, tmp_path: Path) -> None:  # noqa: F811
        said = self.refused(fleet, tmp_path, "127.0.0.1", days=-1)
        assert "has expired. Have it renewed in the guest. Nothing was sent." in said

    def test_that_is_not_verified_is_told_in_every_report(self, fleet: Fleet, tmp_path: Path) -> None:  # noqa: F811
        with WinrmServer([Bouncer("sql01")], names=("other",)) as lab:
            settings = winrm_settings(tmp_path, lab) | {"ansible_winrm_server_cert_validation": "ignore"}
            inventory = write_inventory(tmp_path, settings, {"sql01": lab["sql01"].port})
            ran = fleet("ping", "-i", inventory)
        assert "Certificates were NOT verified on: sql01" in ran.out
        assert "Certificates were NOT verified on: sql01" in fleet("report", "last").out
        assert "CERTIFICATE NOT VERIFIED" in fleet("hosts", "-i", inventory).out
