"""What holds for every test: a home of its own, none of the developer's settings, nothing left behind."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import hypothesis
import pytest

OUTER_ENVIRONMENT: Mapping[str, str] = dict(os.environ)
"""The environment pytest was started with, for the few tests that run tools of the developer."""

signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup every program that a test starts would ignore it

# No deadline: a busy machine is no bug. In CI the examples are always the same ones.
hypothesis.settings.register_profile("fleet", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "fleet")


@pytest.fixture(scope="session", autouse=True)
def private_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """No test reads or writes the developer's files, agent, inventory or terminal settings."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name.startswith(("FLEET_", "XDG_")) and name != "FLEET_RECORD":
                patch.delenv(name)
        for name in ("SSH_AUTH_SOCK", "KRB5CCNAME", "FORCE_COLOR", "NO_COLOR", "COLUMNS"):
            patch.delenv(name, raising=False)
        patch.setenv("HOME", str(home))
        yield home


LEAVING_TIME = 5.0
"""Seconds that threads and programs which were told to end have for it after the last test."""


def _children() -> list[str]:
    """Command lines of the programs this process started and that still run."""
    lines = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            parent = (process / "stat").read_text().rpartition(") ")[2].split()[1]
            command = (process / "cmdline").read_bytes()
        except (OSError, IndexError):
            continue  # it has ended meanwhile
        if parent == str(os.getpid()) and command:  # a zombie has no command line
            lines.append(command.replace(b"\0", b" ").decode(errors="replace").strip())
    return lines


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run whose tests were fine but left threads or programs behind."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread():
            thread.join(LEAVING_TIME)
    threads = [repr(thread) for thread in threading.enumerate() if thread is not threading.current_thread()]
    left = threads + _children()
    if left:
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.write_line("")
            reporter.write_line("left behind by the tests: " + "; ".join(left), red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give guests under wine a second try: now and then it fails for no reason, as its lab's README says."""
    for item in items:
        if item.get_closest_marker("windows_lab"):
            item.add_marker(pytest.mark.flaky(reruns=1))
