"""What the backup extension needs, in one guest with a real registry, service manager and processes.

The tests share the guest: each begins by planting what it needs and ends with nothing changed.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from fleet.catalog import Catalog
from tests.powershell.engine import Engine
from tests.powershell.windows_guest import Windows, one_guest

pytestmark = pytest.mark.windows_lab

KEY = r"HKLM\SOFTWARE\Microsoft\BcdrAgentPersistentKeys"
SQL = r"HKLM\SOFTWARE\Microsoft\BcdrAgent"
RUNTIME = r"HKLM\SOFTWARE\Microsoft\VisualStudio\12.0\VC\Runtimes\x64"
PLUGIN = r"C:\Packages\Plugins\Microsoft.Azure.RecoveryServices.VMSnapshot\1.0.51.0"


@pytest.fixture(scope="module")
def shared(windows_lab: ModuleType) -> Iterator[tuple[Any, Engine]]:
    with one_guest(windows_lab, "azure", "sql") as both:
        yield both


@pytest.fixture
def windows(
    shared: tuple[Any, Engine],
    windows_lab: ModuleType,
    catalog: Catalog,
    request: pytest.FixtureRequest,
) -> Windows:
    return Windows(windows_lab, *shared, catalog, request.node)


def test_snapshot_values_come_with_their_key_and_go_with_it(windows: Windows) -> None:
    windows.look()
    windows.run("snapshot-host-first", "failed")
    windows.run("set-snapshot-host-first", "changed", check=True)
    assert windows.changes() == {}
    undo = windows.run("set-snapshot-host-first", "changed").data["undo"]
    other = windows.run("snapshot-without-threads", "changed").data["undo"]
    true = ["REG_SZ", "True"]
    made = windows.changes()["registry"]
    assert list(made) == [f"64 {KEY}"], "only in the view that the extension reads"
    assert made[f"64 {KEY}"] == {
        "": "key created",
        "SnapshotMethod": [None, ["REG_SZ", "firstHostThenGuest"]],
        "CalculateSnapshotTimeFromHost": [None, true],
        "SnapshotWithoutThreads": [None, true],
    }
    windows.run("snapshot-host-first", "ok")
    windows.run("set-snapshot-host-first", "ok")
    windows.run("snapshot-without-threads", "ok")
    assert windows.changes() == {}
    windows.run("restore-registry-values", "changed", **undo)
    assert windows.guest.reg(KEY)["values"] == {"SnapshotWithoutThreads": true}, "the key is in use"
    undo_of_undo = windows.run("restore-registry-values", "changed", **other).data["undo"]
    assert windows.guest.reg(KEY) is not None, "it was there when this value was set"
    windows.run("restore-registry-values", "changed", **undo_of_undo)
    windows.run("restore-registry-values", "changed", **other)
    windows.guest.unset_reg(KEY)


def test_sql_server_is_asked_for_a_copy_backup_and_what_was_there_comes_back(windows: Windows) -> None:
    windows.guest.set_reg(SQL, {"USEVSSCOPYBACKUP": 0})
    windows.look()
    windows.run("sql-copy-backup", "failed")
    undo = windows.run("set-sql-copy-backup", "changed").data["undo"]
    assert windows.changes() == {
        "registry": {f"64 {SQL}": {"USEVSSCOPYBACKUP": [["REG_DWORD", 0], ["REG_SZ", "TRUE"]]}}
    }
    windows.run("sql-copy-backup", "ok")
    windows.run("set-sql-copy-backup", "ok")
    windows.run("restore-registry-values", "changed", **undo)
    assert windows.guest.reg(SQL)["values"] == {"USEVSSCOPYBACKUP": ["REG_DWORD", 0]}
    windows.guest.unset_reg(SQL)


def test_events_are_found_by_provider_and_number(windows: Windows) -> None:
    windows.look()
    assert windows.run("vss-timeout-events", "failed").data["events"][0]["id"] == 12298
    windows.run("vss-timeout-events", "ok", hours=1)
    windows.run("windows-server-backup-events", "ok")
    crashed = windows.run("backup-extension-antivirus", "ok").data
    assert len(crashed["crashes"]) == 1
    assert crashed["missing"] == crashed["other_filters"] == []
    windows.run("set-defender-exclusions", "skipped")
    assert windows.changes() == {}


def test_the_start_type_of_the_provider_is_set_and_taken_back(windows: Windows) -> None:
    windows.run("iaasvmprovider", "ok")
    windows.guest.configure("IaaSVmProvider", start="demand")
    windows.look()
    windows.run("iaasvmprovider", "failed")
    undo = windows.run("enable-iaasvmprovider", "changed").data["undo"]
    assert windows.changes()["services"] == {"IaaSVmProvider": {"start": ["manual", "auto"]}}
    windows.run("enable-iaasvmprovider", "ok")
    windows.run("restore-service-settings", "changed", **undo)
    assert windows.changes()["services"] == {"IaaSVmProvider": {"start": ["auto", "manual"]}}
    windows.guest.configure("IaaSVmProvider", start="auto")


def test_the_runtime_is_installed_by_the_extensions_own_installer(windows: Windows) -> None:
    windows.guest.configure("msiserver", start="disabled")
    windows.look()
    assert "is disabled" in windows.run("vcredist-2013", "failed").message.raw
    assert "is disabled" in windows.run("install-vcredist-2013", "failed").message.raw
    undo = windows.run("enable-windows-installer", "changed").data["undo"]
    assert windows.changes()["services"] == {"msiserver": {"start": ["disabled", "manual"]}}
    windows.run("restore-service-settings", "changed", **undo)
    windows.run("enable-windows-installer", "changed")
    windows.guest.program("vcredist2013_x64.exe", ExitCode=1603)
    found = windows.run("install-vcredist-2013", "failed")
    assert found.data["exit_code"] == 1603
    assert found.data["installer"].startswith(PLUGIN)
    windows.guest.program("vcredist2013_x64.exe", ExitCode=1618)
    assert windows.run("install-vcredist-2013", "skipped").data["held"]
    windows.guest.program("vcredist2013_x64.exe", ExitCode=0)
    assert windows.run("install-vcredist-2013", "failed").message.raw.endswith("is not registered")
    runs = [note for note in windows.guest.journal() if note["who"] == "vcredist2013_x64.exe"]
    assert len(runs) == 3
    windows.guest.set_reg(RUNTIME, {"Installed": 1, "Version": "v12.0.40660.00"}, view=32)
    known = windows.run("vcredist-2013", "failed")
    assert known.data["runtime"] == "12.0.40660.00"
    assert known.message.raw.endswith(r"full control of HKLM\SOFTWARE\Classes"), "wine's own rights"
    windows.run("install-vcredist-2013", "ok")
    windows.guest.unset_reg(RUNTIME, view=32)


def test_another_products_service_is_seen_by_its_name(windows: Windows) -> None:
    windows.run("other-backup-products", "ok")
    windows.guest.exec(r'sc create VeeamAgentSvc binPath= "C:\windows\system32\svchost.exe -k netsvcs"')
    windows.look()
    windows.run("other-backup-products", "ok")
    assert windows.guest.start("VeeamAgentSvc")[1] == "running"
    assert windows.run("other-backup-products", "failed").data["found"] == ["service VeeamAgentSvc"]
    windows.guest.stop("VeeamAgentSvc")
    windows.guest.exec("sc delete VeeamAgentSvc")


def test_volumes_are_asked_for_and_none_is_locked(windows: Windows) -> None:
    windows.look()
    assert windows.run("bitlocker-locked", "ok").data["volumes"] == [
        {"name": "C:", "encrypted": 0.0, "locked": False}
    ]
    assert windows.changes() == {}


def test_the_extension_that_is_at_work_holds_a_remedy(windows: Windows) -> None:
    windows.guest.write(rf"{PLUGIN}\status\4.status", '[{"status":{"status":"transitioning"}}]')
    windows.look()
    held = windows.run("restart-azure-guest-agent", "skipped", check=True, force=True).data["held"]
    assert held == ["a backup is running: the extension is at work (4.status)"]
    windows.guest.write(rf"{PLUGIN}\status\5.status", '[{"status":{"status":"success"}}]')
    windows.run("restart-azure-guest-agent", "changed", check=True, force=True)
    windows.guest.remove(rf"{PLUGIN}\status")


def expired_certificate() -> str:
    """A certificate of the newer generator that ended yesterday, without its key, as base64."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [x509.NameAttribute(NameOID.DOMAIN_COMPONENT, "Windows Azure CRP Certificate Generator")]
    )
    now = datetime.now(UTC)
    built = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    built = built.not_valid_before(now - timedelta(9)).not_valid_after(now - timedelta(1))
    return base64.b64encode(built.sign(key, SHA256()).public_bytes(Encoding.DER)).decode()


