"""A run that collects, end to end without a network: what lands in the archive, and what is left nowhere."""

from __future__ import annotations

import errno
import gzip
import json
import os
import stat
import threading
import zipfile
from pathlib import Path
from typing import Any

import pytest

from fleet.bundle import archive, pseudonyms
from fleet.bundle.cleaning import Level
from fleet.bundle.collection import Collection
from fleet.bundle.disk import WholeFile
from fleet.bundle.verify import verify
from fleet.engine.verdict import exit_code, verdicts
from fleet.errors import CatalogError, FleetError, UsageError
from fleet.journal import History, Run
from fleet.transport.fake import Answer, Cut, Hang, Raw
from tests.bundle.packs import END, missed, record
from tests.bundle.world import LISTING, LOG, PACK, PackedGuest, World


def world(folder: Path, *guests: PackedGuest, **more: Any) -> World:
    return World(folder, {f"web{number}": guest for number, guest in enumerate(guests, 1)}, **more)


def contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


def manifest(path: Path) -> Any:
    return json.loads(contents(path)["manifest.json"])


def missing(path: Path) -> dict[str, str]:
    return {each["origin"]: each["reason"] for each in manifest(path)["missing"]}


def words(run: Run) -> dict[str, str]:
    return {host: word.value for host, word in verdicts(run.targets, run.results).items()}


def left_behind(of: World) -> list[str]:
    """What lies around that is neither the archive, the journal nor the map."""
    found = [path for path in of.folder.rglob("*") if path.is_file()]
    kept = (".sqlite", ".sqlite-wal", ".sqlite-shm", ".map")
    return sorted(path.name for path in found if not path.name.endswith(kept) and path != of.path)


class TestAWholeRun:
    def test_has_of_every_host_what_it_was_asked_for(self, tmp_path: Path) -> None:
        of = world(tmp_path, PackedGuest(), PackedGuest())
        run = of.collect()
        found = contents(of.path)
        assert found["web1/0002-agent-log.txt"] == LOG
        assert b"key.prv" in found["web1/0001-folder.txt"]
        assert found["web2/0006-uptime.txt"] == b" 02:31 up 3 days\n"
        assert verify(of.path).problems == ()
        assert verify(of.path).partial is None
        assert words(run) == {"web1": "ok", "web2": "ok"}
        assert exit_code(verdicts(run.targets, run.results)) == 0

    def test_asks_in_this_order_and_leaves_nothing(self, tmp_path: Path) -> None:
        of = world(tmp_path, PackedGuest())
        run = of.collect()
        asked = ["collect-list", "collect-stage", "collect-send", "collect-clean"]
        assert of.guests["web1"].asked == asked
        assert of.guests["web1"].staged == set()
        assert left_behind(of) == []
        steps = [(each.snippet, each.outcome.value) for each in run.results]
        assert steps == [
            (name, "ok") for name in ("collect-list", "collect-stage", "collect-clean", "collect-send")
        ]

    def test_has_the_results_in_it(self, tmp_path: Path) -> None:
        of = world(tmp_path, PackedGuest())
        run = of.collect()
        results = json.loads(contents(of.path)["results.json"])
        assert results["schema"] == "fleet.run/1"
        assert results["run"]["id"] == run.id
        assert len(results["results"]) == len(run.results)

    def test_is_the_same_for_the_same_guests(self, tmp_path: Path) -> None:
        made = []
        for name in ("one", "two"):
            of = world(tmp_path / name, PackedGuest(), PackedGuest(), PackedGuest())
            of.collect()
            made.append(of.path.read_bytes())
        assert made[0] == made[1]

    def test_a_guest_that_has_nothing_is_fine_and_says_so(self, tmp_path: Path) -> None:
        listing = b"M\t1\tnothing\t/var/log/agent*.log\nM\t2\tdenied\t/var/lib/agent\n"
        of = world(tmp_path, PackedGuest(listing, missed(1, "notfound") + END))
        run = of.collect()
        assert words(run) == {"web1": "ok"}
        assert missing(of.path) == {
            "/var/log/agent*.log": "no such file",
            "/var/lib/agent": "no right to read it",
            "uptime": "there is no such program",
        }

    def test_forty_hosts_at_once(self, tmp_path: Path) -> None:
        of = world(tmp_path, *(PackedGuest() for _ in range(40)))
        run = of.collect(workers=40)
        assert set(words(run).values()) == {"ok"}
        assert len(manifest(of.path)["files"]) == 120
        assert list(manifest(of.path)["hosts"]) == list(of.guests)


