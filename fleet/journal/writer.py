"""The one writer of a run's journal: many threads hand records in, one thread commits them.

Records that arrive while a commit is under way go into the next one together, so that the number
of disk synchronisations does not grow with the number of hosts.
"""

from __future__ import annotations

import queue
import threading
from concurrent.futures import Future

from fleet.errors import JournalError
from fleet.journal.storage import Record, Storage


class Journal:
    """Takes records from any thread. After a failed commit it refuses everything that follows."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._queue: queue.SimpleQueue[tuple[Record, Future[None]] | None] = queue.SimpleQueue()
        self._failure: JournalError | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._write, name="fleet-journal", daemon=True)
        self._thread.start()

    @property
    def failure(self) -> JournalError | None:
        """Why nothing can be written any more, or None."""
        return self._failure

    def append(self, record: Record) -> Future[None]:
        """Hand a record in; the future is done once it is durable, or holds the ``JournalError``."""
        done: Future[None] = Future()
        if self._closed:
            done.set_exception(JournalError("the journal is closed"))
        else:
            self._queue.put((record, done))
        return done

    def commit(self, record: Record) -> None:
        """Hand a record in and return once it is durable. Raises ``JournalError``."""
        self.append(record).result()

    def close(self) -> None:
        """Commit what was handed in and close the storage; may be called twice."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
            self._thread.join()
            self._storage.close()

    def _write(self) -> None:
        while (first := self._queue.get()) is not None:
            batch = [first]
            ended = False
            while not self._queue.empty():
                item = self._queue.get()
                if item is None:
                    ended = True
                    break
                batch.append(item)
            self._commit(batch)
            if ended:
                return

    def _commit(self, batch: list[tuple[Record, Future[None]]]) -> None:
        if self._failure is None:
            try:
                self._storage.append([record for record, _ in batch])
            except JournalError as error:
                self._failure = error
        for _, done in batch:
            if self._failure is None:
                done.set_result(None)
            else:
                done.set_exception(self._failure)
