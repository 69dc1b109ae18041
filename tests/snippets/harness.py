"""Runs cases that are files: a guest to build, what to send, and what must be true afterwards.

A case is ``cases/<snippet>/<case>.toml``. Adding one needs no code. Its keys:

    about = "one sentence"
    check = true                        the snippet is only asked what it would change
    [guest]                             arguments of fleet.lab.fake_root.FakeRoot: init, service, faults,
                                        uid, conf, without
    [files]                             "/path" = "content", written before; {inode:/path} is filled in
    [remove]                            paths = ["/path"], removed before
    [stubs]                             command = "script", put in its place
    [params]                            arguments of the snippet
    [before]                            snippet = "name", params = {...}: run first, its data.undo becomes
                                        the arguments; then: files = {...}, written between the two
    [expect]
    outcome = "changed"
    message = ["parts", "of it"]
    log = ["parts of it"]
    calls = ["systemctl restart"]       calls of stubs that were made, in this order, by their beginning
    forbidden = ["kill"]                beginnings of calls that were not made
    ledger = ["agent started"]          all that was done to the guest, by its beginnings
    again = "ok"                        outcome of a second run, which must change nothing
    untouched = true                    nothing was done and no file below /etc is different (check mode)
    data = {...}                        entries of the data, exactly
    files = {...}                       "/path" = "content" afterwards, exactly
"""

from __future__ import annotations

import itertools
import re
import shutil
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fleet import catalog, envelope
from fleet.lab.fake_root import FakeRoot, Fault, Init
from fleet.model import Completed, Reply, Shell
from fleet.render import render

CASES = Path(__file__).parent / "cases"

_NONCES = (f"case{number}" for number in itertools.count())


def _program(name: str) -> tuple[str, ...] | None:
    found = shutil.which(name)
    return (found,) if found else None


SHELLS = {
    name: found
    for name in ("dash", "bash", "busybox")
    if (found := _program("busybox" if name == "busybox" else name))
}
"""What a guest's ``sh`` may be, as far as this machine has it."""


@dataclass(frozen=True)
class Case:
    """A file of ``cases``."""

    path: Path
    fields: Mapping[str, Any]
    snippet: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "snippet", self.path.parent.name)
        known = {"about", "check", "guest", "files", "remove", "stubs", "params", "before", "expect"}
        assert set(self.fields) <= known, f"{self.path}: {set(self.fields) - known}"
        assert {"about", "expect"} <= set(self.fields), f"{self.path}: about and expect are missing"

    @property
    def name(self) -> str:
        return f"{self.snippet}/{self.path.stem}"


def cases() -> list[Case]:
    return [Case(path, tomllib.loads(path.read_text())) for path in sorted(CASES.glob("*/*.toml"))]


def build(case: Case, folder: Path, shell: tuple[str, ...]) -> FakeRoot:
    wanted = dict(case.fields.get("guest", {}))
    guest = FakeRoot(
        folder,
        "guest",
        accounts={},
        init=Init(wanted.pop("init", Init.SYSTEMD)),
        faults=[Fault(fault) for fault in wanted.pop("faults", [])],
        shell=shell,
        **wanted,
    )
    for path, text in case.fields.get("files", {}).items():
        guest.write(path, _with_inodes(text, guest))
    for path in case.fields.get("remove", {}).get("paths", []):
        guest.path(path).unlink()
    for command, text in case.fields.get("stubs", {}).items():
        guest.stub(command, text)
    return guest


def _with_inodes(text: str, guest: FakeRoot) -> str:
    return re.sub(r"\{inode:([^}]*)\}", lambda found: str(guest.path(found[1]).stat().st_ino), text)


def run(guest: FakeRoot, snippet: str, params: Mapping[str, Any], *, check: bool = False) -> Reply:
    """Render a snippet as production does and run it in the guest."""
    found = catalog.load().snippet(snippet)
    script = render(
        found, catalog.bind(found, params), shell=Shell.SH, check=check, nonce=next(_NONCES), timeout=30
    )
    return send(guest, script.payload, script.nonce)


def send(guest: FakeRoot, payload: bytes, nonce: str) -> Reply:
    process = guest.spawn("sh -s")
    try:
        stdout, stderr = process.communicate(payload, timeout=60)  # type: ignore[attr-defined]
    finally:
        process.kill()
        process.wait()
    return envelope.parse(Completed(stdout, stderr, process.poll(), 0.0), nonce)


def snapshot(guest: FakeRoot) -> dict[str, tuple[bytes, int]]:
    """Content and mode of every file below /etc and /var/lib, and the state of the model."""
    folders = [guest.path(folder) for folder in ("/etc", "/var/lib")]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return {str(path): (path.read_bytes(), path.stat().st_mode) for path in files}


def in_order(wanted: list[str], calls: list[str]) -> bool:
    """Whether calls that begin so were made, in this order."""
    remaining: Iterator[str] = iter(calls)
    return all(any(call.startswith(beginning) for call in remaining) for beginning in wanted)
