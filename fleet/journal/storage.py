"""Where records are kept: SQLite for real, memory for a simulator.

One file a run, so that a file has one writer by construction: SQLite before 3.51.3 can corrupt a
write-ahead log that two connections write and checkpoint at once (sqlite.org/wal.html), and
Debian 12 ships 3.40. Every record carries the hash of the one before it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fleet.errors import JournalError
from fleet.model import JsonValue

SCHEMA_VERSION = 1
_APPLICATION_ID = 0x464C5431  # "FLT1"


@dataclass(frozen=True, slots=True)
class Record:
    """One fact of a run: its kind (``run``, ``intent``, ``result``, ``finished``), host and body."""

    kind: str
    host: str
    body: dict[str, JsonValue]


class Storage(Protocol):
    """An append-only sequence of records."""

    def append(self, records: list[Record]) -> None:
        """Add the records; they are durable when this returns. Raises ``JournalError``."""
        ...

    def close(self) -> None:
        """Release what is held; nothing can be appended afterwards."""
        ...


class MemoryStorage:
    """Records in memory, for a simulator and for runs that must leave no trace."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def append(self, records: list[Record]) -> None:
        """Add the records."""
        self.records.extend(records)

    def close(self) -> None:
        """Nothing is held."""


def _encode(body: dict[str, JsonValue]) -> str:
    return json.dumps(body, ensure_ascii=True, separators=(",", ":"), allow_nan=False)


def _link(previous: str, kind: str, host: str, body: str) -> str:
    text = "\x00".join((previous, kind, host, body))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class SqliteStorage:
    """Records in a SQLite file that this object alone writes; mode 0600, made anew."""

    def __init__(self, path: Path) -> None:
        """Create the file. Raises ``FileExistsError`` where there is one, ``JournalError`` otherwise."""
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            # The writer thread is the only user; it is not the thread that opens.
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            self._connection.execute(
                "CREATE TABLE record (seq INTEGER PRIMARY KEY, kind TEXT NOT NULL,"
                " host TEXT NOT NULL, body TEXT NOT NULL, chain TEXT NOT NULL)"
            )
        except FileExistsError:
            raise
        except (OSError, sqlite3.Error) as error:
            raise JournalError(f"the journal {path} can't be made: {error}") from error
        self._path = path
        self._chain = ""

    def append(self, records: list[Record]) -> None:
        """Add the records in one transaction, synchronised to the disk."""
        rows, chain = [], self._chain
        for record in records:
            body = _encode(record.body)
            chain = _link(chain, record.kind, record.host, body)
            rows.append((record.kind, record.host, body, chain))
        try:
            self._connection.execute("BEGIN")
            self._connection.executemany(
                "INSERT INTO record (kind, host, body, chain) VALUES (?, ?, ?, ?)", rows
            )
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise JournalError(f"the journal {self._path} can't be written: {error}") from error
        self._chain = chain

    def close(self) -> None:
        """Fold the write-ahead log into the file and close it."""
        self._connection.close()


def read_records(path: Path, kinds: Iterable[str] | None = None) -> Iterator[Record]:
    """Read a journal file without changing it.

    All records are checked against the chain unless ``kinds`` narrows them down (a list of runs
    needs no proof; a report does). Raises ``JournalError`` for a file that is foreign, newer,
    damaged or altered.
    """
    if not path.exists():
        raise JournalError(f"there is no journal {path}")
    wanted = None if kinds is None else tuple(kinds)
    try:
        with contextlib.closing(
            sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        ) as connection:
            _check_schema(connection, path)
            yield from _read_checked(connection, path) if wanted is None else _read_some(connection, wanted)
    except (sqlite3.Error, ValueError) as error:
        raise JournalError(f"the journal {path} can't be read: {error}") from error


def _check_schema(connection: sqlite3.Connection, path: Path) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != _APPLICATION_ID:
        raise JournalError(f"{path} is not a journal of fleet")
    if version > SCHEMA_VERSION:
        raise JournalError(f"{path} was written by a newer fleet (schema {version}); update fleet to read it")


def _read_checked(connection: sqlite3.Connection, path: Path) -> Iterator[Record]:
    chain = ""
    rows = connection.execute("SELECT seq, kind, host, body, chain FROM record ORDER BY seq")
    for position, (seq, kind, host, body, link) in enumerate(rows, 1):
        chain = _link(chain, kind, host, body)
        if link != chain or seq != position:
            raise JournalError(f"{path}: record {position} was altered later; don't rely on it")
        yield Record(kind, host, json.loads(body))


def _read_some(connection: sqlite3.Connection, kinds: tuple[str, ...]) -> Iterator[Record]:
    marks = ",".join("?" * len(kinds))
    query = f"SELECT kind, host, body FROM record WHERE kind IN ({marks}) ORDER BY seq"  # noqa: S608 (only marks)
    for kind, host, body in connection.execute(query, kinds):
        yield Record(kind, host, json.loads(body))
