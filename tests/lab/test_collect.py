"""A bundle can be collected from the lab's Windows guests, with a PowerShell behind them or without."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fleet.catalog import Catalog, bind
from fleet.envelope import prefix
from fleet.lab.fake_windows import FakeWindows, available, from_model
from fleet.lab.guest import Guest
from fleet.lab.windows_logs import TEXTS
from fleet.lab.windows_model import WindowsModel
from fleet.lab.world import windows_server
from fleet.model import Shell
from fleet.render import POWERSHELL_COMMAND, render
from tests.powershell.collected import STAGE, escaped, item, listed, unpacked

LOGS = "C:\\WindowsAzure\\Logs"
QUESTIONS: list[tuple[str, dict[str, object]]] = [
    (
        "collect-list",
        {"items": [item(1, 9, f"{LOGS}\\**"), item(2, 1, f"{LOGS}\\*.log"), item(3, 9, "C:\\nothing\\*")]},
    ),
    (
        "collect-stage",
        {
            "stage": STAGE,
            "room": 10**6,
            "evtx": False,
            "files": [item(1, 9, f"{LOGS}\\WaAppAgent.log"), item(2, 9, f"{LOGS}\\gone.log")],
            "commands": [item(3, 9, 99, "nonesuch")],
            "events": [
                item(4, 9999, "Application", "VSS:8224"),
                item(5, 9999, "System", escaped("Other") + ":"),
            ],
        },
    ),
    ("collect-send", {"stage": STAGE, "offset": 0, "length": 10**6}),
    ("collect-clean", {"stage": STAGE}),
    ("collect-send", {"stage": STAGE, "offset": 0, "length": 1}),
    ("collect-clean", {"stage": STAGE}),
]


def asked(guest: Guest, catalog: Catalog) -> tuple[list[bytes], list[Any]]:
    """What each wrote itself, and its envelope."""
    process = guest.spawn(POWERSHELL_COMMAND)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    for number, (name, values) in enumerate(QUESTIONS):
        snippet = catalog.snippet(name)
        arguments = bind(snippet, values)
        script = render(snippet, arguments, shell=Shell.POWERSHELL, check=False, nonce=f"n{number}")
        process.stdin.write(script.payload)
    process.stdin.close()
    with process.stdout as stdout, process.stderr:
        output = stdout.read()
    process.wait(10)
    bodies, replies = [], []
    for number in range(len(QUESTIONS)):
        body, found, output = output.partition(b"\n" + prefix(f"n{number}"))
        assert found
        line, _, output = output.partition(b"\n")
        bodies.append(body)
        replies.append(json.loads(b"{" + line))
    return bodies, replies


def guests(folder: Path, catalog: Catalog) -> dict[str, Guest]:
    state = windows_server(strong_crypto=True)
    return {
        "engine": FakeWindows("win", {}, from_model(state), folder, right_clock=True),
        "model": WindowsModel("win", {}, state, catalog),
    }


@pytest.mark.parametrize("which", [pytest.param("engine", marks=pytest.mark.pwsh), "model"])
def test_what_a_windows_guest_of_the_lab_gives(which: str, catalog: Catalog, tmp_path: Path) -> None:
    if which == "engine" and not available():
        pytest.skip("no PowerShell on PATH as pwsh")
    bodies, replies = asked(guests(tmp_path, catalog)[which], catalog)
    assert [reply["outcome"] for reply in replies] == ["ok", "ok", "ok", "ok", "failed", "ok"]
    files, signs = listed(bodies[0].decode("ascii"))
    plugin = f"{LOGS}\\Plugins\\Microsoft.Azure.RecoveryServices.VMSnapshot\\1.0.9184.0"
    everything = {
        f"{plugin}\\IaasBcdrExtension0.log", f"{LOGS}\\TransparentInstaller.log", f"{LOGS}\\WaAppAgent.log"
    }  # fmt: skip
    assert {path for number, _, path in files if number == 1} == everything
    assert len([path for number, _, path in files if number == 2]) == 1
    assert signs == [(2, "more:1", f"{LOGS}\\*.log"), (3, "nothing", "C:\\nothing\\*")]
    taken, missing = unpacked(bodies[2])
    records = {each.number: each for each in taken}
    assert set(missing) == {(2, "gone"), (3, "notfound")}
    size = len(TEXTS[f"{LOGS}\\WaAppAgent.log"])
    assert (records[1].data, records[1].codes) == (b"enabled\r\n", (f"tail:{size}",))
    (event,) = map(json.loads, records[4].data.decode().splitlines())
    assert (event["provider"], event["id"], event["level"]) == ("VSS", 8224, 4)
    assert (records[5].data, records[5].codes) == (b"", ("whole",))
    assert [replies[number]["data"]["removed"] for number in (3, 5)] == [True, False]
    assert all(reply["data"]["simulated"] for reply in replies)
