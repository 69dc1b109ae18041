"""What goes wrong over WinRM: nothing is believed that is not protected, sent twice, or left behind."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

from fleet.errors import BusyError, DeniedError, ProtocolError, TransportError, UnreachableError
from fleet.lab.winrm_faults import Fault
from fleet.transport import winrm, winrm_soap
from tests.transport.winrm_world import LineGuest, World, answered, script, wait_for_hang_up

OPERATIONS = ("Create", "Command", "Send", "Receive", "Signal", "Delete")


@pytest.fixture
def sealed() -> Iterator[World]:
    with World(LineGuest(), "http", "ntlm") as world:
        yield world


@pytest.fixture
def secured() -> Iterator[World]:
    with World(LineGuest(), "https", "ntlm") as world:
        yield world


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Little time for a request, so that what never ends shows quickly."""
    monkeypatch.setattr(winrm_soap, "READ_MARGIN", 0.3)
    monkeypatch.setattr(winrm_soap, "OPERATION_TIMEOUT", 0.2)
    monkeypatch.setattr(winrm, "OPERATION_TIMEOUT", 0.2)
    monkeypatch.setattr(winrm, "CLEAN_UP", 1.0)


def fail_at(world: World, how: Fault, operation: str, **settings: Any) -> TransportError | None:
    """Lead a host through its operations with a fault at one of them; give the error, if any."""
    world.service.misbehave(how, operation)
    try:
        with world.open(**settings) as transport:
            list(transport.run([script()]))
            if operation == "Signal":
                list(transport.run([script("sleep 30", timeout=0.01)]))
    except TransportError as error:
        return error
    return None


class TestCuts:
    @pytest.mark.parametrize("scheme", ["http", "https"])
    @pytest.mark.parametrize("how", [Fault.CUT_BEFORE, Fault.CUT_AFTER])
    @pytest.mark.parametrize("operation", OPERATIONS)
    def test_leave_no_shell_in_the_guest(
        self, scheme: Literal["http", "https"], how: Fault, operation: str
    ) -> None:
        with World(LineGuest(), scheme, "ntlm") as world:
            error = fail_at(world, how, operation)
            assert world.service.shells.open == []
            assert world.service.connections == 2
            assert (error is None) == (operation == "Delete")
            assert error is None or isinstance(error, UnreachableError)

    @pytest.mark.parametrize(
        "how", [Fault.QUOTA, Fault.WMI_QUOTA, Fault.UNAVAILABLE, Fault.CONTROL, Fault.NOT_XML]
    )
    @pytest.mark.parametrize("operation", ["Command", "Send", "Receive", "Signal"])
    def test_faults_leave_no_shell_either(self, secured: World, how: Fault, operation: str) -> None:
        assert fail_at(secured, how, operation) is not None
        assert secured.service.shells.open == []

    @pytest.mark.parametrize(
        ("operation", "sent"), [("Create", False), ("Command", False), ("Send", True), ("Receive", True)]
    )
    @pytest.mark.parametrize("how", [Fault.CUT_BEFORE, Fault.CUT_AFTER, Fault.CUT_HALF])
    def test_say_truly_whether_the_script_may_have_left(
        self, sealed: World, how: Fault, operation: str, sent: bool
    ) -> None:
        error = fail_at(sealed, how, operation)
        assert error is not None
        assert error.sent is sent

    @pytest.mark.parametrize("how", [Fault.CUT_BEFORE, Fault.CUT_AFTER, Fault.CUT_HALF, Fault.STALE])
    @pytest.mark.parametrize("operation", ["Command", "Send", "Receive"])
    def test_never_run_a_script_twice(self, tmp_path: Path, how: Fault, operation: str) -> None:
        one = script("echo x >> ledger", mutates=True)
        with World(LineGuest(folder=tmp_path), "http", "ntlm") as world:
            world.service.misbehave(how, operation)
            with world.open() as transport, pytest.raises(TransportError):
                # two calls, because a stale connection shows only in the second
                list(itertools.chain(transport.run([one, script()]), transport.run([script()])))
        ledger = tmp_path / "ledger"
        # its process may have been ended between opening the file and writing
        assert not ledger.exists() or ledger.read_text() in {"", "x\n"}
        assert world.service.requests.count("Send") <= 2

    def test_between_two_requests_end_the_session_before_anything_is_sent(self, sealed: World) -> None:
        sealed.service.misbehave(Fault.STALE, "Receive")
        with sealed.open() as transport:
            list(transport.run([script()]))
            wait_for_hang_up(transport)
            with pytest.raises(UnreachableError, match="between two requests") as caught:
                list(transport.run([script(mutates=True)]))
        assert not caught.value.sent
        assert sealed.service.requests.count("Send") == 1
        assert sealed.service.shells.open == []

    def test_keep_what_had_arrived(self, sealed: World) -> None:
        sealed.service.misbehave(Fault.CUT_BEFORE, "Signal")
        with sealed.open() as transport:
            answers = transport.run([script("echo so far; sleep 30", timeout=0.2), script()])
            assert next(answers).stdout == b"so far\n"
            with pytest.raises(UnreachableError):
                next(answers)

    def test_a_transport_that_failed_is_not_used_again(self, sealed: World) -> None:
        sealed.service.misbehave(Fault.CUT_AFTER, "Receive")
        with sealed.open() as transport:
            with pytest.raises(UnreachableError):
                list(transport.run([script()]))
            before = len(sealed.service.requests)
            with pytest.raises(UnreachableError, match="given up after an error") as caught:
                list(transport.run([script(mutates=True)]))
            assert not caught.value.sent
            assert len(sealed.service.requests) == before


