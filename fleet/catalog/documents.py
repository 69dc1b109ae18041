"""YAML without its surprises: no dates, ``no`` is a word, no aliases, no key twice, and lines for errors."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import yaml

from fleet.errors import CatalogError, Place
from fleet.model import SnippetText

_MAX_DEPTH = 64


class _Loader(yaml.CSafeLoader):
    """Takes plain scalars as YAML 1.2's core schema does, numbers in decimal only.

    Composing recurses in C, where depth without end would crash the process (seen at 50,000 levels), so it
    is counted at the one place where PyYAML lets us look.
    """

    _depth = 0

    def descend_resolver(self, current_node: Any, current_index: Any) -> None:  # noqa: ARG002
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise RecursionError

    def ascend_resolver(self) -> None:
        self._depth -= 1


_Loader.yaml_implicit_resolvers = {}


for tag, pattern, first in (
    ("null", r"null|~|", ["n", "~", ""]),
    ("bool", r"true|false", ["t", "f"]),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", list("-+0123456789")),
    ("float", r"[-+]?[0-9]+\.[0-9]+(?:[eE][-+]?[0-9]+)?", list("-+0123456789")),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"^(?:{pattern})$"), first)


@dataclass(frozen=True, slots=True)
class Document:
    """A mapping read from YAML, which knows its lines."""

    source: SnippetText
    fields: dict[str, Any]
    node: yaml.MappingNode

    def place(self, *keys: str | int) -> Place:
        """Where a key stands, or the nearest part above it."""
        node: yaml.Node = self.node
        line = node.start_mark.line
        for key in keys:
            step = _step(node, key)
            if step is None:
                break
            line, node = step
        return Place(self.source.path, line + 1)


def load(source: SnippetText) -> Document:
    """Read one document whose top is a mapping."""
    loader = _Loader(source.text)
    try:
        node = loader.get_single_node()
        if not isinstance(node, yaml.MappingNode):
            raise CatalogError("must be a mapping of keys and values", Place(source.path, 1))
        return Document(source, _value(node, source, set()), node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise CatalogError(
            f"no YAML: {error.problem}", Place(source.path, mark.line + 1 if mark else 0)
        ) from None
    except yaml.YAMLError:
        raise CatalogError("has a character that YAML does not allow", Place(source.path)) from None
    except RecursionError:
        raise CatalogError("is nested too deep", Place(source.path)) from None
    finally:
        loader.dispose()


def _value(node: yaml.Node, source: SnippetText, seen: set[int]) -> Any:
    """Make the value of a node; one question reads all runbooks, and PyYAML's constructors are slow."""
    if id(node) in seen:
        raise CatalogError("aliases (* and &) are not allowed; write it out", _at(node, source))
    seen.add(id(node))
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node, source)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, source, seen) for item in node.value]
    table: dict[Any, Any] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise CatalogError("a key must be one word", _at(key, source))
        name = _scalar(key, source)
        if name in table:
            raise CatalogError(f'"{key.value}" stands twice', _at(key, source))
        table[name] = _value(value, source, seen)
    return table


_SCALARS: dict[str, Callable[[str], Any]] = {
    "tag:yaml.org,2002:str": str,
    "tag:yaml.org,2002:int": int,
    "tag:yaml.org,2002:float": float,
    "tag:yaml.org,2002:bool": "true".__eq__,
    "tag:yaml.org,2002:null": lambda _: None,
}


def _scalar(node: yaml.ScalarNode, source: SnippetText) -> Any:
    try:
        return _SCALARS[node.tag](node.value)
    except (KeyError, ValueError):
        raise CatalogError("tags (!) are not allowed", _at(node, source)) from None


def _at(node: yaml.Node, source: SnippetText) -> Place:
    return Place(source.path, node.start_mark.line + 1)


def _step(node: yaml.Node, key: str | int) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if name.value == str(key):
                return name.start_mark.line, value
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        item = node.value[key]
        return item.start_mark.line, item
    return None
