"""A simulated Linux guest: what runs in it is real, what it does stays in its folder and in its ledger."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from fleet.lab.fake_root import FakeRoot, Fault, Init


def say(guest: FakeRoot, command: str, stdin: bytes = b"") -> tuple[bytes, bytes, int]:
    process = guest.spawn(command)
    assert process.stdin
    assert process.stdout
    assert process.stderr
    with contextlib.suppress(BrokenPipeError):  # it may have ended without reading
        process.stdin.write(stdin)
        process.stdin.flush()
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()
    out, err = process.stdout.read(), process.stderr.read()
    process.stdout.close()
    process.stderr.close()
    return out, err, process.wait(30)


@pytest.fixture
def guest(tmp_path: Path) -> FakeRoot:
    return FakeRoot(tmp_path / "lin1", "lin1", accounts={"ops": "secret"}, uid=1000)


def test_a_script_on_stdin_is_run_by_a_real_shell(guest: FakeRoot) -> None:
    assert say(guest, "sh -s", b'echo "$((6 * 7))"\n') == (b"42\n", b"", 0)


def test_an_account_is_root_only_through_sudo(guest: FakeRoot) -> None:
    assert say(guest, "sh -s", b"id -u\n")[0] == b"1000\n"
    assert say(guest, "sudo -n -- sh -s", b"id -u; id -un\n")[0] == b"0\nroot\n"
    guest.plant(Fault.SUDO_ASKS)
    assert say(guest, "sudo -n -- sh -s", b"id -u\n") == (b"", b"sudo: a password is required\n", 1)


def test_what_is_done_to_it_is_in_its_ledger(guest: FakeRoot) -> None:
    say(guest, "systemctl restart walinuxagent")
    assert guest.ledger == ["agent stopped, was pid 5000001", "agent started as pid 5000002"]
    assert guest.calls == ["systemctl restart walinuxagent"]
    assert guest.agent_pid == 5_000_002


@pytest.mark.parametrize("init", Init)
def test_it_has_only_the_commands_of_its_kind(init: Init, tmp_path: Path) -> None:
    guest = FakeRoot(tmp_path / "guest", "guest", accounts={}, init=init)
    known = [name for name in ("systemctl", "rc-service") if say(guest, f"command -v {name}")[2] == 0]
    assert known == {Init.SYSTEMD: ["systemctl"], Init.OPENRC: ["rc-service"]}.get(init, [])


def test_commands_of_this_machine_that_could_harm_it_are_not_there(guest: FakeRoot) -> None:
    for name in ("reboot", "mount", "apt-get", "pkill", "python3"):
        assert say(guest, f"command -v {name}")[2] != 0


def test_killing_a_command_ends_what_it_started(guest: FakeRoot) -> None:
    process = guest.spawn("sleep 600 & sleep 600; :")
    process.kill()
    assert process.stdout
    assert process.stdout.read() == b""  # ends only when the last writer is gone
    process.wait(30)
    for stream in (process.stdin, process.stdout, process.stderr):
        assert stream
        stream.close()
