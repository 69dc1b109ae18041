"""Faults of the agent and the backup extension on Linux, planted in the lab and mended by ``fleet fix``.

Each time a guest without the fault stands beside it: its ledger has to stay empty.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.cli import main
from fleet.lab.fake_root import FakeRoot, Fault
from fleet.lab.ssh_server import SshServer

CURED = {
    Fault.NO_RESTART: ("agent-linux-auto-restart", ["systemd reloaded"]),
    Fault.OUTDATED: (
        "agent-linux-outdated",
        ["walinuxagent 2.7.3.0-1 installed", "agent stopped", "agent started"],
    ),
    Fault.WRONG_LABELS: ("azvm-selinux-waagent-path", ["labels restored below /var/lib/waagent"]),
}
"""The runbook that mends it, and what the ledger then says, by its beginnings."""

ONLY_FOUND = {
    Fault.OLD_EXTENSION: "azvm-linux-vmsnapshot-version",
    Fault.LOOP_MOUNT: "azvm-fsfreeze-failed",
    Fault.FREEZE_HANGS: "freezer-hang",
}
"""The runbook or check that finds it."""


class Pair:
    """Two guests behind an SSH server, one of them with a fault."""

    def __init__(self, folder: Path) -> None:
        accounts = {"ops": "correct horse"}
        self.good = FakeRoot(folder / "good", "good", accounts=accounts, uid=1000)
        self.bad = FakeRoot(folder / "bad", "bad", accounts=accounts, uid=1000)
        self._folder = folder

    def describe(self, server: SshServer) -> None:
        """Write the inventory, and what it names."""
        password, known = self._folder / "password", self._folder / "known_hosts"
        password.touch(mode=0o600)
        password.write_text("correct horse")
        known.write_text(server.known_hosts_text())
        hosts = "".join(
            f"    {name}: {{ansible_host: {address}, ansible_port: {port}}}\n"
            for name, (address, port) in server.addresses.items()
        )
        (self._folder / "inventory.yaml").write_text(
            f"all:\n  hosts:\n{hosts}  vars:\n    ansible_user: ops\n    ansible_become: true\n"
            f"    fleet_password: {{file: {password}}}\n    fleet_known_hosts: {known}\n"
        )

    def fix(self, id: str, *more: str) -> int:
        """``fleet fix`` on both; its exit code."""
        return self.run("fix", id, *more)

    def run(self, command: str, id: str, *more: str) -> int:
        """A command on both; its exit code."""
        return main(
            [command, id, "-i", str(self._folder / "inventory.yaml"), "-l", "all", "--state",
             str(self._folder / "state"), *more]
        )  # fmt: skip


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    pair = Pair(tmp_path)
    with SshServer([pair.good, pair.bad]) as server:
        pair.describe(server)
        yield pair


@pytest.mark.parametrize("fault", CURED)
def test_it_is_cured_and_the_guest_beside_it_is_left_alone(pair: Pair, fault: Fault) -> None:
    id, done = CURED[fault]
    pair.bad.plant(fault)

    assert pair.fix(id) == 0
    assert pair.bad.ledger == [], "a plan changes nothing"

    assert pair.fix(id, "--apply", "--allow", "service-interruption") == 0
    assert len(pair.bad.ledger) == len(done)
    assert all(line.startswith(each) for line, each in zip(pair.bad.ledger, done, strict=True))
    assert pair.good.ledger == []

    assert pair.fix(id, "--apply", "--allow", "service-interruption") == 0
    assert len(pair.bad.ledger) == len(done), "a second run changes nothing"


@pytest.mark.parametrize("fault", ONLY_FOUND)
def test_it_is_found_and_left_to_a_person(pair: Pair, fault: Fault) -> None:
    pair.bad.plant(fault)
    assert pair.run("check", ONLY_FOUND[fault]) == 1
    assert pair.bad.ledger == pair.good.ledger == []


def test_a_backup_under_way_is_no_freeze_that_hangs(pair: Pair) -> None:
    pair.bad.plant(Fault.BACKUP)
    assert pair.run("check", "freezer-hang") == 0


def test_a_guest_without_the_fault_is_fine(pair: Pair) -> None:
    for id in ONLY_FOUND.values():
        assert pair.run("check", id) == 0
