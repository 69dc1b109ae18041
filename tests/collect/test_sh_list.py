"""What collect-list finds among files that are really there, in every shell."""

from __future__ import annotations

import os
import resource
import socket
from pathlib import Path

import pytest

from tests.collect.guest import Entry, Guest, Sign

NOW = 1_763_690_000


def names(entries: list[Entry]) -> list[bytes]:
    return [each.path for each in entries]


def test_the_newest_come_first_with_size_and_time(guest: Guest) -> None:
    guest.write("/var/log/a.log", b"12", modified=NOW)
    guest.write("/var/log/b.log", b"123", modified=NOW + 60)
    guest.write("/var/log/c.txt", b"", modified=NOW + 90)

    entries, signs, reply = guest.list("/var/log/*.log")

    assert entries == [Entry(1, 3, NOW + 60, b"/var/log/b.log"), Entry(1, 2, NOW, b"/var/log/a.log")]
    assert signs == []
    assert reply.outcome == "ok"
    assert reply.data["files"] == 2
    free = os.statvfs(guest.path("/var/tmp"))
    assert abs(int(str(reply.data["free"])) - free.f_bavail * free.f_frsize) < 1 << 30


def test_more_than_asked_for_is_a_number_and_older_ones_are_left_out(guest: Guest) -> None:
    for number in range(5):
        guest.write(f"/var/log/{number}.log", modified=NOW + number)

    entries, signs, _ = guest.list("/var/log/*.log", count=2)
    assert names(entries) == [b"/var/log/4.log", b"/var/log/3.log"]
    assert signs == [Sign(1, "more:3", b"/var/log/*.log")]

    entries, signs, _ = guest.list("/var/log/*.log", since=NOW + 3)
    assert names(entries) == [b"/var/log/4.log", b"/var/log/3.log"]
    assert signs == []


def test_every_pattern_has_its_own_answer(guest: Guest) -> None:
    guest.write("/var/log/waagent.log", b"x")
    entries, signs, reply = guest.list("/var/log/waagent.log", "/no/such/folder/*", "/var/log/waagent.log.*")
    assert [(each.number, each.path) for each in entries] == [(1, b"/var/log/waagent.log")]
    assert signs == [Sign(2, "nothing", b"/no/such/folder/*"), Sign(3, "nothing", b"/var/log/waagent.log.*")]
    assert reply.data["files"] == 1


def test_a_star_stays_in_its_folder_and_two_go_below(guest: Guest) -> None:
    for path in ("/d/1.log", "/d/x/2.log", "/d/x/y/3.log", "/d/z/4.log", "/d/.hidden/5.log"):
        guest.write(path, modified=NOW + int(path[-5]))

    assert names(guest.list("/d/*")[0]) == [b"/d/1.log"]
    assert names(guest.list("/d/*/*.log")[0]) == [b"/d/.hidden/5.log", b"/d/z/4.log", b"/d/x/2.log"]
    assert names(guest.list("/d/?/?.log")[0]) == [b"/d/z/4.log", b"/d/x/2.log"]
    assert len(guest.list("/d/**")[0]) == 5
    assert names(guest.list("/d/?/**")[0]) == [b"/d/z/4.log", b"/d/x/y/3.log", b"/d/x/2.log"]
    assert names(guest.list("/d/**/3.log")[0]) == [b"/d/x/y/3.log"]


def test_brackets_and_backslashes_in_a_pattern_are_themselves(guest: Guest) -> None:
    guest.write("/var/log/[ab].log")
    guest.write("/var/log/a.log")
    guest.write("/var/log/\\x.log")
    assert names(guest.list("/var/log/[ab].*")[0]) == [b"/var/log/[ab].log"]
    assert names(guest.list("/var/log/[ab].log")[0]) == [b"/var/log/[ab].log"]
    assert names(guest.list("/var/log/\\*")[0]) == [b"/var/log/\\x.log"]


def test_names_of_any_bytes(guest: Guest) -> None:
    hostile = [
        b"tab\there",
        b"-rf",
        b"per%cent",
        b"\xff\xfe not UTF-8",
        "\u00fc.log".encode(),
        b"quote'\"$(touch x)`",
        b"\\n*?[",
        b" ",
        b"..log",
    ]
    for name in hostile:
        guest.write("/var/log/x/" + os.fsdecode(name), b"1")
    entries, signs, _ = guest.list("/var/log/x/*")
    assert sorted(names(entries)) == sorted(b"/var/log/x/" + name for name in hostile)
    assert signs == []
    assert sorted(names(guest.list("/var/log/**")[0])) == sorted(b"/var/log/x/" + name for name in hostile)
    assert names(guest.list("/var/log/x/per%cent")[0]) == [b"/var/log/x/per%cent"]


