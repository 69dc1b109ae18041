"""The fake does what its users' tests tell it to, and says what it was asked."""

from __future__ import annotations

import pytest

from fleet import envelope
from fleet.errors import BusyError, UnreachableError
from fleet.model import Address, Host, Os, Outcome, Script, Shell
from fleet.transport import Limits
from fleet.transport.fake import Answer, Cut, FakeTransports, Hang, Raw


def host(name: str = "web1") -> Host:
    return Host(name, Address(name), "fake", Os.LINUX, Shell.SH, 0)


def script(snippet: str, nonce: str = "n1") -> Script:
    return Script(Shell.SH, nonce, b"true", 5.0, snippet, "0" * 64)


def test_an_answer_by_the_name_of_the_snippet() -> None:
    network = FakeTransports({"disk": Answer("failed", "full", {"free": 0}, log=b"looked")})
    with network.open(host()) as transport:
        (completed,) = transport.run([script("disk")])
    reply = envelope.parse(completed, "n1")
    assert (reply.outcome, reply.message.raw, reply.data) == (Outcome.FAILED, "full", {"free": 0})
    assert reply.log.raw == "looked"


def test_what_is_not_told_is_ok() -> None:
    with FakeTransports().open(host()) as transport:
        (completed,) = transport.run([script("anything")])
    assert envelope.parse(completed, "n1").outcome is Outcome.OK


def test_a_sequence_is_used_up_and_its_last_stays() -> None:
    network = FakeTransports({"agent": [Answer("failed"), Answer("ok")]})
    outcomes = []
    with network.open(host()) as transport:
        for _ in range(3):
            (completed,) = transport.run([script("agent")])
            outcomes.append(envelope.parse(completed, "n1").outcome.value)
    assert outcomes == ["failed", "ok", "ok"]


def test_every_host_has_its_own_sequence() -> None:
    network = FakeTransports({"agent": [Answer("failed"), Answer("ok")]})
    for name in ("web1", "web2"):
        with network.open(host(name)) as transport:
            (completed,) = transport.run([script("agent")])
        assert envelope.parse(completed, "n1").outcome is Outcome.FAILED


def test_a_function_decides() -> None:
    network = FakeTransports(lambda host, script: Answer(message=f"{script.snippet} on {host.name}"))
    with network.open(host()) as transport:
        (completed,) = transport.run([script("disk")])
    assert envelope.parse(completed, "n1").message.raw == "disk on web1"


def test_a_host_that_can_not_be_opened() -> None:
    network = FakeTransports(at_open={"web2": BusyError("later")})
    with pytest.raises(BusyError):
        network.open(host("web2"))
    network.open(host("web1")).close()
    assert network.opened == network.closed == ["web1"]


@pytest.mark.parametrize("after", [True, False])
def test_a_cut(after: bool) -> None:
    network = FakeTransports({"restart": Cut(after=after, stdout=b"half")})
    with network.open(host()) as transport:
        with pytest.raises(UnreachableError) as caught:
            list(transport.run([script("restart")]))
        assert caught.value.sent is after
        assert caught.value.stdout == b"half"
        with pytest.raises(UnreachableError) as again:
            list(transport.run([script("disk")]))
        assert not again.value.sent
    assert [ran.snippet for ran in network.ran] == (["restart"] if after else [])


def test_a_script_that_hangs() -> None:
    with FakeTransports({"slow": Hang(b"so far")}).open(host()) as transport:
        (completed,) = transport.run([script("slow")])
    assert completed.timed_out
    assert envelope.parse(completed, "n1").outcome is Outcome.TIMED_OUT


def test_more_output_than_is_kept() -> None:
    network = FakeTransports({"loud": Raw(b"x" * 100, b"y" * 30, 1)}, limits=Limits(keep=20))
    with network.open(host()) as transport:
        (completed,) = transport.run([script("loud")])
    assert (len(completed.stdout), len(completed.stderr), completed.dropped) == (20, 20, 90)


def test_what_ran_is_on_record() -> None:
    network = FakeTransports()
    with network.open(host()) as transport:
        list(transport.run([script("one"), script("two", "n2")]))
    assert [(ran.host, ran.snippet, ran.script.nonce) for ran in network.ran] == [
        ("web1", "one", "n1"),
        ("web1", "two", "n2"),
    ]
