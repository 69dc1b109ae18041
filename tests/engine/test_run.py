"""Many hosts: all are accounted for, whatever happens to some of them or to us."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.engine.verdict import counts, exit_code
from fleet.errors import JournalError
from fleet.journal import History, Journal, MemoryStorage, Record
from fleet.model import Outcome, Risk
from tests.engine.conftest import CHECK, Run
from tests.engine.simulator import Breakage, SimGuest, SimNetwork


def mixed() -> dict[str, SimGuest]:
    breakages: list[Breakage] = [
        "",
        "refused",
        "cut after sending",
        "silent",
        "garbage",
        "cut before sending",
    ]
    return {
        f"web{n:02d}": SimGuest(faulty=n % 2 == 0, breaks=breakages[n % 6], breaks_at="mild")
        for n in range(36)
    }


def test_every_target_has_exactly_one_word(run: Run) -> None:
    execution = run(mixed())
    list(execution)
    assert sum(counts(execution.words).values()) == 36
    assert set(execution.words) == set(mixed())


def test_the_journal_tells_the_same_as_the_stream(run: Run, tmp_path: Path) -> None:
    execution = run(mixed())
    streamed = list(execution)
    kept = History(tmp_path).run(execution.header.id)
    assert sorted(kept.results, key=lambda r: (r.host, r.step)) == sorted(
        streamed, key=lambda r: (r.host, r.step)
    )
    assert kept.finished is not None
    assert not kept.interrupted


def test_an_intent_is_durable_before_the_first_byte_of_a_remedy(run: Run, tmp_path: Path) -> None:
    seen: list[str] = []
    guests = {f"web{n}": SimGuest() for n in range(4)}
    execution = run(guests)

    def look_into_the_journal(snippet: str) -> None:
        if snippet == "mild":
            kept = History(tmp_path).run(execution.header.id)
            seen.extend(r.host for r in kept.results if r.outcome is Outcome.UNKNOWN and r.snippet == "mild")

    for guest in guests.values():
        guest.before_answer = look_into_the_journal
    list(execution)
    assert set(guests) <= set(seen)


def test_an_operator_without_a_name_is_a_number(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 12345")  # in a container, Python 3.11

    monkeypatch.setattr("getpass.getuser", nobody)
    execution = run(mixed())
    list(execution)
    assert str(execution.header.details["operator"]).startswith(f"uid {os.getuid()}@")


def test_connections_are_given_back_even_when_the_guest_breaks(run: Run) -> None:
    network = SimNetwork(mixed())
    list(run(network.guests, network=network))
    assert network.opened
    assert all(transport.closed for transport in network.opened)


def test_an_error_of_fleet_itself_ends_one_host_and_says_so(run: Run) -> None:
    def surprise(_snippet: str) -> None:
        raise ZeroDivisionError("planted")

    guests = {"bad": SimGuest(before_answer=surprise), "good": SimGuest()}
    execution = run(guests)
    list(execution)
    assert execution.words == {"bad": Outcome.BROKEN, "good": Outcome.CHANGED}


def test_an_error_of_fleet_itself_after_the_intent_is_unknown(run: Run) -> None:
    def surprise(snippet: str) -> None:
        if snippet == "mild":
            raise ZeroDivisionError("planted")

    execution = run({"bad": SimGuest(before_answer=surprise)})
    list(execution)
    assert execution.words == {"bad": Outcome.UNKNOWN}


def test_cancel_starts_nothing_further_and_counts_the_rest_as_not_run(run: Run) -> None:
    guests = {f"web{n:02d}": SimGuest() for n in range(50)}
    execution = run(guests, workers=1)
    guests["web03"].before_answer = lambda _snippet: execution.cancel()
    list(execution)
    tally = counts(execution.words)
    assert tally["not_run"] == 46
    assert execution.interrupted
    assert all(not guest.ledger for name, guest in guests.items() if name > "web03")


def test_abandon_leaves_what_was_sent_as_unknown_without_waiting(run: Run, tmp_path: Path) -> None:
    sent, release = threading.Event(), threading.Event()

    def hang(snippet: str) -> None:
        if snippet == "mild":
            sent.set()
            assert release.wait(30)

    execution = run({"web1": SimGuest(before_answer=hang), "web2": SimGuest()}, workers=1)

    def give_up() -> None:
        assert sent.wait(30)
        execution.abandon()

    killer = threading.Thread(target=give_up)
    killer.start()
    list(execution)
    killer.join()
    assert execution.words == {"web1": Outcome.UNKNOWN, "web2": Outcome.NOT_RUN}
    kept = History(tmp_path).run(execution.header.id)
    assert [r.outcome for r in kept.results if r.host == "web1"][-1] is Outcome.UNKNOWN
    release.set()


def test_a_consumer_that_goes_away_stops_the_run(run: Run) -> None:
    guests = {f"web{n:02d}": SimGuest() for n in range(30)}
    execution = run(guests, workers=1)
    for _ in execution:
        break
    assert execution.interrupted
    assert counts(execution.words)["not_run"] >= 28


class FullDisk(MemoryStorage):
    """Takes a few records, then none."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def append(self, records: list[Record]) -> None:
        if len(self.records) + len(records) > self.room:
            raise JournalError("the journal can't be written: No space left on device")
        super().append(records)