class TestWhoIsNotThere:
    def test_the_others_are_kept_and_it_is_said(self, tmp_path: Path) -> None:
        of = world(tmp_path, PackedGuest(), PackedGuest())
        of.network.dead.add("web2")
        run = of.collect()
        assert words(run) == {"web1": "ok", "web2": "unreachable"}
        assert exit_code(verdicts(run.targets, run.results)) == 3
        assert missing(of.path) == {"web2": "connection refused"}
        assert contents(of.path)["web1/0002-agent-log.txt"] == LOG
        assert verify(of.path).partial == "not everything came of 1 of 2 hosts"

    def test_a_host_of_another_system_is_skipped(self, tmp_path: Path) -> None:
        of = world(tmp_path, PackedGuest(), PackedGuest(), windows={"web2"})
        run = of.collect()
        assert words(run) == {"web1": "ok", "web2": "skipped"}
        assert of.guests["web2"].asked == []
        assert missing(of.path) == {"web2": "little is for linux, and this is windows"}
        assert verify(of.path).partial is None

    def test_without_rights_the_reason_is_the_guests(self, tmp_path: Path) -> None:
        guest = PackedGuest(instead={"collect-list": Answer("failed", "needs root")})
        of = world(tmp_path, guest)
        run = of.collect()
        assert words(run) == {"web1": "failed"}
        assert guest.asked == ["collect-list"]
        assert missing(of.path) == {"web1": "needs root"}


class TestAGuestThatLies:
    def test_about_what_it_was_asked(self, tmp_path: Path) -> None:
        of = world(tmp_path, PackedGuest(LISTING * 1000), PackedGuest())
        run = of.collect()
        assert words(run) == {"web1": "broken", "web2": "ok"}
        assert "more files than it was asked for" in missing(of.path)["web1"]

    @pytest.mark.parametrize("size", [-1, 10**15, "5", None, 1.5, True])
    def test_about_the_size_of_its_pack(self, tmp_path: Path, size: object) -> None:
        stage = Answer(data={"size": size, "left": []})
        of = world(tmp_path, PackedGuest(instead={"collect-stage": stage}))
        run = of.collect()
        assert words(run) == {"web1": "broken"}
        assert of.guests["web1"].staged == set()
        assert verify(of.path).problems == ()

    def test_about_a_pack_that_is_shorter(self, tmp_path: Path) -> None:
        of = world(tmp_path, PackedGuest(size=len(PACK) + 500))
        run = of.collect()
        assert words(run) == {"web1": "broken"}
        assert of.guests["web1"].staged == set()

    def test_with_what_was_not_asked_for(self, tmp_path: Path) -> None:
        of = world(tmp_path, PackedGuest(pack=record(1, LOG) + record(9, b"x") + END))
        of.collect()
        reason = "the guest sent something it was not asked for; the rest was left out"
        assert missing(of.path) == {"web1": reason, "uptime": reason}
        assert contents(of.path)["web1/0002-agent-log.txt"] == LOG

    def test_with_a_bomb_and_with_more_behind_the_end(self, tmp_path: Path) -> None:
        bomb = record(1, b"", packed=gzip.compress(bytes(50_000_000)), plain=10**12)
        of = world(tmp_path, PackedGuest(pack=bomb + END + record(2, b"more")))
        of.collect(Level.NONE)
        (said,) = (each for each in manifest(of.path)["files"] if each["item"] == "agent-log")
        assert said["size"] == 1024 * 1024
        assert said["truncated"] == "it is larger than was asked for; the rest was left out"
        assert missing(of.path)["web1"] == "the guest sent more after the end; it was left out"
        assert verify(of.path).problems == ()

    def test_with_names_that_no_archive_should_have(self, tmp_path: Path) -> None:
        listing = b"F\t1\t5\t1763690000\t/var/log/agent%0A..%2F..%2Fetc%1B[2J.log\n"
        of = world(tmp_path, PackedGuest(listing))
        of.collect()
        assert set(contents(of.path)) >= {"web1/0001-folder.txt", "manifest.json"}
        assert all(b"\x1b" not in data for data in contents(of.path).values())
        assert verify(of.path).problems == ()


