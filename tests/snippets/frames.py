"""Frames with bodies of a test's own, in every shell this machine has."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from fleet import envelope
from fleet.model import Arguments, Completed, Kind, ParamValue, Reply, Script, Shell, Snippet, SnippetText
from fleet.render import render

_numbers = itertools.count()

SHELLS: dict[str, list[str]] = {
    name: command
    for name, command in {
        "dash": ["dash"],
        "bash": ["bash"],
        "bash-posix": ["bash", "--posix"],
        "busybox": ["busybox", "sh"],
        "mksh": ["mksh"],
    }.items()
    if shutil.which(command[0])
}


def frame(
    body: str,
    *,
    timeout: int = 20,
    check: bool = False,
    arguments: Mapping[str, ParamValue] | None = None,
) -> Script:
    text = SnippetText(body, Path("body.sh"), "0" * 64)
    snippet = Snippet("body", Kind.REMEDY, "A body", timeout, {Shell.SH: text})
    nonce = f"frame{next(_numbers)}"
    return render(snippet, Arguments(arguments or {}), shell=Shell.SH, check=check, nonce=nonce)


def start(shell: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*SHELLS[shell], "-s"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **(environment or {})},
        start_new_session=True,
    )


def run(shell: str, *scripts: Script, environment: Mapping[str, str] | None = None) -> list[Reply]:
    """Send the scripts one after the other to one shell; give what each answered."""
    process = start(shell, environment)
    stdout, stderr = process.communicate(b"".join(script.payload for script in scripts), timeout=60)
    assert stderr == b"", stderr
    return replies(stdout, *scripts)


def replies(stdout: bytes, *scripts: Script) -> list[Reply]:
    stream = envelope.AnswerStream([script.nonce for script in scripts], keep=1_000_000)
    parts = [part for part, _dropped in stream.feed(stdout)]
    parts += [stream.rest()[0]] * (len(scripts) - len(parts))
    return [
        envelope.parse(Completed(part, b"", None, 0.0), script.nonce)
        for part, script in zip(parts, scripts, strict=True)
    ]
