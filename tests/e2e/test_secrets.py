"""Passwords leave no trace: through success, failure, broken answers, hanging guests and refused logins.

Every guest knows the password it was logged in to with, and says it in every encoding, in its log, its
message and its data. Nothing that fleet writes, prints or starts may hold it.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from fleet.envelope import prefix
from fleet.lab import ps_frame
from fleet.lab.model_process import ModelProcess
from fleet.lab.ssh_server import SshServer
from fleet.lab.winrm_server import WinrmServer
from fleet.redact import MASK
from tests.test_redact import ENCODINGS

CANARIES = (
    "hunter2hunter2", "Pa$$w0rd-canary", "it's \"quoted\" & <tagged>", "pass\u00e9\u00fc\u20ac-word",
    "a+b/c=d?e&f#g", "x.*[a-z]+(y)|$^\\d", "%PATH%!canary!", "\u2018typo\u2019graphic", "C;\\temp\\new`tick",
    "emoji\U0001f511key", "-oProxyCommand=canary", "{{ canary }}{% if %}",
)  # fmt: skip
SCENARIOS = ("says it", "broken", "silent", "refused")
_NONCE = re.compile(rb'(?:fleet_nonce=|"nonce":")([0-9a-z]+)')


class Speaker(ModelProcess):
    """Ends at once when it is killed, also while it is silent."""

    def __init__(self, answer: Callable[[bytes], bytes], given_up: threading.Event, opening: bytes) -> None:
        self._given_up = given_up
        super().__init__(answer, opening=opening)

    def kill(self) -> None:
        self._given_up.set()
        super().kill()


@dataclass(frozen=True)
class Parrot:
    """A guest that says its password instead of doing what it is told."""

    name: str
    password: str
    scenario: str

    @property
    def accounts(self) -> Mapping[str, str]:
        return {"ops": "another one entirely" if self.scenario == "refused" else self.password}

    def spawn(self, command: str) -> ModelProcess:
        assert self.password not in command
        seen: set[bytes] = set()
        given_up = threading.Event()

        def answer(line: bytes) -> bytes:
            text = ps_frame.unpack(line).encode() if "powershell" in command else line
            found = _NONCE.search(text)
            if found is None or found[1] in seen:
                return b""
            seen.add(found[1])
            return self._speak(found[1].decode(), given_up)

        return Speaker(answer, given_up, f"warning: {self.password}\n".encode())

    def _speak(self, nonce: str, given_up: threading.Event) -> bytes:
        said = [encode(self.password) for encode in ENCODINGS.values()]
        log = "\n".join(said).encode() + b"\n"
        if self.scenario == "broken":
            return log + prefix(nonce) + b'"outcome":"ok","message":"' + log
        if self.scenario == "silent":
            given_up.wait(60)
            return log
        data = {"said": said, self.password: True, "undo": {"value": self.password}}
        body = {"outcome": "failed", "message": "; ".join(said[:12]), "data": data, "seconds": 0.1}
        return log + b"\n" + prefix(nonce) + json.dumps(body, separators=(",", ":"))[1:].encode() + b"\n"


def parrots() -> list[Parrot]:
    return [
        Parrot(f"{scenario.split()[0]}{number:02d}", canary, scenario)
        for scenario in SCENARIOS
        for number, canary in enumerate(CANARIES)
    ]


@contextmanager
def ssh_world(folder: Path) -> Iterator[tuple[list[Parrot], dict[str, object]]]:
    guests = parrots()
    with SshServer(guests) as server:
        (folder / "known_hosts").write_text(server.known_hosts_text())
        hosts = {name: {"ansible_port": port} for name, (_, port) in server.addresses.items()}
        yield guests, {"vars": {"fleet_known_hosts": "known_hosts"}, "hosts": hosts}


@contextmanager
def winrm_world(folder: Path) -> Iterator[tuple[list[Parrot], dict[str, object]]]:
    guests = parrots()
    with WinrmServer(guests) as server:
        (folder / "ca.pem").write_bytes(server.authority.file.read_bytes())
        hosts = {guest.name: {"ansible_port": server[guest.name].port} for guest in guests}
        common = {"ansible_connection": "winrm", "ansible_winrm_ca_trust_path": "ca.pem"}
        yield guests, {"vars": common, "hosts": hosts}


def write_inventory(folder: Path, guests: list[Parrot], group: dict[str, object]) -> Path:
    """Passwords come from files, every third from a command; none is in the inventory."""
    hosts = group["hosts"]
    assert isinstance(hosts, dict)
    for number, guest in enumerate(guests):
        path = folder / f"secret-{guest.name}"
        path.touch(mode=0o600)
        path.write_text(guest.password + "\n")
        source = {"command": ["cat", str(path)]} if number % 3 == 0 else {"file": path.name}
        hosts[guest.name] |= {"ansible_host": "127.0.0.1", "ansible_user": "ops", "fleet_password": source}
    inventory = folder / "inventory.yaml"
    inventory.write_text(yaml.safe_dump({"all": group}))
    return inventory


class Watcher:
    """Reads the arguments and environment of a process and of everything it starts, again and again."""

    def __init__(self, pid: int) -> None:
        self.seen: set[bytes] = set()
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        while not self._over.wait(0.005):
            for pid in self._family(self._pid):
                for name in ("cmdline", "environ"):
                    try:
                        self.seen.add(Path(f"/proc/{pid}/{name}").read_bytes())
                    except OSError:  # it has ended
                        continue

    def _family(self, pid: int) -> Iterator[int]:
        yield pid
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            try:
                numbers = children.read_text().split()
            except OSError:
                continue
            for number in numbers:
                yield from self._family(int(number))

    def close(self) -> None:
        self._over.set()
        self._thread.join()


LOUD = """
import logging, sys
from fleet.cli import main
from fleet.engine import prepare
from fleet.transport import Limits