def test_a_newline_in_a_name_forges_no_line(guest: Guest) -> None:
    guest.write("/d/good.log", b"1")
    guest.write("/d/bad\nF\t1\t5\t5\t/etc/shadow", b"1")
    guest.write("/d/81a4\t9\t9\n81a4\t9\t9\t./evil", b"1")
    entries, signs, _ = guest.list("/d/**")
    assert b"/d/good.log" in names(entries)
    assert not any(name.startswith(b"/etc") or name.endswith(b"/d/evil") for name in names(entries))
    if guest.programs:  # without GNU's find they can't be told
        assert names(entries) == [b"/d/good.log"]
        assert [sign.code for sign in signs] == ["odd-name"]
    else:
        assert len(entries) == 3
        assert b"/d/bad\nF\t1\t5\t5\t/etc/shadow" in names(entries)


def test_a_byte_that_stands_for_newlines_is_an_odd_name(guest: Guest) -> None:
    guest.write("/d/a\x01b", b"1")
    entries, signs, _ = guest.list("/d/*")
    if guest.programs:
        assert names(entries) == [b"/d/a\x01b"]
    else:
        assert entries == []
        assert [sign.code for sign in signs] == ["odd-name"]


def test_links_are_named_and_not_followed(guest: Guest) -> None:
    guest.write("/etc/shadow", b"secret")
    guest.path("/var/log/x").mkdir()
    guest.path("/var/log/x/file").symlink_to(guest.path("/etc/shadow"))
    guest.path("/var/log/x/folder").symlink_to(guest.path("/etc"))
    guest.path("/var/log/x/loop").symlink_to("loop")
    guest.path("/var/log/x/up").symlink_to("..")

    for pattern in ("/var/log/x/*", "/var/log/x/**", "/var/log/*/*"):
        entries, signs, _ = guest.list(pattern)
        assert entries == []
        assert sorted(sign.path for sign in signs) == [
            b"/var/log/x/file",
            b"/var/log/x/folder",
            b"/var/log/x/loop",
            b"/var/log/x/up",
        ]
        assert {sign.code for sign in signs} == {"link"}
    for path in ("/var/log/x/file", "/var/log/x/loop"):
        assert guest.list(path)[:2] == ([], [Sign(1, "link", path.encode())])
    for path in (
        "/var/log/x/folder/shadow",
        "/var/log/x/folder/*",
        "/var/log/x/loop/**",
        "/var/log/x/up/x/*",
    ):
        assert guest.list(path)[:2] == ([], [Sign(1, "link", path.encode())])
    entries, signs, _ = guest.list("/var/log/x/*/shadow")
    assert entries == []
    assert {sign.code for sign in signs} == {"link"}


def test_what_is_no_file_is_special(guest: Guest) -> None:
    guest.path("/d/folder").mkdir(parents=True)
    os.mkfifo(guest.path("/d/fifo"))
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(guest.path("/d"))
        try:
            server.bind("socket")
        finally:
            os.chdir(here)
        entries, signs, _ = guest.list("/d/*")
        assert entries == []
        assert sorted(signs) == [Sign(1, "special", b"/d/fifo"), Sign(1, "special", b"/d/socket")]
    assert guest.list("/d/folder")[:2] == ([], [Sign(1, "special", b"/d/folder")])
    assert guest.list("/d/fifo")[:2] == ([], [Sign(1, "special", b"/d/fifo")])


def test_a_pattern_that_is_no_plain_path_is_refused(guest: Guest) -> None:
    guest.write("/var/log/x")
    for pattern in ("/var/log/../log/x", "/var/./log/x", "var/log/x", "/var//log/x", "/var/log/", "/"):
        assert guest.list(pattern)[:2] == ([], [Sign(1, "odd-name", pattern.encode())]), pattern


def test_a_folder_below_a_file_is_not_there(guest: Guest) -> None:
    guest.write("/var/log/x")
    assert guest.list("/var/log/x/y")[:2] == ([], [Sign(1, "nothing", b"/var/log/x/y")])
    assert guest.list("/var/log/x/*")[:2] == ([], [Sign(1, "nothing", b"/var/log/x/*")])


def used() -> float:
    """Processor time of the programs that were run, which other load on this machine hardly changes."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


@pytest.fixture(name="many", scope="module")
def _many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("names") / "many"
    folder.mkdir()
    at = os.open(folder, os.O_RDONLY)
    try:
        for number in range(100_000):
            os.mknod(f"{number}.log", 0o600, dir_fd=at)
    finally:
        os.close(at)
    os.utime(folder / "77.log", (NOW * 2, NOW * 2))
    return folder


def test_a_hundred_thousand_names_take_seconds(guest: Guest, many: Path) -> None:
    there = guest.path("/var/log/many")
    many.rename(there)
    try:
        began = used()
        entries, signs, reply = guest.list("/var/log/many/*.log", count=100)
        took = used() - began
    finally:
        there.rename(many)
    assert len(entries) == 100
    assert entries[0].path == b"/var/log/many/77.log"
    assert signs == [Sign(1, "more:99900", b"/var/log/many/*.log")]
    assert reply.outcome == "ok"
    assert took < 8, "seconds of processor time"
