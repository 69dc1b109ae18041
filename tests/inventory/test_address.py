"""What was written is what is dialled, or it is refused with the reason."""

from __future__ import annotations

import ipaddress
import socket

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from fleet.errors import InventoryError, UsageError
from fleet.inventory import parse_address
from fleet.model import Address
from tests.inventory.support import attempt


class TestAccepted:
    @pytest.mark.parametrize(
        ("text", "address"),
        [
            ("web01", Address("web01")),
            ("SQL01.Corp.Example", Address("sql01.corp.example")),
            ("my_host", Address("my_host")),
            ("1st.example", Address("1st.example")),
            ("a" * 63, Address("a" * 63)),
            ("10.1.0.4", Address("10.1.0.4", 4)),
            ("fd00:0:0::5", Address("fd00::5", 6)),
            ("[FD00::5]", Address("fd00::5", 6)),
            ("bücher.example", Address("xn--bcher-kva.example")),
            ("xn--bcher-kva.example", Address("xn--bcher-kva.example")),
        ],
    )
    def test_gives_the_form_that_is_dialled(self, text: str, address: Address) -> None:
        assert parse_address(text) == address

    def test_puts_brackets_around_ipv6_only_in_urls(self) -> None:
        address = parse_address("fd00::5")
        assert (str(address), address.for_url) == ("fd00::5", "[fd00::5]")


class TestRefused:
    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("", "a host name or address is empty"),
            ("-oProxyCommand=x", "begins with a dash, like an option"),
            ("https://u:p@h:5986/wsman", "is a URL; give the host name alone, the port in ansible_port"),
            ("root@web01", "the user goes into ansible_user"),
            ("CORP\\web01", "the domain goes into ansible_user"),
            ("fe80::1%eth0", "zone ids (like %eth0) are not supported"),
            ("10.0.0.0/24", "it has a slash; give one host"),
            ("host name", "it has a blank, control or invisible character"),
            ("10.0.0.1\n.evil.com", "it has a blank, control or invisible character"),
            ("web\u202e01", "it has a blank, control or invisible character"),
            ("web\u200b01", "it has a blank, control or invisible character"),
            ("web\x0001", "it has a blank, control or invisible character"),
            ("10.0.0.1;evil", "only letters, digits, dots, dashes and underscores are allowed"),
            ("$(id)", "only letters, digits, dots, dashes and underscores are allowed"),
            ("web..example", "two dots follow each other"),
            ("web.example.", "two dots follow each other, or one stands at its beginning or end"),
            ("web-.example", "begins or ends with a dash"),
            ("a" * 64, "longer than 63 characters"),
            (".".join(["a" * 60] * 5), "a host name of 304 characters is too long; 253 are the most"),
            ("web01:22", "has a port; that goes into ansible_port"),
            ("[fd00::5]:22", "has a port; that goes into ansible_port"),
            ("[web01]", "is neither a host name nor an IPv6 address"),
            ("fd00::5::1", "is neither a host name nor an IPv6 address"),
            ("10.1", "is not an IPv4 address; write four decimal numbers"),
            ("010.1.0.4", "without leading zeros"),
            ("2130706433", "is not an IPv4 address"),
            ("0x7f.1", "is not an IPv4 address"),
            ("web.0x7f", "is not an IPv4 address"),
            ("1.2.3.4.5", "is not an IPv4 address"),
            ("10.1.0.256", "is not an IPv4 address"),
            ("0.0.0.0", "is not the address of one host"),
            ("255.255.255.255", "is not the address of one host"),
            ("ff02::1", "is not the address of one host"),
            ("::", "is not the address of one host"),
            ("\uff11\uff10.1.0.4", "is not a valid international host name"),
            ("1。1。1。1", "is not a valid international host name"),
            ("we\u212a.example", "is not a valid international host name"),
        ],
    )
    def test_says_why(self, text: str, reason: str) -> None:
        with pytest.raises(InventoryError) as caught:
            parse_address(text)
        assert reason in caught.value.message
        assert caught.value.message.isprintable()


LABEL = st.from_regex(r"[a-z0-9_]([a-z0-9_-]{0,20}[a-z0-9_])?", fullmatch=True)


@given(st.lists(LABEL, min_size=1, max_size=5).map(".".join))
def test_a_name_is_dialled_as_it_was_written(name: str) -> None:
    assume(not name.rsplit(".", 1)[-1].isdigit() and not name.rsplit(".", 1)[-1].startswith("0x"))
    assert parse_address(name).text == name


@given(st.ip_addresses())
def test_an_ip_address_stays_the_same_address(written: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    assume(not written.is_unspecified and not written.is_multicast and str(written) != "255.255.255.255")
    for text in (str(written), written.exploded):
        parsed = parse_address(text)
        assert ipaddress.ip_address(parsed.text) == written
        assert parsed.version == written.version


@given(st.text(max_size=60) | st.text("0123456789abcdefx.:[]-_%@/ ", max_size=40))
@example("0.0.0.0")
@example("127.1")
def test_whatever_is_accepted_means_one_host_and_nothing_of_it_is_lost(text: str) -> None:
    """The result parses to itself, has all that was written, and resolvers do not read it otherwise."""
    address = attempt(lambda: parse_address(text))
    if isinstance(address, UsageError):
        assert str(address).isprintable()
        return
    assert parse_address(address.text) == address
    assert address.text.isascii()
    if address.version == 0:
        assert len(address.text) >= len(text)
        if text.isascii():
            assert address.text == text.lower()
        with pytest.raises(OSError, match="illegal IP address string"):
            socket.inet_aton(address.text)  # takes what resolvers take: 127.1, 0x7f000001, 017700000001
    elif address.version == 4:
        assert socket.inet_ntoa(socket.inet_aton(address.text)) == address.text == text
    else:
        inner = text.removeprefix("[").removesuffix("]")
        assert socket.inet_pton(socket.AF_INET6, inner) == socket.inet_pton(socket.AF_INET6, address.text)
