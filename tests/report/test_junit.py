"""JUnit XML: valid by the common schema; failures are what makes the exit code 1; controls are visible."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from fleet.journal import Run
from fleet.model import Outcome, Risk, Untrusted
from fleet.report.junit import to_junit
from tests.report.samples import EVIL_HOST, HARM, fix, hostile, mended, sample
from tests.sweep.runs import result, sweep_run

SCHEMA = etree.XMLSchema(etree.parse(Path(__file__).parents[1] / "data" / "junit.xsd"))


def document(run: Run) -> Any:
    root = etree.fromstring(to_junit(run).encode())
    SCHEMA.assertValid(root)
    return root


def cases(run: Run) -> dict[str, str]:
    """What stands in each test; ``passed`` where nothing does."""
    return {
        case.get("name"): case[0].tag if len(case) else "passed" for case in document(run).iter("testcase")
    }


def failing_on_warnings() -> Run:
    run = sample()
    return sample(header={**run.header, "sweep": {**run.header["sweep"], "fail_on": "warning"}})


RUNS = {
    "sweep": sample(),
    "hostile": hostile(),
    "fix": fix(*mended()),
    "nobody asked": sweep_run({"a": [], "b": []}, interrupted=True, finished=None),
    "no host": fix(),
}


@pytest.mark.parametrize("name", RUNS)
def test_every_run_is_valid_and_its_sums_are_right(name: str) -> None:
    for suite in document(RUNS[name]):
        tests = suite.findall("testcase")
        assert int(suite.get("tests")) == len(tests)
        for attribute, element in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.get(attribute)) == len(suite.findall(f"testcase/{element}"))


def test_each_host_is_a_suite_with_all_checks_of_the_sweep() -> None:
    suites = document(sample()).findall("testsuite")
    assert [(suite.get("hostname"), suite.get("tests")) for suite in suites] == [
        ("web1", "3"),
        ("web2", "3"),
        ("db1", "3"),
        ("old", "3"),
        ("good", "3"),
    ]


def test_an_error_fails_a_warning_passes_a_waiver_skips() -> None:
    found = cases(sample())
    assert found["disk-space on web1"] == "failure"
    assert found["clock on web2"] == "passed"
    assert found["disk-space on db1"] == "skipped"
    assert found["verbose on db1"] == "passed"
    assert found["disk-space on good"] == "passed"


def test_what_passes_although_it_was_found_is_said_in_the_output() -> None:
    outputs = {suite.get("name"): suite.findtext("system-out") for suite in document(sample())}
    assert outputs["web2"] == "clock (warning): off by 90 s"
    assert outputs["db1"] == "disk-space (waived): /var has 2 % free\nverbose (info): on"
    assert outputs["good"] == ""


def test_a_warning_fails_where_the_sweep_was_told_to_fail_on_warnings() -> None:
    assert cases(failing_on_warnings())["clock on web2"] == "failure"


def test_a_missing_answer_is_an_error_and_the_checks_after_it_are_skipped() -> None:
    found = cases(sample())
    assert found["disk-space on old"] == "error"
    assert (found["clock on old"], found["verbose on old"]) == ("skipped", "skipped")


def test_a_fault_that_was_mended_passes() -> None:
    assert set(cases(fix(*mended())).values()) == {"passed"}


def test_a_remedy_that_failed_fails_and_what_is_held_is_skipped() -> None:
    steps = mended()
    steps[1] = result("web1", "clean-disk", Outcome.FAILED, "no", step=2, phase="act", risk=Risk.SAFE)
    held = result("web1", "reboot", Outcome.HELD, "needs --allow", step=4, phase="act", risk=Risk.REBOOT)
    found = cases(fix(*steps, held))
    assert found["clean-disk on web1 (step 2, act)"] == "failure"
    assert found["reboot on web1 (step 4, act)"] == "skipped"


def test_a_failure_has_data_and_log() -> None:
    failed = result("a", "disk-space", Outcome.FAILED, "full", data={"free": 3}, log=Untrusted("looked"))
    failure = document(sweep_run({"a": [failed]})).find(".//failure")
    assert (failure.get("type"), failure.get("message")) == ("error", "full")
    assert failure.text == "full\nfree: 3\nlooked"


def test_texts_of_a_hostile_guest_are_texts() -> None:
    root = document(hostile())
    assert {element.tag for element in root.iter()} == {
        "testsuites", "testsuite", "properties", "property", "testcase", "failure", "error", "skipped",
        "system-out", "system-err",
    }  # fmt: skip
    assert root[0].get("name") == EVIL_HOST.replace("\u202e", "\\u202e")
    messages = [failure.get("message") for failure in root.iter("failure")]
    assert len(messages) == len(HARM)
    assert "<script>window.harmed = 1</script>" in messages
    assert "\\x1b[31mred\\x1b[0m \\x07 \\x00 \\x08 \\x7f \\x9b" in messages
