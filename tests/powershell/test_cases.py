"""Every snippet against fake guests: one TOML file a case, in a folder named after the snippet.

A case takes the guest of `guests/server.toml`, changes it by its table `guest` (tables are merged, text
"absent" takes an entry away), and runs one step after the other. A step may say `run` (another snippet),
`params` (the word "undo" hands it the last step's data.undo), `check`, and `guest` (changes before it); it
has to say `outcome`, and may say `message` (a regular expression to be found), `data` (what has to be in the
data, at least), and `ledger` (all that was done to the guest in this step; without it nothing may be).
"""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from fleet.catalog import Catalog
from fleet.lab.fake_windows import EMPTY, with_fake_library
from fleet.model import Kind, Outcome, Shell
from tests.powershell import record
from tests.powershell.engine import Engine, fine

HERE = Path(__file__).parent
CASES = sorted(HERE.glob("cases/*/*.toml"))


def name_of(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def merge(old: Any, new: Any) -> Any:
    """Lay a table over another one."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    merged = dict(old)
    for key, value in new.items():
        if value == "absent":
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged


def as_state(guest: dict[str, Any]) -> dict[str, Any]:
    """Turn the table of writers by name into the list that the fake keeps."""
    writers = [{"state": 1, "error": 0, **writer, "name": name} for name, writer in guest["writers"].items()]
    return {
        **EMPTY,
        **guest,
        "writers": [{**writer, "name": writer.pop("as", writer["name"])} for writer in writers],
    }


def contains(whole: Any, part: Any) -> bool:
    """Whether everything of `part` is in `whole`; lists of tables have to agree item by item."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(
            key in whole and contains(whole[key], part[key]) for key in part
        )
    if isinstance(part, list):
        return isinstance(whole, list) and len(whole) == len(part) and all(map(contains, whole, part))
    return bool(whole == part)


@pytest.mark.pwsh
@pytest.mark.parametrize("path", CASES, ids=name_of)
def test_case(
    path: Path, pwsh: Engine, catalog: Catalog, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    case = tomllib.loads(path.read_text("ascii"))
    steps = case["step"]
    names = [step.get("run", path.parent.name) for step in steps]
    record.covers(request.node, pwsh, (*record.FRAME, *dict.fromkeys(f"{name}.ps1" for name in names)))
    guest = merge(tomllib.loads((HERE / "guests" / "server.toml").read_text("ascii")), case.get("guest", {}))
    file = tmp_path / "guest.json"
    file.write_text(json.dumps(as_state(guest)), "utf-8")
    undo: Any = None
    for number, (name, step) in enumerate(zip(names, steps, strict=True), 1):
        state = merge(json.loads(file.read_text("utf-8")), step.get("guest", {}))
        state["ledger"] = []
        file.write_text(json.dumps(state), "utf-8")
        params = undo if step.get("params") == "undo" else step.get("params", {})
        script = pwsh.named(catalog, name, params, check=step.get("check", False))
        reply = pwsh.run([script], lambda line: with_fake_library(line, file))[0]
        fine(reply, Outcome(step["outcome"]))
        undo = reply.data.get("undo")
        where = f"step {number}, {name}"
        assert re.search(step.get("message", ""), reply.message.raw), (where, reply.message.raw)
        assert contains(reply.data, step.get("data", {})), (where, reply.data)
        assert json.loads(file.read_text("utf-8"))["ledger"] == step.get("ledger", []), where
        declared = {
            *catalog.snippet(name).returns,
            "simulated",
            *(["undo"] if catalog.snippet(name).undo else []),
        }
        assert set(reply.data) <= declared, (where, "not in the header's returns", set(reply.data) - declared)


def test_every_snippet_has_cases_and_every_remedy_proves_what_it_promises(catalog: Catalog) -> None:
    """Fault absent, check mode, the fix, and a second run that changes nothing."""
    proved: dict[str, set[str]] = {}
    for path in CASES:
        for step in tomllib.loads(path.read_text("ascii"))["step"]:
            seen = proved.setdefault(step.get("run", path.parent.name), set())
            seen.add(step["outcome"] + (" in check mode" if step.get("check") else ""))
    for name, snippet in catalog.snippets.items():
        if Shell.POWERSHELL not in snippet.texts:
            continue
        wanted = {"ok", "changed", "changed in check mode"} if snippet.kind is Kind.REMEDY else {"ok"}
        assert wanted <= proved.get(name, set()), (name, wanted - proved.get(name, set()))
