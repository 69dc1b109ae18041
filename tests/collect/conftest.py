"""A guest for each shell."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.collect import guest
from tests.collect.guest import SYSTEMS, Guest


@pytest.fixture(name="guest", params=SYSTEMS)
def _guest(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Guest]:
    with guest.guest(tmp_path, request.param) as made:
        yield made
