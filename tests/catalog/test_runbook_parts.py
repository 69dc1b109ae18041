"""Parts of a runbook that say where things are: steps of the documents, decisions, what to look at next."""

from __future__ import annotations

import pytest

from fleet import catalog
from fleet.model import Decision, Step
from tests.catalog.support import Folder, complaint

NAME = "runbooks/x-missing.yaml"
MORE = """\
outside: [Ask the owner of x., Look again.]
related: [x-broken]
steps:
  - {do: Put x there, rung: put-x}
  - {do: Mend x, runbook: x-broken}
  - {do: Ask, outside: 1}
  - {do: Paint x, reason: x is never painted}
decisions:
  - {question: Which x?, decision: the new one, reason: it is newer, newest: 2020-10}
"""


@pytest.fixture
def parts(folder: Folder) -> Folder:
    folder.write("runbooks/x-broken.yaml", "id: x-broken\ntitle: x\nabout: x.\noutside: [Mend it.]\n")
    folder.write(
        "bundles/x-windows.yaml",
        "id: x-windows\ntitle: x\nabout: x.\nos: windows\ncommands: [{name: x, run: [hostname]}]\n",
    )
    folder.edit(NAME, "sources:", MORE + "sources:")
    return folder


def test_they_are_read_as_they_stand(parts: Folder) -> None:
    book = catalog.load([parts.path]).runbook("x-missing")
    assert book.steps == (
        Step("Put x there", rung="put-x"),
        Step("Mend x", runbook="x-broken"),
        Step("Ask", outside=1),
        Step("Paint x", reason="x is never painted"),
    )
    assert book.decisions == (Decision("Which x?", "the new one", "it is newer", "2020-10"),)
    assert book.related == ("x-broken",)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("rung: put-x}", "rung: put-y}", '"put-y" is no rung of this ladder'),
        ("outside: 1}", "outside: 3}", "outside has 2 entries, not 3"),
        ("outside: 1}", "outside: 0}", "greater than or equal to 1"),
        ("outside: 1}", "outside: 1, reason: and so}", "one of rung, runbook, outside and reason"),
        ("{do: Ask, outside: 1}", "{do: Ask}", "one of rung, runbook, outside and reason"),
        (
            "runbook: x-broken}",
            "runbook: x-brken}",
            'no runbook is called "x-brken"; did you mean "x-broken"?',
        ),
        (
            "related: [x-broken]",
            "related: [x-brokn]",
            'no runbook is called "x-brokn"; did you mean "x-broken"?',
        ),
        ("newest: 2020-10}", "newest: lately}", "should match pattern"),
        ("related:", "evidence: [x-windows]\nrelated:", 'the bundle "x-windows" is for windows'),
        ("related:", "evidence: [x-windos]\nrelated:", 'no bundle is called "x-windos"; did you mean'),
    ],
)
def test_what_leads_nowhere_is_said(parts: Folder, old: str, new: str, sentence: str) -> None:
    parts.edit(NAME, old, new)
    assert sentence in complaint(lambda: catalog.load([parts.path]))
