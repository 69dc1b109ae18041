"""Windows over OpenSSH: the frames of PowerShell through one ssh channel, on a real engine."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import pytest

from fleet import envelope, render
from fleet.lab.guest import Process
from fleet.lab.ssh_server import SshServer
from fleet.model import Address, Host, Os, Script, Secret, Shell, SshSettings
from fleet.ports import SystemClock
from fleet.transport import Limits
from fleet.transport.ssh import SshTransports
from tests.transport.contract import GroupProcess, answer_line
from tests.transport.winrm_world import line

pytestmark = [
    pytest.mark.pwsh,
    pytest.mark.skipif(shutil.which("pwsh") is None, reason="needs a PowerShell engine on PATH as pwsh"),
]


class WindowsGuest:
    """A guest whose powershell is the pwsh of this machine."""

    name = "win1"
    accounts: Mapping[str, str] = {"operator": "correct horse"}

    def __init__(self) -> None:
        self.commands: list[str] = []

    def spawn(self, command: str) -> Process:
        self.commands.append(command)
        assert command == render.POWERSHELL_COMMAND
        return cast("Process", GroupProcess(render.powershell_command("pwsh")))


def script(nonce: str, text: str, *, mutates: bool = False) -> Script:
    return Script(
        Shell.POWERSHELL, nonce, line(f"{text}\n# fleet: end\n".encode()), 60.0, "test", "0" * 64, mutates
    )


def answering(nonce: str, message: str) -> str:
    return f"[Console]::Out.WriteLine('{answer_line(nonce, message).decode().strip()}')"


def test_one_process_serves_checks_and_remedies(tmp_path: Path) -> None:
    guest = WindowsGuest()
    scripts = [
        script("n1", answering("n1", "first")),
        script("n2", answering("n2", "second"), mutates=True),
        script("n3", "exit 7"),
        script("n4", answering("n4", "fourth")),
    ]
    with SshServer([guest]) as lab:
        known_hosts = tmp_path / "known_hosts"
        known_hosts.write_text(lab.known_hosts_text())
        port = lab.addresses["win1"][1]
        settings = SshSettings(known_hosts=known_hosts)
        address = Address("127.0.0.1", 4)
        host = Host("win1", address, "ssh", Os.WINDOWS, Shell.POWERSHELL, port, "operator", ssh=settings)
        with SshTransports(SystemClock(), Limits()).open(host, Secret("correct horse")) as transport:
            completed = list(transport.run(scripts))
    said = [
        envelope.parse(one, script.nonce).message.raw for one, script in zip(completed, scripts, strict=True)
    ]
    assert (said[0], said[1], said[3]) == ("first", "second", "fourth")
    assert "without an answer" in said[2]
    assert len(guest.commands) <= 2, "only the script that ended its process may cost a new one"
