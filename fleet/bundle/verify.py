"""Whether an archive is whole and holds what its manifest says; it is not trusted."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fleet.bundle import manifest
from fleet.errors import UsageError
from fleet.model import printable

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,69}/\d{4,9}-[a-z0-9-]{1,80}\.(?:txt|log|json|xml|evtx|bin)")
_LARGEST_MANIFEST = 64 * 1024 * 1024
_PIECE = 256 * 1024


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found."""

    problems: tuple[str, ...]
    """Each one sentence; none: the archive is whole."""
    files: int
    size: int
    """Bytes of the files."""
    partial: str | None
    """Why the run that wrote it did not get everything."""
    manifest_sha256: str
    """Whoever got this from the writer by another way knows that nobody changed the archive."""


def verify(path: Path) -> Verified:
    """Check every name, size and hash. Raises UsageError where there is no archive of ours to be checked."""
    try:
        with zipfile.ZipFile(path) as archive:
            text = _manifest(path, archive)
            fields = json.loads(text)
            if fields["schema"] != manifest.SCHEMA:
                raise UsageError(f'{path}: the schema of its manifest is not "{manifest.SCHEMA}"')
            listed = {str(each["name"]): each for each in fields["files"]}
            problems = [*_structure(archive, listed, len(fields["files"])), *_contents(archive, listed)]
            return Verified(
                problems=tuple(problems),
                files=len(listed),
                size=sum(int(each["size"]) for each in listed.values()),
                partial=None if fields["partial"] is None else printable(str(fields["partial"])),
                manifest_sha256=hashlib.sha256(text).hexdigest(),
            )
    except OSError as error:
        raise UsageError(f"{path}: can't be read: {error.strerror or 'damaged'}") from None
    except (
        zipfile.BadZipFile,
        NotImplementedError,
        RuntimeError,
        ValueError,
        KeyError,
        TypeError,
        RecursionError,
        EOFError,
        zlib.error,
        AttributeError,
    ):
        raise UsageError(f"{path}: is no archive of fleet, or is damaged") from None


def _manifest(path: Path, archive: zipfile.ZipFile) -> bytes:
    info = archive.getinfo(manifest.MANIFEST)
    if info.file_size > _LARGEST_MANIFEST:
        raise UsageError(f"{path}: its manifest is too large to be true")
    with archive.open(info) as file:
        return file.read(_LARGEST_MANIFEST)


def _structure(archive: zipfile.ZipFile, listed: dict[str, Any], number: int) -> Iterator[str]:
    infos = archive.infolist()
    names = [info.filename for info in infos]
    if len(listed) != number:
        yield "the manifest lists a file twice"
    if archive.comment:
        yield "the archive has a comment, which fleet does not write"
    if infos and min(info.header_offset for info in infos) != 0:
        yield "something stands before the archive"
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"{printable(name)}: is there more than once"
    for info in infos:
        name = printable(info.filename)
        if info.filename not in manifest.OWN and not _NAME.fullmatch(info.filename):
            yield f"{name}: is not a name that fleet gives"
        if info.filename not in manifest.OWN and info.filename not in listed:
            yield f"{name}: is not in the manifest"
        if info.flag_bits & 0x1 or info.external_attr >> 16 != 0o100600 or info.comment:
            yield f"{name}: has attributes that fleet does not give"
    for name in sorted({manifest.MISSING, manifest.INDEX, *listed} - set(names)):
        yield f"{printable(name)}: is not in the archive"


def _contents(archive: zipfile.ZipFile, listed: dict[str, Any]) -> Iterator[str]:
    for name in [*sorted(manifest.OWN), *listed]:
        try:
            info = archive.getinfo(name)
        except KeyError:
            continue
        said = listed.get(name)
        most = info.file_size if said is None else int(said["size"])
        try:
            size, digest = _measure(archive, info, most)
        except (
            zipfile.BadZipFile,
            zlib.error,
            NotImplementedError,
            RuntimeError,
            EOFError,
            OSError,
            ValueError,
        ):
            yield f"{printable(name)}: is damaged"
            continue
        if said is not None and (size != most or digest != said["sha256"]):
            yield f"{printable(name)}: is not what was collected"


def _measure(archive: zipfile.ZipFile, info: zipfile.ZipInfo, most: int) -> tuple[int, str]:
    """Size and hash of an entry; one that is larger than it should be is not read to its end."""
    size, digest = 0, hashlib.sha256()
    with archive.open(info) as file:
        while size <= most and (data := file.read(_PIECE)):
            size += len(data)
            digest.update(data)
    return size, digest.hexdigest()
