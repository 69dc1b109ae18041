"""One bad password never reaches a second host of the same realm."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from fleet.engine.gate import CredentialGate
from fleet.errors import DeniedError, UnreachableError
from fleet.model import Host, SecretRef
from tests.engine.simulator import sim_host


def host(name: str, reference: str = "OPS_PW", realm: str = "CORP") -> Host:
    return replace(sim_host(name), user="ops", realm=realm, password=SecretRef("env", (reference,)))


def login(gate: CredentialGate, target: Host, *, right: bool, tried: list[str]) -> None:
    with gate.passage(target):
        tried.append(target.name)
        if not right:
            raise DeniedError("the password was refused", login=True)


def test_ten_thousand_hosts_see_a_wrong_password_once() -> None:
    gate, tried, refusals = CredentialGate(), list[str](), list[str]()

    def attempt(numbers: range) -> None:
        for number in numbers:
            try:
                login(gate, host(f"h{number}"), right=False, tried=tried)
            except DeniedError as error:
                refusals.append(str(error))

    threads = [threading.Thread(target=attempt, args=(range(n, n + 500),)) for n in range(0, 10_000, 500)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tried) == 1
    assert len(refusals) == 10_000
    assert sum("not tried" in text for text in refusals) == 9_999


def test_a_password_that_works_opens_the_gate_for_all() -> None:
    gate, tried = CredentialGate(), list[str]()
    for number in range(5):
        login(gate, host(f"h{number}"), right=True, tried=tried)
    assert len(tried) == 5


def test_after_success_one_refusal_is_forgiven_and_the_second_closes_the_gate() -> None:
    gate, tried = CredentialGate(), list[str]()
    login(gate, host("good"), right=True, tried=tried)
    for name in ("odd1", "odd2", "later"):
        with pytest.raises(DeniedError):
            login(gate, host(name), right=False, tried=tried)
    assert tried == ["good", "odd1", "odd2"]


def test_another_realm_and_another_password_have_gates_of_their_own() -> None:
    gate, tried = CredentialGate(), list[str]()
    for target in (host("a"), host("b", realm="LAB"), host("c", reference="OTHER_PW")):
        with pytest.raises(DeniedError):
            login(gate, target, right=False, tried=tried)
    assert tried == ["a", "b", "c"]


def test_a_host_that_is_down_says_nothing_about_the_password() -> None:
    gate, tried = CredentialGate(), list[str]()
    with pytest.raises(UnreachableError), gate.passage(host("down")):
        raise UnreachableError("connection refused")
    login(gate, host("up"), right=True, tried=tried)
    assert tried == ["up"]


def test_a_login_without_a_password_needs_no_gate() -> None:
    gate = CredentialGate()
    for _ in range(3):
        with pytest.raises(DeniedError), gate.passage(sim_host("key")):
            raise DeniedError("the key was refused", login=True)
