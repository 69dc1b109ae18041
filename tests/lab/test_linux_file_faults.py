"""Faults of Linux guests that lie in files, and agents that are not there, do not run or say too little.

Each time a guest without the fault stands beside it: its ledger has to stay empty.
"""

from __future__ import annotations

import pytest

from fleet.lab.fake_root import Fault
from tests.lab.test_linux_faults import Pair
from tests.lab.test_linux_faults import pair as pair

HANDLER = "/var/lib/waagent/Microsoft.Azure.RecoveryServices.VMSnapshotLinux-1.0.9184.0"
MANIFEST, STATE, STATUS = (
    f"{HANDLER}/{name}" for name in ("HandlerManifest.json", "config/HandlerState", "config/HandlerStatus")
)
WHOLE = {MANIFEST: "[]", STATE: "Enabled", STATUS: '{"status": "Ready"}'}
OS, LISTED = "/etc/os-release", 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n'
LIST = ("-p", "supported=Debian GNU/Linux 12")
IN_FILES: dict[str, tuple[dict[str, str], dict[str, str | None], tuple[str, ...]]] = {
    "azvm-snapshot-limit-reached": (
        {},
        {"/etc/azure/vmbackup.conf": "[SnapshotThread]\nisanysnapshotfailed = True\n"},
        (),
    ),
    "azvm-other-backup-service-running": ({}, {"/proc/700/cmdline": "/opt/bacula/bin/bacula-fd\0"}, ()),
    "azvm-high-cpu-or-memory": (
        {},
        {"/proc/meminfo": "MemTotal: 8000000 kB\nMemAvailable: 90000 kB\n"},
        ("-p", "load_seconds=1"),
    ),
    "azvm-os-supported": ({OS: LISTED}, {OS: LISTED.replace("12", "9")}, LIST),
    "azvm-restore-disks-offline": ({}, {"/sys/block/sdc/device/state": "offline\n"}, ()),
    "azvm-extension-stuck-in-deletion": (WHOLE, {MANIFEST: None, STATE: "FailedUpgrade"}, ()),
    "azvm-backup-extension-fails-to-load": (WHOLE, {STATE: "Installed"}, ()),
    "azvm-vm-not-in-desirable-state": (WHOLE, {STATUS: '{"status": "NotReady"}'}, ()),
    "agent-dhcp-wireserver": ({}, {"/run/systemd/netif/leases/2": "ADDRESS=10.0.0.4\n"}, ()),
    "agent-linux-collect-logs": ({}, {"/var/log/waagent.log": None}, ()),
}
"""What sound guests have, what the bad one has instead (None: nothing), and what the check is told."""

DPKG = """\
#!/bin/sh
[ ! -e "$FLEET_ROOT/.lab/package" ] || printf 'installed %s' "$(cat "$FLEET_ROOT/.lab/package")"
"""
APT = """\
#!/bin/sh
case " $* " in
    *' -s '*) ;;
    *' install walinuxagent '*)
        printf 2.7.3 >"$FLEET_ROOT/.lab/package"
        echo 'walinuxagent installed' >>"$FLEET_ROOT/.lab/ledger"
        ;;
esac
"""


@pytest.mark.parametrize("id", IN_FILES)
def test_a_fault_that_lies_in_files_is_found_and_left_to_a_person(pair: Pair, id: str) -> None:
    sound, broken, told = IN_FILES[id]
    for guest in (pair.good, pair.bad):
        for path, text in sound.items():
            guest.write(path, text)
    assert pair.run("check", id, *told) == 0
    for path, found in broken.items():
        if found is None:
            pair.bad.path(path).unlink()
        else:
            pair.bad.write(path, found)
    assert pair.run("check", id, *told) == 1
    assert pair.bad.ledger == pair.good.ledger == []


def test_a_guest_that_reaches_nothing_is_found(pair: Pair) -> None:
    assert pair.run("check", "azvm-internet-connectivity") == 0
    pair.bad.plant(Fault.CUT_OFF)
    assert pair.run("check", "azvm-internet-connectivity") == 1
    assert pair.bad.ledger == pair.good.ledger == []


def test_an_agent_that_is_not_installed_comes_from_the_distribution(pair: Pair) -> None:
    pair.bad.plant(Fault.ABSENT)
    for guest in (pair.good, pair.bad):
        guest.stub("dpkg-query", DPKG)
        guest.stub("apt-get", APT)
    pair.good.write("/.lab/package", "2.7.3")
    allow = ("--apply", "--allow", "service-interruption")
    assert pair.fix("agent-linux-install") == 0
    assert pair.bad.ledger == [], "a plan changes nothing"
    assert pair.fix("agent-linux-install", *allow) == 0
    assert pair.fix("agent-linux-install", *allow) == 0
    assert pair.bad.ledger == ["walinuxagent installed"], "a second run changes nothing"
    assert pair.good.ledger == []


def test_a_dead_agent_is_started(pair: Pair) -> None:
    pair.bad.plant(Fault.DEAD)
    allow = ("--apply", "--allow", "service-interruption", "-p", "settle_seconds=1")
    assert pair.fix("agent-linux-not-running", *allow) == 0
    assert pair.fix("agent-linux-not-running", *allow) == 0
    (line,) = pair.bad.ledger
    assert line.startswith("agent started as pid ")
    assert pair.good.ledger == []


def test_verbose_logging_is_switched_on_where_it_is_off(pair: Pair) -> None:
    pair.good.plant(Fault.VERBOSE)
    allow = ("--apply", "--allow", "service-interruption", "-p", "settle_seconds=1")
    assert pair.fix("agent-linux-verbose-logging", *allow) == 0
    assert "Logs.Verbose=y" in pair.bad.path("/etc/waagent.conf").read_text()
    done = list(pair.bad.ledger)
    assert [line.split(",")[0].split(" as ")[0] for line in done] == ["agent stopped", "agent started"]
    assert pair.fix("agent-linux-verbose-logging", *allow) == 0
    assert pair.bad.ledger == done, "a second run changes nothing"
    assert pair.good.ledger == []
