"""A Windows guest that answers from a model: over the wire like a real one, with a state, and honest."""

from __future__ import annotations

from dataclasses import replace

from fleet.catalog import Catalog, bind
from fleet.envelope import parse
from fleet.lab.windows_model import WindowsModel
from fleet.lab.windows_state import Service, WindowsState, Writer
from fleet.model import Completed, Outcome, Shell
from fleet.render import POWERSHELL_COMMAND, render
from tests.lab.conftest import send

SQL = "a65faa63-5ea8-4ebc-9dbd-a0c4db26912a"


def sql_server() -> WindowsState:
    """A guest whose SQL writer failed at freeze."""
    return WindowsState(
        services={"VSS": Service(), "SQLWriter": Service(), "MSSQLSERVER": Service()},
        writers=[
            Writer("ASR Writer", "be000cbe-11fe-4426-9c58-531aa6355fc4", "VSS"),
            Writer("SqlServerWriter", SQL, "SQLWriter", state=9, last_error="Non-retryable error"),
        ],
    )


def test_a_fault_is_found_mended_and_gone_in_one_process(catalog: Catalog) -> None:
    guest = WindowsModel("win", {}, sql_server(), catalog)
    before, remedy, after = send(guest, catalog, ["vss-writers", "restart-vss-writers", "vss-writers"])
    assert before.outcome is Outcome.FAILED
    assert "SqlServerWriter failed at freeze [9]" in str(before.message)
    assert (remedy.outcome, str(remedy.message)) == (Outcome.CHANGED, "restarted SQLWriter")
    assert after.outcome is Outcome.OK
    assert guest.state.ledger == ["stop SQLWriter", "start SQLWriter"]


def test_check_mode_says_what_it_would_do_and_does_nothing(catalog: Catalog) -> None:
    guest = WindowsModel("win", {}, sql_server(), catalog)
    (reply,) = send(guest, catalog, ["restart-vss-writers"], check=True)
    assert (reply.outcome, str(reply.message)) == (
        Outcome.CHANGED,
        "would restart SQLWriter for SqlServerWriter",
    )
    assert guest.state.ledger == []


def test_a_running_backup_holds_everything(catalog: Catalog) -> None:
    state = sql_server()
    state.processes[812] = "IaaSBcdrExtension"
    guest = WindowsModel("win", {}, state, catalog)
    (reply,) = send(guest, catalog, ["restart-vss-writers"])
    assert reply.outcome is Outcome.SKIPPED
    assert reply.data["held"] == ["a backup is running: IaaSBcdrExtension (process 812)"]
    assert guest.state.ledger == []


def test_every_answer_says_that_it_is_simulated(catalog: Catalog) -> None:
    guest = WindowsModel("win", {}, sql_server(), catalog)
    for reply in send(guest, catalog, ["vss-writers", "restart-vss-writers", "set-msdtc-account"]):
        assert reply.data["simulated"] is True


def test_what_the_model_does_not_know_fails_and_says_so(catalog: Catalog) -> None:
    guest = WindowsModel("win", {}, sql_server(), catalog)
    (reply,) = send(guest, catalog, ["set-msdtc-account"])
    assert reply.outcome is Outcome.FAILED
    assert "does not know set-msdtc-account" in str(reply.message)


def test_a_check_that_the_model_does_not_know_is_no_fault_of_the_guest(catalog: Catalog) -> None:
    guest = WindowsModel("win", {}, sql_server(), catalog)
    (reply,) = send(guest, catalog, ["dhcp"])
    assert reply.outcome is Outcome.SKIPPED
    assert "does not know dhcp" in str(reply.message)


def test_a_text_that_was_changed_is_not_taken_for_the_snippet(catalog: Catalog) -> None:
    guest = WindowsModel("win", {}, sql_server(), catalog)
    snippet = catalog.snippet("vss-writers")
    text = snippet.texts[Shell.POWERSHELL]
    forged = replace(snippet, texts={Shell.POWERSHELL: replace(text, text=text.text + "\n# more")})
    script = render(forged, bind(snippet, {}), shell=Shell.POWERSHELL, check=False, nonce="n")
    reply = parse(Completed(guest._reply(script.payload), b"", None, 0.0), "n")
    assert reply.outcome is Outcome.FAILED


def test_another_command_line_ends_like_an_unknown_program(catalog: Catalog) -> None:
    process = WindowsModel("win", {}, sql_server(), catalog).spawn("cmd /c dir")
    assert process.stderr is not None
    assert process.stdout is not None
    assert process.stdin is not None
    with process.stdin, process.stdout as stdout, process.stderr as stderr:
        assert stdout.read() == b""
        assert b"'cmd' is not recognized" in stderr.read()
    assert process.wait(5) == 9009


def test_a_damaged_line_is_reported_and_the_next_one_answered(catalog: Catalog) -> None:
    guest = WindowsModel("win", {}, sql_server(), catalog)
    assert guest._reply(b"!!!\n").startswith(b"FLEET-FRAME")
    assert guest._reply(b"\n") == b""


def test_kill_ends_a_process_that_waits_for_input(catalog: Catalog) -> None:
    process = WindowsModel("win", {}, sql_server(), catalog).spawn(POWERSHELL_COMMAND)
    assert process.poll() is None
    process.kill()
    assert process.wait(5) == 0
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    process.stderr.close()
