"""The published JSON Schemas are those the program holds files against, and its words are the model's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fleet.catalog import schemas
from fleet.model import Kind, Os, Risk, Severity
from tests.conftest import OUTER_ENVIRONMENT

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "schemas"


@pytest.mark.parametrize("name", schemas.documents())
def test_what_is_published_is_what_is_held(name: str) -> None:
    text = json.dumps(schemas.documents()[name], indent=2) + "\n"
    path = FOLDER / name
    if OUTER_ENVIRONMENT.get("FLEET_RECORD"):
        path.write_text(text)
    assert path.read_text() == text, "write them anew with: ./dev test --record tests/catalog/test_schemas.py"


def words(part: dict[str, Any]) -> list[str]:
    return [word for choice in part.get("anyOf", [part]) for word in choice.get("enum", [])]


def test_the_words_are_those_of_the_model() -> None:
    header = schemas.documents()["snippet-header.schema.json"]["properties"]
    assert words(header["kind"]) == list(Kind)
    assert words(header["risk"]) == list(Risk)
    assert words(header["severity"]) == list(Severity)
    runbook = schemas.documents()["runbook.schema.json"]["properties"]
    assert words(runbook["os"]) == list(Os)
