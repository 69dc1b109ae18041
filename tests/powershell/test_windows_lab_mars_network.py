"""What stands between a MARS agent and its vault, in one guest with real registry, services and sockets."""

from __future__ import annotations

import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pytest

from fleet.catalog import Catalog
from tests.powershell.engine import Engine
from tests.powershell.windows_guest import LAB, Windows, one_guest

pytestmark = pytest.mark.windows_lab

AGENT = r"C:\Program Files\Microsoft Azure Recovery Services Agent"
LOG = rf"{AGENT}\Temp\CBEngineCurr.errlog"
INTERNET = r"HKU\S-1-5-18\Software\Microsoft\Windows\CurrentVersion\Internet Settings"
CONNECTIONS = r"HKLM\Software\Microsoft\Windows\CurrentVersion\Internet Settings\Connections"
CONFIG = r"HKLM\SOFTWARE\Microsoft\Windows Azure Backup\Config"
JOB = {"log": "CloudBackup/Operational", "provider": "CloudBackup", "level": 2}


@pytest.fixture(scope="module")
def shared(windows_lab: ModuleType) -> Iterator[tuple[Any, Engine]]:
    with one_guest(windows_lab, "mars") as both:
        yield both


@pytest.fixture
def windows(
    shared: tuple[Any, Engine], windows_lab: ModuleType, catalog: Catalog, request: pytest.FixtureRequest
) -> Windows:
    """The guest."""
    return Windows(windows_lab, *shared, catalog, request.node)


