"""docs/snippets.md is true: its keys are those of the schema, its words exist, its examples load and run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fleet import catalog, envelope
from fleet.catalog import schemas
from fleet.model import Completed, Outcome, Shell
from fleet.quote import check_name
from fleet.render import render

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "snippets.md").read_text("utf-8")


def section(heading: str) -> str:
    return re.split(r"^## ", TEXT.partition(f"\n## {heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def table(text: str) -> set[str]:
    """The words in code style in the first column."""
    rows = re.findall(r"^\| (`[^|]*)\|", text, re.MULTILINE)
    return {word for row in rows for word in re.findall(r"`([^`]+)`", row)}


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The examples of the document, as a user would save them."""
    for part in ("sh", "runbooks"):
        (tmp_path / part).mkdir()
    (tmp_path / "sh" / "ntp-synchronised.sh").write_text(block("sh"))
    (tmp_path / "runbooks" / "clock-not-synchronised.yaml").write_text(block("yaml"))
    return tmp_path


def test_it_names_every_key_of_the_header_and_no_other() -> None:
    header, _, parameter = section("The header").partition("A parameter:\n")
    parameter = parameter.partition("\n| type | in sh |")[0]
    assert table(header) == set(schemas.HeaderSchema.model_fields)
    assert table(parameter) == set(schemas.ParamSchema.model_fields)
    assert set(schemas.ReturnSchema.model_fields) == {"type", "about"}


def test_it_names_every_type() -> None:
    types = section("The header").partition("\n| type | in sh |")[2]
    schema: dict[str, Any] = schemas.documents()["snippet-header.schema.json"]["$defs"]["ParamSchema"]
    assert table(types) == set(schema["properties"]["type"]["enum"])


def test_what_it_says_a_snippet_may_call_is_there() -> None:
    words = {
        word.split()[0]: shell
        for heading, shell in (
            ("What a snippet may call: sh", Shell.SH),
            ("What a snippet may call: PowerShell", Shell.POWERSHELL),
        )
        for word in table(section(heading))
    }
    beside = re.findall(r"`((?:data|undo|service)_[a-z]+)`", section("What a snippet may call: sh"))
    words |= dict.fromkeys(beside, Shell.SH)
    assert len(words) > 30
    for word, shell in words.items():
        library = (catalog.scripts_folder() / shell.value / f"_library{shell.suffix}").read_text()
        defined = {
            Shell.SH: rf"^{re.escape(word)}\(\) ?[{{(]|^#   {re.escape(word)} ",
            Shell.POWERSHELL: rf"^function {re.escape(word)}\b",
        }[shell]
        assert re.search(defined, library, re.MULTILINE), f"{word} is not in the library of {shell.name}"


def test_the_example_loads_and_its_runbook_with_it(folder: Path) -> None:
    loaded = catalog.load([folder])
    assert loaded.by_code("ClockNotSynchronised").detect == "ntp-synchronised"
    for name in loaded.snippet("ntp-synchronised").params:
        check_name(name)


@pytest.mark.parametrize(
    ("answer", "outcome", "data"),
    [
        ("echo yes", Outcome.OK, {"synchronised": True}),
        ("echo no", Outcome.FAILED, {"synchronised": False}),
        ("exit 1", Outcome.FAILED, {}),
    ],
)
def test_the_example_runs(folder: Path, answer: str, outcome: Outcome, data: dict[str, bool]) -> None:
    stub = folder / "timedatectl"
    stub.write_text(f"#!/bin/sh\n{answer}\n")
    stub.chmod(0o755)
    snippet = catalog.load([folder]).snippet("ntp-synchronised")
    script = render(snippet, catalog.bind(snippet, {}), shell=Shell.SH, check=False, nonce="doc1")
    done = subprocess.run(
        ["sh", "-s"],
        input=script.payload,
        capture_output=True,
        check=False,
        timeout=30,
        env={"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"},
    )
    reply = envelope.parse(Completed(done.stdout, done.stderr, 0, 0.0), script.nonce)
    assert (reply.outcome, reply.data) == (outcome, data), reply


def test_the_example_pleases_shellcheck(folder: Path) -> None:
    program = shutil.which(
        "shellcheck", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    )
    if program is None:
        pytest.skip("no shellcheck on this machine")
    done = subprocess.run(
        [program, "--shell=sh", str(folder / "sh" / "ntp-synchronised.sh")],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout == ""


def test_the_example_of_a_case_is_one() -> None:
    name = re.search(r"^`(tests/snippets/cases/.*\.toml)`:$", TEXT, re.MULTILINE)
    assert name is not None
    assert (ROOT / name[1]).read_text() == block("toml")
