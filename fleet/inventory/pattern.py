"""Selection patterns of ``-l/--limit``: Ansible's, where a name that means nothing is an error.

    web,db01            union (also ``web:db01``)
    web:&prod           and also in prod
    web:!db01           but not db01
    web*  ~web\\d+       globs and regular expressions over the names of groups and hosts
    web[01:12]          hosts by range; web[3,9] by list
    web[0]  web[0:3]    hosts of a group by position, from 0, both ends included; [-1] is the last
    all  ungrouped      every host; hosts in no group
    @file               patterns from a file, one a line

As in Ansible, unions are taken first, then ``&``, then ``!``, wherever they stand, and a pattern of
``&`` and ``!`` alone begins with all.
"""

from __future__ import annotations

import difflib
import fnmatch
import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fleet.errors import NobodyError, Place, SelectionError
from fleet.inventory import names
from fleet.model import printable

MAX_REGEX = 200
"""Characters of a regular expression. Python's can't be stopped by a deadline, so long ones are refused;
whoever writes a short one that takes for ever can interrupt it."""

MAX_FILE = 16_777_216
"""Bytes of a file of patterns."""

_IPV6 = re.compile(
    r"(\[[0-9A-Fa-f:.]{2,45}\])\s*(?=[,:]|$)|([0-9A-Fa-f.]{0,45}:[0-9A-Fa-f:.]{0,45})\s*(?=,|$)"
)
"""With brackets a colon may follow, without them only a comma: ``fd00::5:web`` would mean two things."""

_POSITION = re.compile(r"(.+)\[(?:(-?[0-9]{1,6})|([0-9]{0,6}):([0-9]{0,6}))\]")
_RANGES = re.compile(r"\[[^\[\]]*[:,][^\[\]]*\]")
_LISTED = re.compile(r"\[([^\[\]]*)\]")
_OPEN = {"[": "]", "(": ")", "{": "}"}


_Operator = Literal["", "&", "!"]

_CHANGES: dict[_Operator, Callable[[set[str], set[str]], None]] = {
    "": set.update,
    "&": set.intersection_update,
    "!": set.difference_update,
}
"""What each operator does to a selection, in the order in which they are done."""


@dataclass(frozen=True, slots=True)
class _Term:
    operator: _Operator
    text: str


