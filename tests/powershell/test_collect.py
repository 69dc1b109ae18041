"""What a bundle takes from a Windows guest: real files, real PowerShell, Windows itself faked.

The files lie in a folder of this machine; what is no file (events, programs, the disk) is the fake's.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from fleet.catalog import Catalog, bind
from fleet.lab.fake_windows import EMPTY, with_fake_library
from fleet.model import Outcome, ParamValue, Reply, Shell
from tests.powershell import record
from tests.powershell.collected import STAGE, Taken, escaped, item, listed, unpacked
from tests.powershell.engine import Engine, fine, snippet_of

pytestmark = pytest.mark.pwsh

DISKS = {
    "C:\\": {"drive_type": "Fixed", "size": 10**12, "free": 10**11},
    "N:\\": {"drive_type": "Network", "size": 10**12, "free": 10**11},
}
ROOM = 50_000_000
OLD = 100_000
"""Seconds; more than a day."""


class Guest:
    """A faked Windows whose drive C: is a folder."""

    def __init__(self, folder: Path, engine: Engine, catalog: Catalog, node: Any) -> None:
        self._state = folder / "guest.json"
        self._engine, self._catalog, self._node = engine, catalog, node
        self.drive = folder / "guest.json.files" / "C"
        (self.drive / "logs").mkdir(parents=True)
        self.stages = self.drive / "ProgramData" / "fleet" / "collect"
        self.plan(os={**EMPTY["os"], "epoch": time.time()}, volumes=DISKS)

    def plan(self, **changes: Any) -> None:
        state = json.loads(self._state.read_text("utf-8")) if self._state.exists() else EMPTY
        self._state.write_text(json.dumps({**state, **changes}), "utf-8")

    def write(self, name: str, data: bytes = b"x", age: float = 0) -> Path:
        path = self.drive / "logs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        os.utime(path, (time.time() - age,) * 2)
        return path

    def run(
        self, name: str, change: tuple[str, str] | None = None, **values: ParamValue
    ) -> tuple[bytes, Reply]:
        """Run a snippet; of its text one piece may be changed, which must be there once."""
        snippet = self._catalog.snippet(name)
        arguments = bind(snippet, values).values
        if not change:
            record.covers(self._node, self._engine, (*record.FRAME, f"{name}.ps1"))
        else:
            text = snippet.texts[Shell.POWERSHELL].text
            assert text.count(change[0]) == 1
            snippet = snippet_of(text.replace(*change), snippet.kind)
        script = self._engine.script(snippet, arguments, timeout=60)
        return self._engine.streamed(script, lambda line: with_fake_library(line, self._state))

    def found(
        self, *patterns: str, count: int = 100, since: int = 0, change: tuple[str, str] | None = None
    ) -> Any:
        items = [item(number, count, escaped(pattern)) for number, pattern in enumerate(patterns, 1)]
        body, reply = self.run("collect-list", change, items=items, since=since)
        fine(reply)
        return listed(body.decode("ascii"))

    def names(self, pattern: str, **how: Any) -> list[str]:
        """The files that a pattern stands for, without their folder."""
        files, _ = self.found(pattern, **how)
        return [path.removeprefix("C:\\logs\\") for _, _, path in files]

    def signs(self, pattern: str, **how: Any) -> list[tuple[str, str]]:
        _, signs = self.found(pattern, **how)
        return [(code, path) for _, code, path in signs]

    def stage(
        self, change: tuple[str, str] | None = None, **values: ParamValue
    ) -> tuple[list[Taken], list[tuple[int, str]]]:
        """Stage, read the pack, and remove it."""
        _, reply = self.run("collect-stage", change, **{"stage": STAGE, "room": ROOM, **values})
        fine(reply)
        pack = (self.stages / STAGE / "pack").read_bytes()
        assert reply.data["size"] == len(pack) <= values.get("room", ROOM)  # type: ignore[operator]
        assert [path.name for path in (self.stages / STAGE).iterdir()] == ["pack"]
        fine(self.run("collect-clean", stage=STAGE)[1])
        assert not self.stages.exists()
        return unpacked(pack)

    def file(self, path: str, most: int = 1000, change: tuple[str, str] | None = None) -> Taken | str:
        """What one file of the folder of logs becomes: a record, or the code why there is none."""
        taken, missing = self.stage(change, files=[item(7, most, escaped(path))])
        assert len(taken) + len(missing) == 1
        return taken[0] if taken else missing[0][1]


@pytest.fixture
def guest(tmp_path: Path, pwsh: Engine, catalog: Catalog, request: pytest.FixtureRequest) -> Guest:
    """An empty guest."""
    return Guest(tmp_path, pwsh, catalog, request.node)


class TestListing:
    def test_one_star_stays_in_its_folder_and_two_go_below(self, guest: Guest) -> None:
        for age, name in enumerate(("a.log", "B.LOG", "sub/c.log", "sub/deep/d.log", "sub/e.txt")):
            guest.write(name, age=age * 10)
        assert guest.names(r"C:\logs\*.log") == ["a.log", "B.LOG"]
        assert guest.names(r"C:\logs\**") == ["a.log", "B.LOG", r"sub\c.log", r"sub\deep\d.log", r"sub\e.txt"]
        assert guest.names(r"C:\logs\s*b\*.l?g") == [r"sub\c.log"]
        assert guest.names(r"C:\logs\**\d*.log") == [r"sub\deep\d.log"]
        assert guest.names(r"C:\logs\**\*.txt") == [r"sub\e.txt"]
        assert guest.names(r"C:\logs\a.log") == ["a.log"]

    def test_the_newest_come_first_and_the_rest_is_counted(self, guest: Guest) -> None:
        for number in range(3000):
            guest.write(f"{number}.log", age=number)
        files, signs = guest.found(r"C:\logs\*", r"C:\logs\1*.log", count=3)
        assert [path for number, _, path in files if number == 1] == [rf"C:\logs\{n}.log" for n in range(3)]
        assert signs == [(1, "more:2997", r"C:\logs\*"), (2, "more:1108", r"C:\logs\1*.log")]

    def test_what_is_older_than_asked_for_is_left_out(self, guest: Guest) -> None:
        guest.write("new", age=10)
        guest.write("old", age=1000)
        since = int(time.time()) - 500
        assert guest.names(r"C:\logs\*", since=since) == ["new"]
        assert guest.signs(r"C:\logs\old", since=since) == [("nothing", r"C:\logs\old")]

    def test_brackets_and_every_letter_stand_for_themselves(self, guest: Guest) -> None:
        for name in (
            "a[1].log",
            "a1.log",
            "per cent 100%.log",
            "\u65e5\u672c \U0001f600.log",
            "k\u00e4se.log",
        ):
            guest.write(name)
        assert guest.names(r"C:\logs\a[1].log") == ["a[1].log"]
        assert set(guest.names(r"C:\logs\* *")) == {"per cent 100%.log", "\u65e5\u672c \U0001f600.log"}
        assert guest.names("C:\\logs\\K\u00c4*") == ["k\u00e4se.log"]

    def test_links_are_told_and_not_followed(self, guest: Guest) -> None:
        guest.write("a.log")
        (guest.drive / "logs" / "loop").symlink_to(guest.drive / "logs")
        (guest.drive / "logs" / "b.log").symlink_to("/etc/passwd")
        assert guest.names(r"C:\logs\**") == ["a.log"]
        wanted = {("link", r"C:\logs\loop"), ("link", r"C:\logs\b.log")}
        assert set(guest.signs(r"C:\logs\**")) == wanted
        assert guest.signs(r"C:\logs\loop\*") == [("link", r"C:\logs\loop")]
        assert guest.signs(r"C:\logs\b.log") == [("link", r"C:\logs\b.log")]

    @pytest.mark.parametrize(
        "pattern",
        [
            r"\\server\share\*", r"\\?\C:\logs\*", r"\\.\C:", r"C:logs\*", r"logs\*", "C:", r"C:\logs\..\x",
            r"C:\logs\a.log:stream", r"C:\logs\con", r"C:\logs\NUL.txt", "C:\\logs\\COM1 .log", r"C:\logs\a.",
            "C:\\logs\\a ", r"C:/logs/*", "C:\\logs\\a\nb", r"C:\logs\\a", "C:\\logs\\lpt\u00b9.log",
        ],
    )  # fmt: skip
    def test_what_windows_would_read_otherwise_is_not_looked_at(self, guest: Guest, pattern: str) -> None:
        assert guest.found(pattern) == ([], [(1, "odd-name", pattern)])

    def test_neither_are_drives_of_the_network_folders_and_nothing(self, guest: Guest) -> None:
        assert guest.signs(r"N:\logs\*") == [("special", r"N:\logs\*")]
        assert guest.signs(r"C:\logs") == [("special", r"C:\logs")]
        assert guest.signs(r"C:\logs\*") == [("nothing", r"C:\logs\*")]
        assert guest.signs(r"C:\none\**") == [("nothing", r"C:\none\**")]

    def test_names_with_line_ends_are_told_and_not_taken(self, guest: Guest) -> None:
        guest.write("a\nF\t1\t1\t1\tC:\\evil.log")
        assert guest.found(r"C:\logs\*") == ([], [(1, "odd-name", "C:\\logs\\a\nF\t1\t1\t1\tC:\\evil.log")])

    def test_too_many_names_end_it_and_that_is_said(self, guest: Guest) -> None:
        for number in range(60):
            guest.write(f"{number}.log")
        change = ("$most = 200000", "$most = 50")
        files, signs = guest.found(r"C:\logs\*", change=change)
        assert len(files) == 49  # the folder is one of the names
        assert signs == [(1, "toomany", r"C:\logs\*")]

    def test_it_says_what_is_free(self, guest: Guest) -> None:
        _, reply = guest.run("collect-list", items=[item(1, 1, r"C:\logs\*")])
        assert (reply.data["files"], reply.data["free"]) == (0, 10**11)


class TestFiles:
    def test_a_file_is_taken_whole_or_its_end(self, guest: Guest) -> None:
        guest.write("a.log", b"0123456789")
        assert guest.file(r"C:\logs\a.log", 10) == Taken(7, "txt", b"0123456789", ("whole",))
        assert guest.file(r"C:\logs\a.log", 4) == Taken(7, "txt", b"6789", ("tail:10",))
        guest.write("empty", b"")
        assert guest.file(r"C:\logs\empty") == Taken(7, "txt", b"", ("whole",))

    def test_of_twenty_gigabytes_of_nothing_the_end_is_taken(self, guest: Guest) -> None:
        os.truncate(guest.write("sparse.log"), 20 << 30)
        taken = guest.file(r"C:\logs\sparse.log", 3_000_000)
        assert taken == Taken(7, "txt", bytes(3_000_000), (f"tail:{20 << 30}",))

    def test_all_bytes_and_names_come_as_they_are(self, guest: Guest) -> None:
        data = os.urandom(300_000)
        guest.write("a [1] 100% \U0001f600.log", data)
        assert guest.file("C:\\logs\\a [1] 100% \U0001f600.log", 1_000_000) == Taken(
            7, "txt", data, ("whole",)
        )

    def test_what_is_no_file_of_its_own_is_told(self, guest: Guest) -> None:
        guest.write("folder/a.log")
        (guest.drive / "logs" / "link.log").symlink_to(guest.drive / "logs" / "folder" / "a.log")
        (guest.drive / "logs" / "way").symlink_to(guest.drive / "logs" / "folder")
        assert guest.file(r"C:\logs\none.log") == "gone"
        assert guest.file(r"C:\nowhere\none.log") == "gone"
        assert guest.file(r"C:\logs\folder") == "special"
        assert guest.file(r"C:\logs\link.log") == "link"
        assert guest.file(r"C:\logs\way\a.log") == "link"
        for path in (r"N:\a.log", r"\\server\share\a.log", r"C:\logs\folder\a.log:stream", r"C:\logs\con"):
            assert guest.file(path) == "special"

    def test_one_that_another_program_keeps_to_itself_is_told(self, guest: Guest) -> None:
        with guest.write("locked.log").open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # so .NET sees FileShare.None here
            assert str(guest.file(r"C:\logs\locked.log")).startswith("failed:")

    @pytest.mark.skipif(os.geteuid() == 0, reason="nothing is denied to root")
    def test_one_that_may_not_be_read_is_told(self, guest: Guest) -> None:
        guest.write("mine.log").chmod(0)
        assert guest.file(r"C:\logs\mine.log") == "denied"

    @pytest.mark.parametrize(
        "meanwhile",
        [
            "[IO.File]::AppendAllText($place, 'more')",
            "[IO.File]::WriteAllText($place, 'now')",
            '[IO.File]::Move($place, "$place.1")',
            "[IO.File]::Delete($place)",
            "[IO.File]::Delete($place); [IO.File]::WriteAllText($place, '0123456789')",
        ],
    )
    def test_one_that_changes_while_it_is_read_is_taken_and_says_so(
        self, guest: Guest, meanwhile: str
    ) -> None:
        guest.write("a.log", b"0123456789", age=50)
        here = "        $now, $place = $null, ''\n"
        change = (here, f"        $place = Get-FleetPlace $Path\n        {meanwhile}\n{here}")
        assert guest.file(r"C:\logs\a.log", change=change) == Taken(7, "txt", b"0123456789", ("changed",))

    def test_no_more_than_the_room_is_used_and_what_is_left_out_is_said(self, guest: Guest) -> None:
        for name in ("a", "b", "c"):
            guest.write(name, os.urandom(150_000))
        files = [item(number, 10**6, rf"C:\logs\{name}") for number, name in enumerate(("a", "b", "c"), 1)]
        taken, missing = guest.stage(files=files, room=400_000)
        assert [each.codes for each in taken] == [("whole",), ("whole",), ("room",)]
        assert missing == []
        (whole,), _ = guest.stage(files=files[:1], room=150_000 + 65_536)
        assert whole.codes == ("whole",)
        (cut,), missing = guest.stage(files=files, room=150_000)
        assert (cut.codes, len(cut.data) % 65536, missing) == (("room",), 0, [(2, "room"), (3, "room")])

    def test_what_was_taken_before_the_disk_of_the_guest_was_full_is_kept(self, guest: Guest) -> None:
        for name in ("a", "b", "c"):
            guest.write(name, name.encode() * 100)
        files = [item(number, 10**6, rf"C:\logs\{name}") for number, name in enumerate("abc", 1)]
        write = "    $state.Gzip.Write($Bytes, $From, $Count)\n"
        full = "    if ($Bytes[0] -eq 98) { throw (New-Object IO.IOException 'full', -2147024784) }\n"
        taken, missing = guest.stage((write, write + full), files=files)
        assert taken == [Taken(1, "txt", b"a" * 100, ("whole",))]
        assert missing == [(2, "room"), (3, "room")]

    def test_a_file_is_not_touched(self, guest: Guest) -> None:
        path = guest.write("a.log", age=50)
        before = path.stat()
        guest.file(r"C:\logs\a.log")
        assert (path.stat().st_mtime_ns, path.stat().st_size, path.stat().st_mode) == (
            before.st_mtime_ns, before.st_size, before.st_mode
        )  # fmt: skip


class TestCommands:
    def test_output_comes_with_how_it_ended(self, guest: Guest) -> None:
        programs = {
            "ipconfig.exe": {"exit_code": 0, "output": ["one", "zw\u00f6lf"], "reads": True},
            "route.exe": {"exit_code": -1073741819, "output": ["no"], "reads": True},
            "manage-bde.exe": {"hangs": True, "output": ["half"], "reads": True},
            "w32tm.exe": {"hangs": True, "reads": True},
            "systeminfo.exe": {"exit_code": 0, "output": ["y" * 100_000], "reads": True},
        }
        guest.plan(programs=programs)
        lines = [
            item(1, 10, 1000, "ipconfig", "/all"), item(2, 10, 1000, "route", "print"),
            item(3, 10, 1000, "manage-bde"),
            item(4, 10, 1000, "w32tm.exe"), item(5, 10, 1000, "systeminfo"), item(6, 10, 1000, "nonesuch"),
            item(7, 10, 1000, escaped(r"\\server\share\x.exe")),
        ]  # fmt: skip
        taken, missing = guest.stage(commands=lines)
        assert taken == [
            Taken(1, "txt", "one\r\nzw\u00f6lf\r\n".encode(), ("whole",)),
            Taken(2, "txt", b"no\r\n", ("status:3221225477",)),
            Taken(3, "txt", b"half\r\n", ("timeout",)),
            Taken(5, "txt", b"y" * 1000, ("room",)),
        ]
        assert missing == [(4, "timeout"), (6, "notfound"), (7, "notfound")]

    def test_words_arrive_as_they_are(self, guest: Guest) -> None:
        guest.plan(programs={"reg.exe": {"exit_code": 0, "output": ["x"], "reads": True}})
        words = ["query", r"HKLM\SOFTWARE\A B", '"; calc #', "100%"]
        _, reply = guest.run(
            "collect-stage", stage=STAGE, room=ROOM, commands=[item(1, 10, 99, "reg", *map(escaped, words))]
        )
        assert 'run reg.exe query HKLM\\SOFTWARE\\A B "; calc # 100%' in fine(reply).log.raw


def event(provider: str, number: int, text: str = "", *, record_id: int = 1, log: str = "System") -> str:
    rendered = f"<RenderingInfo Culture='de-DE'><Message>{text}</Message></RenderingInfo>" if text else ""
    return (
        "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>"
        f"<Provider Name='{provider}' Guid='{{1}}'/><EventID Qualifiers='0'>{number}</EventID>"
        "<Level>2</Level>"
        f"<TimeCreated SystemTime='2026-11-24T08:00:00.1230000Z'/><EventRecordID>{record_id}</EventRecordID>"
        f"<Channel>{log}</Channel></System><EventData><Data Name='path'>C:\\a &amp; b</Data><Data>two</Data>"
        f"<Data Name='none'/></EventData>{rendered}</Event>"
    )


class TestEvents:
    def test_they_are_lines_of_json_and_an_evtx(self, guest: Guest) -> None:
        guest.plan(events=[event("volsnap", 8, 'B\u00f6se &lt;x&gt; "q" \\\r\n\x01', record_id=5)])
        taken, missing = guest.stage(events=[item(1, 10**6, "System", "volsnap:8,9")])
        assert missing == []
        assert [each.kind for each in taken] == ["json", "evtx"]
        assert [json.loads(line) for line in taken[0].data.decode().splitlines()] == [
            {
                "time": "2026-11-24T08:00:00.1230000Z", "id": 8, "provider": "volsnap", "level": 2,
                "record": 5, "message": "B\u00f6se <x> \"q\" \\\r\n\x01",
                "properties": [{"path": "C:\\a & b"}, "two", {"none": ""}],
            }
        ]  # fmt: skip
        assert taken[1].data.startswith(b"ElfFile\0")

    def test_a_message_that_could_not_be_rendered_is_null(self, guest: Guest) -> None:
        guest.plan(events=[event("volsnap", 8)])
        (taken,), _ = guest.stage(events=[item(1, 10**6, "System", "")], evtx=False)
        assert json.loads(taken.data)["message"] is None

    def test_providers_and_numbers_choose(self, guest: Guest) -> None:
        guest.plan(
            events=[
                event("A b", 1),
                event("A b", 2),
                event("C", 3),
                event("D", 4),
                event("C", 5, log="Other"),
            ]
        )
        lines = [
            item(1, 10**6, "System", f"{escaped('A b')}:2;C:"), item(2, 10**6, "System", "E:1"),
            item(3, 10**6, "System", "A%20b:" + ",".join(map(str, range(2, 40)))),
            item(4, 10**6, "System", "it's:1;D:4"),
        ]  # fmt: skip
        taken, _ = guest.stage(events=lines, evtx=False)
        found = {each.number: [json.loads(line)["id"] for line in each.data.splitlines()] for each in taken}
        assert found == {1: [2, 3], 2: [], 3: [2], 4: [4]}

    def test_the_query_is_what_the_event_log_takes(self, guest: Guest) -> None:
        guest.plan(os={**EMPTY["os"], "epoch": 1_795_000_600})
        events = [item(1, 10, "System", "A:1,2;B:"), item(2, 10, "System", "")]
        _, reply = guest.run(
            "collect-stage", stage=STAGE, room=ROOM, evtx=False, events=events, since=1_795_000_000
        )
        when = "TimeCreated[timediff(@SystemTime) <= 600000]"
        names = "((Provider[@Name='A'] and (EventID=1 or EventID=2)) or Provider[@Name='B'])"
        assert f"/q:*[System[{names} and {when}]] /f:RenderedXml" in fine(reply).log.raw
        assert f"/q:*[System[{when}]] /f:RenderedXml" in reply.log.raw

    def test_a_log_that_is_not_there_is_told(self, guest: Guest) -> None:
        guest.plan(logs=["System"])
        assert guest.stage(events=[item(1, 10**6, "CloudBackup/Operational", "")]) == ([], [(1, "notfound")])

    def test_providers_that_nobody_registered_are_told(self, guest: Guest) -> None:
        logs, publishers = (
            r"64:HKLM\SYSTEM\CurrentControlSet\Services\EventLog",
            r"64:HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\WINEVT\Publishers",
        )
        publisher = {"": {"type": "String", "value": "Backup"}}
        guest.plan(registry={rf"{logs}\System\volsnap": {}, rf"{publishers}\{{1}}": publisher})
        names = ("volsnap:8", "Backup:", "SQLWRITER:", "SQLWRITER:;Backup:")
        lines = [item(number, 10**6, "System", name) for number, name in enumerate(names, 1)]
        taken, missing = guest.stage(events=lines)
        assert [(each.number, each.kind, each.data) for each in taken] == [
            (1, "json", b""), (2, "json", b""), (4, "json", b"")
        ]  # fmt: skip
        assert missing == [(3, "notfound")]

    def test_the_newest_are_taken_as_far_as_they_fit(self, guest: Guest) -> None:
        guest.plan(events=[event("A", number, "text") for number in range(100)])
        (taken,), missing = guest.stage(events=[item(1, 3000, "System", "A:")], evtx=False)
        ids = [json.loads(line)["id"] for line in taken.data.splitlines()]
        assert ids == list(range(len(ids)))
        assert (taken.codes, missing) == (("room",), [])
        assert 2500 < len(taken.data) <= 3000

    def test_an_evtx_that_is_too_large_is_told(self, guest: Guest) -> None:
        guest.plan(events=[event("A", 1, "text" * 500)])
        taken, missing = guest.stage(events=[item(1, 2300, "System", "A:")])
        assert ([each.kind for each in taken], missing) == (["json"], [(1, "room")])


class TestStaging:
    def test_a_place_that_is_taken_is_refused(self, guest: Guest) -> None:
        (guest.stages / STAGE).mkdir(parents=True)
        _, reply = guest.run("collect-stage", stage=STAGE, room=ROOM)
        assert "is there already" in fine(reply, Outcome.FAILED).message.raw
        assert list((guest.stages / STAGE).iterdir()) == []

    def test_a_disk_without_the_room_is_refused(self, guest: Guest) -> None:
        guest.plan(volumes={"C:\\": {**DISKS["C:\\"], "free": ROOM + 67_108_863}})
        _, reply = guest.run("collect-stage", stage=STAGE, room=ROOM)
        assert fine(reply, Outcome.FAILED).message.raw == (
            r"C:\ProgramData has 111 MB free, and 112 MB are needed; nothing was staged"
        )
        assert not guest.stages.exists()

    def test_what_was_left_a_day_ago_is_removed(self, guest: Guest) -> None:
        names = {"0" * 20: OLD, "1" * 20: 100, "x": OLD, "A" * 20: OLD}
        for name, age in names.items():
            (guest.stages / name).mkdir(parents=True)
            (guest.stages / name / "pack").write_bytes(b"E\n")
            os.utime(guest.stages / name, (time.time() - age,) * 2)
        _, reply = guest.run("collect-stage", stage=STAGE, room=ROOM)
        assert fine(reply).data["left"] == ["0" * 20]
        assert {path.name for path in guest.stages.iterdir()} == {"1" * 20, "x", "A" * 20, STAGE}

    def test_it_is_gone_afterwards_and_a_second_time_is_no_fault(self, guest: Guest) -> None:
        fine(guest.run("collect-stage", stage=STAGE, room=ROOM)[1])
        assert fine(guest.run("collect-clean", stage=STAGE)[1]).data["removed"] is True
        assert not (guest.drive / "ProgramData" / "fleet").exists()
        assert fine(guest.run("collect-clean", stage=STAGE)[1]).data["removed"] is False

    def test_a_link_in_its_place_is_removed_and_not_what_it_leads_to(self, guest: Guest) -> None:
        kept = guest.write("kept/a.log")
        guest.stages.mkdir(parents=True)
        (guest.stages / STAGE).symlink_to(kept.parent)
        fine(guest.run("collect-clean", stage=STAGE)[1])
        assert kept.exists()
        assert not guest.stages.exists()

    def test_without_rights_nothing_is_done(self, guest: Guest) -> None:
        guest.plan(administrator=False)
        for name, values in (
            ("collect-list", {"items": [item(1, 1, r"C:\logs\*")]}),
            ("collect-stage", {"stage": STAGE, "room": ROOM}),
            ("collect-send", {"stage": STAGE, "offset": 0, "length": 1}),
            ("collect-clean", {"stage": STAGE}),
        ):
            body, reply = guest.run(name, **values)
            assert "needs an administrator" in fine(reply, Outcome.FAILED).message.raw
            assert body == b""


class TestSending:
    @pytest.fixture
    def pack(self, guest: Guest) -> bytes:
        guest.write("a.log", os.urandom(600_000) + b'\r\n\n\x00\xff{"fleet":1')
        fine(guest.run("collect-stage", stage=STAGE, room=ROOM, files=[item(1, 10**7, r"C:\logs\a.log")])[1])
        return (guest.stages / STAGE / "pack").read_bytes()

    def test_exactly_the_bytes_come_and_their_sum(self, guest: Guest, pack: bytes) -> None:
        end = len(pack)
        for offset, length in ((0, end), (1, 300_000), (end - 10, 10**9), (end, 5), (10**6 * 2, 5), (5, 0)):
            body, reply = guest.run("collect-send", stage=STAGE, offset=offset, length=length)
            wanted = pack[offset : offset + length]
            assert body == wanted
            assert fine(reply).data["sha256"] == hashlib.sha256(wanted).hexdigest()
            assert reply.data["size"] == len(wanted)

    def test_as_base64_they_are_lines(self, guest: Guest, pack: bytes) -> None:
        body, reply = guest.run("collect-send", stage=STAGE, offset=7, length=500_000, encoding="base64")
        assert base64.b64decode(body.replace(b"\n", b""), validate=True) == pack[7:500_007]
        assert max(map(len, body.split(b"\n"))) == 76
        assert fine(reply).data["size"] == 500_000

    def test_what_is_not_there_is_said(self, guest: Guest) -> None:
        body, reply = guest.run("collect-send", stage=STAGE, offset=0, length=10)
        assert (body, fine(reply, Outcome.FAILED).message.raw[-4:]) == (b"", "gone")


TEXTS = [
    "",
    "plain",
    "a b%c",
    "\t\n\x7f",
    "\u00e4\u20ac\U0001f600",
    "\ud800",
    "\udfff\ud800x",
    "%41",
    "\udbff\udfff\udbff",
    "~!",
]


def test_names_go_to_and_fro_unchanged(pwsh: Engine, request: pytest.FixtureRequest) -> None:
    """Half surrogate pairs, which names of Windows may have, too."""
    record.covers(request.node, pwsh, record.FRAME)
    halves = [text.encode("utf-16-le", "surrogatepass") for text in TEXTS]
    numbers = [",".join(str(number) for number in memoryview(half).cast("H")) for half in halves]
    body = """[CmdletBinding()]
    param([string[]]$numbers)
    foreach ($each in $numbers) {
        $text = -join @($each -split ',' | Where-Object { $_ } | ForEach-Object { [char][int]$_ })
        $word = ConvertTo-FleetEscaped $text
        Add-FleetItem words $word
        Add-FleetItem same ([string]::Equals((ConvertFrom-FleetEscaped $word), $text))
    }"""
    data = fine(pwsh.body(body, {"numbers": numbers})).data
    assert data["words"] == [escaped(half.decode("utf-16-le", "surrogatepass")) for half in halves]
    assert data["same"] == [True] * len(TEXTS)
