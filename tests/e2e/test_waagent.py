"""The main job on a real sshd and the real files of the agent, seen by testinfra over its own connection."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import testinfra

from fleet.journal import History
from fleet.lab.fake_root import Fault
from fleet.model import Outcome
from tests.cli.conftest import Fleet, fleet, root  # noqa: F401 (fixtures)
from tests.e2e.conftest import Guest
from tests.sshd import needs_sshd

pytestmark = needs_sshd
ALL = ("-l", "all")
QUICK = ("-p", "settle_seconds=1", "-p", "start_seconds=5")


@pytest.fixture
def witness(guest: Guest) -> testinfra.host.Host:
    """Another road to the guest than fleet's: the system's own ssh client, driven by testinfra."""
    config = guest.server.known_hosts.with_name("ssh_config")
    config.write_text(
        f"Host *\n  IdentityFile {guest.server.key_file}\n  IdentitiesOnly yes\n"
        f"  UserKnownHostsFile {guest.server.known_hosts}\n  StrictHostKeyChecking yes\n"
    )
    address = f"ssh://{guest.server.user}@{guest.server.address}:{guest.server.port}"
    return testinfra.get_host(address, ssh_config=str(config))


def digests(folder: Path) -> dict[str, str]:
    """Every file of the guest, but for what its stand-ins keep of themselves and what always moves."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and ".lab" not in path.parts and "proc" not in path.parts
    }


def test_restart_waagent_checks_then_applies(
    fleet: Fleet,  # noqa: F811
    guest: Guest,
    witness: testinfra.host.Host,
) -> None:
    guest.root.plant(Fault.DEAD)
    before = digests(guest.root.path("/"))
    common = ("-i", guest.inventory)

    asked = fleet("fix", "restart-waagent", *common, *ALL, "--check")
    assert asked.code == 0, asked
    assert "would restart walinuxagent" in asked.out
    assert guest.root.ledger == []
    assert digests(guest.root.path("/")) == before

    done = fleet(
        "fix", "restart-waagent", *common, *ALL, *QUICK, "--apply", "--allow", "service-interruption"
    )
    assert done.code == 0, done
    assert "1 host = 1 changed" in done.out

    folder = guest.root.path("/")
    pid = witness.file(f"{folder}/.lab/pid").content_string.strip()
    assert witness.file(f"{folder}/proc/{pid}/cmdline").content_string.split("\0")[2] == "/usr/sbin/waagent"
    assert "ActiveState=active" in witness.run("systemctl show -p ActiveState walinuxagent").stdout
    assert witness.file(f"{folder}/etc/waagent.conf").contains("^Extensions.Enabled=y")
    changed = {name for name, digest in digests(folder).items() if before.get(name) != digest}
    assert changed <= {"var/log/waagent.log"}, "nothing but the agent's own log may differ"

    again = fleet(
        "fix", "restart-waagent", *common, *ALL, *QUICK, "--apply", "--allow", "service-interruption"
    )
    assert "1 host = 1 ok" in again.out
    assert len(guest.root.ledger) == 1


def test_verbose_logging_goes_on_and_back_by_its_undo(
    fleet: Fleet,  # noqa: F811
    guest: Guest,
    witness: testinfra.host.Host,
    tmp_path: Path,
) -> None:
    original = guest.conf.read_bytes()
    common = ("-i", guest.inventory, *ALL, *QUICK, "--apply", "--allow", "service-interruption")
    on = fleet("fix", "agent-linux-verbose-logging", *common)
    assert on.code == 0, on
    conf = witness.file(str(guest.conf))
    assert conf.contains("^Logs.Verbose=y$")
    assert not conf.contains("^Logs.Verbose=n$")
    lines = original.decode().replace("Logs.Verbose=n", "Logs.Verbose=y")
    assert guest.conf.read_text() == lines, "one line and no other"

    run = History(tmp_path / "state").run("last")
    act = next(result for result in run.results if result.phase == "act")
    assert act.outcome is Outcome.CHANGED
    undo = [word for name, value in act.data["undo"].items() for word in ("-p", f"{name}={value}")]
    back = fleet(
        "fix", "restore-waagent-conf", *common[:4], *QUICK, *undo, "--apply", "--allow", "destructive"
    )
    assert back.code == 0, back
    assert guest.conf.read_bytes() == original


def test_a_changed_host_key_stops_everything_before_a_byte_is_sent(
    fleet: Fleet,  # noqa: F811
    guest: Guest,
) -> None:
    kind, _key = guest.server.line().split()[1:3]
    other = guest.server.key_file.with_suffix(".pub").read_text().split()[1]
    guest.server.known_hosts.write_text(f"[{guest.server.address}]:{guest.server.port} {kind} {other}\n")
    guest.root.plant(Fault.DEAD)
    common = ("-i", guest.inventory, *ALL, "--apply", "--allow", "service-interruption")
    refused = fleet("fix", "restart-waagent", *common)
    assert refused.code == 3
    assert "denied" in refused.out
    assert guest.root.calls == []
