"""The archive of a run: one zip, a folder a host, everything in it named by fleet and hashed.

It is written beside its name, as ``.part``, and renamed when it is whole. Given the same inputs in the same
order it is the same, byte for byte. One thread writes it.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import os
import zipfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import IO, BinaryIO, Literal, Self, cast

from fleet import __version__
from fleet.bundle import manifest
from fleet.bundle.cleaning import Cleaned, Cleaner, Uncleanable
from fleet.bundle.disk import WholeFile, reserved
from fleet.bundle.folders import folder
from fleet.bundle.manifest import Entry, Manifest, Missing, StandsOut, moment
from fleet.bundle.signatures import Scanner, Signatures
from fleet.catalog.never import always_cleaned, never
from fleet.errors import FleetError, UsageError
from fleet.model import NAME, JsonValue, printable
from fleet.report.bundle_page import HostPart, Page, Row, Sign, to_html

Suffix = Literal["txt", "log", "json", "xml", "evtx", "bin"]

_TAIL = 16 * 1024
"""Bytes of the end of a text that the index shows."""

_TAILS = 4 * 1024 * 1024
"""Bytes of all that the index shows, so that a browser opens it."""

_LONGEST_ORIGIN = 1024


class Archive:
    """An archive that is being written; leave its context to have it finished."""

    def __init__(
        self, path: Path, *, run: str, created: datetime, cleaner: Cleaner, signatures: Signatures
    ) -> None:
        self.path = path
        self._part = path.with_name(path.name + ".part")
        self.run = run
        """The run's id; may be set as long as it is not finished."""
        self._created, self._cleaner, self._signatures = created, cleaner, signatures
        self._hosts: dict[str, str] = {}
        self._files: list[Entry] = []
        self._missing: list[Missing] = []
        self._stands_out: list[StandsOut] = []
        self._tails: dict[str, str] = {}
        self._tails_size = 0
        self._results: str | None = None
        self.said: Manifest | None = None
        """What it says of itself, once it is finished."""
        self.manifest_sha256 = ""
        """Of its manifest, once it is finished: by it anybody can tell that nothing was changed."""
        if path.exists():
            raise UsageError(f"{path}: is there already; move it away or choose another name")
        try:
            descriptor = os.open(self._part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise UsageError(
                f"{self._part}: another run writes it, or was ended while it did; remove it if none does"
            ) from None
        except OSError as error:
            raise UsageError(f"{path}: can't be written: {error.strerror}") from None
        self._file = WholeFile(descriptor)
        try:
            self._reserve = reserved(path.parent)
        except OSError as error:
            self._file.close()
            self._part.unlink()
            raise UsageError(f"{path}: can't be written: {error.strerror}") from None
        self._zip = zipfile.ZipFile(self._file, "w", zipfile.ZIP_DEFLATED, compresslevel=6)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Finish it; what is there when something went wrong is kept and says so."""
        self.finish(None if error is None else _why(error))

    def finish(self, partial: str | None = None) -> None:
        """Write what it says of itself and give it its name; once. ``partial``: why it is not whole.

        Where even that fails nothing is left, and the error is raised.
        """
        if self.said is not None:
            return
        try:
            self._finish(partial)
        except BaseException:
            self.discard()
            raise

    def discard(self) -> None:
        """Leave nothing of it."""
        self._reserve.close()
        self._part.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # what could not be written before can't be written now
            self._zip.close()
        with contextlib.suppress(OSError):
            self._file.close()

    def host(self, name: str) -> str:
        """Give the folder of a host; hosts are added in the order in which they shall stand."""
        if name not in self._hosts:
            self._hosts[name] = folder(self._shown(name), [*self._hosts.values(), *manifest.OWN])
        return self._hosts[name]

    def add(
        self,
        host: str,
        item: str,
        source: BinaryIO,
        *,
        origin: str,
        taken: datetime,
        suffix: Suffix = "txt",
        truncated: str | None = None,
        note: str | None = None,
    ) -> Entry | None:
        """Take a file; None where it is never collected or the level forbids it, then it is missing.

        ``truncated`` says why its beginning or end is missing, ``note`` what else is to be known of it.

        Files that hold protected settings are masked at every level.
        A source that breaks off (OSError, FleetError) is taken as far as it came, and that is said.
        Where the disk here is full the file is taken back whole and the OSError raised: what was added
        before is kept.
        """
        if not NAME.fullmatch(item):
            raise ValueError(f"not a name of an item: {item!r}")
        forbidden = never(origin)
        if forbidden:
            self.miss(host, item, origin=origin, reason=forbidden)
            return None
        cleaner = self._cleaner.at_least_secrets() if always_cleaned(origin) else self._cleaner
        name = f"{self.host(host)}/{len(self._files) + 1:04d}-{item}.{suffix}"
        sink = _Sink(self._zip, self._info(name), self._signatures.scanner(origin))
        cleaned = Cleaned(binary=False, left_out=0)
        try:
            cleaned = cleaner.stream(source, cast(BinaryIO, sink))
        except Uncleanable as error:
            self.miss(host, item, origin=origin, reason=str(error))
            return None
        except BaseException as error:
            if sink.failed:
                raise  # and what came of it is not kept
            truncated = f"broke off after {sink.size} bytes: {_why(error)}"
            if not isinstance(error, OSError | FleetError):
                self._record(sink, host, item, origin, taken, truncated, note, cleaned)
                raise
        finally:
            self._close(sink)
        return self._record(sink, host, item, origin, taken, truncated, note, cleaned)

    def _close(self, sink: _Sink) -> None:
        """End an entry; one that could not be written is taken back, and its room with it."""
        try:
            sink.close()
        except OSError:
            self._file.take_back(sink.start)
            raise

    def _record(
        self,
        sink: _Sink,
        host: str,
        item: str,
        origin: str,
        taken: datetime,
        truncated: str | None,
        note: str | None,
        cleaned: Cleaned,
    ) -> Entry | None:
        if not sink.begun:
            self.miss(host, item, origin=origin, reason=truncated or "it could not be read")
            return None
        entry = Entry(
            name=sink.name,
            size=sink.size,
            sha256=sink.sha256.hexdigest(),
            host=self._shown(host),
            item=item,
            origin=self._shown(origin),
            taken=moment(taken),
            truncated=None if truncated is None else self._shown(truncated),
            note=None if note is None else self._shown(note),
            binary=cleaned.binary,
            left_out=cleaned.left_out,
        )
        self._files.append(entry)
        if not cleaned.binary:
            self._stands_out += [
                StandsOut(
                    entry.host, entry.name, sign.what, sign.times, self._shown(sign.first), sign.runbook
                )
                for sign in sink.scanner.signs()
            ]
        if not cleaned.binary and self._tails_size + len(sink.tail) <= _TAILS:
            self._tails_size += len(sink.tail)
            self._tails[sink.name] = _decoded(bytes(sink.tail))
        return entry

    def miss(self, host: str, item: str, *, origin: str, reason: str) -> None:
        """Note what was asked for and is not there."""
        self.host(host)
        self._missing.append(Missing(self._shown(host), item, self._shown(origin), self._shown(reason)))

    def results(self, document: JsonValue) -> None:
        """Take the run's own results: values of JSON."""
        self._results = json.dumps(self._cleaner.value(document), indent=2) + "\n"

    def _shown(self, text: str) -> str:
        """A text of a guest for a manifest: cleaned as the files are, on one line, harmless."""
        return printable(self._cleaner.text(text)).replace("\n", "\\n")[:_LONGEST_ORIGIN]

    def _finish(self, partial: str | None) -> None:
        self._reserve.close()
        said = Manifest(
            run=self.run,
            created=moment(self._created),
            fleet=__version__,
            level=self._cleaner.level.value,
            replaced=dict(sorted(self._cleaner.tally.items())),
            hosts={self._shown(host): name for host, name in self._hosts.items()},
            partial=partial,
            files=tuple(self._files),
            missing=tuple(self._missing),
            stands_out=tuple(self._stands_out),
        )
        documents = {manifest.MISSING: said.missing_text(), manifest.INDEX: to_html(_page(said, self._tails))}
        if self._results is not None:
            documents[manifest.RESULTS] = self._results
        documents[manifest.MANIFEST] = text = said.to_json()
        for name, text in documents.items():
            self._zip.writestr(self._info(name), text.encode("utf-8", "backslashreplace"))
        self._zip.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._part.replace(self.path)
        self.manifest_sha256 = hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()
        self.said = said

    def _info(self, name: str) -> zipfile.ZipInfo:
        info = zipfile.ZipInfo(name, self._created.timetuple()[:6])
        info.compress_type = zipfile.ZIP_DEFLATED
        info.create_system = 3  # Unix, whatever wrote it: the archive is the same everywhere
        info.external_attr = 0o100600 << 16
        return info


class _Sink(io.RawIOBase):
    """An entry of the archive, begun with the first byte: what is refused before leaves none behind."""

    def __init__(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, scanner: Scanner) -> None:
        self._archive, self._info, self.scanner = archive, info, scanner
        self._entry: IO[bytes] | None = None
        self.name = info.filename
        self.start = 0
        """Where in the archive it begins."""
        self.size = 0
        self.sha256 = hashlib.sha256()
        self.tail = bytearray()
        self.failed = False
        """Whether it was this side, the disk here, that failed."""

    def write(self, data: bytes) -> int:  # type: ignore[override]
        try:
            if self._entry is None:
                self._entry = self._archive.open(self._info, "w", force_zip64=True)
                self.start = self._info.header_offset
            self._entry.write(data)
        except OSError:
            self.failed = True
            raise
        self.size += len(data)
        self.sha256.update(data)
        self.tail = (self.tail + data[-_TAIL:])[-_TAIL:]
        self.scanner.feed(data)
        return len(data)

    @property
    def begun(self) -> bool:
        """Whether there is an entry."""
        return self._entry is not None

    def close(self) -> None:
        if self._entry is not None:
            self._entry.close()
        super().close()


def _why(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "it was interrupted"
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return "the disk here is full"
    if isinstance(error, OSError):
        return error.strerror or "it could not be read"
    return printable(str(error)) if isinstance(error, FleetError) else "fleet failed while it was written"


def _decoded(data: bytes) -> str:
    """The end of a text for people's eyes."""
    wide = data.count(0) > len(data) // 4
    return data.decode("utf-16-le" if wide else "utf-8", "replace")


def _page(said: Manifest, tails: dict[str, str]) -> Page:
    return Page(
        run=said.run,
        created=said.created,
        level=said.level,
        replaced=dict(said.replaced),
        partial=said.partial,
        hosts=[_part(said, host, tails) for host in said.hosts],
    )


def _part(said: Manifest, host: str, tails: dict[str, str]) -> HostPart:
    return HostPart(
        name=host,
        files=[
            Row(each.name, each.origin, each.size, _notes(each), tails.get(each.name))
            for each in said.files
            if each.host == host
        ],
        missing=[(each.origin, each.reason) for each in said.missing if each.host == host],
        signs=[
            Sign(each.what, each.times, each.file, each.first, each.runbook)
            for each in said.stands_out
            if each.host == host
        ],
    )


def _notes(entry: Entry) -> Sequence[str]:
    notes = [f"incomplete: {entry.truncated}"] if entry.truncated else []
    if entry.note:
        notes.append(entry.note)
    if entry.binary:
        notes.append("not text: not all secrets can be found in it")
    if entry.left_out:
        notes.append(f"{entry.left_out} lines too long to be cleaned were left out")
    return notes
