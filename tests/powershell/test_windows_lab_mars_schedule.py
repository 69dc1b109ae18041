"""What starts the backups of a MARS server, in one guest: service, scheduled task, PowerShell and the module.

Each test compares the whole guest before and after: what changed is what was meant; the undo takes it back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from fleet.catalog import Catalog
from tests.powershell.engine import Engine
from tests.powershell.windows_guest import Windows, one_guest

pytestmark = pytest.mark.windows_lab

AGENT = r"C:\Program Files\Microsoft Azure Recovery Services Agent"
MODULE = rf"{AGENT}\bin\Modules\MSOnlineBackup"
TREE = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Schedule\TaskCache\Tree\Microsoft\OnlineBackup"
ENVIRONMENT = r"HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Environment"
POLICY = r"HKLM\SOFTWARE\Microsoft\PowerShell\1\ShellIds\Microsoft.PowerShell"
TASK = r"C:\lab\tasks\Microsoft\OnlineBackup\Microsoft-OnlineBackup.xml"
JOBS = "function Get-OBJob { [pscustomobject]@{ JobType = 'Backup' } }"


@pytest.fixture(scope="module")
def shared(windows_lab: ModuleType) -> Iterator[tuple[Any, Engine]]:
    with one_guest(windows_lab, "mars") as both:
        yield both


@pytest.fixture
def windows(
    shared: tuple[Any, Engine], windows_lab: ModuleType, catalog: Catalog, request: pytest.FixtureRequest
) -> Iterator[Windows]:
    """The guest, with a whole module and no job; what a test writes into the module is taken away."""
    guest, engine = shared
    jobs(guest, "function Get-OBJob { }")
    yield Windows(windows_lab, guest, engine, catalog, request.node)
    jobs(guest, "function Get-OBJob { }")


def jobs(guest: Any, text: str) -> None:
    """Have the agent say that these jobs run."""
    guest.write(
        rf"{MODULE}\MSOnlineBackup.psd1", "@{ ModuleVersion = '1.0'; RootModule = 'MSOnlineBackup.psm1' }"
    )
    guest.write(rf"{MODULE}\MSOnlineBackup.psm1", text)


def test_a_service_that_may_not_start_starts_again(windows: Windows) -> None:
    windows.guest.stop("obengine")
    windows.guest.configure("obengine", start="disabled")
    windows.look()
    windows.run("mars-service", "failed")
    windows.run("restart-mars-agent", "changed", check=True)
    assert windows.changes() == {}
    undo = windows.run("restart-mars-agent", "changed").data["undo"]
    changes = windows.changes()
    assert set(changes["services"]) == {"obengine"}
    (key,) = changes["registry"].values()
    assert set(key) == {"Start"}
    assert changes["services"]["obengine"]["start"] == ["disabled", "auto"]
    windows.run("mars-service", "ok")
    windows.run("restart-mars-agent", "ok")
    assert windows.changes() == {}
    windows.run("restore-service-settings", "changed", **undo)
    assert windows.guest.service("obengine")["start"] == "disabled"
    windows.guest.configure("obengine", start="auto")


def test_a_service_that_hangs_is_restarted_on_request_and_never_during_a_job(windows: Windows) -> None:
    windows.look()
    windows.run("restart-mars-agent", "changed", force=True)
    assert windows.restarts() == {"obengine": (1, 1)}
    jobs(windows.guest, JOBS)
    windows.look()
    held = windows.run("restart-mars-agent", "skipped", force=True).data["held"]
    assert held == ["a job of the MARS agent is running: Get-OBJob lists a job that runs"]
    assert windows.changes() == {}


def test_a_disabled_task_of_another_account_starts_backups_again(windows: Windows) -> None:
    guest = windows.guest
    guest.set_reg(rf"{TREE}\Microsoft-OnlineBackup", {"Id": "{1}"})
    sound = guest.read(TASK)
    text = sound.decode("utf-16")
    assert "<Enabled>true</Enabled>" in text
    broken = text.replace("<UserId>S-1-5-18</UserId>", "<UserId>LAB\\somebody</UserId>")
    guest.write(TASK, broken.replace("<Enabled>true</Enabled>", "<Enabled>false</Enabled>").encode("utf-16"))
    windows.look()
    assert len(windows.run("mars-task", "failed").data["problems"]) >= 2
    windows.run("repair-mars-tasks", "changed", check=True)
    assert windows.changes() == {}
    undo = windows.run("repair-mars-tasks", "changed").data["undo"]
    assert set(windows.changes()["files"]) >= {TASK}
    windows.run("mars-task", "ok")
    assert "<UserId>S-1-5-18</UserId>" in guest.read(TASK).decode("utf-16")
    windows.run("repair-mars-tasks", "ok")
    assert windows.changes() == {}
    windows.run("restore-mars-tasks", "changed", **undo)
    assert (
        guest.read(TASK).decode("utf-16").split()
        == broken.replace("<Enabled>true</Enabled>", "<Enabled>false</Enabled>").split()
    )
    windows.run("restore-mars-tasks", "ok", **undo)
    guest.write(TASK, sound)


def test_a_restricted_execution_policy_is_loosened_and_comes_back(windows: Windows) -> None:
    windows.guest.set_reg(POLICY, {"ExecutionPolicy": "Restricted"})
    windows.look()
    windows.run("mars-powershell", "failed")
    windows.run("set-execution-policy", "changed", check=True)
    assert windows.changes() == {}
    undo = windows.run("set-execution-policy", "changed").data["undo"]
    assert windows.changes() == {}, "the lab does not watch this key"
    assert windows.guest.value(POLICY, "ExecutionPolicy") == "RemoteSigned"
    windows.run("mars-powershell", "ok")
    windows.run("set-execution-policy", "ok")
    windows.run("restore-registry-values", "changed", **undo)
    assert windows.guest.value(POLICY, "ExecutionPolicy") == "Restricted"
    windows.guest.unset_reg(POLICY, "ExecutionPolicy")


def test_the_module_is_put_on_the_search_path_and_taken_off_again(windows: Windows) -> None:
    windows.guest.set_reg(ENVIRONMENT, {"PSModulePath": r"C:\Other"})
    windows.look()
    windows.run("mars-module", "failed", look=["path"])
    windows.run("add-mars-module-path", "changed", check=True)
    assert windows.changes() == {}
    undo = windows.run("add-mars-module-path", "changed").data["undo"]
    wanted = rf"C:\Other;{AGENT}\bin\Modules;{MODULE}"
    assert windows.guest.value(ENVIRONMENT, "PSModulePath") == wanted
    assert set(windows.changes()) == {"registry"}
    windows.run("mars-module", "ok")
    windows.run("add-mars-module-path", "ok")
    windows.run("restore-registry-values", "changed", **undo)
    assert windows.guest.value(ENVIRONMENT, "PSModulePath") == r"C:\Other"


def test_a_damaged_module_is_copied_from_a_healthy_one_and_put_back(windows: Windows) -> None:
    guest, donor = windows.guest, r"C:\donor"
    guest.write(
        rf"{donor}\MSOnlineBackup.psd1", "@{ ModuleVersion = '1.0'; RootModule = 'MSOnlineBackup.psm1' }"
    )
    guest.write(rf"{donor}\MSOnlineBackup.psm1", "function Get-OBJob { }")
    guest.write(rf"{donor}\de\text.txt", "x")
    guest.write(rf"{MODULE}\MSOnlineBackup.psd1", "@{ ModuleVersion = ")
    windows.look()
    windows.run("mars-module", "failed", look=["files"])
    windows.run("copy-mars-module", "skipped")
    windows.run("copy-mars-module", "changed", check=True, module_from=donor)
    assert windows.changes() == {}
    undo = windows.run("copy-mars-module", "changed", module_from=donor).data["undo"]
    changed = set(windows.changes()["files"])
    assert {rf"{MODULE}\MSOnlineBackup.psd1", rf"{MODULE}\de\text.txt"} <= changed
    assert all(name.startswith((MODULE, r"C:\ProgramData\fleet\undo")) for name in changed)
    windows.run("mars-module", "ok", look=["files"])
    windows.run("copy-mars-module", "ok", module_from=donor)
    windows.run("restore-mars-module", "changed", **undo)
    assert guest.read(rf"{MODULE}\MSOnlineBackup.psd1") == b"@{ ModuleVersion = "
    windows.run("restore-mars-module", "ok", **undo)
    windows.look()
    guest.write(rf"{donor}\MSOnlineBackup.psd1", "@{ no")
    windows.run("copy-mars-module", "failed", module_from=donor)
    left = {name for name in windows.changes()["files"] if name.startswith(MODULE)}
    assert left <= {rf"{MODULE}\de\text.txt"}, "what was there is back"


def test_what_is_only_looked_at_changes_nothing(windows: Windows) -> None:
    windows.guest.unset_reg(rf"{TREE}\Microsoft-OnlineBackup", "Id")
    windows.guest.set_reg(ENVIRONMENT, {"PSModulePath": r"C:\Other"})
    windows.look()
    registered = windows.run("mars-earlier-registration", "failed").data
    assert (registered["registered"], registered["version"]) == (True, "2.0.9262.0")
    windows.run("mars-offline-powershell", "failed")
    causes = windows.run("mars-schedule", "failed").data["causes"]
    assert [cause["runbook"] for cause in causes] == ["mars-task-trigger-enabled", "mars-psmodulepath"]
    answers = windows.body("Add-FleetData 'answers' (Test-FleetTcp '168.63.129.16' 80 5)")["answers"]
    windows.run("mars-on-azure-vm", "failed" if answers else "ok")
    windows.run("dotnet-release", "ok", mars_only=True)
    assert windows.changes() == {}


def test_an_installer_of_the_operator_is_run_and_its_copy_goes(windows: Windows) -> None:
    guest = windows.guest
    installer = r"C:\in\MARSAgentInstaller.exe"
    guest.write(installer, "no program")
    digest = hashlib.sha256(b"no program").hexdigest()
    wanted: dict[str, Any] = {
        "mars_installer": installer,
        "mars_sha256": digest,
        "minimum_version": "2.0.9300.0",
    }
    windows.look()
    windows.run("install-mars-agent", "skipped", minimum_version="2.0.9300.0")
    windows.run("install-mars-agent", "changed", check=True, **wanted)
    windows.run("install-mars-agent", "failed", **{**wanted, "mars_sha256": "0" * 64})
    windows.run("install-mars-agent", "ok", minimum_version="2.0.9262.0")
    assert windows.changes() == {}
