"""docs/catalogue.md says of every fault what the data says, and leaves none out."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from fleet.catalog import load
from fleet.model import Runbook, Step

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def writer() -> ModuleType:
    specification = importlib.util.spec_from_file_location("make_catalogue", ROOT / "docs/make_catalogue.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_it_is_what_the_data_says(writer: ModuleType) -> None:
    written = (ROOT / "docs/catalogue.md").read_text("utf-8")
    assert written == writer.document(), "run ./dev docs"


def test_every_fault_has_its_section() -> None:
    written = (ROOT / "docs/catalogue.md").read_text("utf-8")
    for id in load().runbooks:
        assert f"\n### {id}\n" in written


class TestWhatFleetDoes:
    """The word in the second column of the table."""

    @staticmethod
    def book(**fields: object) -> Runbook:
        return Runbook(id="test-x", title="X", about="X.", os=None, **fields)  # type: ignore[arg-type]

    def test_a_fault_that_is_only_looked_at_is_no_fix(self, writer: ModuleType) -> None:
        assert writer.kind(self.book(detect="test-check"), "full") == "Check"

    def test_guest_work_that_is_not_built_is_by_hand_and_not_outside(self, writer: ModuleType) -> None:
        assert writer.kind(self.book(outside=("Do it.",)), "partial") == "By hand"
        assert writer.kind(self.book(outside=("Do it.",)), "none") == "Outside"

    def test_a_fault_whose_steps_all_belong_to_others_is_a_signpost(self, writer: ModuleType) -> None:
        other, own = Step("See there", runbook="test-y"), Step("Do it", outside=1)
        assert writer.kind(self.book(steps=(other,)), "partial") == "Signpost"
        assert writer.kind(self.book(steps=(other, own)), "partial") == "By hand"