@pytest.mark.parametrize("room", range(14))
def test_without_a_durable_intent_nothing_is_touched(run: Run, room: int) -> None:
    """Whichever record the disk refuses: no guest is changed that the journal does not name."""
    guests = {f"web{n}": SimGuest() for n in range(3)}
    execution = run(guests, workers=1)
    execution._world.journal.close()
    storage = FullDisk(room)
    object.__setattr__(execution._world, "journal", Journal(storage))
    with pytest.raises(JournalError, match="No space left"):
        list(execution)
    intended = {record.host for record in storage.records if record.kind == "intent"}
    touched = {name for name, guest in guests.items() if "DID mild" in guest.ledger}
    assert touched <= intended


def test_two_runs_of_one_minute_have_different_journals(run: Run, tmp_path: Path) -> None:
    ids = set()
    for _ in range(3):
        execution = run({"web1": SimGuest()}, CHECK, "look")
        list(execution)
        ids.add(execution.header.id)
    assert len(ids) == 3
    assert len(list(History(tmp_path).runs())) == 3


@given(
    st.lists(
        st.tuples(
            st.booleans(),
            st.booleans(),
            st.booleans(),
            st.sampled_from(["", "refused", "cut before sending", "cut after sending", "silent", "garbage"]),
            st.sampled_from(["", "check-it", "mild", "rough"]),
        ),
        min_size=1,
        max_size=8,
    ),
    st.sampled_from(list(Risk)),
)
def test_whatever_breaks_the_words_agree_with_the_ledgers(
    tmp_path_factory: pytest.TempPathFactory, fates: list[tuple[bool, bool, bool, Breakage, str]], allow: Risk
) -> None:
    """The accounting holds, no remedy is done twice, and no host that was changed is called untouched."""
    from tests.engine import conftest

    guests = {
        f"h{n}": SimGuest(faulty=f, cure_fails=c, holds=h, breaks=b, breaks_at=at)
        for n, (f, c, h, b, at) in enumerate(fates)
    }
    make = conftest.run.__wrapped__(tmp_path_factory.mktemp("state"))  # type: ignore[attr-defined]
    execution = make(guests, allow=allow)
    list(execution)
    words = execution.words
    assert sum(counts(words).values()) == len(guests)
    assert exit_code(words) in {0, 1, 3, 4}
    for name, guest in guests.items():
        done = [entry for entry in guest.ledger if entry.startswith("DID")]
        assert len(done) == len(set(done))
        if done:
            assert words[name] not in {Outcome.OK, Outcome.NOT_RUN, Outcome.SKIPPED}
        if words[name] is Outcome.CHANGED:
            assert done
