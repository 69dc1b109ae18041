"""The real frame in a real PowerShell, over the real wire of the lab: sealed NTLM and a kept process."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet import envelope
from fleet.model import Arguments, Kind, Outcome, ParamValue, Reply, Script, Shell, Snippet, SnippetText
from fleet.render import powershell_command, render
from fleet.transport import Limits
from fleet.transport.winrm import WinrmTransport
from tests.transport.winrm_world import ChildProcess, LineGuest, World

pytestmark = [
    pytest.mark.pwsh,
    pytest.mark.skipif(shutil.which("pwsh") is None, reason="no pwsh on PATH"),
]


class PwshGuest(LineGuest):
    """Starts what Windows would, by its name on this machine."""

    def spawn(self, command: str) -> ChildProcess:
        assert command == powershell_command()
        self.started += 1
        return ChildProcess(powershell_command("pwsh").split())


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World(PwshGuest(), "http", "ntlm") as one:
        yield one


@pytest.fixture(scope="module")
def transport(world: World) -> Iterator[WinrmTransport]:
    with world.open(limits=Limits()) as one:
        yield one


def framed(body: str, nonce: str, timeout: int = 30, **values: ParamValue) -> Script:
    text = SnippetText(
        f"[CmdletBinding()]\nparam({', '.join(f'${name}' for name in values)})\n{body}\n", Path("x"), "0"
    )
    snippet = Snippet("test", Kind.CHECK, "test", timeout, {Shell.POWERSHELL: text})
    return render(snippet, Arguments(values), shell=Shell.POWERSHELL, check=False, nonce=nonce)


def run(transport: WinrmTransport, *scripts: Script) -> list[Reply]:
    return [
        envelope.parse(done, one.nonce) for done, one in zip(transport.run(scripts), scripts, strict=True)
    ]


def test_hostile_values_come_back_as_they_were(transport: WinrmTransport) -> None:
    value = "\u2018'\u201b;$(exit 3)`n\"\u00fc\U0001f600\n@'\n'@ \u202e"
    [reply] = run(transport, framed("Add-FleetData 'value' $value", "n1", value=value))
    assert (reply.outcome, reply.data) == (Outcome.OK, {"value": value})


def test_one_process_serves_many_and_each_answer_is_its_own(transport: WinrmTransport, world: World) -> None:
    scripts = [framed(f"Write-Output 'log {n}'; Add-FleetData 'n' {n}", f"m{n}") for n in range(12)]
    before = world.service.messages
    replies = run(transport, *scripts)
    assert [reply.data for reply in replies] == [{"n": n} for n in range(12)]
    assert all(f"log {n}" in reply.log.raw for n, reply in enumerate(replies))
    assert world.service.messages - before <= 8
    assert world.guest.started == 1


def test_what_a_body_does_to_itself_leaves_the_process_alive(transport: WinrmTransport, world: World) -> None:
    bodies = ["throw 'no'", "exit 7", "if (", "Stop-FleetFailed 'said so'", "Start-Sleep 60"]
    scripts = [framed(body, f"b{n}", timeout=2) for n, body in enumerate(bodies)]
    after = framed("Add-FleetData 'still' 'here'", "b9")
    *_, failed, hung, last = run(transport, *scripts, after)
    assert (failed.outcome, failed.message.raw) == (Outcome.FAILED, "said so")
    assert hung.outcome is Outcome.TIMED_OUT
    assert last.data == {"still": "here"}
    assert world.guest.started == 1
