"""No fault that fleet sees in a guest is without a guest of the lab that has it, on each of its systems."""

from __future__ import annotations

from fleet.catalog import load
from fleet.model import Os, Shell
from tests.lab import (
    test_linux_faults,
    test_linux_file_faults,
    test_mars_drive_faults,
    test_mars_network_faults,
    test_mars_schedule_faults,
    test_mars_scratch_faults,
    test_windows_agent_faults,
    test_windows_faults,
)

ON_LINUX = {
    *(id for id, _ in test_linux_faults.CURED.values()),
    *test_linux_faults.ONLY_FOUND.values(),
    *test_linux_file_faults.IN_FILES,
    "agent-linux-install",
    "agent-linux-not-running",
    "agent-linux-verbose-logging",
    "azvm-internet-connectivity",
}
"""The last ones have a test of their own."""

ON_WINDOWS = {
    *(planted.runbook for planted in test_windows_faults.CURED),
    *test_windows_faults.ONLY_FOUND,
    *test_windows_agent_faults.FOUND,
    *(id for id, _, _ in test_windows_agent_faults.MENDED.values()),
    *test_mars_drive_faults.RUNBOOKS,
    *test_mars_network_faults.RUNBOOKS,
    *test_mars_schedule_faults.RUNBOOKS,
    *test_mars_scratch_faults.RUNBOOKS,
    "agent-windows-install",
    "agent-windows-update",
    "azvm-os-supported",
}

CANNOT_BE = {("azvm-snapshot-limit-reached", Os.WINDOWS): "the flag is one of Linux"}


def test_every_fault_that_is_looked_for_is_planted_on_each_of_its_systems() -> None:
    catalog = load()
    wanted = set()
    for id, book in catalog.runbooks.items():
        if book.detect is None:
            continue
        shells = catalog.snippet(book.detect).texts
        systems = {Os.LINUX} if Shell.SH in shells else set()
        systems |= {Os.WINDOWS} if Shell.POWERSHELL in shells else set()
        wanted |= {(id, system) for system in systems if book.os in {None, system}}
    planted = {(id, Os.LINUX) for id in ON_LINUX} | {(id, Os.WINDOWS) for id in ON_WINDOWS}
    assert wanted - planted == CANNOT_BE.keys(), "plant it in one of the modules named above"
