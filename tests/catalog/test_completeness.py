"""No fault of the catalogue is forgotten: each has a runbook, and each of its steps is somewhere."""

from __future__ import annotations

import functools
import json
from typing import Any

import pytest

from fleet.catalog import Catalog, load
from fleet.model import Runbook
from tests.catalog.catalogue_index import CATALOGUE, INDEX, build

COVERED = ("azvm-", "agent-", "mars-")
"""Families of faults that are answered: all that the catalogue has."""

SYSTEMS = {"linux": "linux", "windows": "windows", "any": None, "outside-guest": None}


def index() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(INDEX.read_text("utf-8"))
    return found


ENTRIES: dict[str, dict[str, Any]] = {
    id: entry for id, entry in index()["entries"].items() if id.startswith(COVERED)
}
every_fault = pytest.mark.parametrize("id", ENTRIES)


@functools.cache
def catalog() -> Catalog:
    return load()


def only_points_elsewhere(book: Runbook) -> bool:
    """Whether all that the documents tell to do belongs to other faults, which have runbooks."""
    return bool(book.related) and bool(book.steps) and all(step.runbook for step in book.steps)


def test_the_index_is_that_of_the_catalogue() -> None:
    if not CATALOGUE.exists():
        pytest.skip("the catalogue is not beside this checkout")
    assert build(CATALOGUE) == index(), f"python -m tests.catalog.catalogue_index {CATALOGUE}"


def test_there_are_as_many_faults_as_the_documents_have() -> None:
    assert sum(id.startswith("azvm-") for id in ENTRIES) == 56
    assert sum(id.startswith("agent-") for id in ENTRIES) == 13
    assert sum(id.startswith("mars-") for id in ENTRIES) == 49
    assert len(index()["entries"]) == len(ENTRIES) == 118


def test_every_name_in_a_runbook_leads_somewhere() -> None:
    """Checks, remedies, collectors, other runbooks, numbers of ``outside``: all of it is verified."""
    catalog().verify()


@every_fault
class TestEveryFault:
    def test_has_a_runbook_for_its_systems(self, id: str) -> None:
        book = catalog().runbook(id)
        assert (book.os.value if book.os else None) == SYSTEMS[ENTRIES[id]["platform"]]

    def test_is_found_by_each_of_its_codes(self, id: str) -> None:
        """A code that several faults share leads to one of them, which names the others or is named."""
        book = catalog().runbook(id)
        for code in ENTRIES[id]["codes"]:
            found = catalog().by_code(code)
            assert found is book or id in found.related or found.id in book.related, code

    def test_says_where_each_step_of_the_documents_is(self, id: str) -> None:
        assert len(catalog().runbook(id).steps) == len(ENTRIES[id]["steps"])

    def test_names_its_sources(self, id: str) -> None:
        assert catalog().runbook(id).sources

    def test_does_in_the_guest_what_can_be_done_there(self, id: str) -> None:
        book = catalog().runbook(id)
        if ENTRIES[id]["in_guest"] == "none":
            assert not book.ladder
            assert book.outside
        elif book.detect is None:
            assert only_points_elsewhere(book)

    def test_decides_where_the_documents_disagree(self, id: str) -> None:
        if ENTRIES[id]["disputed"]:
            assert catalog().runbook(id).decisions


@pytest.mark.parametrize("ambiguity", index()["ambiguities"], ids=lambda each: each["issue"])
def test_what_the_documents_leave_open_is_decided_somewhere(ambiguity: dict[str, Any]) -> None:
    if any(id.startswith(COVERED) for id in ambiguity["entries"]):
        assert any(catalog().runbook(id).decisions for id in ambiguity["entries"] if id.startswith(COVERED))
