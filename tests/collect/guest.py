"""The sh collectors run as production runs them, in every shell, over files that are really there."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import signal
import subprocess
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from fleet import catalog, envelope
from fleet.engine.listing import escape, unescape
from fleet.model import Completed, Reply, Script, Shell
from fleet.render import render

_numbers = itertools.count()

STAGE = "0123456789abcdefghij"

SYSTEMS: dict[str, list[str]] = {
    name: [found, *command[1:]]
    for name, command in {
        "dash": ["dash"],
        "bash": ["bash"],
        "busybox": ["busybox", "sh"],
        "only-busybox": ["busybox", "sh"],
    }.items()
    if (found := shutil.which(command[0]))
}
"""Shells; and a system that has no other programs than those of busybox, so nothing of GNU."""


class Entry(NamedTuple):
    """A line ``F`` of a list."""

    number: int
    size: int
    modified: int
    path: bytes


class Sign(NamedTuple):
    """A line ``M`` of a list."""

    number: int
    code: str
    path: bytes


class Taken(NamedTuple):
    """A record ``F`` of a pack."""

    kind: str
    codes: list[str]
    text: bytes
    when: int


@dataclass
class Guest:
    """A folder that is a guest's root, with its shell and its programs."""

    root: Path
    shell: Sequence[str]
    programs: Path | None = None
    extra: list[str] = field(default_factory=list)

    def path(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    def write(self, path: str, content: bytes | str = b"", *, modified: int | None = None) -> Path:
        target = self.path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
        if modified is not None:
            os.utime(target, (modified, modified))
        return target

    def program(self, name: str, text: str) -> None:
        """Put a program before those that are there."""
        stub = self.write(f"/stubs/{name}", f"#!/bin/sh\n{text}\n")
        stub.chmod(0o755)

    @property
    def folder(self) -> Path:
        """Where things are staged."""
        return self.path(f"/var/tmp/fleet-collect-{STAGE}")

    @property
    def environment(self) -> dict[str, str]:
        programs = str(self.programs) if self.programs else "/usr/sbin:/usr/bin:/sbin:/bin"
        return {"PATH": f"{self.path('/stubs')}:{programs}", "FLEET_ROOT": str(self.root), "HOME": "/"}

    def start(self, script: Script) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [*self.extra, *self.shell, "-s"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environment,
            start_new_session=True,
        )
        assert process.stdin is not None
        process.stdin.write(script.payload)
        process.stdin.close()
        process.stdin = None
        return process

    def finish(self, process: subprocess.Popen[bytes], script: Script) -> tuple[bytes, Reply]:
        """Give what the body wrote, and its answer."""
        stdout, stderr = process.communicate(timeout=60)
        assert stderr == b""
        content, _, answer = stdout.rpartition(b"\n{")
        return content, envelope.parse(Completed(b"{" + answer, b"", None, 0.0), script.nonce)

    def run(self, name: str, *, timeout: int | None = None, **params: Any) -> tuple[bytes, Reply]:
        script = collector(name, timeout=timeout, **params)
        return self.finish(self.start(script), script)

    def list(
        self, *patterns: str, count: int = 1000, since: int = 0
    ) -> tuple[list[Entry], list[Sign], Reply]:
        items = [f"{number}\t{count}\t{escape(pattern)}" for number, pattern in enumerate(patterns, 1)]
        content, reply = self.run("collect-list", items=items, since=since)
        entries, signs = [], []
        for line in content.decode("ascii").splitlines():
            kind, *fields = line.split("\t")
            assert re.fullmatch(r"(?:[!-$&-~]|%[0-9A-F]{2})+", fields[-1]), line
            path = unescape(fields[-1]).encode("utf-8", "surrogateescape")
            if kind == "F":
                entries.append(Entry(int(fields[0]), int(fields[1]), int(fields[2]), path))
            else:
                signs.append(Sign(int(fields[0]), fields[1], path))
        return entries, signs, reply

    def stage(
        self,
        files: Sequence[str] = (),
        commands: Sequence[Sequence[str]] = (),
        *,
        most: int = 1_000_000,
        seconds: int = 20,
        room: int = 50_000_000,
        **params: Any,
    ) -> Reply:
        return self.run(
            "collect-stage", **staging(files, commands, most=most, seconds=seconds, room=room, **params)
        )[1]

    def pack(self) -> tuple[dict[int, Taken], dict[int, str]]:
        """Read what was staged, which has to be whole."""
        return unpacked((self.folder / "pack").read_bytes())

    def take(self, *files: str, **params: Any) -> tuple[dict[int, Taken], dict[int, str]]:
        """Stage files, read the pack and clean."""
        reply = self.stage(files, **params)
        assert reply.outcome == "ok", f"{reply.message}\n{reply.log}"
        assert reply.data["size"] == (self.folder / "pack").stat().st_size
        assert [path.name for path in self.folder.iterdir()] == ["pack"]
        taken = self.pack()
        self.clean()
        return taken

    def ask(self, *commands: Sequence[str], **params: Any) -> tuple[dict[int, Taken], dict[int, str]]:
        """Stage what programs print, read the pack and clean."""
        return self.take(commands=commands, **params)

    def clean(self) -> Reply:
        reply = self.run("collect-clean", stage=STAGE)[1]
        assert reply.outcome == "ok", reply.message
        assert not self.folder.exists()
        return reply


def staging(
    files: Sequence[str] = (),
    commands: Sequence[Sequence[str]] = (),
    *,
    most: int = 1_000_000,
    seconds: int = 20,
    **params: Any,
) -> dict[str, Any]:
    lines = [f"{number}\t{most}\t{escape(path)}" for number, path in enumerate(files, 1)]
    asked = [
        "\t".join([str(number), str(seconds), str(most), *map(escape, words)])
        for number, words in enumerate(commands, len(lines) + 1)
    ]
    return {"stage": STAGE, "files": lines, "commands": asked, **params}


def collector(name: str, *, timeout: int | None = None, **params: Any) -> Script:
    snippet = catalog.load().snippet(name)
    return render(
        snippet,
        catalog.bind(snippet, params),
        shell=Shell.SH,
        check=False,
        nonce=f"collect{next(_numbers)}",
        timeout=timeout,
    )


def unpacked(data: bytes) -> tuple[dict[int, Taken], dict[int, str]]:
    """Records and misses of a whole pack; stricter than what is used for the packs of strangers."""
    taken: dict[int, Taken] = {}
    missed: dict[int, str] = {}
    while data != b"E\n":
        line, _, data = data.partition(b"\n")
        kind, number, *rest = line.decode("ascii").split("\t")
        assert int(number) not in taken.keys() | missed.keys()
        if kind == "M":
            missed[int(number)] = rest[0]
            continue
        assert kind == "F"
        size = int(rest[1])
        inflate = zlib.decompressobj(wbits=31)
        text = inflate.decompress(data[:size])
        assert inflate.eof
        assert not inflate.unused_data
        assert len(text) == int(rest[2])
        taken[int(number)] = Taken(rest[0], rest[4].split(","), text, int(rest[3]))
        data = data[size:]
    return taken, missed


@contextmanager
def guest(folder: Path, system: str) -> Iterator[Guest]:
    """Build an empty guest; afterwards nothing of it may run or lie about."""
    made = Guest(folder / "a guest", SYSTEMS[system])
    for each in ("/var/tmp", "/var/log", "/stubs"):
        made.path(each).mkdir(parents=True)
    made.program("id", "echo 0")  # so that tests need no root
    if system == "only-busybox":
        made.programs = folder / "busybox"
        made.programs.mkdir()
        program = shutil.which("busybox")
        assert program
        names = subprocess.run([program, "--list"], capture_output=True, text=True, check=True).stdout.split()
        for name in names:
            (made.programs / name).symlink_to(program)
    try:
        yield made
        assert not list(made.path("/var/tmp").glob("fleet-collect-*")), "something was left behind"
    finally:
        for number in running(made):
            os.kill(number, signal.SIGKILL)


def running(made: Guest) -> list[int]:
    """Processes that were started in a guest."""
    mark = f"FLEET_ROOT={made.root}".encode()
    found = []
    for each in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark in each.read_bytes().split(b"\0"):
                found.append(int(each.parent.name))
        except OSError:
            continue
    return found


def until(condition: object, seconds: float = 20) -> None:
    """Look again and again until something is so."""
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "it never came to that"
        os.sched_yield()
