"""Names, hosts and runs are completed as they are typed, and nothing wrong is said meanwhile."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from fleet.cli.main import cli
from tests.cli.conftest import Fleet


def offered(*words: object) -> list[str]:
    """What is offered for the last word."""
    *before, begun = map(str, words)
    completer = ShellComplete(cli, {}, "fleet", "_FLEET_COMPLETE")
    return [item.value for item in completer.get_completions(before, begun)]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["che"], ["check"]),
        (["check", "waagent-r"], ["waagent-running"]),
        (["check", "restart-waa"], []),
        (["fix", "restart-waa"], ["restart-waagent"]),
        (["fix", "agent-linux-not"], ["agent-linux-not-running"]),
        (["fix", "ExtensionFailedVssWriterIn"], ["ExtensionFailedVssWriterInBadState"]),
        (["explain", "agent-linux-not"], ["agent-linux-not-running"]),
        (["show", "azure-v"], ["azure-vm", "azure-vm-linux", "azure-vm-windows"]),
        (["collect", "azure-vm-"], ["azure-vm-linux", "azure-vm-windows"]),
        (["collect", "x", "--redact", "s"], ["secrets"]),
        (["bundle", ""], ["reveal", "verify"]),
        (["sweep", "azure-v"], ["azure-vm"]),
        (["fix", "x", "--allow", "se"], ["service-interruption"]),
        (["completion", ""], ["bash", "zsh", "fish"]),
    ],
)
def test_names_fit_the_command(words: list[str], names: list[str]) -> None:
    assert offered(*words) == names


def test_snippets_of_the_user_are_offered(scripts: Path) -> None:
    assert offered("check", "--scripts", scripts, "flag") == ["flag-is-set"]


@pytest.mark.parametrize(
    ("begun", "names"),
    [
        ("her", ["here1", "here2"]),
        ("here1,her", ["here1,here1", "here1,here2"]),
        ("al", ["all"]),
        ("all:!here2", ["all:!here2"]),
        ("nobody", []),
    ],
)
def test_hosts_and_groups_are_offered_for_the_part_being_typed(
    inventory: Path, begun: str, names: list[str]
) -> None:
    assert offered("ping", "-i", inventory, "-l", begun) == names


def test_the_environment_names_the_inventory_as_well(
    inventory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEET_INVENTORY", str(inventory))
    assert offered("ping", "-l", "her") == ["here1", "here2"]


def test_runs_are_offered(fleet: Fleet, inventory: Path, scripts: Path) -> None:
    fleet("check", "flag-is-set", "-i", inventory, "--scripts", scripts)
    assert "last" in offered("report", "")
    assert len(offered("report", "20")) == 1


@pytest.mark.parametrize(
    "words",
    [["ping", "-l", "a"], ["ping", "-i", "/nowhere", "-l", "a"], ["check", "--scripts", "/nowhere", "a"]],
)
def test_what_is_wrong_is_not_said_now(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert offered(*words) == []
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_one_that_the_shell_reads(fleet: Fleet, shell: str, tmp_path: Path) -> None:
    ran = fleet("completion", shell)
    assert (ran.code, ran.err) == (0, "")
    assert "_FLEET_COMPLETE" in ran.out
    program = shutil.which(shell)
    if program is not None:
        script = tmp_path / "script"
        script.write_text(ran.out)
        subprocess.run([program, "-n", str(script)], check=True, timeout=30)
