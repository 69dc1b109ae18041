"""What a bundle takes from a Windows guest, in one with real files, programs and handles."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from fleet.catalog import Catalog, bind
from fleet.model import Outcome, ParamValue, Reply
from tests.powershell import record
from tests.powershell.collected import STAGE, Taken, escaped, item, listed, unpacked
from tests.powershell.engine import Engine, fine
from tests.powershell.windows_guest import LAB, Windows, one_guest

pytestmark = pytest.mark.windows_lab

ROOM = 20_000_000
MARS = r"HKLM\SOFTWARE\Microsoft\Windows Azure Backup\Config"


@pytest.fixture(scope="module")
def shared(windows_lab: ModuleType) -> Iterator[tuple[Any, Engine]]:
    with one_guest(windows_lab, "mars", language="de") as both:
        yield both


@pytest.fixture
def windows(
    shared: tuple[Any, Engine], windows_lab: ModuleType, catalog: Catalog, request: pytest.FixtureRequest
) -> Windows:
    """The guest."""
    return Windows(windows_lab, *shared, catalog, request.node)


def stream(
    windows: Windows, catalog: Catalog, node: Any, name: str, values: Mapping[str, ParamValue]
) -> tuple[bytes, Reply]:
    """Run a snippet; the bytes that it wrote, and its answer."""
    record.covers(node, windows.engine, (*record.FRAME, f"{name}.ps1"))
    snippet = catalog.snippet(name)
    return windows.engine.streamed(windows.engine.script(snippet, bind(snippet, values).values))


@pytest.fixture
def names(windows: Windows, catalog: Catalog, request: pytest.FixtureRequest) -> Any:
    """What patterns stand for."""

    def find(*patterns: str) -> Any:
        items = [item(number, 100, escaped(pattern)) for number, pattern in enumerate(patterns, 1)]
        body, reply = stream(windows, catalog, request.node, "collect-list", {"items": items})
        assert fine(reply).data["free"] > 0
        return listed(body.decode("ascii"))

    return find


@pytest.fixture
def take(windows: Windows, catalog: Catalog, request: pytest.FixtureRequest) -> Any:
    """Stage, send in two parts, and clean; the pack is what was sent."""

    def staged(**values: ParamValue) -> tuple[list[Taken], list[tuple[int, str]]]:
        node = request.node
        _, reply = stream(windows, catalog, node, "collect-stage", {"stage": STAGE, "room": ROOM, **values})
        size = int(fine(reply).data["size"])
        pack = b""
        for offset, length in ((0, size // 2), (size // 2, size)):
            values = {"stage": STAGE, "offset": offset, "length": length}
            part, reply = stream(windows, catalog, node, "collect-send", values)
            assert fine(reply).data == {"sha256": hashlib.sha256(part).hexdigest(), "size": len(part)}
            pack += part
        assert len(pack) == size
        fine(stream(windows, catalog, node, "collect-clean", {"stage": STAGE})[1])
        return unpacked(pack)

    return staged


def test_files_are_listed_and_links_on_the_way_are_found_when_they_are_opened(
    windows: Windows, names: Any, take: Any
) -> None:
    guest, drive = windows.guest, Path(windows.guest.drive)
    guest.write(r"C:\logs\a [1].log", "one")
    guest.write("C:\\logs\\sub\\K\u00e4se.LOG", "two")
    deep = "\\".join(["x" * 60] * 6)
    (drive / "logs" / deep.replace("\\", "/")).mkdir(parents=True)
    (drive / "logs" / deep.replace("\\", "/") / "long.log").write_text("three", "ascii")
    (drive / "logs" / "CON.log").write_text("device", "ascii")
    (drive / "logs" / "way").symlink_to(drive / "logs" / "sub")  # wine shows it as a plain folder
    (drive / "logs" / "outside.log").symlink_to("/etc/passwd")
    windows.look()
    files, signs = names(r"C:\logs\**", r"c:\LOGS\sub\*.log", r"C:\logs\a [1].log", r"\\vm\c$\logs\*")
    found = {path.removeprefix("C:\\logs\\") for number, _, path in files if number == 1}
    assert {"a [1].log", "sub\\K\u00e4se.LOG", f"{deep}\\long.log"} <= found
    assert (1, "odd-name", r"C:\logs\CON.log") in signs
    assert (4, "odd-name", r"\\vm\c$\logs\*") in signs
    assert [(number, size, path) for number, size, path in files if number in {2, 3}] == [
        (2, 3, "c:\\LOGS\\sub\\K\u00e4se.LOG"),
        (3, 3, r"C:\logs\a [1].log"),
    ]
    paths = ("a [1].log", "sub\\k\u00c4se.log", "way\\K\u00e4se.LOG", "outside.log", "CON.log", "gone", "sub")
    wanted = [item(number, 100, escaped(f"C:\\logs\\{path}")) for number, path in enumerate(paths, 1)]
    taken, missing = take(files=wanted)
    assert taken == [Taken(1, "txt", b"one", ("whole",)), Taken(2, "txt", b"two", ("whole",))]
    assert missing == [(3, "link"), (4, "link"), (5, "special"), (6, "gone"), (7, "special")]
    assert windows.changes() == {}


def test_a_file_that_is_written_is_taken_and_one_that_is_locked_is_told(windows: Windows, take: Any) -> None:
    windows.guest.write(r"C:\logs\open.log", "0123456789")
    windows.guest.write(r"C:\logs\mine.log", "0123456789")
    hold = r"""$global:open = New-Object IO.FileStream 'C:\logs\open.log', 'Open', 'ReadWrite', 'ReadWrite'
    $global:mine = New-Object IO.FileStream 'C:\logs\mine.log', 'Open', 'ReadWrite', 'None'
    [AppDomain]::CurrentDomain.SetData('held', @($global:open, $global:mine))"""
    windows.body(hold)
    try:
        files = [item(1, 4, r"C:\logs\open.log"), item(2, 4, r"C:\logs\mine.log")]
        taken, missing = take(files=files)
    finally:
        windows.body("[AppDomain]::CurrentDomain.GetData('held') | ForEach-Object { $_.Close() }")
    assert taken == [Taken(1, "txt", b"6789", ("tail:10",))]
    assert missing == [(2, "failed:32")]  # ERROR_SHARING_VIOLATION


def test_programs_are_run_and_their_text_is_utf_8(windows: Windows, take: Any) -> None:
    windows.look()
    lines = [
        item(1, 30, 10**6, "vssadmin", "list", "writers"),
        item(2, 30, 10**6, "reg", "query", escaped(MARS), "/v", "ScratchLocation"),
        item(3, 30, 10**6, "reg", "query", escaped(r"HKLM\SOFTWARE\No such key")),
        item(4, 30, 10**6, "nonesuch"),
        item(5, 30, 20, "ipconfig", "/all"),
    ]
    taken, missing = take(commands=lines)
    texts = {each.number: each.data.decode() for each in taken}
    assert "System Writer" in texts[1]
    assert "Volumeschattenkopie" in texts[1]
    assert "ScratchLocation    REG_SZ    C:\\Program Files\\" in texts[2]
    codes = {each.number: each.codes for each in taken}
    assert (codes[1], codes[2], codes[3], codes[5]) == (("whole",), ("whole",), ("status:1",), ("room",))
    assert len(taken[-1].data) == 20
    assert missing == [(4, "notfound")]
    assert windows.changes() == {}


def test_text_in_the_code_page_of_programs_arrives_whole(windows: Windows, take: Any) -> None:
    windows.guest.set_reg(LAB, {"Language": "fr"})
    try:
        (taken,), _ = take(commands=[item(1, 30, 10**6, "vssadmin", "list", "writers")])
    finally:
        windows.guest.set_reg(LAB, {"Language": "de"})
    assert "Nom du r\u00e9dacteur" in taken.data.decode()


def test_events_come_as_json_and_in_the_format_of_windows(
    windows: Windows, windows_lab: ModuleType, take: Any
) -> None:
    event = {"log": "Application", "level": 2, "text": "Gr\u00f6\u00dfe"}
    events = [
        {**event, "provider": "VSS", "id": 8193, "minutes_ago": 5000},
        {**event, "provider": "VSS", "id": 12298, "minutes_ago": 50},
        {**event, "provider": "Other", "id": 1, "minutes_ago": 40},
        {**event, "provider": "VSS", "id": 8194, "minutes_ago": 30},
    ]
    windows_lab.write_events(windows.guest.drive, events)
    lines = [item(1, 10**6, "Application", "VSS:"), item(2, 10**6, "NoSuchLog", "VSS:")]
    now = int(windows.run("ping", "ok").data["epoch"])
    taken, missing = take(events=lines, since=now - 86400)
    assert [each.kind for each in taken] == ["json", "evtx"]
    found = [json.loads(line) for line in taken[0].data.decode().splitlines()]
    assert [(each["provider"], each["id"], each["properties"]) for each in found] == [
        ("VSS", 8194, ["Gr\u00f6\u00dfe"]),
        ("VSS", 12298, ["Gr\u00f6\u00dfe"]),
    ]
    assert taken[1].data.startswith(b"ElfFile")
    assert missing == [(2, "notfound")]


def test_a_stage_is_new_and_gone_afterwards(
    windows: Windows, catalog: Catalog, request: pytest.FixtureRequest
) -> None:
    windows.look()
    values: dict[str, ParamValue] = {"stage": STAGE, "room": ROOM}
    fine(stream(windows, catalog, request.node, "collect-stage", values)[1])
    refused = fine(stream(windows, catalog, request.node, "collect-stage", values)[1], Outcome.FAILED)
    assert "is there already" in refused.message.raw
    assert windows.changes() != {}
    for removed in (True, False):
        _, reply = stream(windows, catalog, request.node, "collect-clean", {"stage": STAGE})
        assert fine(reply).data["removed"] is removed
    assert not (Path(windows.guest.drive) / "ProgramData" / "fleet").exists()
