"""fleet diff: worse is what is new or known no longer; what nobody could look at again is not fixed."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from fleet.model import Outcome, Result
from fleet.report.compare import Comparison, compare, document
from fleet.report.readiness import readiness
from tests.cli.conftest import Fleet
from tests.sweep.runs import result, sweep_run, waiver

OK, FAILED = Outcome.OK, Outcome.FAILED


def host(name: str, **outcomes: Outcome) -> list[Result]:
    names = {"disk": "disk-space", "clock": "clock", "verbose": "verbose"}
    return [result(name, check, outcomes.get(short, OK), "said") for short, check in names.items()]


def compared(before: list[list[Result]], after: list[list[Result]], **more: object) -> Comparison:
    first = sweep_run({each[0].host: each for each in before}, run_id="20261120-2000-a1")
    second = sweep_run({each[0].host: each for each in after}, **more)  # type: ignore[arg-type]
    return compare(readiness(first), readiness(second))


def keys(findings: tuple[object, ...]) -> list[tuple[str, str]]:
    return [(each.host, each.check.name) for each in findings]  # type: ignore[attr-defined]


def test_new_fixed_and_still_there() -> None:
    made = compared(
        [host("a", disk=FAILED, clock=FAILED), host("b")],
        [host("a", clock=FAILED), host("b", disk=FAILED)],
    )
    assert keys(made.new) == [("b", "disk-space")]
    assert keys(made.fixed) == [("a", "disk-space")]
    assert keys(made.still) == [("a", "clock")]
    assert made.worse


def test_the_same_again_is_not_worse() -> None:
    made = compared([host("a", disk=FAILED)], [host("a", disk=FAILED)])
    assert (made.new, made.fixed, made.worse) == ((), (), False)


def test_a_note_is_not_worse() -> None:
    made = compared([host("a")], [host("a", verbose=FAILED)])
    assert keys(made.new) == [("a", "verbose")]
    assert not made.worse


def test_a_host_that_is_known_no_longer_is_worse_and_its_findings_are_not_fixed() -> None:
    made = compared([host("a", disk=FAILED)], [[result("a", "disk-space", Outcome.UNREACHABLE)]])
    assert [each.host for each in made.lost] == ["a"]
    assert (made.fixed, made.still) == ((), ())
    assert made.worse


def test_a_host_that_is_known_again_is_better() -> None:
    made = compared([[result("a", "disk-space", Outcome.UNREACHABLE)]], [host("a")])
    assert [each.host for each in made.back] == ["a"]
    assert not made.worse


def test_hosts_come_and_go() -> None:
    made = compared([host("a"), host("b")], [host("b"), host("c")])
    assert [each.host for each in made.came] == ["c"]
    assert [each.host for each in made.went] == ["a"]
    assert not made.worse


def test_a_host_that_comes_with_a_fault_is_worse() -> None:
    assert compared([host("a")], [host("a"), host("b", disk=FAILED)]).worse


def test_a_warning_that_becomes_an_error_is_new() -> None:
    mild = [result("a", "disk-space", FAILED, data={"severity": "warning"}), *host("a")[1:]]
    assert keys(compared([mild], [host("a", disk=FAILED)]).new) == [("a", "disk-space")]
    assert keys(compared([host("a", disk=FAILED)], [mild]).still) == [("a", "disk-space")]


def test_a_waiver_is_not_a_fix_and_one_that_is_over_makes_the_finding_new() -> None:
    faulty = [host("a", disk=FAILED)]
    waived = compared(faulty, faulty, waivers=[waiver("disk-space", "a")])
    assert keys(waived.waived) == [("a", "disk-space")]
    assert (waived.fixed, waived.worse) == ((), False)
    first = readiness(sweep_run({"a": faulty[0]}, waivers=[waiver("disk-space", "a")]))
    over = compare(first, readiness(sweep_run({"a": faulty[0]})))
    assert keys(over.new) == [("a", "disk-space")]


def test_on_the_command_line(
    fleet: Fleet, inventory: Path, scripts: Path, root: Path, tmp_path: Path
) -> None:
    (scripts / "profiles").mkdir()
    (scripts / "profiles/tonight.yaml").write_text(
        "id: tonight\ntitle: T\nabout: T\nchecks: [{check: flag-is-set}]\n"
    )
    sweep = ("sweep", "tonight", "-i", inventory, "--scripts", scripts)
    (root / "flag").touch()
    ids = []
    for flag, hosts in ((True, "all"), (False, "here2"), (True, "all")):
        (root / "flag").touch() if flag else (root / "flag").unlink()
        said = json.loads(fleet(*sweep, "-l", hosts, "--format", "json").out)
        ids.append(said["run"]["id"])
    worse = fleet("diff", ids[0], ids[1])
    assert worse.code == 1
    assert worse.out.splitlines() == [
        "NEW               1 finding",
        "    1  no flag at /flag",
        "       test-flag   here2",
        "WENT              1 host",
        "       here1",
        f"Something got worse from {ids[0]} to {ids[1]}.",
    ]
    better = fleet("diff", ids[1], ids[2], "--format", "json")
    assert better.code == 0
    said = json.loads(better.out)
    assert (said["schema"], said["worse"], said["came"]) == ("fleet.diff/1", False, ["here1"])
    assert [each["host"] for each in said["fixed"]] == ["here2"]


def test_the_document_is_as_its_schema_says() -> None:
    path = Path(__file__).resolve().parents[2] / "docs/schemas/diff.schema.json"
    validator = jsonschema.Draft202012Validator(json.loads(path.read_text("utf-8")))
    made = compared(
        [host("a", disk=FAILED), host("b"), host("c", clock=FAILED)],
        [host("b", disk=FAILED), [result("c", "clock", Outcome.BUSY)], host("d")],
    )
    validator.validate(document(made))
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(document(made) | {"worse": "yes"})


def test_bad_input_is_one_line(fleet: Fleet, inventory: Path, scripts: Path, root: Path) -> None:
    assert fleet("diff", "20260101-0000-aa").err.startswith("fleet: there is no run 20260101-0000-aa; there")
    fleet("fix", "test-flag", "-i", inventory, "--scripts", scripts, "-l", "all")
    plan = fleet("diff", "last", "last")
    assert plan.code == 2
    assert "is no sweep, it says nothing about readiness" in plan.err
    assert len(plan.err.splitlines()) == 1