class TestWhateverHappensTheGuestIsClean:
    @pytest.mark.parametrize(
        ("name", "reaction", "word"),
        [
            ("collect-stage", Answer("failed", "the disk of the guest is full"), "failed"),
            ("collect-stage", Cut(after=True), "unreachable"),
            ("collect-stage", Hang(), "timed_out"),
            ("collect-stage", Raw(b"nonsense\n", exit_code=1), "broken"),
            ("collect-send", Cut(after=True), "unreachable"),
            ("collect-send", Answer("failed", "the pack is gone"), "failed"),
        ],
    )
    def test_after(self, tmp_path: Path, name: str, reaction: Any, word: str) -> None:
        of = world(tmp_path, PackedGuest(instead={name: reaction}), PackedGuest())
        run = of.collect()
        assert words(run) == {"web1": word, "web2": "ok"}
        assert of.guests["web1"].staged == set()
        assert left_behind(of) == []
        assert contents(of.path)[_agent_log(of.path, "web2")] == LOG

    def test_and_where_it_can_not_be_cleaned_that_is_said(self, tmp_path: Path) -> None:
        guest = PackedGuest(instead={"collect-clean": Answer("failed", "the folder is in use")})
        of = world(tmp_path, guest)
        run = of.collect()
        assert words(run) == {"web1": "failed"}
        assert guest.asked.count("collect-clean") == 2
        assert of.summary.left == ("web1",)
        assert _agent_log(of.path, "web1")

    def test_and_where_it_is_gone_for_good_that_is_said_too(self, tmp_path: Path) -> None:
        guest = PackedGuest(instead={"collect-send": Cut(after=True)})
        of = world(tmp_path, guest, PackedGuest())
        guest.before = lambda name: of.network.dead.add("web1") if name == "collect-send" else None
        run = of.collect()
        assert words(run) == {"web1": "unreachable", "web2": "ok"}
        assert of.summary.left == ("web1",)
        assert verify(of.path).problems == ()
        assert left_behind(of) == []

    def test_an_error_of_fleet_itself_leaves_nothing_either(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fails(*_: object, **__: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr("fleet.engine.collect.fetch", fails)
        of = world(tmp_path, PackedGuest())
        run = of.collect()
        assert words(run) == {"web1": "broken"}
        assert of.guests["web1"].staged == set()
        assert left_behind(of) == []


def _agent_log(path: Path, host: str) -> str:
    return next(name for name in contents(path) if name.startswith(f"{host}/") and "agent-log" in name)


class TestInterrupted:
    def test_what_came_is_kept_and_said_to_be_partial(self, tmp_path: Path) -> None:
        first = PackedGuest()
        of = world(tmp_path, first, PackedGuest())
        with of.collection(workers=1) as made:
            first.before = lambda name: made.execution.cancel() if name == "collect-clean" else None
            for _ in made.execution:
                pass
            made.finish(History(of.state).run(made.execution.header.id))
        assert verify(of.path).partial == "it was interrupted"
        assert _agent_log(of.path, "web1")
        assert missing(of.path) == {"web2": "it was not started"}
        assert first.staged == set()
        assert left_behind(of) == []

    def test_a_fetch_under_way_ends_early_and_the_guest_is_clean(self, tmp_path: Path) -> None:
        guest = PackedGuest()
        of = world(tmp_path, guest)
        with of.collection() as made:
            guest.before = lambda name: made.execution.cancel() if name == "collect-stage" else None
            for _ in made.execution:
                pass
            made.finish(None)
        assert guest.asked == ["collect-list", "collect-stage", "collect-clean"]
        assert guest.staged == set()

    def test_twice_nobody_is_waited_for_and_it_is_said_where_something_may_be_left(
        self, tmp_path: Path
    ) -> None:
        of = world(tmp_path, PackedGuest())
        begun, go = threading.Event(), threading.Event()

        def wait(name: str) -> None:
            if name == "collect-stage":
                begun.set()
                go.wait(30)

        def leave(made: Collection) -> None:
            begun.wait(30)
            made.execution.abandon()

        of.guests["web1"].before = wait
        try:
            with of.collection() as made:
                threading.Thread(target=leave, args=(made,)).start()
                results = list(made.execution)
                made.finish(None)
                assert results[-1].outcome.value == "not_run"
                assert made.summary().left == ("web1",)
                assert left_behind(of) == []
        finally:
            go.set()

    def test_without_finishing_it_what_came_is_kept(self, tmp_path: Path) -> None:
        of = world(tmp_path, PackedGuest())
        with pytest.raises(KeyboardInterrupt), of.collection() as made:  # noqa: PT012
            for _ in made.execution:
                pass
            raise KeyboardInterrupt
        assert verify(of.path).partial == "fleet ended before it was whole"
        assert _agent_log(of.path, "web1")
        assert left_behind(of) == []


class TestHere:
    def test_a_full_disk_keeps_what_there_was_room_for(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        of = world(tmp_path, PackedGuest(), PackedGuest(pack=record(1, os.urandom(900_000)) + END))
        limit = 200_000

        class Full(WholeFile):
            def _put(self, data: memoryview) -> int:
                if self.tell() + len(data) > limit:
                    raise OSError(errno.ENOSPC, "No space left on device")
                return super()._put(data)

        monkeypatch.setattr(archive, "WholeFile", Full)
        with pytest.raises(FleetError, match=r"No space left on device; what there was room for is in"):
            of.collect(Level.NONE)
        found = verify(of.path)
        assert found.problems == ()
        assert found.partial == "the disk here is full"
        assert missing(of.path) == {"web2": "there was no room for it on the disk here"}
        assert _agent_log(of.path, "web1")
        assert left_behind(of) == []

    def test_a_disk_without_room_for_the_manifest_leaves_no_archive(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(archive.Archive, "_finish", full)
        of = world(tmp_path, PackedGuest())
        with pytest.raises(FleetError, match="No space left on device; nothing is kept"):
            of.collect()
        assert left_behind(of) == []

    def test_an_output_that_is_there_stops_it_before_anybody_is_contacted(self, tmp_path: Path) -> None:
        of = world(tmp_path, PackedGuest())
        of.path.write_text("mine")
        with pytest.raises(UsageError, match="there already"):
            of.collect()
        assert of.path.read_text() == "mine"
        assert of.guests["web1"].asked == []
        assert not of.state.exists()

    def test_an_unknown_bundle_has_a_suggestion(self, tmp_path: Path) -> None:
        of = world(tmp_path, PackedGuest())
        with pytest.raises(CatalogError, match='did you mean "little"'):
            of.collect(bundle="litle")
        assert not of.path.exists()

    def test_a_run_that_was_killed_leaves_nothing_for_long(self, tmp_path: Path) -> None:
        of = world(tmp_path, PackedGuest())
        old = of.state / "bundles/20261101-0000-aa"
        old.mkdir(parents=True)
        (old / "lock").touch()
        (old / "x.pack").write_text("raw")
        of.collect()
        assert not old.exists()

    def test_what_is_fetched_is_readable_by_nobody_else(self, tmp_path: Path) -> None:
        modes = set()
        guest = PackedGuest()
        of = world(tmp_path, guest)

        def look(name: str) -> None:
            if name == "collect-clean":
                for path in (of.state / "bundles").rglob("*"):
                    modes.add((path.is_dir(), stat.S_IMODE(path.stat().st_mode)))

        guest.before = look
        of.collect()
        assert modes == {(True, 0o700), (False, 0o600)}


class TestTheLimitOfTheWholeRun:
    def test_hosts_share_it_and_who_gets_none_is_said(self, tmp_path: Path) -> None:
        noise = [os.urandom(700_000) for _ in range(4)]
        guests = [PackedGuest(pack=record(1, each) + missed(2, "notfound") + END) for each in noise]
        of = world(tmp_path, *guests)
        run = of.collect(most=2_120_000, workers=1)
        assert list(words(run).values()) == ["ok", "ok", "ok", "not_run"]
        assert missing(of.path)["/var/log/agent.log"] == "--max-size left no room for it"

    def test_what_one_host_does_not_need_the_next_one_gets(self, tmp_path: Path) -> None:
        of = world(tmp_path, *(PackedGuest() for _ in range(6)))
        run = of.collect(most=2_000_000, workers=6)
        assert set(words(run).values()) == {"ok"}


class TestNamesAreReplaced:
    def test_those_of_all_hosts_in_all_hosts_and_only_the_map_knows(self, tmp_path: Path) -> None:
        told = b"search corp.example\npeer is web2.corp.example, 10.1.2.3\nmaria was here\n"
        first = PackedGuest(pack=record(1, told + LOG) + END)
        second = PackedGuest(pack=record(1, b"uid=1000(maria) logged in from web1\n") + END)
        of = world(tmp_path, first, second, users={"web1": "backupops"})
        run = of.collect(Level.FULL)
        everything = b"\n".join([*contents(of.path).values(), *map(str.encode, contents(of.path))])
        for name in (b"web1", b"web2", b"corp", b"maria", b"10.1.2.3", b"backupops"):
            assert name not in everything, name
        kept = of.state / "bundles" / f"{run.id}.map"
        assert of.summary.map == kept
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        known = pseudonyms.load(kept)
        texts = [data.decode() for name, data in contents(of.path).items() if name.endswith("agent-log.txt")]
        assert "peer is web2.corp.example, 10.1.2.3" in known.reveal(texts[0]).lower()
        assert set(of.summary.hosts) == {"web1", "web2"}
        assert verify(of.path).problems == ()

    def test_without_names_to_replace_there_is_no_map(self, tmp_path: Path) -> None:
        of = world(tmp_path, PackedGuest())
        of.collect()
        assert of.summary.map is None
        assert list((of.state / "bundles").iterdir()) == []


def test_what_stands_out_names_its_host_and_runbook(tmp_path: Path) -> None:
    hang = b"2026-11-20 23:04 proceeded for accepting signals\n"
    of = world(tmp_path, PackedGuest(pack=record(1, LOG + hang) + END))
    of.collect(Level.FULL)
    assert [(host, runbook) for host, _, runbook in of.summary.signs] == [("web1", "azvm-fsfreeze-failed")]


def test_the_archive_is_of_nobody_else(tmp_path: Path) -> None:
    of = world(tmp_path, PackedGuest())
    of.collect()
    assert stat.S_IMODE(of.path.stat().st_mode) == 0o600
