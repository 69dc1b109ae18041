"""Carrying a run out in front of a person: signals, progress, and the reports afterwards."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import click

from fleet.cli import streams
from fleet.engine.run import Execution
from fleet.engine.verdict import EXIT_FINE, EXIT_INTERRUPTED, EXIT_NOT_KNOWN, exit_code, verdicts
from fleet.errors import FleetError, JournalError
from fleet.journal import History, Run
from fleet.model import Outcome
from fleet.report import document, forms, readiness_terminal, terminal
from fleet.report.readiness import Verdict, is_sweep, readiness
from fleet.report.readiness import exit_code as readiness_exit_code

Show = Callable[[Run], str]
"""How a finished run looks on a terminal."""

_COLOURS = {
    Outcome.OK: "green",
    Outcome.CHANGED: "green",
    Outcome.SKIPPED: "bright_black",
    Outcome.HELD: "yellow",
    Outcome.FAILED: "red",
}


def paint(text: str, outcome: Outcome) -> str:
    """Colour an outcome where the output is a terminal and NO_COLOR is not set."""
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return text
    return click.style(text, fg=_COLOURS.get(outcome, "magenta"))


def carry_out(
    execution: Execution,
    state: Path,
    form: str,
    outputs: dict[Path, str],
    show: Show,
    *,
    quiet: bool = False,
    finish: Callable[[Run], None] | None = None,
) -> int:
    """Run, show, write the reports, give the exit code. Ctrl-C once drains, twice abandons.

    ``finish`` does what is left once all hosts have ended, before anything is shown; what it can't do
    (``FleetError``) is said, and the exit code is that of a truth that is missing. ``quiet`` shows no
    progress, and on a terminal nothing at all where the exit code is 0.
    """
    output, cut = _Output(), False
    with (
        _signals(execution),
        _progress(len(execution.hosts), form, hidden=quiet) as advance,
        _journal_errors(execution),
    ):
        for result in execution:
            if form == "ndjson" and not output.write(document.ndjson_line(result)):
                cut = cut or not execution.interrupted
                execution.cancel()
            advance(len(execution.ended))
    for warning in execution.warnings:
        streams.say(f"note: {warning}")
    run = History(state).run(execution.header.id)
    code = exit_code_of(run)
    if finish is not None and not _finished(finish, run):
        code = EXIT_NOT_KNOWN
    if form != "ndjson" and not (quiet and form == "terminal" and code == EXIT_FINE):
        output.write(render(run, form, show))
    write_outputs(run, outputs, show)
    return _leave(execution, code, output.failure, cut=cut)


def _finished(finish: Callable[[Run], None], run: Run) -> bool:
    try:
        finish(run)
    except FleetError as error:
        streams.say(error)
        return False
    return True


@contextmanager
def _journal_errors(execution: Execution) -> Iterator[None]:
    try:
        yield
    except JournalError as error:
        raise JournalError(
            f"{error}. Nothing more was sent after that. Make room, then see what is known: "
            f"fleet report {execution.header.id}"
        ) from None


class _Output:
    """Standard output; once it failed nothing more is written to it."""

    def __init__(self) -> None:
        self.failure: streams.OutputError | None = None

    def write(self, text: str) -> bool:
        """Write and flush; False where that failed, now or before."""
        if self.failure is None:
            try:
                click.echo(text, nl=False)
            except OSError as error:
                self.failure = streams.OutputError(error)
                streams.drop_output()
        return self.failure is None


def exit_code_of(run: Run) -> int:
    """Of a sweep by the severities of its findings, of any other run by the words about its hosts."""
    if is_sweep(run):
        return readiness_exit_code(readiness(run))
    return exit_code(verdicts(run.targets, run.results), planned=bool(run.header.get("planned")))


def render(run: Run, form: str, show: Show) -> str:
    """A run in one of the forms of ``--format``."""
    return show(run) if form == "terminal" else forms.render(run, form)


def write_outputs(run: Run, outputs: dict[Path, str], show: Show) -> None:
    """Write the report files, each whole or not at all."""
    for path, form in outputs.items():
        draft = path.with_name(f".{path.name}.part")
        try:
            text = render(run, form, show)
            draft.write_text(
                click.unstyle(text) if form == "terminal" else text, encoding="utf-8", newline=""
            )
            draft.replace(path)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise FleetError(
                f"{path} can't be written: {error.strerror}. The run is kept: fleet report {run.id}"
            ) from None


def _leave(execution: Execution, code: int, failure: streams.OutputError | None, *, cut: bool) -> int:
    """The exit code. ``cut``: nothing new was started because nobody takes the results any more."""
    if failure is not None and (cut or not failure.reader_gone):
        begun = ", so nothing new was started" if cut else ""
        streams.say(f"{failure}{begun}. Everything is kept: fleet report {execution.header.id}")
    if execution.abandoned:
        # Threads that wait for guests would hold the interpreter; the journal is closed already.
        sys.stderr.flush()
        os._exit(EXIT_INTERRUPTED)
    if execution.interrupted and not cut:
        return EXIT_INTERRUPTED
    if failure is not None and not failure.reader_gone:
        return EXIT_NOT_KNOWN
    return code


_STOPPING = tuple(
    int(getattr(signal, name)) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""A lost session is a wish to stop as well; Windows has no SIGHUP."""


