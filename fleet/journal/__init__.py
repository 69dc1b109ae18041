"""What happened, durably: one append-only, hash-chained file a run.

``storage`` keeps records, ``writer`` puts them there for many threads, ``history`` reads them back.
"""

from fleet.journal.history import History, Run, RunSummary, default_state
from fleet.journal.storage import MemoryStorage, Record, SqliteStorage, Storage
from fleet.journal.writer import Journal

__all__ = [
    "History",
    "Journal",
    "MemoryStorage",
    "Record",
    "Run",
    "RunSummary",
    "SqliteStorage",
    "Storage",
    "default_state",
]
