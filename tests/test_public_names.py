"""What ``import fleet`` offers is one list, and the list is true."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

import fleet

FRONT_DOOR = Path(fleet.__file__)

PROMISED = {
    "FleetError",
    "Host",
    "Outcome",
    "Result",
    "Risk",
    "load_catalog",
    "load_inventory",
    "plan",
    "run",
}
"""The library's promise to its users: a name leaves this list only with a new major version."""


def names_for_type_checkers() -> set[str]:
    """What the ``if TYPE_CHECKING`` block of the package re-exports."""
    tree = ast.parse(FRONT_DOOR.read_text("utf-8"))
    return {
        alias.asname
        for block in tree.body
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for statement in block.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
        if alias.asname
    }


def test_the_promised_names_are_the_public_names() -> None:
    assert set(fleet.__all__) == PROMISED


def test_type_checkers_see_the_same_names() -> None:
    assert names_for_type_checkers() == PROMISED


@pytest.mark.parametrize("name", sorted(PROMISED))
def test_each_name_can_be_had_and_is_documented(name: str) -> None:
    value = getattr(fleet, name)
    assert value.__doc__
    assert value.__module__.startswith("fleet.")
    assert getattr(importlib.import_module(value.__module__), name) is value


def test_dir_lists_them() -> None:
    assert set(dir(fleet)) >= PROMISED | {"__version__"}


def test_an_unknown_name_is_an_ordinary_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'lunch'"):
        _ = fleet.lunch


def test_the_package_is_typed() -> None:
    assert FRONT_DOOR.with_name("py.typed").exists()
