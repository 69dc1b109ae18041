"""Names and addresses are replaced alike wherever they stand, and only the map turns them back."""

from __future__ import annotations

import ipaddress
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.bundle.pseudonyms import Pseudonyms, load
from fleet.errors import UsageError

KEY = bytes(range(32))
SUBSCRIPTION = "7b1f3c52-0d6e-4a51-9a57-1c2d3e4f5a6b"


@pytest.fixture
def pseudonyms() -> Pseudonyms:
    return Pseudonyms(KEY)


def shared_bits(one: int, other: int, bits: int) -> int:
    return bits - (one ^ other).bit_length()


@given(st.integers(0, 2**32 - 1), st.integers(0, 32), st.integers(0, 2**32 - 1))
def test_addresses_of_one_network_stay_in_one_network(first: int, length: int, other: int) -> None:
    second = first >> (32 - length) << (32 - length) | other & (2 ** (32 - length) - 1)
    hidden = [Pseudonyms(KEY).text(str(ipaddress.IPv4Address(each))) for each in (first, second)]
    one, two = (int(ipaddress.IPv4Address(each)) for each in hidden)
    assert shared_bits(one, two, 32) == shared_bits(first, second, 32)


@given(st.ip_addresses(v=6), st.integers(0, 127))
def test_the_same_holds_for_ipv6(address: ipaddress.IPv6Address, bit: int) -> None:
    near = ipaddress.IPv6Address(int(address) ^ 1 << bit)
    if address.ipv4_mapped or near.ipv4_mapped:
        return
    hidden = [Pseudonyms(KEY).text(str(each)) for each in (address, near)]
    one, two = (int(ipaddress.IPv6Address(each)) for each in hidden)
    assert shared_bits(one, two, 128) == 127 - bit


@given(st.ip_addresses())
def test_every_address_comes_back(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    pseudonyms = Pseudonyms(KEY)
    text = f"from {address}: refused"
    back = pseudonyms.reveal(pseudonyms.text(text)).removeprefix("from ").removesuffix(": refused")
    assert ipaddress.ip_address(back) == address


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "127.0.0.53", "0.0.0.0", "255.255.255.0", "224.0.0.251", "168.63.129.16", "169.254.169.254",
     "::1", "::", "ff02::1"],
)  # fmt: skip
def test_what_is_nobodys_stays(pseudonyms: Pseudonyms, address: str) -> None:
    assert pseudonyms.text(f"route to {address} up") == f"route to {address} up"
    assert pseudonyms.tally == {}


@pytest.mark.parametrize("address", ["10.1.2.3", "172.20.1.1", "192.168.7.9", "fe80::20d:3aff:fe12:3456"])
def test_a_private_address_becomes_another_private_one(pseudonyms: Pseudonyms, address: str) -> None:
    hidden = ipaddress.ip_address(pseudonyms.text(address))
    assert str(hidden) != address
    assert hidden.is_private


@pytest.mark.parametrize(
    "text",
    [
        "10.1.0.4:443", "(10.1.0.4)", "src=10.1.0.4,", "10.1.0.4.", "10.1.0.4/24", "https://10.1.0.4/x",
        "ip10.1.0.4", "12:30:00:10.1.0.4", "%2010.1.0.4", "::ffff:10.1.0.4", "host_10.1.0.4_up",
       "dev10.1.0.4",         '"10.1.0.4"', r"\n10.1.0.4", "10.1.0.4-10.1.0.9",
    ],
)  # fmt: skip
def test_an_address_is_found_whatever_it_touches(pseudonyms: Pseudonyms, text: str) -> None:
    assert "10.1.0.4" not in pseudonyms.text(text)
    assert pseudonyms.reveal(pseudonyms.text(text)) == text


@pytest.mark.parametrize(
    "text",
    ["2001:db8::7: refused", "[2001:db8::7]:22", "addr:2001:db8::7", "host2:2001:db8::7", "2001:db8::7%eth0",
     "2001:db8::7/64", "2001:db8::7."],
)  # fmt: skip
def test_an_ipv6_address_too(pseudonyms: Pseudonyms, text: str) -> None:
    assert "2001:db8" not in pseudonyms.text(text)
    assert pseudonyms.reveal(pseudonyms.text(text)) == text


