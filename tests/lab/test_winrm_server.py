"""The lab's WinRM service, judged by a client that knows nothing of fleet: pywinrm."""

from __future__ import annotations

import os
import threading
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from winrm.exceptions import InvalidCredentialsError, WinRMTransportError, WSManFaultError
from winrm.protocol import Protocol

from fleet.lab.winrm_faults import Fault
from tests.transport.winrm_world import ChildProcess, LineGuest, World

PASSWORD = "correct-horse"


class ShGuest(LineGuest):
    """Runs any command line with sh."""

    def __init__(self) -> None:
        super().__init__()
        self.accounts = {"LAB\\operator": PASSWORD, "operator": PASSWORD}

    def spawn(self, command: str) -> ChildProcess:
        return ChildProcess(["sh", "-c", command])


@pytest.fixture(params=[("https", "basic"), ("https", "ntlm"), ("http", "ntlm")], ids=str)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with World(ShGuest(), *request.param) as one:
        yield one


def client(world: World, password: str = PASSWORD, **more: Any) -> Protocol:
    return Protocol(
        f"{world.scheme}://127.0.0.1:{world.service.port}/wsman",
        transport=world.auth,  # type: ignore[arg-type]
        username="operator" if world.auth == "basic" else "LAB\\operator",
        password=password,
        ca_trust_path=str(world.ca) if world.ca else None,  # type: ignore[arg-type]
        proxy=None,
        **more,
    )


class TestPywinrm:
    def test_runs_a_command(self, world: World) -> None:
        protocol = client(world)
        shell = protocol.open_shell()
        command = protocol.run_command(shell, "cat; echo err >&2; exit 3")
        protocol.send_command_input(shell, command, b"some \xff input", end=True)
        assert protocol.get_command_output(shell, command) == (b"some \xff input", b"err\n", 3)
        protocol.cleanup_command(shell, command)
        protocol.close_shell(shell)
        assert world.service.shells.open == []

    def test_waits_beyond_the_operation_timeout(self, world: World) -> None:
        protocol = client(world, operation_timeout_sec=1, read_timeout_sec=2)
        shell = protocol.open_shell()
        command = protocol.run_command(shell, "sleep 1.2; echo late")
        assert protocol.get_command_output(shell, command)[0] == b"late\n"
        protocol.close_shell(shell)
        assert world.service.requests.count("Receive") >= 2

    def test_is_told_of_a_wrong_password(self, world: World) -> None:
        with pytest.raises(InvalidCredentialsError):
            client(world, "wrong").open_shell()

    def test_is_told_of_quotas_and_missing_shells(self, world: World) -> None:
        protocol = client(world)
        world.service.misbehave(Fault.WMI_QUOTA, "Create")
        with pytest.raises(WSManFaultError) as caught:
            protocol.open_shell()
        assert caught.value.wmierror_code == 2150859173
        with pytest.raises(WSManFaultError) as gone:
            protocol.run_command("00000000-0000-0000-0000-000000000000", "true")
        assert gone.value.wsman_fault_code == 2150858843
        protocol.transport.close_session()


def test_takes_no_plain_message_over_http() -> None:
    with World(ShGuest(), "http", "ntlm") as world:
        with pytest.raises(WinRMTransportError):
            client(world, message_encryption="never").open_shell()
        assert world.service.requests == ["Login", "Login"]


def test_says_who_it_is_before_any_login() -> None:
    with World(ShGuest(), "http", "ntlm") as world:
        request = urllib.request.Request(
            f"http://127.0.0.1:{world.service.port}/wsman",
            data=b"<x/>",
            headers={"WSMANIDENTIFY": "unauthenticated"},
        )
        with urllib.request.urlopen(request) as reply:
            assert b"IdentifyResponse" in reply.read()


def test_leaves_neither_threads_nor_processes_nor_settings() -> None:
    before = set(threading.enumerate())
    with World(ShGuest(), "https", "ntlm") as world:
        protocol = client(world)
        shell = protocol.open_shell()
        protocol.run_command(shell, "sleep 60")
        assert world.service.shells.open == [shell]
    assert set(threading.enumerate()) == before
    assert "NTLM_USER_FILE" not in os.environ
    protocol.transport.close_session()