@contextmanager
def _signals(execution: Execution) -> Iterator[None]:
    """First SIGINT, SIGTERM or SIGHUP: no new starts, drain. Second: what is under way becomes unknown."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        if execution.interrupted:
            execution.abandon()
            return
        execution.cancel()
        message = "stopping: nothing new is started; again to leave what is under way as unknown"
        with contextlib.suppress(OSError):  # the terminal may be gone: that is what SIGHUP says
            os.write(2, f"\nfleet: {message}\n".encode())  # print is not safe within a signal handler

    before: dict[int, Any] = {}
    for number in _STOPPING:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup, or in the background of a script
            before[number] = signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _progress(total: int, form: str, *, hidden: bool) -> Iterator[Callable[[int], None]]:
    """A bar on stderr where both it is a terminal and stdout is not streaming results to it."""
    if hidden or not sys.stderr.isatty() or (form == "ndjson" and sys.stdout.isatty()):
        yield lambda _done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

    console = Console(stderr=True)
    with Progress(
        BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console, transient=True
    ) as bar:
        task = bar.add_task("hosts", total=total)
        yield lambda done: bar.update(task, completed=done)


def command_line() -> list[str]:
    """The words that this command was started with, for hints; they hold no secret by design."""
    return ["fleet", *sys.argv[1:]]


def reach(*options: str) -> list[str]:
    """The options of this command line that say which inventory, state and scripts, or only some of them."""
    wanted = options or ("--inventory", "--state", "--scripts")
    short = ("-i",) if "--inventory" in wanted else ()
    kept: list[str] = []
    words = iter(sys.argv[1:])
    for word in words:
        if word in {*wanted, *short}:
            kept += [word, next(words, "")]
        elif word.startswith(tuple(f"{option}=" for option in wanted)):
            kept.append(word)
    return kept


def show_table(run: Run) -> str:
    """Hosts that say the same folded, worst first, and the closing lines."""
    words = verdicts(run.targets, run.results)
    names = terminal.PLANNED if run.header.get("planned") else None
    body = terminal.table(terminal.host_lines(run), paint, names)
    return body + "\n" + "\n".join(terminal.closing(run, words)) + "\n"


def show_readiness(run: Run) -> str:
    """A sweep's verdicts with their reasons, worst first, and the commands to run next."""
    return "".join(f"{line}\n" for line in readiness_terminal.lines(readiness(run), paint_verdict))


_VERDICT_COLOURS = {
    Verdict.NOT_READY: "red",
    Verdict.NOT_KNOWN: "magenta",
    Verdict.WARNINGS: "yellow",
    Verdict.READY: "green",
    Verdict.NOT_APPLICABLE: "bright_black",
}


def paint_verdict(text: str, verdict: Verdict) -> str:
    """Colour a verdict as ``paint`` colours an outcome."""
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return text
    return click.style(text, fg=_VERDICT_COLOURS[verdict])
