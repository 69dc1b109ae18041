"""Every snippet, in every shell, against guests that are whole, broken, or break while they are mended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fleet import catalog
from fleet.catalog import scripts_folder
from fleet.lab.fake_root import FakeRoot
from fleet.model import Reply
from tests.snippets import harness
from tests.snippets.harness import SHELLS, Case

pytestmark = pytest.mark.skipif(not SHELLS, reason="no shell here")


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("case", harness.cases(), ids=lambda case: case.name)
def test_case(case: Case, shell: str, tmp_path: Path) -> None:
    guest = harness.build(case, tmp_path / "a guest", SHELLS[shell])
    params = _params(case, guest)
    before, calls = harness.snapshot(guest), len(guest.calls)
    done = len(guest.ledger)

    reply = harness.run(guest, case.snippet, params, check=case.fields.get("check", False))

    expect = case.fields["expect"]
    _answers(reply, expect)
    _keeps_to_its_header(case, reply)
    _did(guest.calls[calls:], guest.ledger[done:], expect)
    for path, text in expect.get("files", {}).items():
        assert guest.path(path).read_bytes().decode() == text
    if expect.get("untouched"):
        assert guest.ledger[done:] == []
        assert harness.snapshot(guest) == before
    if "again" in expect:
        _second_run_changes_nothing(case, guest, params)
    assert not list(guest.path("/tmp").iterdir()), "a temporary file was left behind"
    assert not list(guest.path("/etc").rglob("*.fleet.*")), "a temporary file was left behind"


@pytest.mark.parametrize(
    "path", sorted((scripts_folder() / "sh").glob("[a-z]*.sh")), ids=lambda path: path.stem
)
def test_every_snippet_has_cases(path: Path) -> None:
    assert list((harness.CASES / path.stem).glob("*.toml")), f"no case for {path.name}"


def _params(case: Case, guest: FakeRoot) -> dict[str, Any]:
    params = dict(case.fields.get("params", {}))
    first = case.fields.get("before")
    if first:
        reply = harness.run(guest, first["snippet"], first.get("params", {}))
        assert reply.outcome == "changed", reply
        params = {**reply.data["undo"], **params}
        for path, text in first.get("files", {}).items():
            guest.write(path, text)
    return params


def _answers(reply: Reply, expect: dict[str, Any]) -> None:
    assert reply.outcome == expect["outcome"], f"{reply.message}\n{reply.log}"
    for part in expect.get("message", []):
        assert part in reply.message.raw
    for part in expect.get("log", []):
        assert part in reply.log.raw
    for key, value in expect.get("data", {}).items():
        assert key in reply.data, f"no {key} in {reply.data}"
        assert reply.data[key] == value


JSON_TYPES: dict[str, type | tuple[type, ...]] = {
    "str": str,
    "int": int,
    "bool": bool,
    "float": (int, float),
    "list": list,
    "dict": dict,
}


def _keeps_to_its_header(case: Case, reply: Reply) -> None:
    library = catalog.load()
    snippet = library.snippet(case.snippet)
    for key, value in reply.data.items():
        assert key in snippet.returns, f"{key} is not among the returns"
        assert value is None or isinstance(value, JSON_TYPES[snippet.returns[key].type]), f"{key}: {value!r}"
    if "undo" in reply.data:
        assert snippet.undo
        assert catalog.bind(library.snippet(snippet.undo), reply.data["undo"])


def _did(calls: list[str], ledger: list[str], expect: dict[str, Any]) -> None:
    assert harness.in_order(expect.get("calls", []), calls), calls
    for beginning in expect.get("forbidden", []):
        assert not [call for call in calls if call.startswith(beginning)]
    if "ledger" in expect:
        assert len(ledger) == len(expect["ledger"]), ledger
        assert harness.in_order(expect["ledger"], ledger), ledger


def _second_run_changes_nothing(case: Case, guest: FakeRoot, params: dict[str, Any]) -> None:
    before, done = harness.snapshot(guest), len(guest.ledger)
    reply = harness.run(guest, case.snippet, params)
    assert reply.outcome == case.fields["expect"]["again"], f"{reply.message}\n{reply.log}"
    assert guest.ledger[done:] == []
    assert harness.snapshot(guest) == before