@pytest.mark.parametrize(
    "text",
    ["12:34:56", "00:0d:3a:12:34:56", "WALinuxAgent-2.2.53.1", "version 9.9.9.9", "300.1.1.1", "1.2.3.4.5",
     "core::panic", "user@1000.service", "ExtensionFailedVssWriterInBadState"],
)  # fmt: skip
def test_times_versions_and_units_are_no_addresses(pseudonyms: Pseudonyms, text: str) -> None:
    assert pseudonyms.text(text) == text


class TestNames:
    def test_are_the_same_short_and_long_in_any_case_and_file(self, pseudonyms: Pseudonyms) -> None:
        pseudonyms.add_host("web3.corp.example")
        short, long = pseudonyms.text("WEB3 answers"), pseudonyms.text("ping web3.Corp.example.")
        name = short.removesuffix(" answers")
        assert name.startswith("host")
        assert long.startswith(f"ping {name}.domain")
        assert long.endswith(".")

    @pytest.mark.parametrize(
        "text",
        ["web3:22", "/var/log/web3.log", "backup-web3_old", r'"a\nweb3"', r'"a\tWEB3"', "%2Fweb3%2f", 
 r"\u0027web3",         r"\\web3\share", "//web3/x", "web3's", "<web3>"],
    )  # fmt: skip
    def test_are_found_whatever_they_touch(self, pseudonyms: Pseudonyms, text: str) -> None:
        pseudonyms.add_host("web3")
        assert "web3" not in pseudonyms.text(text).casefold()
        assert pseudonyms.reveal(pseudonyms.text(text)).casefold() == text.casefold()

    def test_are_not_found_within_other_words(self, pseudonyms: Pseudonyms) -> None:
        pseudonyms.add_host("web")
        assert pseudonyms.text("website cobweb") == "website cobweb"

    def test_a_stranger_in_a_known_domain_is_a_host(self, pseudonyms: Pseudonyms) -> None:
        pseudonyms.add_host("web3.corp.example")
        hidden = pseudonyms.text("db9.corp.example refused")
        assert "db9" not in hidden
        assert "corp" not in hidden
        assert pseudonyms.reveal(hidden) == "db9.corp.example refused"

    def test_windows_cuts_a_name_after_fifteen_characters(self, pseudonyms: Pseudonyms) -> None:
        pseudonyms.add_host("production-web-0012")
        assert (
            pseudonyms.text("PRODUCTION-WEB-") == pseudonyms.text("production-web-0012") != "PRODUCTION-WEB-"
        )

    def test_of_users_and_their_domain(self, pseudonyms: Pseudonyms) -> None:
        pseudonyms.add_user(r"CORP\backupops")
        hidden = pseudonyms.text(r"logon of CORP\backupops, BACKUPOPS@CORP")
        assert "backupops" not in hidden.casefold()
        assert "corp" not in hidden.casefold()

    @pytest.mark.parametrize(
        "line",
        [
            "/home/marla/.ssh", r"C:\Users\marla\AppData", r"C:\\Users\\marla\\x", 'user="marla"', 
            "UserName: marla",             "Failed password for invalid user marla from 10.0.0.9",
            "Accepted publickey for marla from 10.0.0.9",
            "uid=1000(marla) gid=1000(marla)", "sudo:    marla : TTY=pts/0", 
            "session opened for user marla by",             "<Data Name='SubjectUserName'>marla</Data>",
        ],
    )  # fmt: skip
    def test_of_a_user_are_told_by_where_they_stand(self, pseudonyms: Pseudonyms, line: str) -> None:
        assert "marla" not in pseudonyms.text(line)
        assert "marla" not in pseudonyms.text("marla elsewhere")

    @pytest.mark.parametrize(
        "line",
        ["Static hostname: atlas", "<Computer>atlas</Computer>", "Nov 20 23:04:01 atlas walinuxagent[77]: x",
         '"ComputerName": "atlas"', "search atlas.example"],
    )  # fmt: skip
    def test_of_a_host_too(self, pseudonyms: Pseudonyms, line: str) -> None:
        assert "atlas" not in pseudonyms.text(line)

    def test_that_name_nobody_stay(self, pseudonyms: Pseudonyms) -> None:
        pseudonyms.add_user("root")
        pseudonyms.add_host("localhost")
        pseudonyms.add_host("db")
        assert pseudonyms.text("root@localhost db SYSTEM") == "root@localhost db SYSTEM"

    def test_a_subscription_stays_a_guid_and_other_guids_stay(self, pseudonyms: Pseudonyms) -> None:
        writer = "e8132975-6f93-4464-a53e-1050253ae220"
        hidden = pseudonyms.text(f"/subscriptions/{SUBSCRIPTION}/x {writer} {SUBSCRIPTION.upper()}")
        assert SUBSCRIPTION not in hidden.casefold()
        assert hidden.split()[1] == writer
        assert hidden.split()[2] == hidden.split("/")[2]
        assert pseudonyms.reveal(hidden).casefold().count(SUBSCRIPTION) == 2

    def test_an_email_address_is_replaced_whole(self, pseudonyms: Pseudonyms) -> None:
        hidden = pseudonyms.text("mail to anna.b+x@Corp.example, please")
        assert "corp" not in hidden.casefold()
        assert "anna" not in hidden
        assert pseudonyms.reveal(hidden) == "mail to anna.b+x@Corp.example, please"


