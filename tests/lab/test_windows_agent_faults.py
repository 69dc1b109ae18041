"""Faults of the Windows agent and of what it needs, planted in the lab, found and mended by fleet.

Each time a guest without the fault stands beside it: its ledger has to stay empty.
"""

from __future__ import annotations

from typing import Any

import pytest

from fleet.catalog import load
from fleet.lab import fake_windows
from tests.lab.test_windows_faults import Pair
from tests.lab.test_windows_faults import pair as pair

pytestmark = [
    pytest.mark.pwsh,
    pytest.mark.skipif(not fake_windows.available(), reason="needs a PowerShell engine on PATH as pwsh"),
]

AGENT = "WindowsAzureGuestAgent"
GUEST = r"64:HKLM\SOFTWARE\Microsoft\Virtual Machine\Guest"
NET = r"64:HKLM\SOFTWARE\Microsoft\NET Framework Setup\NDP\v4\Full"
INTERFACE = (
    r"64:HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters\Interfaces"
    r"\{4c5a1f2e-0000-4000-8000-000000000001}"
)
EXTENSION = "Microsoft.Azure.RecoveryServices.VMSnapshot"
RECORD = rf"64:HKLM\SOFTWARE\Microsoft\Windows Azure\HandlerState\{EXTENSION}_1.0.9184.0"
PROGRAM = rf"C:\Packages\Plugins\{EXTENSION}\1.0.9184.0\IaaSBcdrExtension.exe"
REPORT = r"C:\WindowsAzure\Logs\AggregateStatus\aggregatestatus.json"
PACKAGE, HASH = r"D:\put\agent.msi", "0123456789abcdef" * 4
COPY = r"C:\ProgramData\fleet\install-azure-guest-agent\0"
INSTALLED = [
    "make a private folder for install-azure-guest-agent",
    rf"copy {PACKAGE} to {COPY}\agent.msi",
    rf"run msiexec.exe /i {COPY}\agent.msi /quiet /norestart /L*v {COPY}\msiexec.log",
    rf"delete {COPY}\agent.msi",
]
NAMED = ("-p", f"agent_package={PACKAGE}", "-p", f"agent_sha256={HASH}")


def version(text: str) -> dict[str, Any]:
    return {GUEST: {"GuestAgentVersion": {"type": "String", "value": text}}}


def with_package(**more: Any) -> dict[str, Any]:
    """A guest on which the package lies that installs version 2.7.50000.1."""
    gives = {"services": {"RdAgent": {}, AGENT: {}}, "registry": version("2.7.50000.1")}
    return {
        "files": {PACKAGE: 9_000_000},
        "hashes": {PACKAGE: HASH},
        "programs": {"msiexec.exe": {"exit_code": 0, "gives": gives}},
        **more,
    }


def state(word: str) -> dict[str, Any]:
    return {RECORD: {"InstallState": {"type": "String", "value": word}}}


def release(number: int) -> dict[str, Any]:
    return {"registry": {NET: {"Release": {"type": "DWord", "value": number}}}}


WHOLE = {"files": {PROGRAM: 1}, "registry": state("Enabled")}
FIXED: dict[str, dict[str, Any]] = {
    "EnableDHCP": {"type": "DWord", "value": 0},
    "IPAddress": {"type": "MultiString", "value": ["10.0.0.9"]},
}
FOUND: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "agent-dotnet-45": (release(528040), release(378388)),
    "agent-windows-version-minimum": ({}, {"registry": version("2.6.1198.717")}),
    "agent-dhcp-wireserver": ({}, {"registry": {INTERFACE: FIXED}}),
    "azvm-internet-connectivity": ({}, {"reachable": ["168.63.129.16:80"]}),
    "azvm-high-cpu-or-memory": ({}, {"load": [[99, 40]]}),
    "azvm-extension-stuck-in-deletion": (WHOLE, {**WHOLE, "services": {AGENT: {"status": "Stopped"}}}),
    "azvm-backup-extension-fails-to-load": (WHOLE, {**WHOLE, "registry": state("Installed")}),
    "azvm-vm-not-in-desirable-state": (WHOLE, {**WHOLE, "files": {PROGRAM: "absent"}}),
}