class TestClosing:
    @pytest.mark.usefixtures("impatient")
    def test_a_guest_that_no_longer_answers_takes_bounded_time(self, secured: World) -> None:
        transport = secured.open()
        secured.service.misbehave(Fault.DRIP, "Delete")
        secured.service.misbehave(Fault.DRIP, "Login")
        started = time.monotonic()
        transport.close()
        assert time.monotonic() - started < 3
        assert secured.service.requests[-2:] == ["Delete", "Login"]

    def test_a_guest_that_is_gone_is_no_error(self) -> None:
        with World(LineGuest(), "https", "ntlm") as world:
            transport = world.open()
        transport.close()


class TestUntrustedReplies:
    @pytest.mark.parametrize("operation", OPERATIONS)
    def test_a_plain_reply_in_a_sealed_session_is_refused_everywhere(self, operation: str) -> None:
        with World(LineGuest(), "http", "ntlm") as world:
            error = fail_at(world, Fault.PLAIN, operation)
            assert world.service.shells.open == []
        if operation == "Delete":  # its error is nobody's result; the shell is deleted over a new session
            assert world.service.requests.count("Delete") == 2
        else:
            assert isinstance(error, ProtocolError)
            assert "in the clear" in str(error)

    @pytest.mark.parametrize("how", [Fault.UNAVAILABLE, Fault.NOT_FOUND])
    def test_a_plain_error_in_a_sealed_session_is_refused_too(self, sealed: World, how: Fault) -> None:
        error = fail_at(sealed, how, "Receive")
        assert isinstance(error, ProtocolError)
        assert "in the clear" in str(error)

    def test_a_sealed_reply_that_was_changed_is_refused(self, sealed: World) -> None:
        error = fail_at(sealed, Fault.FORGED, "Receive")
        assert isinstance(error, ProtocolError)
        assert "can't be decrypted" in str(error)

    @pytest.mark.parametrize("operation", ["Login", "Create", "Send", "Receive"])
    def test_a_redirect_is_not_followed_and_nothing_goes_there(self, secured: World, operation: str) -> None:
        before = secured.service.messages
        error = fail_at(secured, Fault.REDIRECT, operation)
        assert isinstance(error, ProtocolError)
        assert "redirect" in str(error)
        assert secured.service.messages - before <= 12
        assert secured.service.elsewhere == 0

    @pytest.mark.parametrize("operation", ["Login", "Create", "Receive"])
    def test_a_packed_reply_is_not_opened(self, secured: World, operation: str) -> None:
        error = fail_at(secured, Fault.GZIP, operation)
        assert isinstance(error, ProtocolError)
        assert "packed" in str(error)

    @pytest.mark.parametrize("how", [Fault.DRIP, Fault.ENDLESS])
    @pytest.mark.parametrize("operation", ["Command", "Receive", "Delete"])
    @pytest.mark.usefixtures("impatient")
    def test_a_dripping_reply_ends_at_the_deadline_of_the_request(
        self, secured: World, how: Fault, operation: str
    ) -> None:
        started = time.monotonic()
        error = fail_at(secured, how, operation)
        assert time.monotonic() - started < 5
        if operation != "Delete":
            assert isinstance(error, UnreachableError)
            assert "did not answer within" in str(error)
        assert secured.service.shells.open == []

    @pytest.mark.parametrize(
        ("how", "words"),
        [
            (Fault.BIG, "more than"),
            (Fault.NOT_XML, "no message of WinRM"),
            (Fault.DTD, "document type"),
            (Fault.DEEP, "too deep"),
            (Fault.OTHER_QUESTION, "not asked"),
            (Fault.CONTROL, "code 5011"),
        ],
    )
    def test_strange_documents_are_one_clear_error(self, secured: World, how: Fault, words: str) -> None:
        error = fail_at(secured, how, "Receive")
        assert isinstance(error, ProtocolError)
        assert words in str(error)
        assert str(error).isprintable()

    def test_what_the_guest_says_in_a_fault_travels_as_guest_data(self, secured: World) -> None:
        error = fail_at(secured, Fault.CONTROL, "Receive")
        assert error is not None
        assert error.stderr == b"said ??[31mred"

    def test_the_end_of_a_command_without_exit_code_is_the_end(self, sealed: World) -> None:
        after = script("echo after")
        with sealed.open() as transport:
            sealed.service.misbehave(Fault.NO_EXIT_CODE, "Receive")
            gone, done = transport.run([script(raw="# leave\nsleep 0.2; exit 4"), after])
        assert gone.exit_code is None
        assert answered(done, after)