WORD = st.from_regex(r"[a-z][a-z0-9]{3,9}(-[a-z0-9]{1,4})?", fullmatch=True)
V6 = st.ip_addresses(v=6).map(str).filter(lambda text: not text.startswith("::ffff:"))  # has two spellings
PIECE = st.one_of(WORD, st.ip_addresses(v=4).map(str), V6, st.sampled_from("\n .-_:/\\%@\"'<>,n"))


@given(names=st.lists(WORD, max_size=4), pieces=st.lists(PIECE, max_size=12))
def test_whatever_the_text_reveal_turns_it_back(names: list[str], pieces: list[str]) -> None:
    pseudonyms = Pseudonyms(KEY)
    for name in names:
        pseudonyms.add_host(name)
    text = " ".join([*pieces, *names])
    hidden = pseudonyms.text(text)
    again = Pseudonyms(KEY)
    for name in names:
        again.add_host(name)
    assert again.text(text) == hidden, "the same in, the same out"
    for name in names:
        assert name not in hidden.split()
    assert pseudonyms.reveal(hidden).casefold() == text.casefold()


@given(st.text(max_size=200))
def test_no_text_breaks_it(text: str) -> None:
    pseudonyms = Pseudonyms(KEY)
    pseudonyms.add_host("a.b-c_d.example.corp")
    assert isinstance(pseudonyms.reveal(pseudonyms.text(text)), str)


def test_another_key_gives_other_pseudonyms() -> None:
    texts = {Pseudonyms(key).text("10.1.2.3 a.b@c.example") for key in (KEY, bytes(32))}
    assert len(texts) == 2


def test_a_guest_that_makes_up_names_does_not_fill_the_memory(
    pseudonyms: Pseudonyms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fleet.bundle.pseudonyms.MOST_NAMES", 10)
    hidden = pseudonyms.text(" ".join(f"m{number}@made.up.example" for number in range(30)))
    assert "made" not in hidden
    assert pseudonyms.not_kept == 20


class TestTheMap:
    def test_turns_pseudonyms_back_in_another_process(self, pseudonyms: Pseudonyms, tmp_path: Path) -> None:
        pseudonyms.add_host("web3.corp.example")
        text = "web3.corp.example 10.1.0.4 a.b@corp.example 2001:db8::7"
        hidden = pseudonyms.text(text)
        pseudonyms.save(tmp_path / "case.map")
        assert load(tmp_path / "case.map").reveal(hidden) == text

    def test_is_the_operators_alone(self, pseudonyms: Pseudonyms, tmp_path: Path) -> None:
        path = tmp_path / "case.map"
        pseudonyms.save(path)
        assert path.stat().st_mode & 0o777 == 0o600
        with pytest.raises(FileExistsError):
            pseudonyms.save(path)
        path.chmod(0o644)
        with pytest.raises(UsageError, match="chmod 600"):
            load(path)

    @pytest.mark.parametrize(
        "text", ["", "[]", "{}", '{"schema": "x"}', json.dumps({"schema": "fleet.pseudonyms/1"})]
    )
    def test_that_is_none_is_refused_in_a_sentence(self, tmp_path: Path, text: str) -> None:
        path = tmp_path / "case.map"
        path.write_text(text)
        path.chmod(0o600)
        with pytest.raises(UsageError, match=r"case\.map: "):
            load(path)

    def test_that_is_not_there_too(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="can be read"):
            load(tmp_path / "none.map")
