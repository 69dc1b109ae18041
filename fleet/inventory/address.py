"""The one parser of host names and IP addresses: what it returns is what is dialled, or it refuses.

Client libraries cut addresses apart in their own ways (pywinrm 0.5.0 dials ``2001`` for
``2001:db8::5`` and ``10.0.0.1`` for ``10.0.0.1;evil``), so nothing reaches them that was not parsed here.
"""

from __future__ import annotations

import ipaddress
import re

from fleet.errors import InventoryError
from fleet.model import Address, printable

MAX_LENGTH = 253
"""Characters of a host name without its final dot (RFC 1035, 2.3.4: 255 octets on the wire)."""

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
"""RFC 1123, 2.1, and the underscore, which Windows and people use."""

_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
"""A last label that resolvers take for a part of an IPv4 address (WHATWG URL, "ends in a number")."""

_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


def parse_address(text: str) -> Address:
    """Parse a host name, IPv4 or IPv6 address (with or without brackets).

    ASCII letters become lower case, IPv6 its shortest form, a label with other letters its ASCII
    form (IDNA 2008, strict: nothing is mapped). Anything else raises ``InventoryError`` with the reason.
    """
    _refuse_characters(text)
    if text.startswith("[") or text.endswith("]") or ":" in text:
        return _ipv6(text)
    name = ".".join(_ascii_label(label, text) for label in text.translate(_LOWER).split("."))
    if _NUMBER.fullmatch(name.rsplit(".", 1)[-1]):
        return _ipv4(name)
    if len(name) > MAX_LENGTH:
        raise InventoryError(f"a host name of {len(name)} characters is too long; {MAX_LENGTH} are the most")
    for label in name.split("."):
        if not _LABEL.fullmatch(label):
            raise InventoryError(f"{_quoted(text)} is not a host name: {_label_fault(label)}")
    return Address(name)


def _refuse_characters(text: str) -> None:
    if not text:
        raise InventoryError("a host name or address is empty")
    if text.startswith("-"):
        raise InventoryError(f"{_quoted(text)} is not a host name: it begins with a dash, like an option")
    if "://" in text:
        raise InventoryError(f"{_quoted(text)} is a URL; give the host name alone, the port in ansible_port")
    for character in text:
        reason = _FORBIDDEN.get(character)
        if reason is None and (character.isspace() or not character.isprintable()):
            reason = "it has a blank, control or invisible character"
        if reason is not None:
            raise InventoryError(f"{_quoted(text)} is not a host name: {reason}")


_FORBIDDEN = {
    "@": "the user goes into ansible_user",
    "%": "zone ids (like %eth0) are not supported, because SSH and WinRM would not dial the same; "
    "use an address that is valid on every interface",
    "/": "it has a slash; give one host, no network or path",
    "\\": "it has a backslash; the domain goes into ansible_user",
}


def _ipv6(text: str) -> Address:
    inner = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        address = ipaddress.IPv6Address(inner)
    except ValueError:
        head, _, port = text.rpartition(":")
        if port.isdecimal() and (":" not in head or head.endswith("]")):
            raise InventoryError(f"{_quoted(text)} has a port; that goes into ansible_port") from None
        raise InventoryError(f"{_quoted(text)} is neither a host name nor an IPv6 address") from None
    return _usable(address, text, 6)


def _ipv4(text: str) -> Address:
    try:
        address = ipaddress.IPv4Address(text)
    except ValueError:
        raise InventoryError(
            f"{_quoted(text)} is not an IPv4 address; write four decimal numbers from 0 to 255 "
            "without leading zeros"
        ) from None
    return _usable(address, text, 4)


def _usable(address: ipaddress.IPv4Address | ipaddress.IPv6Address, text: str, version: int) -> Address:
    if address.is_unspecified or address.is_multicast or address == ipaddress.IPv4Address("255.255.255.255"):
        raise InventoryError(f"{_quoted(text)} is not the address of one host")
    return Address(str(address), 4 if version == 4 else 6)


def _ascii_label(label: str, text: str) -> str:
    if label.isascii():
        return label
    import idna  # only here: most inventories have no such name, and loading its tables takes time

    try:
        return idna.alabel(label).decode("ascii")
    except UnicodeError:  # idna.IDNAError is one
        raise InventoryError(
            f"{_quoted(text)} is not a valid international host name; write its ASCII form (xn--...)"
        ) from None


def _label_fault(label: str) -> str:
    if not label:
        return "two dots follow each other, or one stands at its beginning or end"
    if len(label) > 63:
        return "a part between two dots is longer than 63 characters"
    if label.startswith("-") or label.endswith("-"):
        return "a part between two dots begins or ends with a dash"
    return "only letters, digits, dots, dashes and underscores are allowed"


def _quoted(text: str) -> str:
    escaped = printable(text).replace("\n", "\\n")
    return f'"{escaped}"' if len(escaped) <= 80 else f'"{escaped[:77]}..."'
