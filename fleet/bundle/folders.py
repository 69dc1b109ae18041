"""Names of folders for hosts that are the same file on no system."""

from __future__ import annotations

import re
from collections.abc import Collection

_RESERVED = re.compile(r"(?:con|prn|aux|nul|clock\$|conin\$|conout\$|com\d|lpt\d)(?:\..*)?")
"""Devices on Windows, whatever follows the dot
(https://learn.microsoft.com/windows/win32/fileio/naming-a-file)."""

_LONGEST = 60


def folder(host: str, taken: Collection[str]) -> str:
    """Give a folder for a host: a-z, 0-9, dot, hyphen and underscore, unlike every one of ``taken``."""
    name = re.sub(r"[^a-z0-9._-]+", "_", host.lower())[:_LONGEST].strip("._-") or "host"
    name = re.sub(r"\.{2,}", ".", name)
    if _RESERVED.fullmatch(name):
        name = f"host-{name}"
    unique, number = name, 1
    while unique in taken:
        number += 1
        unique = f"{name}-{number}"
    return unique
