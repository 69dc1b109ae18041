"""Ansible's INI inventories.

They are not what ``configparser`` reads: a section holds host lines (shell words), ``:vars`` holds
``key=value`` to the end of the line, ``:children`` names of groups. Where Ansible takes a line for
something that its writer hardly meant (a lost backslash, a comment that becomes a value), this
reader refuses it. Values are text; what a setting needs (number, yes or no) is read from the text.
"""

from __future__ import annotations

import ast
import re
import shlex
import warnings
from pathlib import Path

from fleet.errors import Place
from fleet.inventory.draft import Draft, Group, Setting, shown

MAX_LINE = 65_536
"""Characters of a line; ``shlex`` takes seconds for a million."""

_SECTION = re.compile(r"\[([^:\[\]\s]+)(?::(\w+))?\]\s*(?:[#;].*)?")
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_LOST_BACKSLASH = re.compile(
    r"""(?: [^'"\\] | '[^']*' | "(?:[^"\\]|\\.)*" | \\[^A-Za-z0-9] )*  \\[A-Za-z0-9]""", re.VERBOSE
)
"""A backslash outside quotes before a letter or digit: shells and Ansible drop it (``CORP\\user``)."""


def read_ini(text: str, path: Path, draft: Draft) -> None:
    """Add what an INI inventory says; its mistakes are gathered in the draft."""
    ungrouped = draft.group("ungrouped", Place(path))
    assert ungrouped is not None, "its name is valid"
    reader = _Reader(draft, ungrouped)
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if len(line) > MAX_LINE:
            draft.mistakes.add(f"the line has more than {MAX_LINE} characters", Place(path, number))
        elif line and line[0] not in "#;":
            reader.line(line, Place(path, number))


class _Reader:
    def __init__(self, draft: Draft, ungrouped: Group) -> None:
        self._draft = draft
        self._group: Group | None = ungrouped
        self._kind = "hosts"

    def line(self, line: str, place: Place) -> None:
        """Read a line that is neither empty nor a comment."""
        match = _SECTION.fullmatch(line)
        if match:
            self._section(match[1], match[2] or "hosts", place)
        elif line.startswith("[") and line.endswith("]"):
            self._mistake("this section is not valid; write [group], [group:vars] or [group:children]", place)
            self._group = None
        elif self._group is None:
            return  # the section above is refused already
        elif self._kind == "hosts":
            self._host(self._group, line, place)
        elif self._kind == "vars":
            self._variable(self._group, line, place)
        else:
            self._child(self._group, line, place)

    def _section(self, name: str, kind: str, place: Place) -> None:
        self._kind = kind
        self._group = None
        if kind not in {"hosts", "vars", "children"}:
            self._mistake(
                f"{shown(kind)} is not a kind of section; write [group], [group:vars] or [group:children]",
                place,
            )
            return
        self._group = self._draft.group(name, place, declared=kind != "vars")

    def _host(self, group: Group, line: str, place: Place) -> None:
        if _LOST_BACKSLASH.match(line):
            self._mistake(
                "a backslash outside quotes would be lost; put the value in single quotes: "
                "ansible_user='DOMAIN\\user'",
                place,
            )
            return
        try:
            words = shlex.split(line, comments=True)
        except ValueError:
            self._mistake(
                "a quote is not closed; put a value that has a quote in it in the other kind", place
            )
            return
        settings: list[tuple[str, Setting]] = []
        for number, word in enumerate(words[1:], 2):
            key, equals, value = word.partition("=")
            if not equals or not _KEY.fullmatch(key):
                self._mistake(
                    f"word {number} of the line is not key=value; put values with blanks in quotes", place
                )
                return
            if any(key == other for other, _ in settings):
                self._mistake(f"{shown(key)} stands twice in the line; keep one", place)
                return
            settings.append((key, Setting(value, place)))
        self._draft.put_all(self._draft.members(group, words[0], place), settings)

    def _variable(self, group: Group, line: str, place: Place) -> None:
        key, equals, value = (part.strip() for part in line.partition("="))
        if not equals or not _KEY.fullmatch(key):
            self._mistake("this line is not key=value, which a :vars section needs", place)
            return
        if key in group.settings and group.settings[key].place.path == place.path:
            before = group.settings[key].place.line
            self._mistake(f"{shown(key)} stands twice, first in line {before}; keep one", place)
            return
        try:
            text = _unquoted(value)
        except ValueError as error:
            self._mistake(f"{shown(key)}: {error}", place)
            return
        self._draft.put(group, key, Setting(text, place))

    def _child(self, group: Group, line: str, place: Place) -> None:
        name, *rest = line.split("#", 1)[0].split()
        if rest:
            self._mistake("a :children section holds one group name a line, without settings", place)
            return
        self._draft.child(group, name, place, declared=False)

    def _mistake(self, message: str, place: Place) -> None:
        self._draft.mistakes.add(message, place)


def _unquoted(value: str) -> str:
    """A value of a ``:vars`` section, which Ansible reads as a Python literal where it is one."""
    if re.search(r"\s[#;]", value) and value[:1] not in {"'", '"'}:
        raise ValueError("a comment behind a value would become part of it; give it a line of its own")
    if value[:1] not in {"'", '"'}:
        return value
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # "\d" and the like: Python guesses, we refuse
            literal = ast.literal_eval(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        literal = None
    plain = value[1:-1]
    if not isinstance(literal, str) or (literal != plain and literal != plain.replace("\\\\", "\\")):
        raise ValueError("its quotes or backslashes mean different things to Ansible; leave the quotes out")
    return literal
