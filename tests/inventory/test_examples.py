"""The examples that are shipped load, and say what docs/inventory.md says of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fleet.inventory import load
from fleet.inventory.settings import ALIASES, KNOWN

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "inventory"
GUIDE = (ROOT / "docs" / "inventory.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("name", "hosts"),
    [
        ("minimal.yaml", 2),
        ("ansible-style.yaml", 10),
        ("hosts.ini", 7),
        ("hosts.csv", 4),
        ("az-vm-list.json", 4),
    ],
)
def test_an_example_loads(name: str, hosts: int) -> None:
    assert len(load([EXAMPLES / name])) == hosts
    assert f"inventory/{name}" in GUIDE


def test_no_example_is_left_out_above() -> None:
    assert len(list(EXAMPLES.iterdir())) == 5


def test_the_example_with_groups_shows_the_patterns() -> None:
    inventory = load([EXAMPLES / "ansible-style.yaml"])
    assert list(inventory.select("windows:&tonight").hosts) == ["sql01"]
    assert list(inventory.select("web[01:04]:!web02").hosts) == ["web01", "web03", "web04"]
    assert inventory.hosts["app01"].connection == "ssh"
    assert inventory.hosts["sql02"].endpoint == "[fd00:10:1::5]:5986"


def test_every_setting_is_in_the_guide() -> None:
    for name in [*KNOWN, *ALIASES]:
        assert f"`{name}`" in GUIDE, name


def test_the_blocks_of_the_guide_load(tmp_path: Path) -> None:
    blocks = re.findall(r"```(yaml|ini|csv)\n(.*?)```", GUIDE, re.DOTALL)
    assert len(blocks) == 3
    for number, (kind, text) in enumerate(blocks):
        path = tmp_path / f"block{number}.{kind}"
        path.write_text(text, "utf-8")
        assert len(load([path])) > 0
