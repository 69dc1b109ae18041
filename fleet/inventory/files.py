"""Reading inventory files: what may be read at all, and in which format it is."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from pathlib import Path

from fleet.errors import InventoryError, Place
from fleet.inventory.azure import read_azure
from fleet.inventory.csvfile import read_csv
from fleet.inventory.draft import Draft
from fleet.inventory.inifile import read_ini
from fleet.inventory.yamlfile import read_yaml

MAX_BYTES = 268_435_456
"""Bytes of a file; 10,000 machines of ``az vm list`` are about 40 million."""

Reader = Callable[[str, Path, Draft], None]

_BY_SUFFIX: dict[str, Reader] = {
    ".yaml": read_yaml,
    ".yml": read_yaml,
    ".ini": read_ini,
    ".cfg": read_ini,
    ".csv": read_csv,
}
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def read_file(path: Path, draft: Draft) -> None:
    """Add what one file says to the draft; ``InventoryError`` where it can't be read at all."""
    text = _text(_content(path), path)
    if not re.search(r"^\s*[^\s#;]", text, re.MULTILINE):
        raise InventoryError(
            "the file is empty; docs/inventory.md begins with one of three lines", Place(path)
        )
    _format(text, path)(text, path, draft)


def _content(path: Path) -> bytes:
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        raise InventoryError("there is no such file; give the inventory with -i FILE", Place(path)) from None
    except PermissionError:
        raise InventoryError(
            "the file may not be read by you; check its owner and mode", Place(path)
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "its name is not valid"
        raise InventoryError(f"the file can't be opened: {reason}", Place(path)) from None
    try:
        _check(os.fstat(descriptor), path)
    except InventoryError:
        os.close(descriptor)
        raise
    with os.fdopen(descriptor, "rb") as file:
        return file.read(MAX_BYTES)


def _check(state: os.stat_result, path: Path) -> None:
    if stat.S_ISDIR(state.st_mode):
        raise InventoryError("this is a folder; name the inventory files in it, each with -i", Place(path))
    if not stat.S_ISREG(state.st_mode):
        raise InventoryError("this is no regular file; save its content to one first", Place(path))
    if state.st_size > MAX_BYTES:
        raise InventoryError(f"the file is larger than {MAX_BYTES // 1_048_576} MiB", Place(path))
    if os.name == "posix" and state.st_mode & stat.S_IWOTH:
        raise InventoryError(
            "everybody on this machine may change the file, so it is not believed; run: chmod o-w",
            Place(path),
        )
    folder = path.absolute().parent.stat()
    if os.name == "posix" and folder.st_mode & stat.S_IWOTH and not folder.st_mode & stat.S_ISVTX:
        raise InventoryError(
            "everybody on this machine may replace files of its folder, so it is not believed; "
            "run chmod o-w on the folder",
            Place(path),
        )


def _text(data: bytes, path: Path) -> str:
    if data.startswith(_UTF16):
        raise InventoryError("the file is UTF-16; save it as UTF-8", Place(path))
    if b"\0" in data:
        raise InventoryError("the file is binary, no inventory", Place(path))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InventoryError("this line is not UTF-8; save the file as UTF-8", Place(path, line)) from None
    return text.replace("\r\n", "\n")


def _format(text: str, path: Path) -> Reader:
    """By suffix; where that says nothing (``hosts``, ``.json``, ``.txt``) by what the file begins with."""
    by_suffix = _BY_SUFFIX.get(path.suffix.lower())
    if by_suffix is not None:
        return by_suffix
    body = re.sub(r"^(?:\s*[#;][^\n]*\n)*", "", text).lstrip()
    if re.match(r"\[\s*[\]{]", body) or (path.suffix.lower() == ".json" and body.startswith("[")):
        return read_azure
    if body.startswith(("---", "{", "%YAML")) or re.match(
        r"[\"']?[A-Za-z0-9_.-]+[\"']?\s*:\s*(?:[#{]|$)", body, re.M
    ):
        return read_yaml
    if re.match(r"(?:name|host)\s*[,;]", body):
        return read_csv
    return read_ini
