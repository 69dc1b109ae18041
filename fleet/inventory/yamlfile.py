"""Ansible's YAML inventories, with the line of every setting.

PyYAML's C parser builds the node tree; values are read off the nodes here, because its constructors
lose the lines, let a later key replace an earlier one, and turn ``no`` into False, ``010`` into 8
and ``2026-01-01`` into a date. Here a plain scalar is null, true, false, a decimal integer, or text.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec

import yaml

from fleet.errors import InventoryError, Place
from fleet.inventory.draft import Draft, Group, Owner, Setting, Withheld, shown
from fleet.model import JsonValue

MAX_DEPTH = 40
"""Nesting of collections. libyaml 0.2.5 recurses in C and ends the process at some ten thousands."""

MAX_REPEATED = 1_000_000
"""Nodes that may be read again through aliases, so that a few lines can't stand for billions."""

_SECTIONS = ("hosts", "children", "vars")
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}")
_TEXT = "text"
_STANDARD = "tag:yaml.org,2002:"

_Entry = tuple[str, Place, yaml.Node]
P = ParamSpec("P")


class _Loader(yaml.CSafeLoader):
    """Composes nodes without guessing types: an untagged scalar is ``_TEXT``."""

    _depth = 0

    def resolve(self, kind: Any, value: Any, implicit: Any) -> str:  # noqa: ARG002
        return _TEXT if kind is yaml.ScalarNode else ""

    def descend_resolver(self, current_node: Any, current_index: Any) -> None:  # noqa: ARG002
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise yaml.MarkedYAMLError(problem=f"it is nested deeper than {MAX_DEPTH} levels")

    def ascend_resolver(self) -> None:
        self._depth -= 1


class _BadNodeError(Exception):
    """A node that means nothing here; noted by whoever knows where to go on."""

    def __init__(self, message: str, place: Place) -> None:
        super().__init__(message)
        self.message, self.place = message, place


def read_yaml(text: str, path: Path, draft: Draft) -> None:
    """Add what a YAML inventory says; its mistakes are gathered in the draft."""
    root = _compose(text, path)
    reader = _Reader(path, draft)
    if not isinstance(root, yaml.MappingNode):
        raise InventoryError(
            'the file is no inventory; begin with "all:" and "hosts:" below it', Place(path, 1)
        )
    try:
        reader.groups(root)
    except _BadNodeError as error:
        draft.mistakes.add(error.message, error.place)


def _compose(text: str, path: Path) -> yaml.Node | None:
    loader = _Loader(text)
    try:
        return loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise InventoryError(f"this is not valid YAML: {error.problem}", Place(path, line)) from None
    except yaml.YAMLError:
        raise InventoryError("a character in it is not allowed in YAML", Place(path)) from None
    finally:
        loader.dispose()


