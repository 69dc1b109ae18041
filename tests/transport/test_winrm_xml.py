"""XML and SOAP from a guest: whatever it sends is a document, or one clear error."""

from __future__ import annotations

import base64
import contextlib
import time
from typing import cast

import pytest
import spnego
from hypothesis import given
from hypothesis import strategies as st

from fleet.errors import ProtocolError, TransportError
from fleet.ports import SystemClock
from fleet.transport import winrm_soap
from fleet.transport.winrm_login import GuardedTransport, answer_to
from fleet.transport.winrm_soap import Received, ShellService
from fleet.transport.winrm_wire import MAX_REPLY
from fleet.transport.winrm_xml import MAX_DEPTH, MAX_ELEMENTS, XmlError, parse

SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"


class TestDocuments:
    @given(st.binary(max_size=2000))
    def test_any_bytes_are_a_document_or_an_xml_error(self, data: bytes) -> None:
        with contextlib.suppress(XmlError):
            parse(data)

    @given(st.text(alphabet='<>&;/="ax!-?[]#\x00\x08', max_size=300))
    def test_any_markup_is_a_document_or_an_xml_error(self, text: str) -> None:
        with contextlib.suppress(XmlError):
            parse(text.encode())

    @given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"]), max_size=200))
    def test_text_comes_back_as_it_was(self, text: str) -> None:
        escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        assert (parse(f"<a>{escaped}</a>".encode()).text or "") == text

    @given(st.integers(0, 31))
    def test_control_characters_become_question_marks(self, code: int) -> None:
        kept = {9: "\t", 10: "\n", 13: "\r"}.get(code, "?")
        for reference in (f"&#{code};", f"&#x{code:x};", f"&#x0{code:X};"):
            assert parse(f"<a>{reference}</a>".encode()).text == kept
        raw = parse(b"<a>" + bytes([code]) + b"</a>").text
        assert raw == (kept if code != 13 else "\n")

    @pytest.mark.parametrize(
        "document",
        [
            b"<!DOCTYPE a><a/>",
            b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
            b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
            b'<!DOCTYPE a SYSTEM "http://127.0.0.1/dtd"><a/>',
            b"<a>&undeclared;</a>",
            b"",
            b"<a>",
            b"<a/><b/>",
            b'<a b="1" b="2"/>',
            b"<x:a/>",
        ],
    )
    def test_declarations_entities_and_halves_are_refused(self, document: bytes) -> None:
        with pytest.raises(XmlError):
            parse(document)

    def test_depth_and_number_of_elements_are_bounded(self) -> None:
        assert parse(b"<a>" * MAX_DEPTH + b"</a>" * MAX_DEPTH) is not None
        with pytest.raises(XmlError):
            parse(b"<a>" * (MAX_DEPTH + 1) + b"</a>" * (MAX_DEPTH + 1))
        with pytest.raises(XmlError):
            parse(b"<a>" + b"<b/>" * MAX_ELEMENTS + b"</a>")

    def test_the_biggest_reply_takes_less_than_a_second(self) -> None:
        for filler in (b"<a>", b"\x01", b"&#1;", b"&", b"<a b='&#0;'"):
            started = time.thread_time()
            with pytest.raises(XmlError):
                parse(b"<r>" + filler * (MAX_REPLY // len(filler)))
            assert time.thread_time() - started < 1


def challenge() -> bytes:
    """A challenge as a guest would send it, recorded from pyspnego's acceptor."""
    return bytes.fromhex(
        "4e544c4d5353500002000000060006003800000035828ae27c4987265a3a843a00000000000000003e003e003e"
        "000000000c04000000000f4c0041004200010006004c00410042000200160057004f0052004b00530054004100"
        "540049004f004e00030006006c006100620007000800800f5c09e27bdd0100000000"
    )


def test_an_honest_ntlm_challenge_is_answered() -> None:
    context = spnego.client("u", "p", protocol="ntlm", options=spnego.NegotiateOptions.use_ntlm)
    context.step()
    assert answer_to(context, challenge()) is not None


@given(st.lists(st.tuples(st.integers(8, 200), st.integers(0, 255)), max_size=6), st.integers(0, 80))
def test_any_ntlm_challenge_is_answered_or_malformed(flips: list[tuple[int, int]], cut: int) -> None:
    token = bytearray(challenge())
    for at, value in flips:
        token[at % len(token)] = value
    context = spnego.client("u", "p", protocol="ntlm", options=spnego.NegotiateOptions.use_ntlm)
    context.step()
    answer_to(context, bytes(token[: len(token) - cut]))


class Scripted:
    """Stands in for the transport: answers with one reply."""

    endpoint = "https://guest:5986/wsman"

    def __init__(self, status: int, reply: bytes) -> None:
        self._answer = status, reply

    def exchange(self, *_: object) -> tuple[int, bytes]:
        return self._answer


def received(body: str, status: int = 200) -> Received:
    reply = (
        f'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:r="{SHELL}">{body}</s:Envelope>'
    )
    service = ShellService(cast("GuardedTransport", Scripted(status, reply.encode())), SystemClock())
    return service.receive("S", "C", 1.0)


def streams(*pieces: tuple[str, str], state: str = "") -> str:
    inner = "".join(f'<r:Stream Name="{name}" CommandId="c">{text}</r:Stream>' for name, text in pieces)
    return f"<s:Body><r:ReceiveResponse>{inner}{state}</r:ReceiveResponse></s:Body>"


class TestReceive:
    @given(st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), st.binary(max_size=40)), max_size=8))
    def test_puts_each_stream_together_in_order(self, pieces: list[tuple[str, bytes]]) -> None:
        got = received(streams(*[(name, base64.b64encode(data).decode()) for name, data in pieces]))
        assert got.stdout == b"".join(data for name, data in pieces if name == "stdout")
        assert got.stderr == b"".join(data for name, data in pieces if name == "stderr")
        assert not got.done

    @pytest.mark.parametrize(
        ("code", "number"),
        [
            ("<r:ExitCode>0</r:ExitCode>", 0),
            ("<r:ExitCode>3221225786</r:ExitCode>", 3221225786),
            ("<r:ExitCode>-1073741510</r:ExitCode>", -1073741510),
            ("<r:ExitCode>seven</r:ExitCode>", None),
            ("<r:ExitCode>" + "9" * 5000 + "</r:ExitCode>", None),
            ("<r:ExitCode/>", None),
            ("", None),
        ],
    )
    def test_an_exit_code_is_a_number_or_not_known(self, code: str, number: int | None) -> None:
        state = f'<r:CommandState CommandId="c" State="{SHELL}/CommandState/Done">{code}</r:CommandState>'
        got = received(streams(state=state))
        assert (got.done, got.exit_code) == (True, number)

    def test_output_of_another_command_is_not_ours(self) -> None:
        assert received(streams(("stdout", "aGk=")).replace('"c"', '"other"')).stdout == b""

    @pytest.mark.parametrize("text", ["a", "!!!!", "aGk=aGk=", "\u00e9\u00e9"])
    def test_output_that_is_no_base64_is_an_error(self, text: str) -> None:
        with pytest.raises(ProtocolError, match="base64"):
            received(streams(("stdout", text)))

    @given(
        st.recursive(
            st.text(max_size=5).map(lambda text: "".join(c for c in text if c.isalnum())),
            lambda inner: st.tuples(
                st.sampled_from(["s:Fault", "s:Body", "s:Header", "r:Stream", "r:CommandState", "s:Code"]),
                st.lists(inner, max_size=3),
            ).map(lambda pair: f"<{pair[0]}>{''.join(pair[1])}</{pair[0]}>"),
            max_leaves=8,
        ),
        st.sampled_from([200, 500]),
    )
    def test_any_reply_is_output_or_a_transport_error(self, body: str, status: int) -> None:
        try:
            received(body, status)
        except TransportError as error:
            assert str(error).isprintable()  # noqa: PT017 (most replies raise nothing)

    def test_nothing_yet_is_an_answer_too(self) -> None:
        fault = (
            "<s:Body><s:Fault><s:Detail><f:WSManFault "
            'xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault" Code="2150858793"/>'
            "</s:Detail></s:Fault></s:Body>"
        )
        assert received(fault, 500) == Received()


def test_a_send_fits_into_the_smallest_envelope() -> None:
    """150 kB with the header, sealed: 16 bytes of signature, 4 of length and some lines around them."""
    assert winrm_soap.SEND_BYTES * 4 / 3 + 3_000 < 153_600
