"""Talking to a Windows guest of the lab the way a transport does."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from fleet.catalog import Catalog, bind, load
from fleet.envelope import AnswerStream, parse
from fleet.lab.guest import Guest
from fleet.model import Completed, Reply, Shell
from fleet.render import POWERSHELL_COMMAND, render


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    return load()


def send(
    guest: Guest, catalog: Catalog, names: Sequence[str], *, check: bool = False, **values: object
) -> list[Reply]:
    """Send scripts one after the other to one process; what each answered."""
    return send_each(guest, catalog, [(name, check) for name in names], **values)


def send_each(
    guest: Guest, catalog: Catalog, calls: Sequence[tuple[str, bool]], **values: object
) -> list[Reply]:
    """Send snippets, each in check mode or not; what each answered."""
    process = guest.spawn(POWERSHELL_COMMAND)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    nonces = [f"n{number}" for number in range(len(calls))]
    for (name, check), nonce in zip(calls, nonces, strict=True):
        snippet = catalog.snippet(name)
        own = {key: value for key, value in values.items() if key in snippet.params}
        script = render(snippet, bind(snippet, own), shell=Shell.POWERSHELL, check=check, nonce=nonce)
        process.stdin.write(script.payload)
    process.stdin.close()
    with process.stdout as stdout, process.stderr as stderr:
        output, errors = stdout.read(), stderr.read()
    assert (process.wait(10), errors) == (0, b"")
    parts = AnswerStream(nonces, keep=1_000_000).feed(output)
    answers = [
        parse(Completed(part, b"", None, 0.0), nonce) for (part, _), nonce in zip(parts, nonces, strict=False)
    ]
    assert len(answers) == len(calls), output
    return answers