@pytest.mark.parametrize("id", FOUND)
def test_it_is_found_and_left_to_a_person(pair: Pair, id: str) -> None:
    good, bad = FOUND[id]
    book = load().runbook(id)
    assert book.detect
    look = (book.detect, *(f"-p{name}={value}" for name, value in book.detect_params.items()))
    pair.plant(good, good)
    assert pair.run("check", *look) == 0
    pair.plant(good, bad)
    assert pair.run("check", *look) == 1
    assert pair.ledger("bad") == pair.ledger("good") == []


def test_a_missing_agent_is_installed_once_its_package_is_named(pair: Pair) -> None:
    pair.plant(None, with_package(services={"RdAgent": "absent", AGENT: "absent"}))
    id, allow = "agent-windows-install", ("--apply", "--allow", "service-interruption")
    assert pair.run("fix", id, *allow) == 4
    assert pair.ledger("bad") == []
    assert pair.run("fix", id, *NAMED) == 0
    assert pair.ledger("bad") == [], "a plan changes nothing"
    assert pair.run("fix", id, *NAMED, *allow) == 0
    assert pair.run("fix", id, *NAMED, *allow) == 0
    assert pair.ledger("bad") == INSTALLED
    assert pair.ledger("good") == []


def test_an_old_agent_is_updated_to_the_version_that_is_asked_for(pair: Pair) -> None:
    pair.plant({"registry": version("2.7.50000.1")}, with_package(registry=version("2.7.41491.1010")))
    wanted = (*NAMED, "-p", "minimum_version=2.7.50000.1", "--apply", "--allow", "service-interruption")
    assert pair.run("fix", "agent-windows-update", *wanted) == 0
    assert pair.run("fix", "agent-windows-update", *wanted) == 0
    assert pair.ledger("bad") == INSTALLED
    assert pair.ledger("good") == []


HANGS = {"status": "StopPending"}
MENDED: dict[str, tuple[str, dict[str, Any], list[str]]] = {
    "is stopped": (
        "agent-windows-service-running",
        {"services": {AGENT: {"status": "Stopped"}}},
        ["stop RdAgent", "start RdAgent", f"start {AGENT}"],
    ),
    "does not start by itself": (
        "agent-windows-service-running",
        {"services": {"RdAgent": {"start_type": "Manual"}}},
        ["sc config RdAgent start= auto"],
    ),
    "hangs": (
        "agent-windows-unresponsive",
        {"services": {AGENT: HANGS}, "processes": [{"id": 31, "name": AGENT, "service": AGENT}]},
        ["stop RdAgent", "start RdAgent", "end process 31", f"start {AGENT}"],
    ),
}


@pytest.mark.parametrize("case", MENDED)
def test_an_agent_that_does_not_run_is_brought_back(pair: Pair, case: str) -> None:
    id, bad, done = MENDED[case]
    pair.plant(None, bad)
    allow = ("--apply", "--allow", "service-interruption")
    assert pair.run("fix", id, *allow) == 0
    assert pair.run("fix", id, *allow) == 0
    assert pair.ledger("bad") == done, "a second run changes nothing"
    assert pair.ledger("good") == []


def test_an_agent_that_reports_nothing_is_restarted_and_then_installed_anew(pair: Pair) -> None:
    silent = {"texts": {REPORT: "{}"}, "old": {REPORT: 90_000}}
    pair.plant({"texts": {REPORT: "{}"}}, with_package(**silent))
    allow = ("--apply", "--allow", "service-interruption")
    assert pair.run("fix", "agent-windows-unresponsive", *NAMED, *allow) == 1, "nothing here wakes it"
    restarts = ["stop RdAgent", "start RdAgent", f"stop {AGENT}", f"start {AGENT}"]
    assert pair.ledger("bad") == [*restarts, *INSTALLED]
    assert pair.ledger("good") == []
