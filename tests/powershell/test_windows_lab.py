"""Every remedy in guests with a real registry, service manager and processes, which know nothing of fleet.

Each test compares the whole guest before and after: what changed is what was meant, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import ModuleType
from typing import Any

import pytest

from fleet.catalog import Catalog
from fleet.model import Outcome, ParamValue
from tests.powershell.engine import fine, snippet_of
from tests.powershell.windows_guest import LAB, Windows, one_guest

pytestmark = pytest.mark.windows_lab

NET = r"HKLM\SOFTWARE\Microsoft\.NETFramework"
V2, V4 = rf"{NET}\v2.0.50727", rf"{NET}\v4.0.30319"
BACKUP = r"C:\Packages\Plugins\Microsoft.Azure.RecoveryServices.VMSnapshot\1.0.51.0\IaaSBcdrExtension.exe"

NewWindows = Callable[..., AbstractContextManager[Windows]]


@pytest.fixture
def windows(windows_lab: ModuleType, catalog: Catalog, request: pytest.FixtureRequest) -> NewWindows:
    """Make a guest: ``with windows("azure", "sql", language="de") as guest``."""

    @contextmanager
    def make(*roles: str, language: str = "en") -> Iterator[Windows]:
        with one_guest(windows_lab, *(roles or ("azure",)), language=language) as both:
            yield Windows(windows_lab, *both, catalog, request.node)

    return make


def test_no_check_changes_anything_and_no_remedy_in_check_mode(windows: NewWindows) -> None:
    with windows("azure", "sql") as guest:
        guest.look()
        vss = ("vss-writers", "vss-service", "vss-providers")
        for name in ("ping", *vss, "complus-msdtc", "azure-guest-agent"):
            guest.run(name, "ok")
        guest.run("strong-crypto", "failed")
        assert guest.changes() == {}
        guest.guest.plan_writer("System Writer", state=9, error=2, cure_starts=1)
        guest.guest.stop("WindowsAzureGuestAgent")
        guest.guest.configure("MSDTC", account="LocalSystem")
        guest.look()
        remedies = ("restart-vss-writers", "start-comsysapp", "set-msdtc-account", "reinstall-msdtc")
        for name in (*remedies, "set-strong-crypto", "restart-azure-guest-agent"):
            guest.run(name, "changed", check=True)
        guest.run("restart-vss-service", "changed", check=True, force=True)
        assert guest.changes() == {}


def test_bad_writers_are_found_in_every_language_and_cured(windows: NewWindows) -> None:
    with windows("azure", "sql") as guest:
        guest.guest.plan_writer("System Writer", state=9, error=2, cure_starts=1)
        guest.guest.plan_writer("ASR Writer", state=8, error=1, cure_starts=1)
        guest.guest.plan_writer("SqlServerWriter", state=1, error=3, cure_starts=1)
        guest.look()
        for language in ("de", "fr", "it", "pt", "sv", "en"):
            guest.guest.set_reg(LAB, {"Language": language})
            found = guest.run("vss-writers", "failed", wait_seconds=0).message.raw
            assert "System Writer failed at freeze [9]; ASR Writer failed at prepare snapshot [8]; " in found
            assert "SqlServerWriter stable [1], last error: " in found
        assert found.endswith("last error: Timed out")
        assert guest.restarts() == {}
        guest.run("restart-vss-writers", "changed")
        assert guest.restarts() == {"CryptSvc": (1, 1), "SQLWriter": (1, 1), "VSS": (1, 1)}
        guest.run("restart-vss-writers", "ok")
        guest.run("vss-writers", "ok")
        assert guest.restarts() == {}


def test_what_depends_on_a_restarted_service_comes_back(windows: NewWindows) -> None:
    with windows("azure", "search") as guest:
        guest.guest.plan_writer("WMI Writer", state=10, error=1, cure_starts=1)
        guest.guest.behave("iphlpsvc", StartFail=1053, StartFailTimes=1)
        guest.look()
        reply = guest.run("restart-vss-writers", "changed")
        assert reply.message.raw == "restarted Winmgmt with iphlpsvc"
        assert guest.guest.service("iphlpsvc")["state"] == "running"
        assert guest.restarts()["Winmgmt"] == (1, 1)


def test_what_does_not_come_back_is_said_first(windows: NewWindows) -> None:
    with windows("azure") as guest:
        guest.guest.plan_writer("System Writer", state=9, error=2, cure_starts=1)
        guest.guest.plan_writer("ASR Writer", state=9, error=2, cure_starts=1)
        guest.guest.behave("CryptSvc", StartFail=1053)
        guest.look()
        reply = guest.run("restart-vss-writers", "failed")
        assert reply.message.raw.startswith("NOT RUNNING NOW, but before: CryptSvc: ")
        assert reply.data["down"] == ["CryptSvc"]
        changes = guest.changes()
        assert set(changes["services"]) == {"CryptSvc"}
        assert changes["services"]["CryptSvc"]["state"] == ["running", "stopped"]


def test_a_service_that_refuses_or_hangs_is_told(windows: NewWindows) -> None:
    with windows("azure") as guest:
        guest.guest.stop("iphlpsvc")
        guest.guest.behave("iphlpsvc", StopRefuse=1)
        guest.guest.start("iphlpsvc")
        guest.guest.plan_writer("WMI Writer", state=9, error=2, cure_starts=1)
        guest.look()
        refused = guest.run("restart-vss-writers", "failed").message.raw
        assert refused.startswith("iphlpsvc does not accept a stop")
        assert guest.restarts() == {}
        guest.guest.behave("CryptSvc", StopHang=1)
        data = guest.body("Add-FleetData r (Restart-FleetService 'CryptSvc' 2)")["r"]
        assert data["Problem"] == "CryptSvc could not be stopped: still StopPending after 2 s"
        assert data["Down"] == ["CryptSvc"]


def test_waiting_writers_and_a_running_backup_hold_everything(windows: NewWindows) -> None:
    with windows("azure") as guest:
        guest.guest.plan_writer("System Writer", state=5, cure_starts=1)
        guest.look()
        guest.run("vss-writers", "failed", wait_seconds=0)
        assert guest.run("restart-vss-writers", "skipped", wait_seconds=0).data["held"]
        guest.guest.program("IaaSBcdrExtension.exe", Seconds=60)
        backup = guest.guest.popen(f'"{BACKUP}"', shell=False)
        try:
            wait_for_process(guest, "IaaSBcdrExtension")
            assert "a backup is running" in guest.run("vss-writers", "skipped", wait_seconds=0).message.raw
            remedies: dict[str, dict[str, ParamValue]] = {
                "restart-vss-writers": {"restart_waiting": True},
                "restart-vss-service": {"force": True},
                "start-comsysapp": {},
                "reinstall-msdtc": {"force": True},
                "restart-azure-guest-agent": {"force": True},
            }
            for name, values in remedies.items():  # in check mode, which does not wait for its end
                held = guest.run(name, "skipped", True, **values).data["held"]
                assert "IaaSBcdrExtension" in held[0], name
        finally:
            backup.kill()
            backup.exit_code()
            backup.process.communicate()
        assert guest.restarts() == {}
        guest.run("restart-vss-writers", "changed", wait_seconds=0, restart_waiting=True)
        assert guest.restarts() == {"CryptSvc": (1, 1)}


def wait_for_process(guest: Windows, name: str) -> None:
    text = f"for ($left = 100; $left -and -not (Get-FleetProcess '{name}'); $left--) {{ Wait-FleetTime 0.1 }}"
    assert guest.body(f"{text}; Add-FleetData there ($left -gt 0)")["there"]


def test_an_outage_is_held_until_it_is_allowed(windows: NewWindows) -> None:
    with windows("azure", "dc", "cluster", "exchange-old") as guest:
        for name in ("NTDS", "Cluster Database", "Microsoft Exchange Writer"):
            guest.guest.plan_writer(name, state=9, error=2, cure_starts=1)
        guest.look()
        reply = guest.run("restart-vss-writers", "skipped")
        assert len(reply.data["held"]) == 3
        assert set(reply.data["roles"]) == {"domain-controller", "cluster-node", "exchange"}
        assert guest.restarts() == {}
        guest.run("restart-vss-writers", "changed", allow_high_impact=True)
        stopped = guest.restarts()
        assert {"NTDS", "Kdc", "DNS", "DFSR", "IsmServ", "ClusSvc", "MSExchangeIS"} == set(stopped)
        assert set(stopped.values()) == {(1, 1)}


def test_every_writer_of_the_lab_is_known_with_its_service(
    windows: NewWindows, windows_lab: ModuleType
) -> None:
    world = windows_lab.world
    roles = [role for role in world.ROLES if role not in {"base", "exchange-old", "msde", "rms"}]
    planned = {name: service for name, _, service in world.writers(world.with_needs(roles)) if service != "-"}
    with windows(*roles) as guest:
        guest.guest.start("BITS")
        listed = guest.run("vss-writers", "ok").data["writers"]
        assert {writer["name"]: writer["service"] for writer in listed} == planned
        assert all(writer["known"] for writer in listed)
        assert len(planned) > 40


def test_vss_is_enabled_restarted_and_told_when_it_hangs(windows: NewWindows) -> None:
    with windows("azure") as guest:
        guest.guest.stop("VSS")
        guest.guest.configure("VSS", start="disabled")
        guest.look()
        guest.run("vss-service", "failed")
        undo = guest.run("restart-vss-service", "changed").data["undo"]
        changes = guest.changes()["services"]
        assert set(changes) == {"VSS"}
        assert changes["VSS"]["start"] == ["disabled", "manual"]
        guest.run("vss-service", "ok")
        guest.run("restart-vss-service", "ok")
        guest.run("restart-vss-service", "changed", force=True)
        assert guest.restarts() == {"VSS": (1, 1)}
        guest.run("restore-service-settings", "changed", **undo)
        assert guest.guest.service("VSS")["start"] == "disabled"
        guest.guest.configure("VSS", start="demand")
        guest.guest.plan_vss(WritersHang=0xFFFFFFFF)
        hung = guest.run("vss-service", "failed", answer_seconds=5).message.raw
        assert hung == "vssadmin gave no answer within 5 s"
        assert guest.body("Add-FleetData left @(Get-FleetProcess 'vssadmin').Count")["left"] == 0


def test_complus_and_the_account_of_msdtc(windows: NewWindows) -> None:
    with windows("azure") as guest:
        guest.guest.configure("MSDTC", account="LocalSystem")
        guest.look()
        assert "MSDTC runs as LocalSystem" in guest.run("complus-msdtc", "failed").message.raw
        guest.run("start-comsysapp", "changed")
        assert set(guest.changes()["services"]) == {"COMSysApp"}
        assert guest.run("set-msdtc-account", "changed").data["account_before"] == "LocalSystem"
        changes = guest.changes()["services"]
        assert set(changes) == {"MSDTC", "COMSysApp"}
        assert changes["MSDTC"]["account"] == ["LocalSystem", r"NT AUTHORITY\NetworkService"]
        guest.run("set-msdtc-account", "ok")
        guest.run("start-comsysapp", "ok")
        guest.run("complus-msdtc", "ok")
        assert guest.restarts() == {}
        guest.guest.stop("COMSysApp")
        guest.guest.configure("COMSysApp", start="disabled")
        undo = guest.run("start-comsysapp", "changed").data["undo"]
        assert undo == {"services": [{"name": "COMSysApp", "start_type": "Disabled"}]}
        assert guest.guest.service("COMSysApp")["state"] == "running"


def test_msdtc_is_reinstalled_and_everything_else_is_as_before(windows: NewWindows) -> None:
    with windows("azure") as guest:
        guest.look()
        reply = guest.run("reinstall-msdtc", "changed")
        changes = guest.changes()
        exported = {path for path, change in changes["files"].items() if change == "created"}
        assert set(reply.data["exports"]) <= exported
        assert all(path.startswith(r"C:\ProgramData\fleet") for path in exported)
        assert set(changes["services"]) == {"MSDTC", "COMSysApp"}
        assert not {"start", "account", "state", "delayed"} & set(changes["services"]["MSDTC"])
        assert b"NetworkDtcAccess" in guest.guest.read(reply.data["exports"][0]).replace(b"\0", b"")
        guest.run("reinstall-msdtc", "ok")
        guest.run("complus-msdtc", "ok")
        assert guest.restarts() == {}
    with windows("azure", "cluster") as guest:
        guest.look()
        assert guest.run("reinstall-msdtc", "skipped", force=True).data["held"]
        assert guest.changes() == {}


def test_strong_crypto_is_set_and_taken_back_exactly(windows: NewWindows) -> None:
    with windows("azure") as guest:
        guest.guest.set_reg(V4, {"SchUseStrongCrypto": 0})
        guest.guest.set_reg(V2, {"SchUseStrongCrypto": "1"}, view=32)
        guest.guest.set_reg(V4, {"SchUseStrongCrypto": 1}, view=32)
        guest.look()
        undo = guest.run("set-strong-crypto", "changed").data["undo"]
        one = ["REG_DWORD", 1]
        assert guest.changes() == {
            "registry": {
                f"64 {V2}": {"SchUseStrongCrypto": [None, one]},
                f"64 {V4}": {"SchUseStrongCrypto": [["REG_DWORD", 0], one]},
                f"32 {V2}": {"SchUseStrongCrypto": [["REG_SZ", "1"], one]},
            }
        }
        guest.run("set-strong-crypto", "ok")
        guest.run("strong-crypto", "ok")
        assert guest.changes() == {}
        guest.run("set-strong-crypto", "changed", system_default_tls=True)
        assert len(guest.changes()["registry"]) == 4
        guest.run("restore-registry-values", "changed", **undo)
        assert guest.changes() == {
            "registry": {
                f"64 {V2}": {"SchUseStrongCrypto": [one, None]},
                f"64 {V4}": {"SchUseStrongCrypto": [one, ["REG_DWORD", 0]]},
                f"32 {V2}": {"SchUseStrongCrypto": [one, ["REG_SZ", "1"]]},
            }
        }
        guest.run("restore-registry-values", "ok", **undo)


def test_every_type_of_registry_value_is_kept(windows: NewWindows) -> None:
    values: dict[str, Any] = {
        "B": b"\x00\xff",
        "M": ["a", "b"],
        "E": ("expand", "%PATH%"),
        "Q": ("qword", 2**40),
    }
    values |= {"D": 0xFFFFFFFF, "S": "it's \u20ac"}
    with windows("azure") as guest:
        guest.guest.set_reg(V4, values)
        before = guest.guest.snapshot()["registry"]
        guest.look()
        names = ", ".join(f"'{name}'" for name in values)
        entries = guest.body(
            f"Add-FleetData e @(foreach ($n in {names}) {{ Get-FleetRegistryEntry '{V4}' $n 64 }})"
        )["e"]
        guest.body(f"foreach ($n in {names}) {{ Remove-FleetRegistryValue '{V4}' $n 64 }}")
        assert len(guest.changes()["registry"][f"64 {V4}"]) == len(values)
        undo = guest.run("restore-registry-values", "changed", values=entries).data["undo"]
        assert guest.guest.snapshot()["registry"] == before
        assert len(undo["values"]) == len(values)


def test_the_guest_agent_is_brought_up_by_every_way(windows: NewWindows) -> None:
    agent = "WindowsAzureGuestAgent"
    with windows("azure") as guest:
        guest.guest.stop(agent)
        guest.guest.configure("RdAgent", start="demand")
        guest.look()
        guest.run("azure-guest-agent", "failed")
        undo = guest.run("restart-azure-guest-agent", "changed").data["undo"]
        assert undo == {"services": [{"name": "RdAgent", "start_type": "Manual"}]}
        changes = guest.changes()["services"]
        assert set(changes) == {"RdAgent", agent}
        assert (changes["RdAgent"]["start"], changes[agent]["state"]) == (
            ["manual", "auto"],
            ["stopped", "running"],
        )
        guest.run("restart-azure-guest-agent", "ok")
        guest.run("azure-guest-agent", "ok")
        guest.run("restart-azure-guest-agent", "changed", force=True)
        assert guest.restarts() == {"RdAgent": (1, 1), agent: (1, 1)}
        guest.guest.behave(agent, StopHang=1)
        guest.guest.exec(f"sc stop {agent}")
        assert "is StopPending" in guest.run("azure-guest-agent", "failed").message.raw
        reply = guest.run("restart-azure-guest-agent", "changed", stuck_seconds=1)
        assert reply.data["ended"][0].startswith(agent)
        guest.run("azure-guest-agent", "ok")


def test_a_restart_that_is_cut_off_by_the_deadline_does_not_leave_the_service_down(
    windows: NewWindows,
) -> None:
    with windows("azure") as guest:
        guest.guest.behave("CryptSvc", StopSeconds=4)
        text = snippet_of("Restart-FleetService 'CryptSvc' 60")
        fine(guest.engine.run([guest.engine.script(text, timeout=1)])[0], Outcome.TIMED_OUT)
        waiting = "$left -gt 0 -and (Get-FleetServiceStatus 'CryptSvc') -ne 'Running'"
        guest.body(f"for ($left = 100; {waiting}; $left--) {{ Wait-FleetTime 0.1 }}")
        assert guest.guest.service("CryptSvc")["state"] == "running"
