"""Collecting from a guest over a real sshd, with real files: the good ones, and those that hurt."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fleet.bundle.verify import verify
from fleet.journal import History
from tests.cli.conftest import Fleet, fleet, root  # noqa: F401 (fixtures)
from tests.e2e.conftest import Guest
from tests.sshd import needs_sshd
from tests.transport.proxy import Proxy

pytestmark = needs_sshd
SCRIPTS = Path(__file__).with_name("scripts")


def archive(path: Path) -> tuple[dict[str, bytes], Any]:
    with zipfile.ZipFile(path) as file:
        found = {name: file.read(name) for name in file.namelist()}
    return found, json.loads(found["manifest.json"])


def staged(guest: Guest) -> list[str]:
    return [path.name for path in guest.root.path("/var/tmp").glob("fleet*")]


def spooled(state: Path) -> list[str]:
    return [path.name for path in (state / "bundles").iterdir() if path.is_dir()]


@pytest.fixture
def vmstat(guest: Guest) -> None:
    """The real one takes ten seconds of everybody's time."""
    stub = guest.root.path("/.lab/bin/vmstat")
    stub.write_text("#!/bin/sh\necho procs memory swap io system cpu\n")
    stub.chmod(0o755)


class TestTheBundleOfASystem:
    @pytest.fixture
    def ran(self, fleet: Fleet, guest: Guest, vmstat: None, tmp_path: Path) -> Any:  # noqa: F811
        log = guest.root.path("/var/log/waagent.log")
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(
            "2026-11-20 proceeded for accepting signals\n"
            "https://x.blob.core.windows.net/y?sv=2020&sig=Zm9vYmFyYmF6Zm9vYmFyYmF6Zm9v%3D\n"
            "proceeded for accepting signals\n"
        )
        key = guest.root.path("/var/lib/waagent/TransportPrivate.pem")
        key.parent.mkdir(parents=True, exist_ok=True)
        key.write_text("-----BEGIN PRIVATE KEY-----\nMIIsecretsecret\n-----END PRIVATE KEY-----\n")
        return fleet("collect", "-i", guest.inventory, "--since", "24h", "-o", tmp_path / "case.zip")

    def test_comes_whole_and_leaves_nothing(self, ran: Any, guest: Guest, tmp_path: Path) -> None:
        assert ran.code == 0, ran
        found, said = archive(tmp_path / "case.zip")
        assert verify(tmp_path / "case.zip").problems == ()
        assert said["partial"] is None
        items = {each["item"] for each in said["files"]}
        assert items >= {"agent-log", "agent-config", "agent-folder", "mounts", "processes", "load"}
        conf = next(each["name"] for each in said["files"] if each["item"] == "agent-config")
        assert b"\nOS.EnableFirewall=n\n" in found[conf]
        assert b"DeleteRootPassword=***" in found[conf]
        assert staged(guest) == []
        assert spooled(tmp_path / "state") == []

    def test_says_what_a_person_wants_to_know(self, ran: Any, tmp_path: Path) -> None:
        out = " ".join(ran.out.split())
        assert out.startswith("deb1 ok ")
        assert " missing: " in out
        assert "1 SAS token" in out
        assert "Stands out: deb1 the freezer took the last signal" in out
        assert "-> azvm-fsfreeze-failed" in out
        assert f"verify: fleet bundle verify {tmp_path / 'case.zip'}" in out
        assert f"SHA-256 of its manifest: {verify(tmp_path / 'case.zip').manifest_sha256}" in out
        assert "1 host = 1 ok" in out

    def test_holds_no_secret(self, ran: Any, tmp_path: Path) -> None:
        assert ran.code == 0
        for data in archive(tmp_path / "case.zip")[0].values():
            assert b"Zm9vYmFy" not in data
            assert b"MIIsecret" not in data

    def test_is_a_run_like_others(self, ran: Any, fleet: Fleet, tmp_path: Path) -> None:  # noqa: F811
        assert ran.code == 0
        listed = fleet("runs")
        assert "1 host = 1 ok" in listed.out
        report = fleet("report", "last")
        assert report.code == 0
        assert "azure-vm-linux" in report.out
        whole = json.loads(fleet("report", "last", "--format", "json").out)
        assert whole["run"]["collect"]["archive"] == str(tmp_path / "case.zip")
        names = [result["snippet"] for result in whole["results"]]
        assert names == ["collect-list", "collect-stage", "collect-clean", "collect-send"]

    def test_is_looked_after_by_fleet_bundle(self, ran: Any, fleet: Fleet, tmp_path: Path) -> None:  # noqa: F811
        assert ran.code == 0
        good = fleet("bundle", "verify", tmp_path / "case.zip")
        assert good.code == 0
        assert "whole: " in good.out
        broken = bytearray((tmp_path / "case.zip").read_bytes())
        broken[len(broken) // 3] ^= 1
        (tmp_path / "other.zip").write_bytes(broken)
        assert fleet("bundle", "verify", tmp_path / "other.zip").code in {1, 2}


def plant(guest: Guest) -> None:
    """Everything that the issue names."""
    logs, odd = guest.root.path("/var/log"), guest.root.path("/var/log/odd")
    odd.mkdir(parents=True)
    (logs / "waagent.log").write_bytes(b"begin\n" + (b"x" * 99 + b"\n") * 20_000 + b"end\n")
    huge = logs / "waagent-huge.log"
    huge.touch()
    os.truncate(huge, 20 * 10**9)
    os.mkfifo(odd / "fifo")
    if os.geteuid() == 0:
        os.mknod(odd / "device", 0o600 | 0o020000, os.makedev(1, 5))
    (odd / "loop").symlink_to("../odd")
    (odd / "link").symlink_to("/etc/shadow")
    (odd / "dangling").symlink_to("nothing")
    (odd / "with\nnewline").write_text("newline\n")
    (odd / "a b\tc%d").write_text("blanks\n")
    Path(os.fsdecode(bytes(odd) + b"/\xff\xfe\xc3")).write_text("no UTF-8\n")
    (odd / "C:\\..\\con.txt").write_text("drive\n")
    (odd / "-rf").write_text("option\n")
    (odd / "$(touch owned)`touch owned`").write_text("words\n")
    (odd / "key.pem").write_text("-----BEGIN PRIVATE KEY-----\nMIIsecretsecret\n")
    (odd / "deep").mkdir()
    (odd / "deep/binary.bin").write_bytes(bytes(range(256)) * 10)
    (odd / "wide.log").write_bytes("UTF-16: password=hunter2hunter2\r\n".encode("utf-16"))
    (odd / "empty").touch()
    many = guest.root.path("/var/log/many")
    many.mkdir()
    for number in range(3_000):
        (many / f"{number}.log").touch()


class TestFilesThatHurt:
    @pytest.fixture
    def collected(
        self,
        fleet: Fleet,  # noqa: F811
        guest: Guest,
        tmp_path: Path,
    ) -> tuple[dict[str, bytes], Any]:
        plant(guest)
        words = ("-i", guest.inventory, "--scripts", SCRIPTS, "-o", tmp_path / "case.zip")
        ran = fleet("collect", "everything", *words)
        assert ran.code == 0, ran
        assert staged(guest) == []
        assert not list(guest.root.path("/").rglob("owned"))
        assert verify(tmp_path / "case.zip").problems == ()
        return archive(tmp_path / "case.zip")

    def test_are_taken_refused_and_told_of_one_by_one(self, collected: tuple[dict[str, bytes], Any]) -> None:
        found, said = collected
        files = {each["origin"]: each for each in said["files"]}
        missing = {each["origin"]: each["reason"] for each in said["missing"]}

        def text(origin: str) -> bytes:
            return found[files[origin]["name"]]

        assert "only its end was taken, of 2,000,010 bytes" in files["/var/log/waagent.log"]["truncated"]
        assert text("/var/log/waagent.log").endswith(b"x\nend\n")
        assert "20,000,000,000 bytes" in files["/var/log/waagent-huge.log"]["truncated"]
        assert text("/var/log/odd/with\\nnewline") == b"newline\n"
        assert text("/var/log/odd/a b\\x09c%d") == b"blanks\n"
        assert text("/var/log/odd/\\udcff\\udcfe\\udcc3") == b"no UTF-8\n"
        assert text("/var/log/odd/C:\\..\\con.txt") == b"drive\n"
        assert text("/var/log/odd/-rf") == b"option\n"
        assert text("/var/log/odd/$(touch owned)`touch owned`") == b"words\n"
        assert text("/var/log/odd/empty") == b""
        assert files["/var/log/odd/deep/binary.bin"]["binary"] is True
        assert files["/var/log/odd/deep/binary.bin"]["name"].endswith(".bin")
        assert "hunter2" not in text("/var/log/odd/wide.log").decode("utf-16")
        assert missing["/var/log/odd/link"] == "is a link, and links are not followed"
        assert missing["/var/log/odd/fifo"] == "is no ordinary file"
        assert missing["/var/log/odd/key.pem"] == "private keys are never collected"
        assert missing["/var/log/azure/none.log"] == "no such file"
        assert "2,995 more are there" in missing["/var/log/many/*"]
        assert not any("shadow" in origin for origin in files)
        assert text("uname -s") == b"Linux\n"
        assert missing["sleep 60"] == "it did not end in time"
        assert missing["no-such-program '; touch /tmp/x'"] == "there is no such program"


def test_a_guest_without_room_refuses_and_stays_clean(fleet: Fleet, guest: Guest, tmp_path: Path) -> None:  # noqa: F811
    stub = guest.root.path("/.lab/bin/df")
    stub.unlink()
    head = "Filesystem 1024-blocks Used Available Capacity Mounted on"
    stub.write_text(f"#!/bin/sh\necho '{head}'\necho '/dev/sda1 9 9 1 99% /'\n")
    stub.chmod(0o755)
    words = ("-i", guest.inventory, "--scripts", SCRIPTS, "-o", tmp_path / "case.zip")
    ran = fleet("collect", "everything", *words)
    assert ran.code == 1, ran
    assert "has 0 MB free, and " in ran.out.replace("\n                    ", " ")
    assert staged(guest) == []
    assert archive(tmp_path / "case.zip")[1]["partial"] == "not everything came of 1 of 1 hosts"


class CutsOnce(Proxy):
    """Resets a connection in the midst of what comes back, once."""

    def _back(self, server: socket.socket, client: socket.socket, over: threading.Event) -> None:
        super()._back(server, client, over)
        if self._cut_after is not None and self.from_server >= self._cut_after:
            self._cut_after = None


def test_a_transfer_that_is_cut_goes_on_over_a_new_connection(
    fleet: Fleet,  # noqa: F811
    guest: Guest,
    tmp_path: Path,
) -> None:
    scripts = tmp_path / "scripts/bundles"
    scripts.mkdir(parents=True)
    (scripts / "noise.yaml").write_text(
        "id: noise\ntitle: Noise\nabout: For tests.\nos: linux\n"
        "files:\n  - {name: noise, paths: [/var/log/noise.bin], megabytes: 30}\n"
    )
    noise = os.urandom(20_000_000)
    guest.root.path("/var/log/noise.bin").write_bytes(noise)
    with CutsOnce(guest.server.port, cut_after=12_000_000) as proxy:
        text = guest.inventory.read_text().replace(str(guest.server.port), str(proxy.port))
        guest.inventory.write_text(text)
        known = guest.server.known_hosts
        known.write_text(known.read_text() + guest.server.line(f"[127.0.0.1]:{proxy.port}"))
        words = ("-i", guest.inventory, "--scripts", scripts.parent, "-o", tmp_path / "case.zip")
        ran = fleet("collect", "noise", *words, "--redact", "none")
        assert proxy._cut_after is None, "it was cut"
    assert ran.code == 0, ran
    found, said = archive(tmp_path / "case.zip")
    assert found[said["files"][0]["name"]] == noise
    assert staged(guest) == []
    assert spooled(tmp_path / "state") == []


class Slow:
    """``fleet collect`` in a process of its own, waiting for a program in the guest."""

    def __init__(self, guest: Guest, folder: Path) -> None:
        self.guest, self.folder = guest, folder
        scripts = folder / "scripts/bundles"
        scripts.mkdir(parents=True)
        (scripts / "slow.yaml").write_text(
            "id: slow\ntitle: Slow\nabout: For tests.\nos: linux\n"
            "files:\n  - {name: log, paths: ['/var/log/waagent.log']}\n"
            "commands:\n  - {name: wait, run: [wait-for-it], seconds: 60}\n"
        )
        self.begun, self.go = folder / "begun", folder / "go"
        program = guest.root.path("/.lab/bin/wait-for-it")
        program.write_text(
            f"#!/bin/sh\n: > '{self.begun}'\nwhile [ ! -e '{self.go}' ]; do sleep 0.02; done\necho let go\n"
        )
        program.chmod(0o755)
        log = guest.root.path("/var/log/waagent.log")
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("a line\n")
        command: list[str | Path] = [sys.executable, "-m", "fleet", "collect", "slow", "-i", guest.inventory]
        command += ["--scripts", scripts.parent, "--state", folder / "state", "-o", folder / "case.zip"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        tick = threading.Event()
        while not self.begun.exists():
            assert self.process.poll() is None, self.process.communicate()
            tick.wait(0.01)

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)
        assert self.process.stderr is not None
        self.process.stderr.readline()
        assert "nothing new is started" in self.process.stderr.readline()

    def end(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err


@pytest.fixture
def slow(guest: Guest, tmp_path: Path) -> Iterator[Slow]:
    started = Slow(guest, tmp_path)
    yield started
    started.go.touch()
    started.process.kill()
    started.process.communicate()


def test_ctrl_c_once_keeps_what_came_and_cleans_up(slow: Slow) -> None:
    slow.interrupt()
    slow.go.touch()
    code, out, err = slow.end()
    assert code == 130
    assert "Traceback" not in err
    assert "Partial: it was interrupted" in out
    assert verify(slow.folder / "case.zip").partial == "it was interrupted"
    assert staged(slow.guest) == []
    assert spooled(slow.folder / "state") == []


def test_ctrl_c_twice_waits_for_nobody_and_says_where_something_may_be_left(slow: Slow) -> None:
    slow.interrupt()
    slow.process.send_signal(signal.SIGINT)
    code, out, err = slow.end()
    assert code == 130
    assert "Traceback" not in err
    assert "What was staged may still be on deb1" in out.replace("\n", " ")
    assert verify(slow.folder / "case.zip").problems == ()
    assert spooled(slow.folder / "state") == []
    run = History(slow.folder / "state").run("last")
    assert [result.outcome.value for result in run.results][-1] == "not_run"
