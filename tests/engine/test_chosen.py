"""A guest tells what is there; what is asked for is our choice, by our rules and within limits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.catalog.bundle import Bundle, Command, Events, Files, Provider
from fleet.engine.chosen import MEGABYTE, Chosen, choose, patterns, questions
from fleet.engine.listing import Listing, UntrueError, escape, unescape
from fleet.model import Os


def bundle(*files: Files, os: Os = Os.LINUX, megabytes: int = 500, **parts: object) -> Bundle:
    return Bundle("b", "Title", "about", os, megabytes, files, **parts)  # type: ignore[arg-type]


LOGS = Files("logs", ("/var/log/*.log", "/var/log/azure/**"), megabytes=2, files=3)


def listing(of: Bundle, *lines: str) -> Listing:
    made = Listing({number: files.files for number, files, _ in patterns(of)})
    made.feed("".join(f"{line}\n" for line in lines).encode())
    made.end()
    return made


def chosen(of: Bundle, *lines: str, since: int = 0) -> Chosen:
    return choose(of, listing(of, *lines), since=since)


def paths(choice: Chosen) -> list[str]:
    return [each.origin for each in choice.wanted]


def reasons(choice: Chosen) -> dict[str, str]:
    return {each.origin: each.reason for each in choice.lacking}


class TestTheQuestion:
    def test_has_a_number_for_each_pattern(self) -> None:
        asked = questions(bundle(LOGS, Files("other", ("/a b%",), files=7)))
        assert asked == ["1\t3\t/var/log/*.log", "2\t3\t/var/log/azure/**", "3\t7\t/a%20b%25"]


class TestTheChoice:
    def test_takes_the_newest_of_all_patterns_of_an_item(self) -> None:
        lines = ["F\t1\t10\t100\t/var/log/a.log", "F\t1\t10\t400\t/var/log/b.log"]
        lines += ["F\t2\t10\t300\t/var/log/azure/x/y", "F\t2\t10\t200\t/var/log/azure/z"]
        choice = chosen(bundle(LOGS), *lines)
        assert paths(choice) == ["/var/log/b.log", "/var/log/azure/x/y", "/var/log/azure/z"]
        assert reasons(choice) == {
            "/var/log/*.log, /var/log/azure/**": "1 more are there; the newest were taken"
        }

    def test_asks_by_number_for_the_path_as_the_guest_wrote_it(self) -> None:
        choice = chosen(bundle(LOGS), "F\t1\t10\t100\t/var/log/a%20%C3%A9%FF%0A.log")
        assert choice.lines("file") == [f"1\t{2 * MEGABYTE}\t/var/log/a%20%C3%A9%FF%0A.log"]
        assert paths(choice) == ["/var/log/a é\udcff\n.log"]

    def test_takes_a_file_once(self) -> None:
        again = Files("again", ("/var/log/a*",))
        lines = ["F\t1\t10\t100\t/var/log/a.log", "F\t3\t10\t100\t/var/log/a.log"]
        assert len(chosen(bundle(LOGS, again), *lines).wanted) == 1

    @pytest.mark.parametrize(
        ("path", "reason"),
        [
            ("/var/log/azure/TransportPrivate.pem", "private keys"),
            ("/var/log/azure/x%0A/y.pem", "private keys"),
            ("/var/log/azure/../../../etc/shadow", "secrets of the system"),
            ("/etc/passwd", "not asked for"),
            ("/var/log/azure/../../lib/x", "not asked for"),
            ("var/log/azure/x", "not asked for"),
            ("/var/log/azure/" + "x" * 5000, "can't be asked for"),
        ],
    )
    def test_leaves_out_what_is_never_taken_and_what_it_did_not_mean(self, path: str, reason: str) -> None:
        choice = chosen(bundle(LOGS), f"F\t2\t10\t100\t{path}")
        assert choice.wanted == ()
        assert reason in next(iter(reasons(choice).values()))

    def test_a_star_stays_within_its_folder(self) -> None:
        choice = chosen(bundle(LOGS), "F\t1\t10\t100\t/var/log/other/x.log")
        assert choice.wanted == ()

    def test_windows_has_both_slashes_and_one_case(self) -> None:
        windows = bundle(Files("logs", (r"C:\Logs\**",)), os=Os.WINDOWS)
        assert paths(chosen(windows, r"F\t1\t10\t100\tc:\LOGS\a/b.log".replace(r"\t", "\t")))
        refused = chosen(windows, "F\t1\t10\t100\tC:\\Logs\\..\\x.log")
        assert refused.wanted == ()

    def test_gives_a_larger_file_what_its_item_allows(self) -> None:
        choice = chosen(bundle(LOGS), "F\t1\t20000000000\t100\t/var/log/a.log")
        assert choice.wanted[0].most == 2 * MEGABYTE

    def test_stops_where_the_host_has_given_enough(self) -> None:
        small = bundle(LOGS, megabytes=3)
        lines = [f"F\t1\t{2 * MEGABYTE}\t{time}\t/var/log/{time}.log" for time in (300, 200, 100)]
        choice = chosen(small, *lines)
        assert [each.most for each in choice.wanted] == [2 * MEGABYTE, MEGABYTE]
        assert reasons(choice) == {"/var/log/100.log": "the 3 MB of a host are used up"}
        assert choice.most == 3 * MEGABYTE

    def test_keeps_room_for_commands(self) -> None:
        commands = (Command("c", ("uptime",), megabytes=100),)
        choice = chosen(
            bundle(LOGS, megabytes=4, commands=commands), f"F\t1\t{9 * MEGABYTE}\t1\t/var/log/a.log"
        )
        assert choice.wanted[0].most == 2 * MEGABYTE
        assert choice.room <= choice.most

    def test_says_why_the_guest_gives_something_not(self) -> None:
        notes = ["nothing", "denied", "link", "special", "odd-name", "more:12", "toomany", "strange"]
        choice = chosen(bundle(LOGS), *(f"M\t1\t{code}\t/{code}" for code in notes))
        assert reasons(choice)["/nothing"] == "no such file"
        assert reasons(choice)["/link"] == "is a link, and links are not followed"
        assert reasons(choice)["/more:12"] == "12 more are there; the newest were taken"
        assert reasons(choice)["/strange"] == "the guest says: strange"

    def test_leaves_old_logs_alone_but_not_old_settings(self) -> None:
        conf = Files("conf", ("/etc/*.conf",), any_age=True)
        lines = ["F\t1\t10\t900\t/var/log/new.log", "F\t1\t10\t100\t/var/log/old.log"]
        lines += [
            "M\t1\tmore:7\t/var/log/*.log",
            "F\t2\t10\t100\t/var/log/azure/x",
            "F\t3\t10\t1\t/etc/a.conf",
        ]
        choice = chosen(bundle(LOGS, conf), *lines, since=500)
        assert paths(choice) == ["/var/log/new.log", "/etc/a.conf"]
        assert reasons(choice) == {"/var/log/azure/**": "nothing there is new enough"}

    def test_does_not_repeat_a_thousand_reasons(self) -> None:
        choice = chosen(bundle(LOGS), *(f"M\t1\tdenied\t/{number}" for number in range(1000)))
        assert len(choice.lacking) == 21
        assert choice.lacking[-1].reason == "980 more were left out for such reasons"

    def test_a_listing_is_a_text_and_nothing_of_it_is_asked_for(self) -> None:
        keys = Files("keys", ("/var/lib/waagent/*",), listing=True)
        choice = chosen(bundle(keys), "F\t1\t1679\t1763690000\t/var/lib/waagent/x.prv")
        assert choice.wanted == ()
        assert choice.listings == (
            ("keys", "/var/lib/waagent/*", "           1679  2025-11-21 01:53:20  /var/lib/waagent/x.prv\n"),
        )

    def test_commands_and_events_are_asked_for_in_words_that_need_no_quotes(self) -> None:
        parts = {
            "commands": (Command("route", ("ip", "route show", "a\tb"), seconds=5, megabytes=1),),
            "events": (Events("e", "CloudBackup/Operational", (Provider("A;B:C", (1, 2)), Provider("D e"))),),
        }
        choice = chosen(bundle(**parts))  # type: ignore[arg-type]
        assert choice.lines("command") == [f"1\t5\t{MEGABYTE}\tip\troute%20show\ta%09b"]
        assert choice.lines("events") == [
            f"2\t{20 * MEGABYTE}\tCloudBackup/Operational\tA%3BB%3AC:1,2;D%20e:"
        ]
        assert choice.wanted[0].origin == "ip 'route show' 'a\tb'"
        assert choice.wanted[1].origin == "CloudBackup/Operational: A;B:C, D e"


class TestAnUntrueList:
    @pytest.mark.parametrize(
        "lines",
        [
            ["F\t9\t1\t1\t/x"],
            ["M\t9\tgone\t/x"],
            ["F\t1\t1\t1\t/var/log/x.log"] * 4,
            ["nothing of ours"] * 20_001,
        ],
    )
    def test_is_not_listened_to_any_further(self, lines: list[str]) -> None:
        with pytest.raises(UntrueError):
            listing(bundle(LOGS), *lines)

    def test_a_line_without_end_is_not_kept(self) -> None:
        made = Listing({1: 1})
        made.feed(b"x" * 60_000)
        with pytest.raises(UntrueError, match="longer than any path"):
            made.feed(b"x" * 6_000)

    @pytest.mark.parametrize("line", ["sh: warning: something", "F\t1\t-5\t1\t/x", "F\t1\t1\t1\ta b", "F\t1"])
    def test_what_a_shell_writes_beside_is_passed_over(self, line: str) -> None:
        made = listing(bundle(LOGS), line, "F\t1\t1\t1\t/var/log/a.log")
        assert len(made.files[1]) == 1

    def test_comes_in_pieces(self) -> None:
        made = Listing({1: 1})
        for byte in b"F\t1\t1\t1\t/x":
            made.feed(bytes([byte]))
        made.end()
        assert made.files[1][0].path == "/x"


@given(st.text())
def test_what_is_escaped_can_be_turned_back(text: str) -> None:
    escaped = escape(text, ":;,")
    assert set(escaped) <= {chr(code) for code in range(0x21, 0x7F)} - set(":;,")
    if not any("\ud800" <= character <= "\udfff" for character in text):
        assert unescape(escaped) == text