logging.basicConfig(level=logging.DEBUG)
ports = prepare.system_ports
prepare.system_ports = lambda: ports(Limits(grace=0.5))
sys.exit(main())
"""
"""As noisy as a person can make it: the logs of all libraries on stderr; and in haste, for a quick test."""


@dataclass(frozen=True)
class Traces:
    """All that was left by a run, by where it was found."""

    found: Mapping[str, bytes]

    def hits(self, canary: str) -> list[str]:
        forms = {name: encode(canary).strip("'\" ") for name, encode in ENCODINGS.items()}
        return [
            f"{where}: {name}"
            for where, content in self.found.items()
            for name, form in forms.items()
            if form.encode() in content or form.encode("utf-16-le") in content
        ]


def run(words: list[object], environment: Mapping[str, str], watched: set[bytes]) -> tuple[int, bytes, bytes]:
    command = [sys.executable, "-c", LOUD, *map(str, words)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, env=dict(environment)) as process:
        watcher = Watcher(process.pid)
        try:
            out, err = process.communicate(timeout=120)
        finally:
            watcher.close()
    watched |= watcher.seen
    return process.returncode, out, err


@pytest.mark.parametrize("world", [ssh_world, winrm_world], ids=["ssh", "winrm"])
def test_no_password_leaves_a_trace(world, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    desk, made = tmp_path / "desk", tmp_path / "made"
    for folder in (desk, made, made / "tmp", made / "home"):
        folder.mkdir()
    environment = {**os.environ, "TMPDIR": str(made / "tmp"), "HOME": str(made / "home")}
    state = ("--state", made / "state")
    reports = [
        f"{made}/report{suffix}" for suffix in (".json", ".ndjson", ".xml", ".csv", ".html", ".md", ".txt")
    ]
    watched: set[bytes] = set()
    printed: dict[str, bytes] = {}
    with world(desk) as (guests, group):
        inventory = write_inventory(desk, guests, group)
        outputs = [word for report in reports for word in ("-o", report)]
        look = ["ping", "-i", inventory, *state, "--timeout", 5, "--workers", 48]
        for name, words in {
            "check": [*look, *outputs],
            "stream": [*look, "--format", "ndjson", "-l", "says*"],
            "report": ["report", "last", *state, "-l", "*"],
            "runs": ["runs", *state],
            "hosts": ["hosts", "-i", inventory, "--format", "json"],
        }.items():
            code, out, err = run(words, environment, watched)
            printed |= {f"{name} stdout": out, f"{name} stderr": err}
            assert code == {"check": 3, "stream": 1, "report": 1}.get(name, 0), err.decode()[-2000:]
    document = json.loads(Path(reports[0]).read_text())
    counts = document["run"]["counts"]
    assert counts == {"targets": 48, "failed": 12, "denied": 12, "timed_out": 12, "broken": 12}, counts
    assert MASK.encode() in printed["report stdout"], "the guests did say it"
    files = {str(path): path.read_bytes() for path in made.rglob("*") if path.is_file()}
    assert any(name.endswith(".sqlite") for name in files)
    processes = {f"process {shlex.quote(each.decode(errors='replace'))[:60]}": each for each in watched}
    assert any(b"cat" in each for each in watched), "programs that fleet starts were seen"
    traces = Traces({**printed, **files, **processes})
    assert [hit for canary in CANARIES for hit in traces.hits(canary)] == []


def test_a_crash_leaves_no_memory_in_a_file(tmp_path: Path) -> None:
    program = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_CORE, resource.getrlimit(resource.RLIMIT_CORE)[1:] * 2)\n"
        "from fleet.cli import main\n"
        "main(['list', '--kind', 'profile'])\n"
        "print(resource.getrlimit(resource.RLIMIT_CORE)[0])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.splitlines()[-1] == "0"
