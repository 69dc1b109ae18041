"""./dev on machines of all kinds: stand-ins for Python and the system's tools record what it called."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

TOOLS = ["cat", "cmp", "cp", "dirname", "id", "mkdir", "printf", "readlink", "rm", "sh", "tail"]

PYTHON = """\
#!/bin/sh
case "$1 $2" in
    "-c import ensurepip, venv") [ -z "$NO_VENV" ] ;;
    "-c import sys; print"*) echo python3.11-venv ;;
    "-c import sys"*) [ -z "$OLD" ] ;;
    "-c ") ;;
    "--version "*) echo Python 3.11.9 ;;
    "-m venv")
        echo "venv" >>"$CALLS"
        [ "$3" = --clear ] && rm -rf "$4"
        mkdir -p "$4/bin" && cp "$0" "$4/bin/python"
        ;;
    "-m pip") echo "pip ${*##*/}" >>"$CALLS"; [ -z "$OFFLINE" ] || { echo "no route to PyPI"; exit 1; } ;;
    "-m pytest") echo "pytest${FLEET_RECORD:+ (recording)}" >>"$CALLS" ;;
    *) exit 9 ;;
esac
"""


class Machine:
    """A folder with a copy of the project's ``dev`` and a PATH of stand-ins."""

    def __init__(self, folder: Path) -> None:
        self.project = folder / "project"
        self.bin = folder / "bin"
        self._calls = folder / "calls"
        self.bin.mkdir()
        (self.project / "requirements").mkdir(parents=True)
        shutil.copy(ROOT / "dev", self.project / "dev")
        for name in (
            "requirements/build.lock",
            "requirements/dev.lock",
            "requirements/run.lock",
            "pyproject.toml",
        ):
            (self.project / name).write_text(name)
        for tool in TOOLS:
            found = shutil.which(tool)
            if found:
                (self.bin / tool).symlink_to(found)
        self.program("python3", PYTHON)
        self.program("sshd", "#!/bin/sh\n")
        for name in ("busybox", "chromium", "chromedriver"):
            self.program(name, "#!/bin/sh\n")
        self.program("id", "#!/bin/sh\necho 1000\n")

    def program(self, name: str, text: str) -> None:
        path = self.bin / name
        path.unlink(missing_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def dev(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run it from another folder."""
        return subprocess.run(
            [str(self.project / "dev"), *arguments],
            cwd=self.bin,
            env={"PATH": str(self.bin), "CALLS": str(self._calls), **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def calls(self) -> list[str]:
        """What was called since the last time."""
        lines = self._calls.read_text().splitlines() if self._calls.exists() else []
        self._calls.unlink(missing_ok=True)
        return [line.split(" ")[0] if line.startswith("pip") else line for line in lines]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


SET_UP = ["venv", "pip", "pip"]
"""The locked packages, then the project itself."""


def test_the_first_command_sets_everything_up(machine: Machine) -> None:
    ended = machine.dev("test")
    assert ended.returncode == 0, ended.stderr
    assert machine.calls() == [*SET_UP, "pytest"]


def test_the_next_one_does_nothing_and_says_nothing(machine: Machine) -> None:
    machine.dev("test")
    machine.calls()
    ended = machine.dev("test")
    assert (ended.stdout, ended.stderr) == ("", "")
    assert machine.calls() == ["pytest"]


def test_a_changed_lock_begins_with_an_empty_environment(machine: Machine) -> None:
    machine.dev("test")
    machine.calls()
    (machine.project / "requirements/dev.lock").write_text("other")
    machine.dev("test")
    assert machine.calls() == [*SET_UP, "pytest"]


def test_a_changed_project_file_installs_only_the_project(machine: Machine) -> None:
    machine.dev("test")
    machine.calls()
    (machine.project / "pyproject.toml").write_text("other")
    machine.dev("test")
    assert machine.calls() == ["pip", "pytest"]


def test_a_project_that_was_moved_is_set_up_anew(machine: Machine, tmp_path: Path) -> None:
    machine.dev("test")
    machine.calls()
    machine.project = machine.project.rename(tmp_path / "moved")
    machine.dev("test")
    assert machine.calls() == [*SET_UP, "pytest"]


def test_an_installation_that_failed_is_taken_up_again(machine: Machine) -> None:
    ended = machine.dev("test", OFFLINE="1")
    assert ended.returncode == 1
    assert "no route to PyPI" in ended.stderr
    assert "is PyPI, or your mirror of it, reachable?" in ended.stderr
    assert machine.calls() == ["venv", "pip"]
    machine.dev("test")
    assert machine.calls() == ["pip", "pip", "pytest"]


def test_a_machine_without_python_is_told_what_to_install(machine: Machine) -> None:
    (machine.bin / "python3").unlink()
    ended = machine.dev("test")
    assert ended.returncode == 1
    assert "no Python 3.11 or newer on PATH" in ended.stderr


def test_an_old_python_is_none(machine: Machine) -> None:
    assert "no Python 3.11 or newer on PATH" in machine.dev("test", OLD="1").stderr


def test_a_newer_python_beside_an_old_one_is_found(machine: Machine) -> None:
    machine.program("python3.12", PYTHON)
    machine.program("python3", PYTHON.replace('[ -z "$OLD" ]', "exit 1"))
    assert machine.dev("test").returncode == 0


def test_a_python_without_venv_is_told_as_a_command_for_root(machine: Machine) -> None:
    ended = machine.dev("test", NO_VENV="1")
    assert ended.returncode == 1
    assert "as root, run apt-get install python3.11-venv" in ended.stderr


def test_root_gets_it_installed(machine: Machine) -> None:
    machine.program("id", "#!/bin/sh\necho 0\n")
    machine.program("apt-get", '#!/bin/sh\necho "apt-get $1 ${*##*/}" >>"$CALLS"\n')
    machine.dev("test", NO_VENV="1")
    first = machine.calls()[0]
    assert first.startswith("apt-get install")
    assert "python3.11-venv" in first


def test_missing_programs_of_tests_are_named(machine: Machine) -> None:
    (machine.bin / "busybox").unlink()
    ended = machine.dev("test")
    assert "will be skipped: busybox" in ended.stderr
    assert machine.calls()[-1] == "pytest"


def test_ci_installs_them_where_it_may(machine: Machine) -> None:
    (machine.bin / "busybox").unlink()
    machine.program("id", "#!/bin/sh\necho 0\n")
    machine.program("apt-get", '#!/bin/sh\necho "apt-get $*" >>"$CALLS"\n')
    machine.dev("test", CI="true")
    assert any(call.endswith(" busybox") for call in machine.calls())


def test_recording_has_to_be_asked_for(machine: Machine) -> None:
    machine.dev("test", "-k", "frame", "--record")
    assert machine.calls()[-1] == "pytest (recording)"


@pytest.mark.parametrize("arguments", [[], ["lunch"]])
def test_wrong_use_ends_with_2_and_lists_the_commands(machine: Machine, arguments: list[str]) -> None:
    ended = machine.dev(*arguments)
    assert ended.returncode == 2
    assert "usage: ./dev COMMAND" in ended.stderr
