from __future__ import annotations

from pathlib import Path

import pytest

from tests.inventory.support import Write


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write an inventory file of the given name and give its path."""

    def write_file(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write_file
