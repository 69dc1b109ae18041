"""Runs that were: the list, and one whole. Reads files only."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from fleet.codec import parse_instant, result_from_json
from fleet.errors import JournalError, UsageError
from fleet.journal.storage import Record, SqliteStorage, read_records
from fleet.model import JsonValue, Os, Outcome, Result, Risk, Untrusted


def default_state() -> Path:
    """The platform's folder for the state of a program. Raises ``UsageError`` where nobody knows it."""
    import platformdirs

    try:
        return platformdirs.user_state_path("fleet", appauthor=False)
    except RuntimeError:
        raise UsageError(
            "no home folder is known, so the journal has no place; name one: --state DIR"
        ) from None


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A line of the list of runs."""

    id: str
    command: str
    started: datetime
    finished: datetime | None
    """None: still under way, or it was killed."""
    targets: int
    counts: Mapping[str, int]
    """Hosts by outcome; empty where the run was not finished."""
    planned: bool = False
    """Whether it only made a plan: ``changed`` is what would be done."""
    interrupted: bool = False
    problem: str = ""
    """Why the file could not be read."""


@dataclass(frozen=True, slots=True)
class Run:
    """Everything that is known about a run."""

    id: str
    header: Mapping[str, JsonValue]
    targets: Mapping[str, Os]
    results: tuple[Result, ...]
    finished: datetime | None
    interrupted: bool

    @property
    def started(self) -> datetime:
        """When it began."""
        return parse_instant(self.header["started"])

    @property
    def applied(self) -> bool:
        """Whether it was allowed to change guests."""
        return bool(self.header.get("apply"))


_MINUTE = len("20261121-0231")
"""How much of an id is the time at which its run began."""


_EMPTY = "it has no beginning: nothing was contacted in it"


class History:
    """The folder of journals below a state folder."""

    def __init__(self, state: Path) -> None:
        self._folder = state / "runs"

    def create(self, run_id: str) -> SqliteStorage:
        """Storage for a new run. Raises ``FileExistsError`` for an id that is taken."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise JournalError(
                f"the state folder {self._folder} can't be made ({error.strerror}); name another: --state DIR"
            ) from error
        self._require_private()
        return SqliteStorage(self._path(run_id))

    def runs(self) -> Iterator[RunSummary]:
        """All runs, the newest first."""
        summaries = map(_summary, self._folder.glob("*.sqlite"))
        yield from sorted(summaries, key=lambda summary: (summary.started, summary.id), reverse=True)

    def ids(self) -> set[str]:
        """The ids of all runs, readable or not."""
        return {path.stem for path in self._folder.glob("*.sqlite")}

    def run(self, run_id: str) -> Run:
        """One run, its chain checked. ``last`` is the newest. Raises ``UsageError`` for an unknown id."""
        names = self.ids()
        if run_id == "last" and names:
            run_id = self._newest(names)
        if run_id not in names:
            newest = f"the newest is {self._newest(names)}" if names else f"there are none in {self._folder}"
            raise UsageError(f"there is no run {run_id}; {newest}. List them: fleet runs")
        return _assemble(run_id, read_records(self._path(run_id)))

    def _newest(self, names: Collection[str]) -> str:
        """The run that began last; an id alone tells the minute only."""
        minute = max(name[:_MINUTE] for name in names)
        candidates = [_summary(self._path(name)) for name in names if name.startswith(minute)]
        readable = [summary for summary in candidates if not summary.problem] or candidates
        return max(readable, key=lambda summary: (summary.started, summary.id)).id

    def _path(self, run_id: str) -> Path:
        return self._folder / f"{run_id}.sqlite"

    def _require_private(self) -> None:
        status = self._folder.stat()
        if status.st_mode & 0o022 or status.st_uid not in {os.geteuid(), 0}:
            raise JournalError(
                f"the state folder {self._folder} can be written by others; "
                "mend it with chmod 700, or name another: --state DIR"
            )


def _summary(path: Path) -> RunSummary:
    header: Mapping[str, JsonValue] = {}
    finished: Mapping[str, JsonValue] = {}
    try:
        for record in read_records(path, kinds=("run", "finished")):
            if record.kind == "run":
                header = record.body
            else:
                finished = record.body
        return RunSummary(
            id=path.stem,
            command=str(header["command"]),
            started=parse_instant(header["started"]),
            finished=parse_instant(finished["finished"]) if finished else None,
            targets=len(header["targets"]),
            counts=finished.get("counts", {}),
            planned=bool(header.get("planned")),
            interrupted=bool(finished.get("interrupted")),
        )
    except (JournalError, KeyError, ValueError, TypeError) as error:
        modified = datetime.fromtimestamp(path.stat().st_mtime).astimezone()
        problem = (
            "it has no beginning: nothing was contacted in it" if isinstance(error, KeyError) else str(error)
        )
        return RunSummary(path.stem, "", modified, None, 0, {}, problem=problem)


def _assemble(run_id: str, records: Iterator[Record]) -> Run:
    header: Mapping[str, JsonValue] = {}
    finished: Mapping[str, JsonValue] = {}
    results: list[Result] = []
    open_intents: dict[tuple[str, int], Mapping[str, JsonValue]] = {}
    for record in records:
        if record.kind == "run":
            header = record.body
        elif record.kind == "intent":
            open_intents[record.host, record.body["step"]] = record.body
        elif record.kind == "result":
            result = result_from_json(record.body)
            open_intents.pop((result.host, result.step), None)
            results.append(result)
        elif record.kind == "finished":
            finished = record.body
    if not header:
        raise JournalError(f"run {run_id}: {_EMPTY}")
    targets = {name: Os(kind) for name, kind in header["targets"].items()}
    results += [_unsettled(host, targets[host], body) for (host, _), body in open_intents.items()]
    return Run(
        id=run_id,
        header=header,
        targets=targets,
        results=tuple(results),
        finished=parse_instant(finished["finished"]) if finished else None,
        interrupted=bool(finished.get("interrupted", not finished)),
    )


def _unsettled(host: str, os_: Os, intent: Mapping[str, JsonValue]) -> Result:
    """An intent without a result: it may have run, and nothing here knows."""
    return Result(
        host=host,
        os=os_,
        step=intent["step"],
        phase="act",
        snippet=intent["snippet"],
        outcome=Outcome.UNKNOWN,
        message=Untrusted("fleet ended after this step was sent; it may have run"),
        risk=Risk(intent["risk"]),
        started=parse_instant(intent["at"]),
        seconds=0.0,
        attempt=intent["attempt"],
    )