class _Reader:
    def __init__(self, path: Path, draft: Draft) -> None:
        self._path = path
        self._draft = draft
        self._seen: set[int] = set()
        self._repeated = 0

    def groups(self, root: yaml.Node) -> None:
        for name, place, node in self._entries(root, "the file"):
            if name == "plugin":
                self._mistake(
                    "this configures an Ansible plugin, which fleet does not run; save the plugin's result: "
                    "ansible-inventory --list --yaml, or az vm list -d -o json",
                    place,
                )
                return
            group = self._draft.group(name, place)
            if group is not None:
                self._part(self._group, group, node, 0)

    def _group(self, group: Group, node: yaml.Node, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise _BadNodeError(f"groups are nested deeper than {MAX_DEPTH} levels", self._place(node))
        if self._is_null(node):
            return
        for key, place, value in self._entries(node, group.title):
            if key not in _SECTIONS:
                self._unknown_section(group, key, place)
            elif not self._is_null(value):
                self._part(self._section, group, key, value, depth)

    def _part(self, read: Callable[P, None], *args: P.args, **keywords: P.kwargs) -> None:
        """Read a part, note what is wrong with it, go on with the next."""
        try:
            read(*args, **keywords)
        except _BadNodeError as error:
            self._mistake(error.message, error.place)

    def _section(self, group: Group, key: str, node: yaml.Node, depth: int) -> None:
        if isinstance(node, yaml.ScalarNode) and key != "vars":
            entries: list[_Entry] = [(node.value, self._place(node), yaml.ScalarNode(_TEXT, ""))]
        else:
            entries = self._entries(node, f'"{key}" of {group.title}')
        if key == "vars":
            self._settings([group], entries)
        elif key == "hosts":
            for pattern, place, value in entries:
                self._part(self._hosts, group, pattern, place, value)
        else:
            for name, place, value in entries:
                child = self._draft.child(group, name, place)
                if child is not None:
                    self._group(child, value, depth + 1)

    def _hosts(self, group: Group, pattern: str, place: Place, node: yaml.Node) -> None:
        hosts: list[Owner] = list(self._draft.members(group, pattern, place))
        if not self._is_null(node):
            self._settings(hosts, self._entries(node, f"host {shown(pattern)}"))

    def _settings(self, owners: list[Owner], entries: list[_Entry]) -> None:
        settings: list[tuple[str, Setting]] = []
        for key, place, node in entries:
            try:
                settings.append((key, Setting(self._value(node, 0), place)))
            except _BadNodeError as error:
                self._mistake(error.message, error.place)
        self._draft.put_all(owners, settings)

    def _unknown_section(self, group: Group, key: str, place: Place) -> None:
        close = difflib.get_close_matches(key, _SECTIONS, 1)
        hint = f'did you mean "{close[0]}"?' if close else 'a group has "hosts", "children" and "vars"'
        self._mistake(f"{group.title}: {shown(key)} has no meaning here; {hint}", place)

    def _entries(self, node: yaml.Node, what: str, depth: int = 0) -> list[_Entry]:
        """Keys and values of a mapping, merge keys resolved, a key that stands twice noted."""
        self._count(node)
        if depth > MAX_DEPTH:
            raise _BadNodeError(f"{what} merges itself", self._place(node))
        if not isinstance(node, yaml.MappingNode):
            hint = "; write names with a colon behind them, not a list" if _is_list(node) else ""
            raise _BadNodeError(f"{what} has to be a mapping{hint}", self._place(node))
        own: dict[str, _Entry] = {}
        merged: dict[str, _Entry] = {}
        for key_node, value in node.value:
            key, place = self._key(key_node)
            if key == "<<" and not key_node.style:
                for source in value.value if _is_list(value) else [value]:
                    for entry in self._entries(source, what, depth + 1):
                        merged.setdefault(entry[0], entry)
            elif key in own:
                self._mistake(f"{shown(key)} stands twice, first in line {own[key][1].line}; keep one", place)
            else:
                own[key] = (key, place, value)
        return [*(entry for key, entry in merged.items() if key not in own), *own.values()]

    def _key(self, node: yaml.Node) -> tuple[str, Place]:
        place = self._place(node)
        if not isinstance(node, yaml.ScalarNode):
            raise _BadNodeError("a key has to be a name", place)
        if not node.value:
            raise _BadNodeError("a key is empty", place)
        return node.value, place

    def _value(self, node: yaml.Node, depth: int) -> JsonValue:
        self._count(node)
        if depth > MAX_DEPTH:
            raise _BadNodeError(f"it is nested deeper than {MAX_DEPTH} levels", self._place(node))
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        if node.tag and node.tag not in {_STANDARD + "map", _STANDARD + "seq"}:
            raise _BadNodeError(f"the tag {shown(node.tag)} is not supported", self._place(node))
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item, depth + 1) for item in node.value]
        return {key: self._value(value, depth + 1) for key, _, value in self._entries(node, "a value")}

    def _scalar(self, node: yaml.ScalarNode) -> JsonValue:
        if node.tag in {
            _TEXT,
            _STANDARD + "int",
            _STANDARD + "bool",
            _STANDARD + "null",
            _STANDARD + "float",
        }:
            return node.value if node.style else plain_value(node.value)
        if node.tag in {_STANDARD + "str", "!unsafe"}:
            return node.value
        if node.tag == "!vault":
            return Withheld()
        raise _BadNodeError(f"the tag {shown(node.tag)} is not supported", self._place(node))

    def _count(self, node: yaml.Node) -> None:
        if id(node) not in self._seen:
            self._seen.add(id(node))
            return
        self._repeated += 1
        if self._repeated > MAX_REPEATED:
            raise _BadNodeError("its aliases stand for too many values", self._place(node))

    def _is_null(self, node: yaml.Node) -> bool:
        return isinstance(node, yaml.ScalarNode) and not node.style and node.value in _NULL

    def _place(self, node: yaml.Node) -> Place:
        return Place(self._path, node.start_mark.line + 1 if node.start_mark else 0)

    def _mistake(self, message: str, place: Place) -> None:
        self._draft.mistakes.add(message, place)


def plain_value(text: str) -> JsonValue:
    """What an unquoted word means: null, true, false, a decimal integer, or its own text."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    return int(text) if _INTEGER.fullmatch(text) else text


def _is_list(node: yaml.Node) -> bool:
    return isinstance(node, yaml.SequenceNode)
