"""Faults between the MARS agent and its vault, planted in the lab: mended, held, or found for a person.

Each time a MARS server without the fault stands beside it: its ledger has to stay empty.
"""

from __future__ import annotations

from typing import Any

import pytest

from fleet.lab import fake_windows
from tests.lab.test_windows_faults import Pair, Planted
from tests.lab.test_windows_faults import pair as pair
from tests.powershell.test_cases import merge

pytestmark = [
    pytest.mark.pwsh,
    pytest.mark.skipif(not fake_windows.available(), reason="needs a PowerShell engine on PATH as pwsh"),
]

LOG = r"C:\Program Files\Microsoft Azure Recovery Services Agent\Temp\CBEngineCurr.errlog"
CONFIG = r"64:HKLM\SOFTWARE\Microsoft\Windows Azure Backup\Config"
INTERNET = r"64:HKU\S-1-5-18\Software\Microsoft\Windows\CurrentVersion\Internet Settings"
ZONE = rf"{INTERNET}\Zones\3"
SITES = rf"{INTERNET}\ZoneMap\Domains"
ZONES = r"64:HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Time Zones"
TIME_ZONE = r"64:HKLM\SYSTEM\CurrentControlSet\Control\TimeZoneInformation"
DOTNET = r"HKLM\SOFTWARE\Microsoft\.NETFramework"
ROME = "W. Europe Standard Time"
ONE = {"type": "DWord", "value": 1}
PROXY = "proxy.example:8080"


def text(value: str) -> dict[str, str]:
    return {"type": "String", "value": value}


def number(value: int) -> dict[str, Any]:
    return {"type": "DWord", "value": value}


def off_by(seconds: str, **rest: Any) -> dict[str, Any]:
    """What w32tm says of the clock."""
    return {"exit_code": 0, "reads": True, "output": [f"12:00:01, {seconds}s"], **rest}


def job(number: int, code: str = "") -> str:
    """An event of the agent, with an error code in it."""
    time = "<TimeCreated SystemTime='2026-11-18T10:00:00.000000000Z'/>"
    system = f"<System><EventID>{number}</EventID>{time}<Channel>CloudBackup/Operational</Channel></System>"
    return f"<Event>{system}<EventData><Data Name='Text'>(ID: {code})</Data></EventData></Event>"


SOUND: dict[str, Any] = {
    "services": {"obengine": {}, "W32Time": {}},
    "events": [job(3, "0")],
    "files": {r"D:\Scratch\OnlineBackup.KEK": 10},
    "reachable": [
        f"{name}:443" for name in ("login.microsoftonline.com", "www.msftncsi.com", "www.msftconnecttest.com")
    ],
    "programs": {"w32tm.exe": off_by("+00.0100000")},
    "registry": {
        CONFIG: {"ServiceResourceName": text("vault1"), "ScratchLocation": text(r"D:\Scratch")},
        INTERNET: {"ProxyEnable": number(0)},
        TIME_ZONE: {"TimeZoneKeyName": text(ROME)},
        rf"{ZONES}\{ROME}": {},
        rf"{ZONES}\UTC": {},
        **{
            rf"{SITES}\{domain}": {"https": number(2)}
            for domain in ("microsoft.com", "windowsazure.com", "microsoftonline.com", "windows.net")
        },
        **{
            rf"{view}:{DOTNET}\{version}": {"SchUseStrongCrypto": ONE, "SystemDefaultTlsVersions": ONE}
            for view in (64, 32)
            for version in ("v2.0.50727", "v4.0.30319")
        },
    },
}
"""A server with the agent on which nothing is wrong."""

CURED = {
    "downloads": Planted(
        "mars-connect-failed-100050",
        {"registry": {ZONE: {"1803": number(3)}}},
        [rf"set {ZONE}\1803 = 0"],
    ),
    "tls": Planted(
        "mars-connect-failed-100050",
        {"registry": {rf"32:{DOTNET}\v4.0.30319": {"SystemDefaultTlsVersions": "absent"}}},
        [rf"set 32:{DOTNET}\v4.0.30319\SystemDefaultTlsVersions = 1"],
    ),
    "proxy": Planted(
        "mars-system-account-proxy",
        {"registry": {INTERNET: {"ProxyServer": text("gone.example:8080")}}},
        [rf"remove {INTERNET}\ProxyServer"],
        allow="service-interruption",
    ),
    "sites": Planted(
        "mars-trusted-sites-ie",
        {"registry": {rf"{SITES}\windows.net": {"https": "absent"}, rf"{SITES}\microsoft.com": "absent"}},
        [
            rf"make key {SITES}\microsoft.com",
            rf"set {SITES}\microsoft.com\https = 2",
            rf"set {SITES}\windows.net\https = 2",
        ],
    ),
}

