"""The journal: durable, private, and any later change is noticed."""

from __future__ import annotations

import contextlib
import sqlite3
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.errors import JournalError, UsageError
from fleet.journal import History, Journal, Record, SqliteStorage, default_state
from fleet.journal.storage import read_records
from fleet.model import Outcome

HEADER = {
    "id": "20261121-0231-k4",
    "command": "fleet fix mild -l all --apply",
    "started": "2026-11-21T02:31:00.000Z",
    "targets": {"web1": "linux", "web2": "linux"},
}
INTENT = {"step": 2, "snippet": "mild", "risk": "safe", "attempt": 1, "at": "2026-11-21T02:31:01.000Z"}


@contextlib.contextmanager
def journal(path: Path) -> Iterator[Journal]:
    opened = Journal(SqliteStorage(path))
    try:
        yield opened
    finally:
        opened.close()


@pytest.fixture
def written(tmp_path: Path) -> Path:
    (tmp_path / "runs").mkdir(mode=0o700)
    path = tmp_path / "runs" / "20261121-0231-k4.sqlite"
    with journal(path) as opened:
        opened.commit(Record("run", "", HEADER))
        opened.commit(Record("intent", "web1", INTENT))
        opened.commit(Record("finished", "", {"finished": "2026-11-21T02:32:00.000Z", "counts": {}}))
    return path


def test_what_was_committed_is_read_back_in_order(written: Path) -> None:
    assert [record.kind for record in read_records(written)] == ["run", "intent", "finished"]


def test_an_intent_without_a_result_is_unknown(written: Path) -> None:
    run = History(written.parents[1]).run("20261121-0231-k4")
    (result,) = run.results
    assert (result.host, result.outcome) == ("web1", Outcome.UNKNOWN)
    assert "may have run" in str(result.message)


def test_the_files_are_for_their_owner_alone(written: Path) -> None:
    assert stat.S_IMODE(written.stat().st_mode) == 0o600


def test_a_journal_is_never_written_over(written: Path) -> None:
    with pytest.raises(FileExistsError):
        SqliteStorage(written)


def test_a_state_folder_that_others_can_write_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(JournalError, match="can be written by others; mend it with chmod 700"):
        History(tmp_path).create("20261121-0231-aa")


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE record SET body = replace(body, 'web1', 'web9') WHERE seq = 1",
        "UPDATE record SET host = 'web2' WHERE seq = 2",
        "UPDATE record SET kind = 'result' WHERE seq = 2",
        "DELETE FROM record WHERE seq = 2",
        "UPDATE record SET seq = seq + 10 WHERE seq = 3",
        "INSERT INTO record (kind, host, body, chain) VALUES ('result', 'web2', '{}', 'x')",
    ],
)
def test_a_record_that_was_altered_later_is_noticed(written: Path, change: str) -> None:
    with contextlib.closing(sqlite3.connect(written)) as connection:
        connection.execute(change)
        connection.commit()
    with pytest.raises(JournalError, match="altered later"):
        list(read_records(written))


@pytest.mark.parametrize("content", [b"", b"not a database at all, but long enough to be one" * 20])
def test_a_foreign_file_is_named_and_the_other_runs_stay_readable(written: Path, content: bytes) -> None:
    (written.parent / "20270101-0000-zz.sqlite").write_bytes(content)
    newest, older = History(written.parents[1]).runs()
    assert newest.problem
    assert older.command == HEADER["command"]


def test_a_journal_of_a_newer_fleet_is_refused(written: Path) -> None:
    with contextlib.closing(sqlite3.connect(written)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(JournalError, match="newer fleet"):
        list(read_records(written))


def test_an_unknown_run_is_told_with_the_newest(written: Path) -> None:
    with pytest.raises(UsageError, match="there is no run nonsense; the newest is 20261121-0231-k4"):
        History(written.parents[1]).run("nonsense")
    assert History(written.parents[1]).run("last").id == "20261121-0231-k4"


def test_the_newest_of_runs_that_began_in_one_minute_is_the_last_to_begin(written: Path) -> None:
    """Two characters of chance at the end of an id tell nothing about time."""
    state = written.parents[1]
    for run_id, second in (("20261121-0231-aa", "30"), ("20261121-0231-zz", "05")):
        with journal(written.parent / f"{run_id}.sqlite") as opened:
            opened.commit(Record("run", "", HEADER | {"started": f"2026-11-21T02:31:{second}.000Z"}))
    assert History(state).run("last").id == "20261121-0231-aa"
    assert [run.id[-2:] for run in History(state).runs()] == ["aa", "zz", "k4"]


def test_a_run_that_was_killed_before_it_began_says_that_nothing_was_contacted(written: Path) -> None:
    state = written.parents[1]
    with journal(written.parent / "20261121-0231-zz.sqlite"):
        pass
    empty = next(run for run in History(state).runs() if run.id.endswith("zz"))
    assert empty.problem == "it has no beginning: nothing was contacted in it"
    assert History(state).run("last").id == "20261121-0231-k4"
    with pytest.raises(JournalError, match="nothing was contacted in it"):
        History(state).run(empty.id)


def test_without_a_home_the_state_folder_has_to_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # as it does for a user without an entry
    for name in ("HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UsageError, match="name one: --state DIR"):
        default_state()


def test_many_threads_write_through_one_writer(tmp_path: Path) -> None:
    path = tmp_path / "many.sqlite"
    with journal(path) as opened:

        def write(name: str) -> None:
            for number in range(20):
                opened.commit(Record("intent", name, {"n": number}))

        threads = [threading.Thread(target=write, args=(name,)) for name in ("a", "b", "c", "d")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    records = list(read_records(path))
    assert len(records) == 80
    assert [r.body["n"] for r in records if r.host == "a"] == list(range(20))


def test_after_a_failed_commit_everything_is_refused(tmp_path: Path) -> None:
    storage = SqliteStorage(tmp_path / "closed.sqlite")
    opened = Journal(storage)
    storage.close()
    with pytest.raises(JournalError):
        opened.commit(Record("run", "", {}))
    with pytest.raises(JournalError):
        opened.commit(Record("intent", "web1", {}))
    assert opened.failure is not None
    opened.close()


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.tuples(st.text(), st.dictionaries(st.text(), _json, max_size=4)), max_size=5))
def test_whatever_a_guest_said_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, said: list[tuple[str, dict[str, object]]]
) -> None:
    path = tmp_path_factory.mktemp("journal") / "run.sqlite"
    with journal(path) as opened:
        for host, body in said:
            opened.commit(Record("result", host, body))
    assert [(record.host, record.body) for record in read_records(path)] == said