def select(expression: str, hosts: Iterable[str], groups: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Names of the hosts that the expression selects, in the order of ``hosts``.

    ``groups`` holds the members of each group, ``all`` and ``ungrouped`` among them. Raises
    ``SelectionError`` for a malformed expression, a part that matches nothing, and an empty result.
    """
    everyone = list(hosts)
    finder = _Finder(everyone, groups)
    terms = _terms(expression)
    if not terms:
        raise SelectionError("the selection is empty; name hosts or groups, or write: -l all")
    selected = set(everyone) if all(term.operator for term in terms) else set()
    for operator, change in _CHANGES.items():
        for term in terms:
            if term.operator == operator:
                change(selected, finder.find(term.text))
    if not selected:
        raise NobodyError(f"{_quoted(expression)} selects no host; each part matches, but not together")
    return [name for name in everyone if name in selected]


def _terms(expression: str) -> list[_Term]:
    terms: list[_Term] = []
    for text in _split(expression):
        operator: _Operator = "&" if text[0] == "&" else "!" if text[0] == "!" else ""
        rest = text[len(operator) :].strip()
        if not rest:
            raise SelectionError(f"{_quoted(expression)}: nothing stands behind {operator}")
        if rest.startswith("@"):
            if operator:
                raise SelectionError(
                    f"{_quoted(text)}: a file of patterns can only be added; drop the {operator}"
                )
            terms += _from_file(Path(rest[1:]))
        else:
            terms.append(_Term(operator, rest))
    return terms


def _split(expression: str) -> list[str]:
    """Cut at commas and colons, but not inside brackets, IPv6 addresses or file names."""
    if not expression.isprintable():
        raise SelectionError("the selection has a control or invisible character in it")
    terms: list[str] = []
    at = 0
    while at < len(expression):
        end = _end_of_term(expression, at)
        term = expression[at:end].strip()
        if term:
            terms.append(term)
        at = end + 1
    return terms


def _end_of_term(expression: str, begin: int) -> int:
    start = begin
    while expression[start : start + 1] in {"&", "!", " "}:
        start += 1
    ipv6 = _IPV6.match(expression, start)
    if ipv6 and names.as_ipv6(ipv6[1] or ipv6[2]):
        return ipv6.end()
    kind = expression[start : start + 1]
    opening = _OPEN if kind == "~" else {"[": "]"}
    closed_by: list[str] = []
    at = start
    while at < len(expression):
        character = expression[at]
        if kind == "~" and character == "\\":
            at += 1
        elif closed_by and character == closed_by[-1]:
            closed_by.pop()
        elif character in opening and not (closed_by and closed_by[-1] == "]"):
            closed_by.append(opening[character])
        elif not closed_by and (character == "," or (character == ":" and kind != "@")):
            return at
        at += 1
    if closed_by:
        raise SelectionError(f"{_quoted(expression[begin:])}: a bracket is not closed")
    return len(expression)


def _from_file(path: Path) -> list[_Term]:
    try:
        with path.open("rb") as file:
            text = file.read(MAX_FILE).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SelectionError("the file of patterns is not UTF-8", Place(path)) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "its name is not valid"
        raise SelectionError(f"the file of patterns can't be read: {reason}", Place(path)) from None
    terms: list[_Term] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if line.lstrip().startswith("@"):
            raise SelectionError("a file of patterns can't name another one", Place(path, number))
        try:
            terms += _terms(line)
        except SelectionError as error:
            raise SelectionError(error.message, Place(path, number)) from None
    if not terms:
        raise SelectionError("the file of patterns names no host", Place(path))
    return terms


class _Finder:
    """Finds what one part of a pattern stands for."""

    def __init__(self, hosts: list[str], groups: Mapping[str, tuple[str, ...]]) -> None:
        self._hosts = hosts
        self._known = frozenset(hosts)
        self._groups = groups

    def find(self, text: str) -> set[str]:
        """Names of hosts, at least one; ``SelectionError`` otherwise."""
        text = names.as_ipv6(text) or text
        if text == "*":
            return set(self._hosts)
        named = self._named(text)
        if named is not None:
            return set(named)
        if text.startswith("~"):
            found = self._matching(_regex(text), text)
        elif "[" in text:
            found = self._bracketed(text)
        elif "*" in text or "?" in text:
            found = self._matching(_glob(text), text)
        else:
            raise self._unknown(text)
        return set(found)

    def _named(self, text: str) -> list[str] | None:
        if text in self._known:
            return [text]
        if text in self._groups:
            members = list(self._groups[text])
            if not members:
                raise NobodyError(f"the group {_quoted(text)} has no hosts")
            return members
        return None

    def _matching(self, pattern: re.Pattern[str], text: str) -> list[str]:
        found = {name for name in self._hosts if pattern.match(name)}
        for group, members in self._groups.items():
            if group not in {"all", "ungrouped"} and pattern.match(group):
                found.update(members)
        if not found:
            raise NobodyError(f"{_quoted(text)} matches no host and no group")
        return [name for name in self._hosts if name in found]

    def _bracketed(self, text: str) -> list[str]:
        """Positions of a group, a range of hosts, or a glob with a class of characters."""
        ranged = self._ranged(text)
        by_position = self._by_position(text)
        if by_position is None:
            if ranged is None:
                return self._matching(_glob(text), text)
            missing = [name for name in ranged if name not in self._known]
            if missing:
                raise self._unknown(missing[0], text)
            return ranged
        if ranged and any(name in self._known for name in ranged) and set(ranged) != set(by_position):
            raise SelectionError(
                f"{_quoted(text)} could mean positions in a group ({by_position[0]} first) or hosts "
                f"({ranged[0]} first); name the hosts with commas instead"
            )
        return by_position

    def _ranged(self, text: str) -> list[str] | None:
        """Host names that the brackets stand for; None where they are no range or list."""
        single = re.search(r"\[[0-9]+\]", text)
        if not (_RANGES.search(text) or single) or "*" in text or "?" in text:
            return None
        try:
            return [name for choice in _lists(text) for name in names.expand(choice)]
        except ValueError:
            if self._by_position(text) is not None:
                return None
            raise SelectionError(f"{_quoted(text)} is not a range; write web[01:12] or web[3,9]") from None

    def _by_position(self, text: str) -> list[str] | None:
        """Hosts of a group (or of what a glob matches) by position; None where this is no such thing."""
        match = _POSITION.fullmatch(text)
        if match is None:
            return None
        base, single, first, last = match.groups()
        if any(bound and len(bound) > 1 and bound.startswith("0") for bound in (single, first, last)):
            return None  # [01:12] is written like names, not like positions
        if base in self._groups:
            members = list(self._groups[base])
        elif "*" in base or "?" in base:
            members = self._matching(_glob(base), base)
        else:
            return None
        if single is not None:
            position = int(single)
            chosen = members[position:] if position == -1 else members[position : position + 1]
        else:
            chosen = members[int(first or 0) : int(last) + 1 if last else None]
        if not chosen:
            raise NobodyError(f"{_quoted(text)} is beyond the {len(members)} hosts of {_quoted(base)}")
        return chosen

    def _unknown(self, text: str, within: str = "") -> SelectionError:
        known = [*self._hosts, *self._groups]
        close = difflib.get_close_matches(text, known, 1)
        hint = f"did you mean {_quoted(close[0])}?" if close else "fleet hosts lists what there is"
        where = f" (in {_quoted(within)})" if within else ""
        return NobodyError(f"{_quoted(text)}{where} is no host and no group of the inventory; {hint}")


def _lists(text: str) -> list[str]:
    """Turn ``web[1:3,7]`` into ``web[1:3]`` and ``web7``."""
    match = next((found for found in _LISTED.finditer(text) if ":" not in found[1] or "," in found[1]), None)
    if match is None:
        return [text]
    choices = []
    for item in match[1].split(","):
        item = item.strip()
        if not re.fullmatch(r"[A-Za-z0-9:-]+", item):
            raise ValueError(item)
        inner = f"[{item}]" if ":" in item else item
        choices += _lists(text[: match.start()] + inner + text[match.end() :])
        if len(choices) > names.MAX_EXPANDED:
            raise ValueError(item)
    return choices


def _glob(text: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(text))


def _regex(text: str) -> re.Pattern[str]:
    if len(text) > MAX_REGEX:
        raise SelectionError(f"the regular expression is longer than {MAX_REGEX} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of syntax that may change its meaning some day
            return re.compile(text[1:])
    except (re.error, RecursionError, OverflowError) as error:
        raise SelectionError(f"{_quoted(text)} is not a regular expression: {error}") from None


def _quoted(text: str) -> str:
    text = printable(text).replace("\n", "\\n")
    return f'"{text}"' if len(text) <= 80 else f'"{text[:77]}..."'
