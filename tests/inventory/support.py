"""Short ways to write an inventory and to read what is said of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fleet.errors import UsageError, UsageErrors
from fleet.inventory import Inventory, load
from fleet.model import Host

Write = Callable[[str, str], Path]


def refused(*paths: Path) -> list[str]:
    """The sentences that loading ends with, without the folder in front of the file's name."""
    with pytest.raises(UsageError) as caught:
        load(paths)
    error = caught.value
    errors = error.errors if isinstance(error, UsageErrors) else [error]
    folder = f"{paths[0].parent}/"
    return [str(one).replace(folder, "") for one in errors]


def only_host(inventory: Inventory) -> Host:
    (host,) = inventory
    return host
