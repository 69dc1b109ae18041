"""Whatever a file holds: an inventory, or a ``UsageError``; never another exception, never a long wait."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.errors import UsageError
from fleet.inventory import Inventory, load
from tests.inventory.support import attempt

ROOT = Path(__file__).resolve().parents[2]
SEEDS = {path.name: path.read_text("utf-8") for path in sorted((ROOT / "inventory").iterdir())}
PIECES = [
    "&a",
    "*a",
    "<<",
    ":",
    "-",
    "[",
    "]",
    "{",
    "}",
    "'",
    '"',
    "\\",
    "|",
    ">",
    "!",
    "!vault",
    "!!int",
    "#",
    "%",
    "@",
    "`",
    ",",
    ";",
    "=",
    "{{",
    "{%",
    "\t",
    "\n",
    "\n\n",
    "\x00",
    "\x1b",
    "\u202e",
    "\ufeff",
    "é",
    "😀",
    "all",
    "hosts",
    "children",
    "vars",
    "ungrouped",
    "ansible_host",
    "fleet_password",
    "env",
    "[1:3]",
    "[a:c]",
    "[web:vars]",
    "[web:children]",
    "999999999999999999999",
    "0x1f",
    "010",
    "-1",
    "1e400",
    "NaN",
    "null",
    "~",
    "yes",
    "::",
    "fe80::1%eth0",
    "---",
    "...",
    "?",
    "",
]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as path:
        yield Path(path)


def believed(path: Path) -> Inventory | None:
    inventory = attempt(lambda: load([path]))
    if isinstance(inventory, UsageError):
        assert all(str(inventory).split("\n"))
        return None
    assert len(inventory) > 0
    assert len(inventory.digest) == 64
    assert "\n" not in "".join(inventory.hosts)
    return inventory


@pytest.mark.parametrize("suffix", ["yaml", "ini", "csv", "json", "txt"])
@given(
    data=st.binary(max_size=200)
    | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass"))
)
@settings(max_examples=60)
def test_any_bytes(folder: Path, suffix: str, data: bytes) -> None:
    path = folder / f"any.{suffix}"
    path.write_bytes(data)
    believed(path)


@pytest.mark.parametrize("name", SEEDS)
@given(seed=st.integers(0, 2**32), changes=st.integers(1, 4))
@settings(max_examples=120)
def test_examples_with_something_changed(folder: Path, name: str, seed: int, changes: int) -> None:
    dice = random.Random(seed)
    text = SEEDS[name]
    for _ in range(changes):
        at, length = dice.randrange(len(text) + 1), dice.choice([0, 0, 1, 5, 40])
        text = text[:at] + dice.choice(["", *PIECES]) + text[at + length :]
    path = folder / name
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    believed(path)


SCALAR = st.text(
    st.characters(codec="ascii", categories=["L", "N", "P", "S"]) | st.just(" "), min_size=1, max_size=20
).map(str.strip)


@given(st.dictionaries(st.from_regex(r"v_[a-h]{1,8}", fullmatch=True), SCALAR.filter(bool), max_size=4))
def test_a_variable_means_the_same_in_yaml_and_csv(folder: Path, variables: dict[str, str]) -> None:
    """Quoted in both, so that nothing of a value is read as syntax."""
    yaml_path, csv_path = folder / "same.yaml", folder / "same.csv"
    pairs = ", ".join("{}: '{}'".format(key, value.replace("'", "''")) for key, value in variables.items())
    yaml_path.write_text(f"all: {{hosts: {{web01: {{{pairs}}}}}}}\n", "utf-8")
    cells = ['"{}"'.format(value.replace('"', '""')) for value in variables.values()]
    csv_path.write_text(",".join(["name", *variables]) + "\n" + ",".join(["web01", *cells]) + "\n", "utf-8")
    one, two = believed(yaml_path), believed(csv_path)
    assert one is not None
    assert two is not None
    assert dict(one.hosts["web01"].variables) == dict(two.hosts["web01"].variables) == variables


WORD = st.from_regex(r"[A-Za-z0-9_./:@+-]{1,20}", fullmatch=True)


@given(st.dictionaries(st.from_regex(r"v_[a-h]{1,8}", fullmatch=True), WORD, max_size=4))
def test_plain_words_in_ini_need_no_quotes(folder: Path, variables: dict[str, str]) -> None:
    path = folder / "plain.ini"
    on_host = " ".join(f"{key}={value}" for key, value in variables.items())
    in_group = "\n".join(f"{key}={value}" for key, value in variables.items())
    for text in (f"web01 {on_host}\n", f"[web]\nweb01\n[web:vars]\n{in_group}\n"):
        path.write_text(text, "utf-8")
        inventory = believed(path)
        assert inventory is not None
        assert dict(inventory.hosts["web01"].variables) == variables


def test_aliases_can_not_stand_for_billions(folder: Path) -> None:
    lines = ["all:", "  vars:", "    a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"    a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    path = folder / "laughs.yaml"
    path.write_text("\n".join([*lines, "  hosts: {web01: }", ""]), "utf-8")
    with pytest.raises(UsageError, match="its aliases stand for too many values"):
        load([path])


def test_merge_keys_can_not_either(folder: Path) -> None:
    lines = ["all:", "  vars:", "    a0: &a0 {x: 1}"]
    lines += [f"    a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}" for n in range(1, 12)]
    path = folder / "merges.yaml"
    path.write_text("\n".join([*lines, "  hosts: {web01: }", ""]), "utf-8")
    with pytest.raises(UsageError, match="its aliases stand for too many values"):
        load([path])
