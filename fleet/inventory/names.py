"""Names of hosts and groups in inventories: ranges, ports behind a name, what is refused."""

from __future__ import annotations

import ipaddress
import re
import string
from itertools import product

from fleet.errors import InventoryError
from fleet.inventory.address import parse_address
from fleet.model import printable

MAX_EXPANDED = 100_000
"""Hosts that one range may stand for."""

_ALIAS = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?")
_GROUP = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}")
_BRACKETS = re.compile(r"\[([^\[\]]*)\]")
_WITH_PORT = re.compile(r"((?:[^:\[\]]|\[[^\[\]]*\])+):([0-9]{1,5})")
_RANGE = re.compile(r"([0-9]*|[A-Za-z]):([0-9]+|[A-Za-z])(?::([0-9]+))?")


def check_host(name: str) -> None:
    """Raise ``ValueError`` unless the text may name a host: an alias, a host name or an IP address."""
    if name in {"all", "ungrouped"}:
        raise ValueError(f'"{name}" is a group that always exists; give the host another name')
    if _ALIAS.fullmatch(name):
        return
    if "{{" in name or "{%" in name:
        raise ValueError(
            "a host name has a Jinja template in it; fleet evaluates none, write the name itself"
        )
    try:
        parse_address(name)
    except InventoryError as error:
        raise ValueError(error.message) from None


def check_group(name: str) -> None:
    """Raise ``ValueError`` unless the text may name a group, so that patterns can tell it apart."""
    if not _GROUP.fullmatch(name):
        text = printable(name[:60]).replace("\n", "\\n")
        raise ValueError(f'"{text}" is not a group name; use letters, digits, dots, dashes and underscores')


def as_ipv6(text: str) -> str | None:
    """The shortest form of an IPv6 address with or without brackets, None for anything else."""
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    if ":" not in text or "%" in text:
        return None
    try:
        return str(ipaddress.IPv6Address(text))
    except ValueError:
        return None


def split_port(text: str) -> tuple[str, int | None]:
    """Split ``name``, ``name:22``, ``fd00::5`` or ``[fd00::5]:22`` into name and port."""
    ipv6 = as_ipv6(text)
    if ipv6 is not None:
        return ipv6, None
    match = _WITH_PORT.fullmatch(text)
    if match is None:
        return text, None
    name = match[1]
    return as_ipv6(name) or name, int(match[2])


def expand(text: str) -> list[str]:
    """Expand ranges: ``web[01:12]``, ``db-[a:c]``, ``n[0:10:2]``, also several in one name.

    The rules are Ansible's: a leading zero fixes the width, both ends are included. Raises ``ValueError``.
    """
    if as_ipv6(text) is not None:
        return [text]
    pieces = _BRACKETS.split(text)
    if len(pieces) == 1:
        return pieces
    ranges = [_range(inner) for inner in pieces[1::2]]
    count = 1
    for members in ranges:
        count *= len(members)
        if count > MAX_EXPANDED:
            raise ValueError(f"a range stands for more than {MAX_EXPANDED} hosts")
    fixed = pieces[2::2]
    return [
        pieces[0] + "".join(member + tail for member, tail in zip(chosen, fixed, strict=True))
        for chosen in product(*ranges)
    ]


def _range(inner: str) -> list[str]:
    match = _RANGE.fullmatch(inner)
    if match is None:
        raise ValueError(f'"[{printable(inner[:40])}]" is not a range; write [01:12], [a:f] or [0:10:2]')
    first, last, step = match[1] or "0", match[2], int(match[3] or 1)
    if step == 0:
        raise ValueError(f'the step of "[{inner}]" is 0')
    if first.isdigit() and last.isdigit():
        return _numbers(first, last, step)
    letters = string.ascii_letters
    if first.isdigit() or last.isdigit() or letters.index(first) > letters.index(last):
        raise ValueError(f'"[{inner}]" is not a range: its first end is not before its last')
    return list(letters[letters.index(first) : letters.index(last) + 1 : step])


def _numbers(first: str, last: str, step: int) -> list[str]:
    width = len(first) if first.startswith("0") and len(first) > 1 else 0
    if width and width != len(last):
        raise ValueError(f'both ends of "[{first}:{last}]" need the same number of digits')
    if len(last) > 9 or (int(last) - int(first)) // step >= MAX_EXPANDED:
        raise ValueError(f"a range stands for more than {MAX_EXPANDED} hosts")
    if int(first) > int(last):
        raise ValueError(f'"[{first}:{last}]" is not a range: its first end is not before its last')
    return [str(number).zfill(width) for number in range(int(first), int(last) + 1, step)]
