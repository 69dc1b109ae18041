"""What --format json writes is what docs/schemas/run.schema.json says, and its words are the model's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from fleet.catalog import load
from fleet.errors import UnreachableError
from fleet.model import Os, Outcome, Risk, Severity
from fleet.report.document import SCHEMA, to_json
from fleet.report.forms import render
from fleet.report.readiness import Verdict
from tests.report.samples import fix, hostile, mended, sample
from tests.sweep.fleet_of_guests import Guest, swept
from tests.sweep.runs import result, sweep_run

PATH = Path(__file__).parents[2] / "docs" / "schemas" / "run.schema.json"
PUBLISHED: dict[str, Any] = json.loads(PATH.read_text("utf-8"))
VALIDATOR = Draft202012Validator(PUBLISHED, format_checker=FormatChecker())
RESULT = VALIDATOR.evolve(schema={**PUBLISHED["$defs"]["result"], "$defs": PUBLISHED["$defs"]})

RUNS = {
    "sweep": sample(),
    "hostile": hostile(),
    "fix": fix(*mended()),
    "plan": fix(*mended()[:1], apply=False, planned=True),
    "killed": sweep_run({"a": []}, finished=None, interrupted=True),
    "nobody": fix(),
}


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(PUBLISHED)


@pytest.mark.parametrize("name", RUNS)
def test_a_document_is_as_the_schema_says(name: str) -> None:
    VALIDATOR.validate(json.loads(to_json(RUNS[name])))


def test_a_sweep_that_was_carried_out_is_as_the_schema_says(tmp_path: Path) -> None:
    guests = {
        "web1": Guest(Os.LINUX, {"waagent-running": "the agent does not run"}),
        "sql1": Guest(Os.WINDOWS, {"vss-writers": "SqlServerWriter failed at freeze [9]"}),
        "old": Guest(Os.LINUX, refuses=UnreachableError("connection refused")),
    }
    run, _ = swept(load(), guests, tmp_path)
    document = json.loads(to_json(run))
    VALIDATOR.validate(document)
    assert document["readiness"]["counts"] == {"not_ready": 2, "not_known": 1}


@pytest.mark.parametrize("name", RUNS)
def test_each_line_is_a_result_as_the_schema_says(name: str) -> None:
    lines = render(RUNS[name], "ndjson").splitlines()
    assert len(lines) == len(RUNS[name].results)
    for line in lines:
        RESULT.validate(json.loads(line))


@given(st.sampled_from(Outcome), st.text(), st.dictionaries(st.text(), st.text() | st.integers() | st.none()))
def test_any_answer_is_as_the_schema_says(outcome: Outcome, message: str, data: dict[str, object]) -> None:
    answer = result("a", "disk-space", outcome, message, data=data)
    text = to_json(sweep_run({"a": [answer]}))
    assert text.isascii()
    VALIDATOR.validate(json.loads(text))


def test_the_words_are_those_of_the_model() -> None:
    parts = PUBLISHED["$defs"]
    assert PUBLISHED["properties"]["schema"]["const"] == SCHEMA
    assert parts["outcome"]["enum"] == list(Outcome)
    assert parts["os"]["enum"] == list(Os)
    assert parts["severity"]["enum"] == list(Severity)
    assert parts["result"]["properties"]["risk"]["enum"] == list(Risk)
    verdicts = parts["readiness"]["properties"]["hosts"]["items"]["properties"]["verdict"]["enum"]
    assert verdicts == list(Verdict)
    assert list(parts["readiness"]["properties"]["counts"]["properties"]) == list(Verdict)
    assert list(PUBLISHED["properties"]["run"]["properties"]["counts"]["properties"]) == ["targets", *Outcome]


@pytest.mark.parametrize("spoil", ["host", "outcome", "seconds", "data"])
def test_a_document_that_lacks_something_is_refused(spoil: str) -> None:
    document = json.loads(to_json(sample()))
    del document["results"][0][spoil]
    assert not VALIDATOR.is_valid(document)