class TestLostSessions:
    @pytest.mark.parametrize("scheme", ["http", "https"])
    @pytest.mark.parametrize("how", [Fault.UNAUTHORIZED, Fault.BAD_REQUEST])
    def test_are_given_up_and_not_logged_in_again_for_the_script(
        self, scheme: Literal["http", "https"], how: Fault
    ) -> None:
        with World(LineGuest(), scheme, "ntlm") as world:
            error = fail_at(world, how, "Send")
            assert isinstance(error, UnreachableError)
            assert "no longer knows this session" in str(error)
            assert error.sent
            assert world.service.requests.count("Send") == 1
            assert world.service.shells.open == []


class TestFaultsInWords:
    @pytest.mark.parametrize("how", [Fault.QUOTA, Fault.WMI_QUOTA])
    @pytest.mark.parametrize("operation", ["Create", "Command"])
    def test_a_quota_is_busy_before_anything_was_sent(
        self, secured: World, how: Fault, operation: str
    ) -> None:
        error = fail_at(secured, how, operation)
        assert isinstance(error, BusyError)
        assert not error.sent
        assert "winrm/config/winrs" in str(error)

    def test_a_missing_right_is_denied(self, secured: World) -> None:
        error = fail_at(secured, Fault.NO_RIGHT, "Create")
        assert isinstance(error, DeniedError)
        assert "Remote Management Users" in str(error)

    def test_a_service_that_starts_is_busy(self, secured: World) -> None:
        error = fail_at(secured, Fault.UNAVAILABLE, "Create")
        assert isinstance(error, BusyError)
        assert "503" in str(error)

    def test_every_error_is_one_sentence_or_two_without_secrets(self, secured: World) -> None:
        for how, operation in itertools.product(
            [Fault.CUT_AFTER, Fault.PLAIN, Fault.REDIRECT, Fault.NOT_XML, Fault.QUOTA], ["Create", "Receive"]
        ):
            error: BaseException | None = fail_at(secured, how, operation)
            while error is not None:
                assert "p4ss" not in repr(error) + str(error)
                assert not hasattr(error, "request")
                error = error.__cause__ or error.__context__