FOUND: dict[str, dict[str, Any]] = {
    "mars-invalid-vault-credentials-34513": {"events": [job(11, "34513")]},
    "mars-resource-not-provisioned-230006": {
        "texts": {LOG: "44B4 3968 11/18 09:00:00.000 71 a.cpp(1) WARNING Hr: = [0x38276]"}
    },
    "mars-vault-credential-download-403": {"events": [job(11, "403")]},
    "mars-vault-credential-wrong-vault-100110": {"events": [job(18, "100110")]},
    "mars-set-encryption-key-failed": {"files": {r"D:\Scratch\OnlineBackup.KEK": "absent"}},
    "mars-network-endpoints-reachable": {"reachable": ["login.microsoftonline.com:443"]},
    "mars-registration-blocked-by-network": {
        "registry": {INTERNET: {"ProxyEnable": number(1), "ProxyServer": text(PROXY)}},
        "tunnels": {PROXY: 407},
    },
    "mars-passphrase-misconfigured-34506": {"files": {r"D:\Scratch\OnlineBackup.KEK": "absent"}},
    "mars-activation-incomplete-0x1fc07": {"files": {r"D:\Scratch\OnlineBackup.KEK": "absent"}},
}

RUNBOOKS = {*(planted.runbook for planted in CURED.values()), *FOUND, "mars-clock-timezone"}
WITHOUT = {"services": {"obengine": "absent"}}
ALLOW = ("--apply", "--allow", "service-interruption")


@pytest.mark.parametrize("name", CURED)
def test_it_is_cured_and_the_server_beside_it_is_left_alone(pair: Pair, name: str) -> None:
    planted = CURED[name]
    pair.plant(SOUND, merge(SOUND, planted.bad))
    assert pair.run("fix", planted.runbook, "--apply", "--allow", planted.allow) == 0
    assert pair.ledger("bad") == planted.ledger
    assert pair.run("fix", planted.runbook, "--apply", "--allow", planted.allow) == 0
    assert pair.ledger("bad") == planted.ledger, "a second run changes nothing"
    assert pair.ledger("good") == []


@pytest.mark.parametrize("id", FOUND)
def test_it_is_found_and_left_to_a_person(pair: Pair, id: str) -> None:
    pair.plant(SOUND, merge(SOUND, FOUND[id]))
    assert pair.run("check", id) == 1
    assert pair.ledger("bad") == pair.ledger("good") == []
    assert pair.run("check", id, "-l", "good") == 0


def test_a_wrong_clock_is_set_by_windows_time_and_a_wrong_zone_by_tzutil(pair: Pair) -> None:
    clock = {"w32tm.exe": off_by("-900.5000000")}
    stopped = {"W32Time": {"status": "Stopped", "start_type": "Disabled"}}
    pair.plant(SOUND, merge(SOUND, {"programs": clock, "services": stopped}))
    assert pair.run("fix", "mars-clock-timezone", "--apply") == 4, "an interruption has to be allowed"
    assert pair.ledger("bad") == []
    assert pair.run("fix", "mars-clock-timezone", *ALLOW) == 1, "its source is no better, which is said"
    assert pair.ledger("bad") == ["sc config W32Time start= auto", "start W32Time"]
    tzutil = {"exit_code": 0, "registry": {TIME_ZONE: {"TimeZoneKeyName": text(ROME)}}}
    utc = {"registry": {TIME_ZONE: {"TimeZoneKeyName": text("UTC")}}, "programs": {"tzutil.exe": tzutil}}
    pair.plant(SOUND, merge(SOUND, utc))
    zone = ("-p", f"time_zone={ROME}")
    for _ in range(2):
        assert pair.run("fix", "mars-clock-timezone", *ALLOW, *zone) == 0
        assert pair.ledger("bad") == [f"run tzutil.exe /s {ROME}"]
    assert pair.ledger("good") == []


def test_which_proxy_is_right_somebody_has_to_say(pair: Pair) -> None:
    wrong = {"registry": {INTERNET: {"ProxyEnable": number(1), "ProxyServer": text("gone.example:1")}}}
    pair.plant(None, merge(SOUND, wrong))
    assert pair.run("fix", "mars-system-account-proxy", *ALLOW) == 4
    assert pair.ledger("bad") == []
    assert pair.run("fix", "mars-system-account-proxy", *ALLOW, "-p", "proxy=none") == 0
    assert pair.ledger("bad") == [rf"set {INTERNET}\ProxyEnable = 0", rf"remove {INTERNET}\ProxyServer"]


def test_nothing_is_touched_while_a_job_of_the_agent_runs(pair: Pair) -> None:
    at_work = {"programs": {"powershell.exe": {"exit_code": 20, "reads": True}}}
    for planted in CURED.values():
        pair.plant(SOUND, merge(merge(SOUND, planted.bad), at_work))
        assert pair.run("fix", planted.runbook, "--apply", "--allow", planted.allow) == 4
        assert pair.ledger("bad") == []


@pytest.mark.parametrize("id", sorted(RUNBOOKS))
def test_a_server_without_the_agent_is_skipped(pair: Pair, id: str) -> None:
    bad = next((each.bad for each in CURED.values() if each.runbook == id), FOUND.get(id, {}))
    pair.plant(merge(SOUND, WITHOUT), merge(merge(SOUND, bad), WITHOUT))
    assert pair.run(*(("check", id) if id in FOUND else ("fix", id, *ALLOW))) == 0
    assert pair.ledger("bad") == pair.ledger("good") == []
