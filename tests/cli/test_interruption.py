"""Ctrl-C, kill and a lost session in the middle of a fix: the truth about every host stays known."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.engine.verdict import verdicts
from fleet.journal import History, Run
from tests.cli.conftest import Fleet

WAITING = """\
#!/bin/sh
# /// fleet
# kind = "remedy"
# title = "Wait to be let go"
# risk = "safe"
# idempotent = "yes"
# timeout = 60
# undo_note = "nothing was changed"
# ///
echo begun >> "$root/begun"
while [ ! -e "$root/go" ]; do sleep 0.02; done
echo ended >> "$root/ended"
changed "was let go"
"""
AT_ONCE = 2


class Slow:
    """``fleet fix`` in a process of its own, two of its six hosts waiting in the remedy."""

    def __init__(self, folder: Path, **popen: object) -> None:
        self.root = folder / "root"
        self.state = folder / "state"
        scripts = folder / "scripts/sh"
        scripts.mkdir(parents=True)
        (scripts / "wait.sh").write_text(WAITING)
        inventory = folder / "inv.yaml"
        inventory.write_text(
            "all: {hosts: {'h[1:6]': {ansible_connection: local, ansible_host: localhost}}}\n"
        )
        command = [sys.executable, "-m", "fleet", "fix", "wait", "-i", inventory, "-l", "all", "--apply"]
        command += ["--scripts", scripts.parent, "--workers", str(AT_ONCE), "--state", self.state]
        environment = {**os.environ, "FLEET_ROOT": str(self.root)}
        settings = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **popen}
        self.process: subprocess.Popen[str] = subprocess.Popen(command, env=environment, **settings)  # type: ignore[call-overload]
        self.wait_for("begun", AT_ONCE)

    def lines(self, name: str) -> int:
        path = self.root / name
        return len(path.read_text().splitlines()) if path.exists() else 0

    def wait_for(self, name: str, count: int) -> None:
        tick = threading.Event()
        for _ in range(3000):
            if self.lines(name) >= count:
                return
            tick.wait(0.01)
        raise AssertionError(f"{name} was not written by {count}")

    def let_go(self) -> None:
        (self.root / "go").touch()

    def end(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out, err

    @property
    def run(self) -> Run:
        return History(self.state).run("last")

    @property
    def words(self) -> list[str]:
        return sorted(word.value for word in verdicts(self.run.targets, self.run.results).values())


@pytest.fixture
def slow(root: Path, tmp_path: Path) -> Iterator[Slow]:
    started = Slow(tmp_path)
    yield started
    started.let_go()
    started.process.kill()
    started.process.communicate()
    started.wait_for("ended", AT_ONCE)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_starts_nothing_new_and_waits_for_what_is_under_way(
    slow: Slow, number: signal.Signals
) -> None:
    slow.process.send_signal(number)
    assert slow.process.stderr is not None
    assert slow.process.stderr.readline() == "\n"
    assert "nothing new is started" in slow.process.stderr.readline()
    slow.let_go()
    code, out, _ = slow.end()
    assert code == 130
    assert "6 hosts = 4 not run + 2 changed" in out
    assert slow.words == ["changed"] * 2 + ["not_run"] * 4
    assert (slow.lines("begun"), slow.lines("ended")) == (2, 2)


def test_the_second_signal_waits_for_nobody_and_what_was_sent_is_unknown(slow: Slow) -> None:
    slow.process.send_signal(signal.SIGINT)
    assert slow.process.stderr is not None
    slow.process.stderr.readline()
    slow.process.stderr.readline()
    slow.process.send_signal(signal.SIGINT)
    code, out, err = slow.end()
    assert code == 130
    assert "6 hosts = 2 unknown + 4 not run" in out
    assert "Traceback" not in err
    assert slow.words == ["not_run"] * 4 + ["unknown"] * 2
    assert slow.lines("begun") == 2


def test_after_a_kill_the_history_tells_what_may_have_run(slow: Slow, fleet: Fleet) -> None:
    slow.process.kill()
    assert slow.end()[0] == -signal.SIGKILL
    listed = fleet("runs", "--state", slow.state)
    assert "6 hosts = not ended" in listed.out
    drawn = fleet("report", "last", "--state", slow.state)
    assert drawn.code == 3
    assert "6 hosts = 2 unknown + 4 not run" in drawn.out
    assert "This run did not end by itself" in drawn.out


def test_a_signal_that_the_caller_ignores_stays_ignored(root: Path, tmp_path: Path) -> None:
    """``nohup fleet`` and ``fleet &`` in a script: neither hang-up nor another's Ctrl-C ends the run."""

    def ignore() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    slow = Slow(tmp_path, preexec_fn=ignore)
    slow.process.send_signal(signal.SIGHUP)
    slow.process.send_signal(signal.SIGINT)
    slow.let_go()
    code, out, _ = slow.end()
    assert (code, "6 hosts = 6 changed" in out) == (0, True)