def test_certificates_are_read_and_a_deletion_that_does_not_last_is_told(windows: Windows) -> None:
    """The store of this guest (wine) forgets deletions when it is closed; additions it keeps."""
    public = expired_certificate()
    made = windows.body(f"Add-FleetData thumbprint (Add-FleetCertificate '{public}')")["thumbprint"]
    windows.look()
    found = windows.run("extension-settings-keys", "failed").data["certificates"]
    assert [(each["thumbprint"], each["verdict"]) for each in found] == [(made, "expired")]
    windows.run("remove-extension-certificates", "changed", check=True)
    failed = windows.run("remove-extension-certificates", "failed")
    assert failed.message.raw == f"certificate {made} is there after it was deleted"
    assert failed.data["undo"] == {"certificates": [public]}
    windows.run("restore-certificates", "ok", certificates=[public])
    assert windows.changes() == {}
    windows.guest.unset_reg(rf"HKLM\SOFTWARE\Microsoft\SystemCertificates\MY\Certificates\{made}")


def test_storage_for_shadow_copies_is_read_by_its_shares(windows: Windows) -> None:
    area = r"HKLM\SOFTWARE\WindowsLab\Storage\00"
    for maximum in (10 << 30, 127 << 30):
        windows.guest.set_reg(area, {"Maximum": ("qword", maximum)})
        windows.run("shadow-storage", "ok", mars_only=False)
    windows.guest.set_reg(area, {"Maximum": ("qword", 40 << 30), "Used": ("qword", 38 << 30)})
    windows.look()
    assert (
        windows.run("shadow-storage", "failed", mars_only=False)
        .data["associations"][0]["volume"]
        .startswith(r"\\?\Volume{")
    )
    assert windows.changes() == {}
    windows.guest.set_reg(area, {"Used": ("qword", 0)})
