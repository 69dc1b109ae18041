"""Short ways to write an inventory and to read what is said of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from fleet.errors import UsageError, UsageErrors
from fleet.inventory import Inventory, load
from fleet.model import Host

T = TypeVar("T")
Write = Callable[[str, str], Path]


def refused(*paths: Path) -> list[str]:
    """The sentences that loading ends with, without the folder in front of the file's name."""
    with pytest.raises(UsageError) as caught:
        load(paths)
    error = caught.value
    errors = error.errors if isinstance(error, UsageErrors) else [error]
    folder = f"{paths[0].parent}/"
    return [str(one).replace(folder, "") for one in errors]


def attempt(action: Callable[[], T]) -> T | UsageError:
    """What comes of an action that may refuse; any other exception is a failure of the test."""
    try:
        return action()
    except UsageError as error:
        return error


def only_host(inventory: Inventory) -> Host:
    (host,) = inventory
    return host
