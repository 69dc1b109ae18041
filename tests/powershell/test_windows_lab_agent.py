"""The Azure guest agent and what it needs, in one guest with a real registry, services and programs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from fleet.catalog import Catalog
from fleet.model import ParamValue
from tests.powershell.engine import Engine
from tests.powershell.windows_guest import Windows, left_as_found, one_guest

pytestmark = pytest.mark.windows_lab

GUEST = r"HKLM\SOFTWARE\Microsoft\Virtual Machine\Guest"
NET = r"HKLM\SOFTWARE\Microsoft\NET Framework Setup\NDP\v4\Full"
EXTENSION = "Microsoft.Azure.RecoveryServices.VMSnapshot"
RECORD = rf"HKLM\SOFTWARE\Microsoft\Windows Azure\HandlerState\{EXTENSION}_1.0.51.0"
INTERNET = r"Software\Microsoft\Windows\CurrentVersion\Internet Settings"
PACKAGE, CONTENT = r"C:\put\agent.msi", b"not really a package"


@pytest.fixture(scope="module")
def shared(windows_lab: ModuleType) -> Iterator[tuple[Any, Engine]]:
    with one_guest(windows_lab, "azure") as both:
        yield both


@pytest.fixture
def windows(
    shared: tuple[Any, Engine], windows_lab: ModuleType, catalog: Catalog, request: pytest.FixtureRequest
) -> Iterator[Windows]:
    """The guest, which has to be left as it was found."""
    with left_as_found(windows_lab, Windows(windows_lab, *shared, catalog, request.node)) as guest:
        yield guest


def test_the_version_of_dotnet_is_read_by_its_number(windows: Windows) -> None:
    assert windows.run("dotnet-release", "ok").data["version"] == "4.7.2"
    windows.guest.set_reg(NET, {"Release": 378388})
    windows.run("dotnet-release", "failed")
    windows.guest.set_reg(NET, {"Release": 461814})


def test_the_agent_is_known_by_its_registry_and_by_its_program(windows: Windows) -> None:
    windows.run("azure-agent-installed", "ok")
    known = windows.run("azure-agent-version", "ok").data
    assert known["registry"] == known["program"] == known["version"] == "2.7.41491.1176"
    windows.guest.unset_reg(GUEST, "GuestAgentVersion")
    assert windows.run("azure-agent-version", "ok").data["version"] == "2.7.41491.1176"
    windows.run("azure-agent-version", "failed", minimum_version="2.7.41491.1177")
    windows.guest.set_reg(GUEST, {"GuestAgentVersion": "2.7.41491.1176"})


def test_a_status_report_that_is_old_counts_when_it_is_asked_for(windows: Windows) -> None:
    windows.guest.write(r"C:\WindowsAzure\Logs\AggregateStatus\aggregatestatus.json", "{}")
    assert windows.run("azure-guest-agent", "ok", max_status_age=600).data["status_age"] < 60
    windows.body(
        "[IO.File]::SetLastWriteTimeUtc("
        r"'C:\WindowsAzure\Logs\AggregateStatus\aggregatestatus.json', [DateTime]::UtcNow.AddHours(-3))"
    )
    found = windows.run("azure-guest-agent", "failed", max_status_age=7200).message.raw
    assert found.startswith("WindowsAzureGuestAgent runs but has reported no status for 108")


def test_the_agent_is_installed_from_a_private_copy_that_goes_again(
    windows: Windows, windows_lab: ModuleType
) -> None:
    windows.guest.write(PACKAGE, CONTENT)
    named: dict[str, ParamValue] = {"agent_package": PACKAGE, "reinstall": True}
    named["agent_sha256"] = hashlib.sha256(CONTENT).hexdigest()
    windows.guest.program("msiexec.exe", ExitCode=3010)
    windows.look()
    windows.run("install-azure-guest-agent", "failed", False, **{**named, "agent_sha256": "0" * 64})
    windows.run("install-azure-guest-agent", "changed", True, **named)
    assert windows.changes() == {}
    reply = windows.run("install-azure-guest-agent", "changed", False, **named)
    assert reply.data["restart_needed"]
    calls = [call["detail"] for call in windows.guest.journal() if call["who"] == "msiexec.exe"]
    assert len(calls) == 1
    assert "/quiet /norestart /L*v" in calls[0]
    assert PACKAGE not in calls[0]
    assert set(windows.changes()) <= {"files"}
    copy = reply.data["log"].replace("msiexec.log", "agent.msi")
    assert copy in calls[0]
    assert windows.guest.read(copy) is None
    assert windows.guest.read(PACKAGE) == CONTENT
    windows.guest.program("msiexec.exe", ExitCode=1603)
    failed = windows.run("install-azure-guest-agent", "failed", False, **named)
    assert failed.message.raw.startswith("the installer gave 1603; see C:\\ProgramData\\fleet")
    windows.guest.unset_reg(rf"{windows_lab.LAB}\Programs\msiexec.exe")


def test_the_backup_extension_is_whole_or_what_it_lacks_is_said(windows: Windows) -> None:
    assert windows.run("backup-extension", "ok").data["state"] == "Enabled"
    windows.guest.set_reg(RECORD, {"HandlerState": "Installed"})
    assert "as Installed, not Enabled" in windows.run("backup-extension", "failed").message.raw
    windows.guest.set_reg(RECORD, {"HandlerState": "Enabled"})
    program = rf"C:\Packages\Plugins\{EXTENSION}\1.0.51.0\IaaSBcdrExtension.exe"
    content = windows.guest.read(program)
    windows.guest.remove(program)
    assert "has lost its program" in windows.run("backup-extension", "failed").message.raw
    windows.guest.write(program, content)


def test_the_proxies_of_winhttp_and_of_system_are_tried(windows: Windows) -> None:
    windows.run("proxies-answer", "ok")
    text = b"127.0.0.1:9"
    blob = bytes([0x28, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, len(text), 0, 0, 0]) + text + bytes(4)
    windows.guest.set_reg(rf"HKLM\{INTERNET}\Connections", {"WinHttpSettings": blob})
    windows.guest.set_reg(rf"HKU\S-1-5-18\{INTERNET}", {"ProxyEnable": 1, "ProxyServer": "127.0.0.1:9"})
    found = windows.run("proxies-answer", "failed", connect_seconds=1).data["unreached"]
    assert found == ["127.0.0.1:9 (WinHTTP)", "127.0.0.1:9 (SYSTEM)"]
    windows.guest.unset_reg(rf"HKLM\{INTERNET}\Connections")
    windows.guest.unset_reg(rf"HKU\S-1-5-18\{INTERNET}")


def test_the_load_is_told_where_there_is_no_wmi(windows: Windows) -> None:
    told = windows.run("system-load", "ok", load_seconds=1, max_load=100)
    assert 0 < told.data["memory"] <= 100
    assert 0 <= told.data["processor"] <= 100
    assert "no load from WMI" in told.log.raw


def test_dhcp_is_judged_on_the_interfaces_that_are_there(windows: Windows) -> None:
    ids = windows.body("Add-FleetData ids @(Get-FleetInterfaceId)")["ids"]
    assert ids
    root = r"HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters\Interfaces"
    gone = "{00000000-0000-4000-8000-000000000009}"
    for id, on in ((ids[0], 1), (gone, 0)):
        windows.guest.set_reg(rf"{root}\{id}", {"EnableDHCP": on, "DefaultGateway": ["10.0.0.1"]})
    assert [each["id"] for each in windows.run("dhcp", "ok").data["interfaces"]] == [ids[0]]
    windows.guest.set_reg(rf"{root}\{ids[0]}", {"EnableDHCP": 0})
    assert ids[0] in windows.run("dhcp", "failed").message.raw
    windows.guest.unset_reg(root)
