"""Reads a file of the catalogue, or says why its text can't be trusted to arrive unchanged."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

from fleet.errors import CatalogError, Place, UsageErrors
from fleet.model import SnippetText


def read(path: Path) -> SnippetText:
    """Read a file that must be ASCII with LF, without BOM, and writable by nobody else."""
    try:
        refuse_shared(path)
        data = path.read_bytes()
    except OSError as error:
        raise CatalogError(f"can't be read: {error.strerror}", Place(path)) from error
    if not data.isascii():
        raise CatalogError(_not_ascii(data), Place(path, _line_of_first_foreign(data)))
    if b"\r" in data or b"\0" in data:
        at = min(at for at in (data.find(b"\r"), data.find(b"\0")) if at >= 0)
        raise CatalogError(
            "has a carriage return or NUL; save it with LF line ends",
            Place(path, data.count(b"\n", 0, at) + 1),
        )
    return SnippetText(data.decode("ascii"), path, hashlib.sha256(data).hexdigest())


def refuse_shared(path: Path) -> None:
    """Refuse a file or folder that everybody on this machine may change; raises OSError if it is missing."""
    if os.name == "posix" and path.stat().st_mode & stat.S_IWOTH:
        raise CatalogError("everybody may write here, so nobody can vouch for it: chmod o-w", Place(path))


def refuse(errors: list[CatalogError]) -> None:
    """Raise what was found, all of it at once; do nothing when nothing was."""
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise UsageErrors(list(errors))


def _line_of_first_foreign(data: bytes) -> int:
    at = next(index for index, byte in enumerate(data) if byte > 0x7F)
    return data.count(b"\n", 0, at) + 1


def _not_ascii(data: bytes) -> str:
    if data.startswith(b"\xef\xbb\xbf"):
        return "begins with a byte order mark; save it without one"
    return "has a character beyond ASCII; Windows PowerShell would read it as another one"


def suggestion(name: str, known: Iterable[str]) -> str:
    """Give ``; did you mean "x"?`` or nothing."""
    close = get_close_matches(name, list(known), n=1)
    return f'; did you mean "{close[0]}"?' if close else ""
