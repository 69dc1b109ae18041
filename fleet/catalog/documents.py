"""YAML without its surprises: no dates, ``no`` is a word, no aliases, no key twice, and lines for errors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from fleet.errors import CatalogError, Place
from fleet.model import SnippetText


class _Loader(yaml.CSafeLoader):
    """Takes plain scalars as YAML 1.2's core schema does, numbers in decimal only."""


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
        _refuse_repetition(node, source, set())
        return Document(source, loader.construct_document(node), node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise CatalogError(
            f"no YAML: {error.problem}", Place(source.path, mark.line + 1 if mark else 0)
        ) from None
    except RecursionError:
        raise CatalogError("is nested too deep", Place(source.path)) from None
    finally:
        loader.dispose()


def _refuse_repetition(node: yaml.Node, source: SnippetText, seen: set[int]) -> None:
    if id(node) in seen:
        raise CatalogError(
            "aliases (* and &) are not allowed; write it out", Place(source.path, node.start_mark.line + 1)
        )
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        names = set()
        for key, _ in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else id(key)
            if name in names:
                raise CatalogError(f'"{name}" stands twice', Place(source.path, key.start_mark.line + 1))
            names.add(name)
    for child in _children(node):
        _refuse_repetition(child, source, seen)


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield key
            yield value
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _step(node: yaml.Node, key: str | int) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if name.value == str(key):
                return name.start_mark.line, value
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        item = node.value[key]
        return item.start_mark.line, item
    return None
