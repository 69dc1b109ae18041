"""What an operator reads about a fault: everything in 80 columns, and the same as a document."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleet.catalog import Catalog, load
from fleet.catalog.find import Finder
from fleet.catalog.schemas import ExplainSchema
from fleet.report.explanation import WIDTH, document, lines

CHECK = """#!/bin/sh
# /// fleet
# kind = "check"
# title = "Every cog turns and none is missing"
# severity = "error"
# timeout = 5
# ///
"""
REMEDY = """#!/bin/sh
# /// fleet
# kind = "remedy"
# title = "Turn the cogs that stand still, each of them once, the largest of them last"
# risk = "service-interruption"
# undo_note = "A cog can't be turned back"
# timeout = 5
# ///
"""
JAM = """\
id: test-cogs-jammed
title: The cogs of the machine are jammed
codes: [CogsJammedError, '99123']
os: linux
about: Something is between the cogs, and the backup waits for them to turn until its time is over.
detect: test-cogs
ladder:
  - {remedy: test-turn-cogs}
  - {remedy: test-turn-cogs, only_after: the machine was switched off}
outside: [Take out what is between the cogs., Oil them.]
left_alone: [Cogs of other machines.]
related: [test-no-oil]
steps:
  - {do: Turn the cogs, rung: test-turn-cogs}
  - {do: Oil the cogs, outside: 2}
decisions:
  - {question: How many turns?, decision: one, reason: the newer edition says so, newest: 2020-10}
sources:
  - {document: Cogs explained, edition: 2020-10, section: jams}
  - {document: A drawing on a wall, edition: undated}
"""
OIL = """\
id: test-no-oil
title: There is no oil in the cogs at all
about: They run dry.
match_hints: [cogs without oil, nessun olio]
outside: [Oil them.]
"""


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    folder = tmp_path_factory.mktemp("scripts")
    files = {
        "sh/test-cogs.sh": CHECK,
        "sh/test-turn-cogs.sh": REMEDY,
        "runbooks/test-cogs-jammed.yaml": JAM,
        "runbooks/test-no-oil.yaml": OIL,
    }
    for name, text in files.items():
        path: Path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return load([folder])


def explained(catalog: Catalog, *words: str) -> str:
    return "\n".join(line for answer in Finder(catalog).ask(words) for line in lines(answer, catalog))


def test_a_fault_with_a_ladder(catalog: Catalog) -> None:
    assert explained(catalog, "cogsjammederror") == EXPECTED


EXPECTED = """\
CogsJammedError · The cogs of the machine are jammed                       Linux
Something is between the cogs, and the backup waits for them to turn until its
time is over.

fleet checks    test-cogs                 Every cog turns and none is missing
then, in order  test-turn-cogs            Turn the cogs that stand still, each
                                          of them once, the largest of them last
                                          [service-interruption]
                test-turn-cogs            Turn the cogs that stand still, each
                                          of them once, the largest of them last
                                          [service-interruption]; only after:
                                          the machine was switched off
outside         1. Take out what is between the cogs.
                2. Oil them.
left alone      Cogs of other machines.
decided         How many turns? one
see also        test-no-oil: There is no oil in the cogs at all
codes           99123
Source          Cogs explained, 2020-10; A drawing on a wall
Next            fleet fix CogsJammedError -l HOSTS"""


def test_a_fault_with_nothing_to_do_in_the_guest_says_so_and_offers_no_fix(catalog: Catalog) -> None:
    text = explained(catalog, "test-no-oil")
    assert "nothing in the guest" in text
    assert "fleet fix" not in text
    assert text.startswith("test-no-oil · There is no oil in the cogs at all")


def test_what_fits_less_well_is_named_after_the_best(catalog: Catalog) -> None:
    text = explained(catalog, "nessun", "olio", "CogsJammedError:")
    assert text.startswith("CogsJammedError · ")
    assert "also fits       test-no-oil: There is no oil" in text


@pytest.mark.parametrize("id", load().runbooks)
def test_every_explanation_fits_its_screen(id: str) -> None:
    for line in explained(load(), id).splitlines():
        longest = max(map(len, line.split()), default=0)
        assert len(line) <= WIDTH or longest > 50, line


@pytest.mark.parametrize("words", ["CogsJammedError", "nessun olio", "CogsJamedError"])
def test_the_document_is_as_its_schema_says(catalog: Catalog, words: str) -> None:
    found = document(Finder(catalog).ask([words]), catalog)
    ExplainSchema.model_validate(found)
    assert found["schema"] == "fleet.explain/1"


def test_the_document_has_what_the_terminal_shows(catalog: Catalog) -> None:
    [answer] = document(Finder(catalog).ask(["99123"]), catalog)["answers"]
    [match] = answer["matches"]
    assert (match["by"], match["code"], match["id"]) == ("code", "99123", "test-cogs-jammed")
    assert match["detect"] == {"check": "test-cogs", "title": "Every cog turns and none is missing"}
    assert match["ladder"][1]["only_after"] == "the machine was switched off"
    assert match["steps"] == [
        {"do": "Turn the cogs", "rung": "test-turn-cogs"},
        {"do": "Oil the cogs", "outside": 2},
    ]
