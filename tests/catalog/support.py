"""A scripts folder of a user, written line by line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fleet.errors import UsageError

CHECK = """\
#!/bin/sh
# /// fleet
# kind = "check"
# title = "Whether x is there"
# severity = "error"
# timeout = 10
# ///
ok "there"
"""
REMEDY = """\
#!/bin/sh
# /// fleet
# kind = "remedy"
# title = "Put x there"
# risk = "safe"
# timeout = 10
# undo_note = "x does no harm"
#
# [params.size]
# type = "int"
# default = 3
# minimum = 1
# about = "How large"
# ///
changed "put"
"""
RUNBOOK = """\
id: x-missing
title: There is no x
about: x is needed.
os: linux
codes: [XMissing]
detect: x-there
ladder:
  - remedy: put-x
    params: {size: 4}
sources:
  - {document: Of x, edition: 2020-10, section: y}
"""


class Folder:
    """A folder for ``--scripts`` that is right; tests break it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        for part in ("sh", "ps", "runbooks", "bundles"):
            (path / part).mkdir(parents=True)
        self.write("sh/x-there.sh", CHECK)
        self.write("sh/put-x.sh", REMEDY)
        self.write("runbooks/x-missing.yaml", RUNBOOK)

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def edit(self, name: str, old: str, new: str) -> Path:
        """Change one place of a file."""
        text = (self.path / name).read_text()
        assert text.count(old) >= 1, f"{old!r} is not in {name}"
        return self.write(name, text.replace(old, new, 1))


def complaint(call: Callable[[], object]) -> str:
    """What an operator reads when a call refuses."""
    with pytest.raises(UsageError) as caught:
        call()
    return str(caught.value)
