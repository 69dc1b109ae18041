"""Twelve passwords in all their encodings, in logs, names and what programs print, of two systems.

What was collected holds none of them, and neither does anything else that fleet wrote or printed.
"""

from __future__ import annotations

import os
import urllib.parse
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from fleet import catalog
from fleet.bundle.verify import verify
from fleet.lab.fake_root import FakeRoot
from fleet.lab.ssh_server import SshServer
from fleet.lab.windows_model import WindowsModel
from fleet.lab.winrm_server import WinrmServer
from fleet.lab.world import windows_server
from fleet.redact import MASK
from tests.e2e.test_secrets import CANARIES, Traces, run
from tests.test_redact import ENCODINGS

SCRIPTS = Path(__file__).with_name("scripts")
LINES = {
    name: "".join(f"2026-11-20 23:04:05 {name}: {encode(canary)} end\n" for canary in CANARIES)
    for name, encode in ENCODINGS.items()
}
TEXT = "".join(lines for name, lines in LINES.items() if name != "UTF-16LE")
MIXED = LINES["UTF-16LE"] + TEXT
"""Begins with passwords of two bytes a character in lines of one: that is no text any more."""

NAMED = urllib.parse.quote(CANARIES[0], safe="")


@dataclass(frozen=True)
class Case:
    """Guests that know the passwords, and how they are reached."""

    bundle: str
    common: dict[str, object]
    ports: dict[str, int]
    users: dict[str, str]


@contextmanager
def linux(folder: Path) -> Iterator[Case]:
    guests = []
    for number, canary in enumerate(CANARIES):
        root = FakeRoot(folder / f"guest{number}", f"lin{number:02d}", accounts={"ops": canary})
        if number < 2:
            root.path("/var/log/utf8.log").write_text(TEXT, "utf-8", "surrogatepass")
            root.path("/var/log/mixed.log").write_text(MIXED, "utf-8", "surrogatepass")
            root.path("/var/log/utf16.log").write_bytes(TEXT.encode("utf-16", "surrogatepass"))
            root.path(f"/var/log/{NAMED}.log").write_text("x\n")
            root.path("/.lab/bin/say-it").write_text('#!/bin/sh\ncat "$FLEET_ROOT/var/log/utf8.log"\n')
            root.path("/.lab/bin/say-it").chmod(0o755)
        guests.append(root)
    with SshServer(guests) as server:
        (folder / "known_hosts").write_text(server.known_hosts_text())
        ports = {name: port for name, (_, port) in server.addresses.items()}
        users = {guest.name: CANARIES[number] for number, guest in enumerate(guests)}
        yield Case("secrets-linux", {"fleet_known_hosts": "known_hosts"}, ports, users)


@contextmanager
def windows(folder: Path) -> Iterator[Case]:
    known = catalog.load()
    guests = []
    for number, canary in enumerate(CANARIES):
        state = windows_server(strong_crypto=True)
        if number < 2:
            state.texts |= {
                r"C:\Logs\utf8.log": TEXT,
                r"C:\Logs\mixed.log": MIXED,
                rf"C:\Logs\{NAMED}.log": "x\n",
            }
        guests.append(WindowsModel(f"win{number:02d}", {"ops": canary}, state, known))
    with WinrmServer(guests) as server:
        (folder / "ca.pem").write_bytes(server.authority.file.read_bytes())
        common: dict[str, object] = {
            "ansible_connection": "winrm",
            "ansible_winrm_ca_trust_path": "ca.pem",
        }
        ports = {guest.name: server[guest.name].port for guest in guests}
        users = {guest.name: CANARIES[number] for number, guest in enumerate(guests)}
        yield Case("secrets-windows", common, ports, users)


PLANTED = {(linux, "secrets"): 4, (linux, "full"): 2, (windows, "secrets"): 2, (windows, "full"): 0}
"""Logs with all of them: those with a password in UTF-16 within UTF-8 are no text, so not taken at full."""


def inventory(folder: Path, case: Case) -> Path:
    hosts: dict[str, object] = {}
    for name, port in case.ports.items():
        path = folder / f"secret-{name}"
        path.touch(mode=0o600)
        path.write_text(case.users[name] + "\n")
        hosts[name] = {"ansible_port": port, "fleet_password": {"file": path.name}}
    common = case.common | {"ansible_host": "127.0.0.1", "ansible_user": "ops"}
    made = folder / "inventory.yaml"
    made.write_text(yaml.safe_dump({"all": {"vars": common, "hosts": hosts}}))
    return made


@pytest.mark.parametrize("level", ["secrets", "full"])
@pytest.mark.parametrize("system", [linux, windows], ids=["ssh", "winrm"])
def test_nothing_that_is_written_or_printed_holds_one(
    system: Callable[[Path], AbstractContextManager[Case]], level: str, tmp_path: Path
) -> None:
    desk, made = tmp_path / "desk", tmp_path / "made"
    for folder in (desk, made, made / "tmp", made / "home"):
        folder.mkdir()
    environment = {**os.environ, "TMPDIR": str(made / "tmp"), "HOME": str(made / "home")}
    state = ("--state", made / "state")
    printed: dict[str, bytes] = {}
    with system(desk) as case:
        words = ["collect", case.bundle, "-i", inventory(desk, case), "--scripts", SCRIPTS, *state]
        words += ["--redact", level, "-o", made / "case.zip", "-o", made / "case.json"]
        watched: set[bytes] = set()
        for name, each in {"collect": words, "report": ["report", "last", *state, "-l", "*"]}.items():
            code, out, err = run(each, environment, watched)
            printed |= {f"{name} stdout": out, f"{name} stderr": err}
            assert code == 0, err.decode()[-2000:] + out.decode()
    assert verify(made / "case.zip").problems == ()
    with zipfile.ZipFile(made / "case.zip") as file:
        inside = {f"zip: {name}": file.read(name) for name in file.namelist()}
    names = {"names in the zip": "\n".join(inside).encode()}
    files = {
        str(path): path.read_bytes()
        for path in made.rglob("*")
        if path.is_file() and path.suffix not in {".map", ".zip"}
    }
    assert any(name.endswith(".sqlite") for name in files)
    logs = [data for name, data in inside.items() if "-logs." in name and len(data) > 1000]
    assert len(logs) == (4 if system is linux else 2) + (2 if level == "secrets" else 0), list(inside)
    wide = MASK.encode("utf-16-le")
    assert all(data.count(MASK.encode()) + data.count(wide) > 250 for data in logs)
    processes = {f"process {number}": each for number, each in enumerate(watched)}
    traces = Traces({**printed, **files, **inside, **names, **processes})
    assert [hit for canary in CANARIES for hit in traces.hits(canary)] == []