@contextmanager
def proxy(answers: dict[str, int]) -> Iterator[str]:
    """An HTTP proxy that answers CONNECT by target, on this machine; gives HOST:PORT."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            words = self.rfile.readline().split()
            if len(words) == 3:
                self.wfile.write(b"HTTP/1.1 %d Antwort\r\n\r\n" % answers.get(words[1].decode(), 502))

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def line(text: str, hours_ago: float = 1) -> str:
    """As the agent writes it: process, thread, month/day, time."""
    when = time.strftime("%m/%d %H:%M:%S.000", time.gmtime(time.time() - 3600 * hours_ago))
    return f"44B4 3968 {when} 71 backupasync.cpp(1184) [000000001B73B830] WARNING {text}\r\n"


def test_the_log_is_read_in_either_encoding_while_the_agent_writes_it(
    windows: Windows, windows_lab: ModuleType
) -> None:
    windows_lab.write_events(
        windows.guest.drive, [{**JOB, "id": 11, "text": "Fel (ID: 230006)", "minutes_ago": 30}]
    )
    text = (
        line("Hr: = [0x1FC07] too old", 24 * 9)
        + line("Failed: Hr: = [0x000086ca]")
        + line("d\u00e5ligt (ID: 34513)")
    )
    for encoding in ("utf-16", "utf-16-le", "cp1252", "utf-8-sig"):
        windows.guest.write(LOG, text.encode(encoding))
        windows.look()
        windows.body(
            rf"[AppDomain]::CurrentDomain.SetData('log', [IO.File]::Open('{LOG}', 'Append', 'Write', 'Read'))"
        )
        found = windows.run("mars-log", "failed").data["signatures"]
        windows.body("[AppDomain]::CurrentDomain.GetData('log').Close()")
        assert [(each["code"], each["runbook"], each["source"]) for each in found] == [
            ("230006", "mars-resource-not-provisioned-230006", "event"),
            ("0x000086ca", "mars-passphrase-misconfigured-34506", "log"),
            ("34513", "mars-invalid-vault-credentials-34513", "log"),
        ], encoding
        assert windows.changes() == {}
    windows.run("mars-log", "ok", codes=["0x1FC07"])
    assert (
        windows.run("mars-log", "failed", codes=["130055"], hours=300).data["signatures"][0]["code"]
        == "0x1FC07"
    )


def test_of_a_large_log_only_the_end_is_read(windows: Windows, windows_lab: ModuleType) -> None:
    windows_lab.write_events(windows.guest.drive, [])
    windows.guest.write(LOG, line("(ID: 34513)") + line("x" * 200) * 8000 + line("SalLowDiskSpace"))
    data = windows.run("mars-log", "failed", tail_kilobytes=64).data
    assert [each["code"] for each in data["signatures"]] == ["SalLowDiskSpace"]
    assert data["looked"][0] == f"{LOG}, 65536 bytes"
    assert len(windows.run("mars-log", "failed").data["signatures"]) == 2


def test_a_proxy_is_set_where_system_and_winhttp_keep_it_and_taken_back(windows: Windows) -> None:
    endpoints = ["a.example:443", "b.example:443"]
    with proxy({"a.example:443": 200, "b.example:443": 407}) as address:
        before = windows.guest.value(INTERNET, "ProxyEnable")
        windows.look()
        windows.run("set-system-proxy", "changed", check=True, proxy=address)
        assert windows.changes() == {}
        undo = windows.run("set-system-proxy", "changed", proxy=address, bypass="<local>").data["undo"]
        assert windows.guest.value(INTERNET, "ProxyServer") == address
        changed = windows.changes()
        assert set(changed) == {"registry"}, changed
        windows.run("set-system-proxy", "ok", proxy=address)
        windows.run("mars-proxy", "ok", proxy=address)
        assert windows.run("mars-proxy", "ok").data["winhttp"] == [address]
        data = windows.run("mars-endpoints", "failed", endpoints=endpoints).data
        assert (data["reached"], data["proxy"]) == (["a.example:443"], address)
        assert data["unreached"] == ["b.example:443 (the proxy wants a login, 407)"]
        windows.run("mars-endpoints", "ok", endpoints=endpoints[:1])
        windows.run("set-system-proxy", "failed", proxy="127.0.0.1:1")
    windows.look()
    windows.run("restore-registry-values", "changed", values=undo["values"])
    assert windows.guest.value(INTERNET, "ProxyServer") is None
    assert windows.guest.value(INTERNET, "ProxyEnable") == before
    assert windows.guest.value(CONNECTIONS, "WinHttpSettings") is None
    windows.run("restore-registry-values", "ok", values=undo["values"])


def test_details_of_a_proxy_that_is_not_in_use_are_removed(windows: Windows) -> None:
    windows.guest.set_reg(INTERNET, {"ProxyServer": "gone.example:8080"})
    windows.run("mars-proxy", "failed")
    windows.look()
    undo = windows.run("set-system-proxy", "changed").data["undo"]
    assert windows.guest.value(INTERNET, "ProxyServer") is None
    windows.run("mars-proxy", "ok")
    windows.run("restore-registry-values", "changed", **undo)
    assert windows.changes() == {}
    windows.guest.unset_reg(INTERNET, "ProxyServer")


def test_sites_are_trusted_and_downloads_allowed_and_both_are_taken_back(windows: Windows) -> None:
    zone, sites = rf"{INTERNET}\Zones\3", rf"{INTERNET}\ZoneMap\Domains"
    windows.guest.set_reg(zone, {"1803": 3})
    windows.guest.set_reg(rf"{sites}\windows.net", {"https": 2})
    for name, key in (("trust-azure-sites", rf"{sites}\windowsazure.com"), ("allow-file-download", zone)):
        windows.look()
        windows.run(name, "changed", check=True)
        assert windows.changes() == {}
        undo = windows.run(name, "changed").data["undo"]
        assert windows.guest.value(key, "https" if name == "trust-azure-sites" else "1803") in (0, 2)
        windows.run(name, "ok")
        windows.run("restore-registry-values", "changed", **undo)
        assert windows.changes() == {}
    assert windows.guest.value(zone, "1803") == 3
    assert windows.run("mars-trusted-sites", "failed").data["trusted"] == ["windows.net"]
    assert windows.run("mars-connection", "failed").data["file_download"] == 3


def test_windows_time_is_started_again_and_asked_for_the_time(windows: Windows) -> None:
    windows.guest.unset_reg(LAB, "ClockOffset")
    windows.guest.stop("W32Time")
    windows.guest.configure("W32Time", start="disabled")
    windows.run("resync-clock", "ok")
    windows.guest.set_reg(LAB, {"ClockOffset": "-600.5000000s"})
    windows.look()
    windows.run("resync-clock", "changed", check=True)
    assert windows.changes() == {}
    # the clock of the guest is that of this machine: it stays wrong, which is said
    reply = windows.run("resync-clock", "failed", settle_seconds=0)
    assert reply.message.raw.startswith("the clock is off by -600.5 s after w32tm /resync")
    assert windows.guest.service("W32Time")["state"] == "running"
    changed = windows.changes()["services"]
    assert set(changed) == {"W32Time"}
    windows.run("restore-service-settings", "changed", **reply.data["undo"])
    windows.guest.unset_reg(LAB, "ClockOffset")
    windows.run("clock", "ok", only_with="obengine")


def test_a_time_zone_is_known_by_the_registry_and_set_by_tzutil_which_wine_has_not(windows: Windows) -> None:
    windows.look()
    windows.run("set-time-zone", "failed", time_zone="Mars Standard Time")
    windows.run("set-time-zone", "changed", check=True, time_zone="W. Europe Standard Time")
    reply = windows.run("set-time-zone", "failed", time_zone="W. Europe Standard Time")
    assert reply.message.raw == "tzutil.exe is missing; nothing was touched"
    assert "undo" not in reply.data
    assert windows.changes() == {}


def test_a_registration_is_seen_by_its_parts(windows: Windows) -> None:
    windows.run("mars-registration", "skipped")
    windows.guest.set_reg(CONFIG, {"ServiceResourceName": "vault1", "ResourceId": "1"})
    windows.look()
    windows.run("mars-registration", "ok", vault="vault1")
    windows.run("mars-registration", "failed", vault="vault2")
    assert windows.changes() == {}
