"""A run on a terminal: nobody forgotten, worst first, 80 columns, nothing a guest says can act."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from fleet.journal import Run
from fleet.model import Os, Outcome, Result, Untrusted
from fleet.report import terminal

NOW = datetime(2026, 11, 21, 2, 31, tzinfo=UTC)


def result(host: str, outcome: Outcome, message: str = "", **more: object) -> Result:
    return Result(host, Os.LINUX, 1, "some-check", outcome, Untrusted(message), NOW, 1.0, **more)  # type: ignore[arg-type]


def run(*results: Result, targets: list[str] | None = None) -> Run:
    names = targets or [each.host for each in results]
    header = {
        "id": "r1",
        "command": "fleet check some-check",
        "started": "2026-11-21T02:31:00Z",
        "name": "some-check",
    }
    return Run("r1", header, dict.fromkeys(names, Os.LINUX), tuple(results), NOW, False)


def test_hosts_that_say_the_same_are_one_line_and_the_worst_stands_first() -> None:
    text = terminal.table(
        terminal.host_lines(
            run(
                *[result(f"web{n:02d}", Outcome.OK, "fine") for n in range(1, 11)],
                result("db1", Outcome.FAILED, "the agent is not running"),
                result("old", Outcome.UNREACHABLE, "connection refused"),
            )
        )
    )
    assert text == (
        "db1              failed        the agent is not running\n"
        "old              unreachable   connection refused\n"
        "web[01-10] (10)  ok            fine\n"
    )


def test_the_identity_names_every_host() -> None:
    words = {"a": Outcome.OK, "b": Outcome.TIMED_OUT, "c": Outcome.HELD, "d": Outcome.OK}
    assert terminal.identity(words) == "4 hosts = 1 timed out + 1 held + 2 ok"


def test_a_host_without_results_was_not_run() -> None:
    (line,) = terminal.host_lines(run(targets=["web1"]))
    assert (line.outcome, line.message) == (Outcome.NOT_RUN, "not started")


def test_a_simulated_answer_says_so() -> None:
    (line,) = terminal.host_lines(run(result("win", Outcome.OK, "fine", data={"simulated": True})))
    assert line.message == "simulated: fine"


def test_what_was_not_verified_is_said_under_every_report() -> None:
    whole = run(result("win1", Outcome.OK))
    loosened = Run(
        whole.id,
        {**whole.header, "certificate_not_verified": ["win1"]},
        whole.targets,
        whole.results,
        NOW,
        False,
    )
    assert "Certificates were NOT verified on: win1" in "\n".join(
        terminal.closing(loosened, {"win1": Outcome.OK})
    )


@given(
    st.lists(st.tuples(st.sampled_from(list(Outcome)), st.text(max_size=300)), min_size=1, max_size=12),
)
def test_every_line_fits_and_is_printable(said: list[tuple[Outcome, str]]) -> None:
    results = [result(f"host{n:03d}", outcome, message) for n, (outcome, message) in enumerate(said)]
    whole = run(*results)
    lines = terminal.table(terminal.host_lines(whole)).split("\n")
    assert all(len(line) <= terminal.WIDTH for line in lines)
    assert all(character.isprintable() for line in lines for character in line)
    detail = [line for text in terminal.details(whole, whole.targets) for line in text.split("\n")]
    assert all(character.isprintable() for line in detail for character in line)
