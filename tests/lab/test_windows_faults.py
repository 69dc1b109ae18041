"""Faults of the backup extension on Windows, planted in the lab and mended by ``fleet fix``.

Each time a guest without the fault stands beside it: its ledger has to stay empty. The snippets are real
and run in a real PowerShell; only the Windows below them is a fake.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fleet.cli import main
from fleet.lab import fake_windows
from fleet.lab.fake_windows import FakeWindows
from fleet.lab.winrm_server import WinrmServer
from tests.powershell.test_cases import HERE, as_state, merge

pytestmark = [
    pytest.mark.pwsh,
    pytest.mark.skipif(not fake_windows.available(), reason="needs a PowerShell engine on PATH as pwsh"),
]

PERSISTENT = r"64:HKLM\SOFTWARE\Microsoft\BcdrAgentPersistentKeys"
SQL = r"64:HKLM\SOFTWARE\Microsoft\BcdrAgent"
RUNTIME = r"HKLM\SOFTWARE\Microsoft\VisualStudio\12.0\VC\Runtimes\x64"
KEYS = r"C:\ProgramData\Microsoft\Crypto\RSA\MachineKeys"
PLUGIN = r"C:\Packages\Plugins\Microsoft.Azure.RecoveryServices.VMSnapshot"
LOGS = r"C:\WindowsAzure\Logs\Plugins\Microsoft.Azure.RecoveryServices.VMSnapshot"
GENERATOR = "DC=Windows Azure CRP Certificate Generator"
TRUE = {"type": "String", "value": "True"}
HOST_FIRST = {
    "SnapshotMethod": {"type": "String", "value": "firstHostThenGuest"},
    "CalculateSnapshotTimeFromHost": TRUE,
}
DOTNET = r"HKLM\SOFTWARE\Microsoft\.NETFramework"
STRONG = {
    f"{view}:{DOTNET}\\{version}": {"SchUseStrongCrypto": {"type": "DWord", "value": 1}}
    for view in (64, 32)
    for version in ("v2.0.50727", "v4.0.30319")
}
UNDO = r"C:\ProgramData\fleet\undo\0"
INSTALLED = {"Installed": {"type": "DWord", "value": 1}, "Version": {"type": "String", "value": "v12.0"}}


@dataclass(frozen=True)
class Planted:
    """What is wrong with a guest, what its sound neighbour has instead, and what is done about it."""

    runbook: str
    bad: dict[str, Any]
    ledger: list[str]
    allow: str = "safe"
    good: dict[str, Any] | None = None


def event(provider: str, number: int, *data: str) -> str:
    strings = "".join(f"<Data>{text}</Data>" for text in data)
    time = "<TimeCreated SystemTime='2026-11-20T02:01:00.000Z'/>"
    system = f"<System><Provider Name='{provider}'/><EventID>{number}</EventID>{time}</System>"
    return f"<Event>{system}<EventData>{strings}</EventData></Event>"


CURED = [
    Planted(
        "azvm-timeout-vm-network-unresponsive",
        {},
        [
            f"make key {PERSISTENT}",
            rf"set {PERSISTENT}\SnapshotMethod = firstHostThenGuest",
            rf"set {PERSISTENT}\CalculateSnapshotTimeFromHost = True",
        ],
        good={"registry": {PERSISTENT: HOST_FIRST}},
    ),
    Planted(
        "azvm-sql-full-vss-backup-delay",
        {"services": {"MSSQLSERVER": {}}, "registry": {SQL: {}}},
        [rf"set {SQL}\USEVSSCOPYBACKUP = TRUE"],
    ),
    Planted(
        "azvm-extension-config-parsing-machinekeys",
        {
            "acl": {KEYS: "O:SYG:SYD:PAI(A;;FR;;;WD)(A;;FA;;;BA)"},
            "certificates": [
                {"thumbprint": "AAAAAAAA01", "subject": GENERATOR, "not_before": -9, "not_after": -5}
            ],
        },
        [
            f"set rights of {KEYS}: O:SYG:SYD:PAI(A;;0x12019f;;;WD)(A;;FA;;;BA)",
            "delete certificate AAAAAAAA01",
            "stop RdAgent",
            "start RdAgent",
        ],
        allow="destructive",
    ),
    Planted(
        "azvm-vcredist-installation-failure",
        {
            "services": {"msiserver": {"start_type": "Disabled"}},
            "registry": {f"64:{RUNTIME}": "absent"},
            "programs": {"vcredist2013_x64.exe": {"exit_code": 0, "registry": {f"32:{RUNTIME}": INSTALLED}}},
        },
        [
            "sc config msiserver start= demand",
            "run vcredist2013_x64.exe /install /quiet /norestart",
        ],
        allow="reboot",
    ),
    Planted(
        "azvm-iaasvmprovider-service",
        {"services": {"IaasVmProvider": {"start_type": "Disabled"}}},
        ["sc config IaasVmProvider start= auto"],
    ),
    Planted(
        "azvm-vmrestorepoint-internal-error-antivirus",
        {"events": [event("Application Error", 1000, "IaaSBcdrExtension.exe")]},
        [f"Defender leaves out {PLUGIN}", f"Defender leaves out {LOGS}"],
    ),
    Planted(
        "azvm-no-secure-network-strong-crypto",
        {},
        [rf"set {key}\SchUseStrongCrypto = 1" for key in STRONG],
        good={"registry": STRONG},
    ),
    Planted(
        "azvm-vss-service-bad-state",
        {"services": {"VSS": {"status": "Stopped", "start_type": "Disabled"}}},
        ["sc config VSS start= demand", "start VSS"],
        allow="service-interruption",
    ),
    Planted(
        "azvm-vss-writer-bad-state",
        {"writers": {"System Writer": {"state": 9, "error": 2, "cured_by": 1}}},
        ["stop CryptSvc", "start CryptSvc"],
        allow="service-interruption",
    ),
    Planted(
        "azvm-com-plus-msdtc-error",
        {"services": {"COMSysApp": {"start_type": "Disabled"}}},
        ["sc config COMSysApp start= demand", "start COMSysApp"],
        allow="service-interruption",
    ),
    Planted(
        "azvm-com-plus-msdtc-error",
        {"services": {"MSDTC": {"account": r"CORP\svc-dtc"}, "COMSysApp": {"status": "Running"}}},
        [
            r"sc config MSDTC obj= NT AUTHORITY\NetworkService password= ",
            "stop MSDTC",
            "start MSDTC",
            "stop COMSysApp",
            "start COMSysApp",
        ],
        allow="service-interruption",
    ),
]

ONLY_FOUND: dict[str, dict[str, Any]] = {
    "azvm-vss-timeout-iops": {"events": [event("VSS", 12298), event("volsnap", 9)]},
    "azvm-event-log-other-backup-product": {"events": [event("Microsoft-Windows-Backup", 517)]},
    "azvm-other-backup-service-running": {"services": {"VeeamAgentSvc": {}}},
    "azvm-restore-disks-offline": {"disks": [{"number": 1, "name": "x", "offline": True, "reason": 4}]},
    "azvm-bitlocker-locked": {
        "programs": {
            "manage-bde.exe": {
                "exit_code": 0,
                "reads": True,
                "output": ["Volume F: [x]", "    Percentage Encrypted: Unknown%"],
            }
        }
    },
}


class Pair:
    """Two guests behind a WinRM service, one of them with a fault."""

    def __init__(self, folder: Path) -> None:
        accounts = {"ops": "correct horse"}
        self._folder = folder
        self._server = tomllib.loads((HERE / "guests" / "server.toml").read_text("ascii"))
        self.guests = {
            name: FakeWindows(name, accounts, as_state(self._server), folder) for name in ("good", "bad")
        }
        self._runs = 0

    def describe(self, server: WinrmServer) -> None:
        """Write the inventory, and what it names."""
        password = self._folder / "password"
        password.touch(mode=0o600)
        password.write_text("correct horse")
        hosts = "".join(
            f"    {name}: {{ansible_host: localhost, ansible_port: {server[name].port}}}\n"
            for name in self.guests
        )
        (self._folder / "inventory.yaml").write_text(
            f"all:\n  hosts:\n{hosts}  vars:\n    ansible_connection: winrm\n    ansible_user: ops\n"
            "    ansible_winrm_transport: ntlm\n"
            f"    ansible_winrm_ca_trust_path: {server.authority.file}\n"
            f"    fleet_password: {{file: {password}}}\n"
        )

    def plant(self, good: dict[str, Any] | None, bad: dict[str, Any]) -> None:
        """Make both guests anew."""
        for name, delta in (("good", good or {}), ("bad", bad)):
            state = as_state(merge(self._server, delta))
            (self._folder / f"{name}.json").write_text(json.dumps(state), "utf-8")

    def run(self, command: str, id: str, *more: str) -> int:
        """A command on both; its exit code."""
        inventory, state = self._folder / "inventory.yaml", self._folder / "state"
        return main([command, id, "-i", str(inventory), "-l", "all", "--state", str(state), *more])

    def ledger(self, name: str) -> list[str]:
        return list(self.guests[name].ledger)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    pair = Pair(tmp_path_factory.mktemp("pair"))
    with WinrmServer(pair.guests.values()) as server:
        pair.describe(server)
        yield pair


@pytest.mark.parametrize("planted", CURED, ids=lambda planted: planted.runbook)
def test_it_is_cured_and_the_guest_beside_it_is_left_alone(pair: Pair, planted: Planted) -> None:
    pair.plant(planted.good, planted.bad)
    assert pair.run("fix", planted.runbook, "--apply", "--allow", planted.allow) == 0
    assert pair.ledger("bad") == planted.ledger
    assert pair.run("fix", planted.runbook, "--apply", "--allow", planted.allow) == 0
    assert pair.ledger("bad") == planted.ledger, "a second run changes nothing"
    assert pair.ledger("good") == []


@pytest.mark.parametrize("id", ONLY_FOUND)
def test_it_is_found_and_left_to_a_person(pair: Pair, id: str) -> None:
    pair.plant(None, ONLY_FOUND[id])
    assert pair.run("check", id) == 1
    assert pair.ledger("bad") == pair.ledger("good") == []


def test_a_writer_that_no_restart_cures_gets_the_setting_of_the_next_rung(pair: Pair) -> None:
    pair.plant(None, {"writers": {"System Writer": {"state": 9, "error": 2}}})
    allow = ("--apply", "--allow", "service-interruption")
    assert pair.run("fix", "azvm-vss-writer-bad-state", *allow) == 1, "the next backup has to prove it"
    assert pair.ledger("bad") == [
        "stop CryptSvc",
        "start CryptSvc",
        f"make key {PERSISTENT}",
        rf"set {PERSISTENT}\SnapshotWithoutThreads = True",
    ]
    assert pair.ledger("good") == []


def test_a_lost_msdtc_is_left_to_a_person_who_then_has_it_installed(pair: Pair) -> None:
    runs = {"services": {"COMSysApp": {"status": "Running"}}}
    pair.plant(runs, {"services": {"MSDTC": "absent", "COMSysApp": {"status": "Running"}}})
    allow = ("--apply", "--allow", "destructive")
    assert pair.run("fix", "azvm-com-plus-msdtc-error", *allow) == 1
    assert pair.ledger("bad") == [], "what loses transactions waits for those who own them"
    assert pair.run("fix", "reinstall-msdtc", *allow) == 0
    assert pair.ledger("bad") == [
        "make a private folder for undo",
        rf"export HKLM\SOFTWARE\Microsoft\MSDTC to {UNDO}\msdtc-settings.reg",
        "msdtc -install",
        "sc config MSDTC start= delayed-auto",
        "start MSDTC",
        "stop COMSysApp",
        "start COMSysApp",
    ]
    assert pair.run("check", "complus-msdtc") == 0
    assert pair.ledger("good") == []


def test_a_system_that_is_not_on_the_list_is_found(pair: Pair) -> None:
    old = {"name": "Windows Server 2008 R2 Standard", "version": "6.1.7601.0", "epoch": 1_795_000_000}
    pair.plant(None, {"os": old})
    assert pair.run("check", "azvm-os-supported", "-p", "supported=Windows Server 2019") == 1
    assert (
        pair.run("check", "azvm-os-supported", "-p", "supported=Windows Server 2019,windows server 2008 r2")
        == 0
    )
    assert pair.ledger("bad") == pair.ledger("good") == []


def test_what_deletes_is_held_until_it_is_allowed(pair: Pair) -> None:
    planted = CURED[2]
    pair.plant(None, planted.bad)
    assert pair.run("fix", planted.runbook) == 0
    assert pair.ledger("bad") == [], "a plan changes nothing"
    assert pair.run("fix", planted.runbook, "--apply", "--allow", "service-interruption") == 4
    assert pair.ledger("bad") == planted.ledger[:1]


def test_a_backup_that_runs_holds_the_guest(pair: Pair) -> None:
    planted = CURED[2]
    running = {"processes": [{"id": 5, "name": "IaaSBcdrExtension"}]}
    pair.plant(None, {**planted.bad, **running})
    assert pair.run("fix", planted.runbook, "--apply", "--allow", "destructive") == 4
    assert pair.ledger("bad") == pair.ledger("good") == []
