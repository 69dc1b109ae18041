"""A real PowerShell that serves many scripts, and how tests make scripts for it."""

from __future__ import annotations

import hashlib
import os
import select
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from fleet.catalog import Catalog, bind
from fleet.envelope import AnswerStream, parse, prefix
from fleet.model import (
    Arguments,
    Completed,
    Kind,
    Outcome,
    ParamValue,
    Reply,
    Script,
    Shell,
    Snippet,
    SnippetText,
)
from fleet.render import render

KEEP = 1 << 22
PATIENCE = 60.0
"""Seconds beyond a script's own deadline before a test gives up on the engine."""


class Engine:
    """One process of the constant command line; ``version`` and ``platform`` say what it is."""

    def __init__(self, start: Callable[[], subprocess.Popen[bytes]]) -> None:
        self._start = start
        self._process: subprocess.Popen[bytes] | None = None
        self._number = 0
        self._silences = 0
        self.version = self.platform = ""

    def run(
        self, scripts: Iterable[Script], change: Callable[[bytes], bytes] = lambda line: line
    ) -> list[Reply]:
        """Send scripts at once and give what each answered; ``change`` is applied to what is sent."""
        scripts = list(scripts)
        answers = self.completed(scripts, change)
        return [parse(done, script.nonce) for script, done in zip(scripts, answers, strict=True)]

    def streamed(
        self, script: Script, change: Callable[[bytes], bytes] = lambda line: line
    ) -> tuple[bytes, Reply]:
        """Send a script and give the bytes that came before its answer, and the answer."""
        (done,) = self.completed([script], change)
        body, found, _ = done.stdout.rpartition(b"\n" + prefix(script.nonce))
        assert found, done.stdout[-500:]
        return body, parse(done, script.nonce)

    def completed(
        self, scripts: Iterable[Script], change: Callable[[bytes], bytes] = lambda line: line
    ) -> list[Completed]:
        """Send scripts at once and give what came back of each."""
        assert self._silences < 2, "this engine gave no answer twice, and is not asked any more"
        scripts = list(scripts)
        process = self._alive()
        assert process.stdin
        assert process.stdout
        process.stdin.write(b"".join(change(script.payload) for script in scripts))
        process.stdin.flush()
        stream = AnswerStream([script.nonce for script in scripts], KEEP)
        answers: list[tuple[bytes, int]] = []
        end = time.monotonic() + sum(script.timeout for script in scripts) + PATIENCE
        while len(answers) < len(scripts):
            ready, _, _ = select.select([process.stdout], [], [], max(0.0, end - time.monotonic()))
            data = os.read(process.stdout.fileno(), 65536) if ready else b""
            if not data:
                self._process = None
                self._silences += 1
                raise AssertionError(
                    f"{len(answers)} of {len(scripts)} answers, then {_end(process, stream)}"
                )
            answers += stream.feed(data)
        return [Completed(stdout, b"", None, 0.0, dropped=dropped) for stdout, dropped in answers]

    def script(
        self,
        snippet: Snippet,
        values: Mapping[str, ParamValue] | None = None,
        *,
        check: bool = False,
        timeout: int | None = None,
    ) -> Script:
        """Render a snippet with a nonce of its own."""
        self._number += 1
        arguments = Arguments(values or {})
        nonce = f"test{self._number:06d}"
        return render(snippet, arguments, shell=Shell.POWERSHELL, check=check, nonce=nonce, timeout=timeout)

    def body(
        self,
        text: str,
        values: Mapping[str, ParamValue] | None = None,
        *,
        check: bool = False,
        timeout: int = 20,
    ) -> Reply:
        """Run a text as if it were a snippet."""
        return self.run([self.script(snippet_of(text), values, check=check, timeout=timeout)])[0]

    def named(
        self,
        catalog: Catalog,
        name: str,
        values: Mapping[str, ParamValue] | None = None,
        *,
        check: bool = False,
    ) -> Script:
        """Render a snippet of the catalogue, its defaults filled in."""
        snippet = catalog.snippet(name)
        return self.script(snippet, bind(snippet, values or {}).values, check=check)

    def identify(self) -> None:
        """Find out what it is."""
        self.version = self.body("$PSVersionTable.PSVersion.ToString()").log.raw
        self.platform = self.body("[Environment]::OSVersion.Platform.ToString()").log.raw

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin
        assert process.stdout
        process.stdin.close()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
        if process.stderr:
            process.stderr.close()

    def _alive(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._process = self._start()
        return self._process


def _end(process: subprocess.Popen[bytes], stream: AnswerStream) -> str:
    """End a process that does not answer and give what there is to say about it."""
    process.kill()
    errors = process.communicate()[1] or b""
    return f"exit code {process.returncode}, {stream.rest()[0]!r}, {errors[-500:]!r}"


def snippet_of(text: str, kind: Kind = Kind.CHECK) -> Snippet:
    """Wrap a text so that it can be rendered."""
    source = SnippetText(text, Path("test.ps1"), hashlib.sha256(text.encode()).hexdigest())
    return Snippet(name="test", kind=kind, title="test", timeout=20, texts={Shell.POWERSHELL: source})


def fine(reply: Reply, outcome: Outcome = Outcome.OK) -> Reply:
    """Give the reply on if it has that outcome, or show all of it."""
    assert reply.outcome is outcome, (reply.outcome.value, str(reply.message), str(reply.log))
    return reply
