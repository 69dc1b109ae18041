"""Who answers over WinRM is verified, logins go only where they are safe, and errors say what to do next."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fleet.errors import DeniedError, ProtocolError, TransportError, UnreachableError
from fleet.lab.certificates import LabAuthority
from fleet.lab.winrm_faults import Fault
from fleet.model import Address, Secret, WinrmSettings
from fleet.ports import Deadline, SystemClock
from fleet.transport import Limits
from fleet.transport.winrm import WinrmTransports
from fleet.transport.winrm_tls import TlsContexts
from fleet.transport.winrm_wire import dial
from tests.transport.proxy import BadServer, refusing_port
from tests.transport.winrm_world import PASSWORD, USER, LineGuest, World, answered, connect, host, script


@pytest.fixture
def secured() -> Iterator[World]:
    with World(LineGuest(), "https", "ntlm") as world:
        yield world


@pytest.fixture
def sealed() -> Iterator[World]:
    with World(LineGuest(), "http", "ntlm") as world:
        yield world


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> LabAuthority:
    return LabAuthority(tmp_path_factory.mktemp("ca"))


class TlsServer(BadServer):
    """Speaks TLS with one certificate, and notes whether anything was sent to it."""

    def __init__(self, files: tuple[Path, Path]) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(*files)
        self.received = b""
        super().__init__(self._serve)

    def _serve(self, sock: socket.socket, over: threading.Event) -> None:
        sock.settimeout(5)
        with self._context.wrap_socket(sock, server_side=True) as secured:
            self.received += secured.recv(1000)


def denied_by_tls(server: TlsServer, ca: Path | None, **settings: Any) -> TransportError:
    with server, pytest.raises(TransportError) as caught:
        connect(host(server.port, auth="basic", ca=ca, **settings))
    assert server.received == b""
    assert not caught.value.sent
    return caught.value


class TestCertificates:
    def test_for_another_name_is_refused_and_both_names_are_said(self, authority: LabAuthority) -> None:
        server = TlsServer(authority.issue("old", ["old-sql01.corp.example"]))
        error = denied_by_tls(server, authority.file, address="localhost", version=0)
        assert isinstance(error, DeniedError)
        assert 'is for "old-sql01.corp.example", not "localhost"' in str(error)
        assert "ansible_winrm_server_name" in str(error)
        assert "Nothing was sent" in str(error)

    def test_for_another_address_is_refused(self, authority: LabAuthority) -> None:
        error = denied_by_tls(TlsServer(authority.issue("x", ["10.0.0.1"])), authority.file)
        assert 'is for "10.0.0.1", not "127.0.0.1"' in str(error)

    def test_without_names_is_refused(self, authority: LabAuthority) -> None:
        assert isinstance(denied_by_tls(TlsServer(authority.issue("127.0.0.1")), authority.file), DeniedError)

    def test_that_names_something_hostile_is_shown_escaped(self, authority: LabAuthority) -> None:
        error = denied_by_tls(TlsServer(authority.issue("x", ["a\x1b[31m.example"])), authority.file)
        assert str(error).isprintable()

    def test_that_has_expired_is_refused(self, authority: LabAuthority) -> None:
        error = denied_by_tls(TlsServer(authority.issue("x", ["127.0.0.1"], days=-1)), authority.file)
        assert "has expired" in str(error)

    def test_from_an_unknown_authority_is_refused(self, authority: LabAuthority, tmp_path: Path) -> None:
        other = LabAuthority(tmp_path)
        error = denied_by_tls(TlsServer(authority.issue("x", ["127.0.0.1"])), other.file)
        assert "unknown CA" in str(error)
        assert "ansible_winrm_ca_trust_path" in str(error)

    def test_is_checked_against_the_system_where_nothing_is_named(self, authority: LabAuthority) -> None:
        assert isinstance(denied_by_tls(TlsServer(authority.issue("x", ["127.0.0.1"])), None), DeniedError)

    def test_for_clients_is_refused(self, authority: LabAuthority) -> None:
        error = denied_by_tls(TlsServer(authority.issue("x", ["127.0.0.1"], client=True)), authority.file)
        assert "not meant for servers" in str(error)

    def test_with_a_key_of_somebody_else_is_refused(self, authority: LabAuthority, tmp_path: Path) -> None:
        impostor = LabAuthority(tmp_path)  # has the same name as the real one
        assert isinstance(
            denied_by_tls(TlsServer(impostor.issue("x", ["127.0.0.1"])), authority.file), DeniedError
        )

    def test_over_tls_older_than_1_2_is_refused(self, authority: LabAuthority) -> None:
        def old(sock: socket.socket, over: threading.Event) -> None:
            sock.recv(10_000)
            sock.sendall(b"\x15\x03\x01\x00\x02\x02\x46")  # alert protocol_version, RFC 8446 6.2
            over.wait(5)

        contexts = TlsContexts().of(WinrmSettings(ca_trust_path=authority.file))
        assert contexts._context.minimum_version is ssl.TLSVersion.TLSv1_2
        with BadServer(old) as server, pytest.raises(ProtocolError, match=r"no TLS 1.2 or newer"):
            connect(host(server.port, ca=authority.file))

    def test_for_the_name_that_the_inventory_expects_is_accepted(self) -> None:
        one, name = script(), "sql01.corp.example"
        with (
            World(LineGuest(), "https", "ntlm", names=(name,)) as world,
            world.open(server_name=name) as transport,
        ):
            assert answered(next(transport.run([one])), one)

    def test_is_ignored_only_where_the_inventory_says_so(self) -> None:
        with World(LineGuest(), "https", "ntlm", names=("other",)) as world:
            with pytest.raises(DeniedError):
                world.open()
            world.open(verify=False).close()

    def test_file_that_is_none_is_one_clear_error(self, tmp_path: Path) -> None:
        for path in (tmp_path / "missing.pem", tmp_path / "empty.pem"):
            (tmp_path / "empty.pem").touch()
            with pytest.raises(DeniedError, match="ansible_winrm_ca_trust_path"):
                connect(host(1, ca=path))

    def test_to_trust_are_read_once(self, authority: LabAuthority) -> None:
        contexts = TlsContexts()
        settings = WinrmSettings(ca_trust_path=authority.file)
        assert contexts.of(settings)._context is contexts.of(settings)._context

    def test_of_the_client_logs_in(self) -> None:
        with World(LineGuest(), "https", "certificate", offers=()) as world:
            certificate, key = world.server.authority.issue("operator", client=True)
            with world.open(certificate=certificate, certificate_key=key, user=None) as transport:
                one = script()
                assert answered(next(transport.run([one])), one)

    def test_of_the_client_that_is_mapped_to_nobody_is_denied(self) -> None:
        with World(LineGuest(), "https", "certificate", offers=()) as world:
            certificate, key = world.server.authority.issue("stranger", client=True)
            with pytest.raises(DeniedError, match="mapped to no user"):
                world.open(certificate=certificate, certificate_key=key, user=None)

    def test_of_the_client_that_can_not_be_read_is_one_clear_error(
        self, secured: World, tmp_path: Path
    ) -> None:
        with pytest.raises(DeniedError, match="can't be used"):
            secured.open(auth="certificate", certificate=tmp_path / "none.pem")


class TestPasswords:
    @pytest.mark.parametrize("auth", ["ntlm", "basic"])
    def test_that_are_wrong_are_denied_after_one_try(self, secured: World, auth: str) -> None:
        with pytest.raises(DeniedError, match="did not accept the user") as caught:
            secured.open("wrong", auth=auth)
        assert not caught.value.sent
        assert caught.value.login, "the credential gate has to know"
        assert "not tried again" in str(caught.value)
        assert secured.service.requests.count("Login") == (2 if auth == "ntlm" else 0)
        assert secured.service.connections == 1

    def test_are_in_no_text_of_an_object_or_error(self, secured: World) -> None:
        with secured.open() as transport:
            seen = repr(vars(transport)) + repr(vars(transport._session))
            assert PASSWORD not in seen
            assert PASSWORD not in repr(vars(transport._session.service.transport))
        with pytest.raises(DeniedError) as caught:
            secured.open("Wr0ng-and-secret")
        assert "Wr0ng" not in repr(caught.value) + str(caught.value)

    def test_bind_ntlm_to_the_certificate(self, secured: World, monkeypatch: pytest.MonkeyPatch) -> None:
        """A login passed on through another TLS connection carries the wrong binding."""
        monkeypatch.setattr(secured.service, "binding", b"tls-server-end-point:" + bytes(32))
        with pytest.raises(DeniedError):
            secured.open()

    def test_missing_is_said_before_anything_is_sent(self, secured: World) -> None:
        for settings, words in (({"user": None}, "ansible_user"), ({}, "fleet_password")):
            with pytest.raises(DeniedError, match=words):
                WinrmTransports(SystemClock(), Limits()).open(secured.host(**settings), None)
        assert secured.service.messages == 0

    def test_go_over_plain_http_only_in_ntlm_and_kerberos(self, sealed: World) -> None:
        for auth in ("basic", "credssp", "certificate"):
            with pytest.raises(DeniedError, match="over plain HTTP"):
                sealed.open(auth=auth, user=USER)
        assert sealed.service.messages == 0

    def test_in_ntlm_version_1_are_refused(self, sealed: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LM_COMPAT_LEVEL", "1")
        with pytest.raises(DeniedError, match="NTLMv1"):
            sealed.open()
        assert sealed.service.messages == 0

    def test_are_not_given_to_a_guest_that_agrees_to_no_encryption(
        self, sealed: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Somebody in between may take flags out of the challenge; an honest guest offers them."""
        monkeypatch.setattr("fleet.transport.winrm_login._ntlm_flags", lambda _: 0xFFFFFFFF & ~0x20)
        with pytest.raises(DeniedError, match="sealing"):
            sealed.open()
        assert sealed.service.requests == ["Login"]

    def test_reach_the_guest_only_where_it_offers_the_way(self) -> None:
        only_basic = pytest.raises(DeniedError, match="does not offer Negotiate, only Basic")
        with World(LineGuest(), "https", "ntlm", offers=("Basic",)) as world, only_basic:
            world.open()
        only_ntlm = pytest.raises(DeniedError, match="does not offer Basic, only Negotiate")
        with World(LineGuest(), "https", "basic", offers=("Negotiate",)) as world, only_ntlm:
            world.open(user="operator")


class TestMissingPackages:
    def test_kerberos_says_what_to_install(self, secured: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(__import__("sys").modules, "winrm.vendor.requests_kerberos", None)
        with pytest.raises(DeniedError, match=r"fleet-remediation\[kerberos\]"):
            secured.open(auth="kerberos")

    def test_credssp_says_what_to_install(self, secured: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(__import__("sys").modules, "requests_credssp", None)
        with pytest.raises(DeniedError, match=r"fleet-remediation\[credssp\]"):
            secured.open(auth="credssp")


class TestWrongPorts:
    def test_nobody_there(self) -> None:
        with (
            refusing_port() as port,
            pytest.raises(UnreachableError, match="refused the connection") as caught,
        ):
            connect(host(port))
        assert not caught.value.sent

    def test_https_where_http_is_spoken(self, sealed: World) -> None:
        with pytest.raises(ProtocolError, match=r"does not speak TLS.*ansible_winrm_scheme: http"):
            connect(host(sealed.service))

    def test_http_where_https_is_spoken(self, secured: World) -> None:
        with pytest.raises(TransportError, match="ansible_winrm_scheme: https"):
            connect(host(secured.service, scheme="http"))

    def test_another_web_server(self, secured: World) -> None:
        secured.service.misbehave(Fault.NOT_FOUND, "Login")
        with pytest.raises(ProtocolError, match=r"no WinRM service.*404.*ansible_port"):
            secured.open()

    def test_something_that_is_no_web_server(self) -> None:
        def ssh(sock: socket.socket, over: threading.Event) -> None:
            sock.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
            sock.recv(10_000)

        with BadServer(ssh) as server, pytest.raises(ProtocolError, match="does not speak HTTP"):
            connect(host(server.port, scheme="http"))

    def test_a_name_that_does_not_exist(self) -> None:
        with pytest.raises(UnreachableError, match=r"can't be resolved.*ansible_host"):
            connect(host(1, address="nowhere.invalid", version=0))


class TestDeadlines:
    LIMITS = Limits(connect=0.4, login=0.4)

    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_a_silent_server(self, scheme: Any) -> None:
        def silent(sock: socket.socket, over: threading.Event) -> None:
            over.wait(5)

        with BadServer(silent) as server, pytest.raises(UnreachableError, match=r"in time|within"):
            connect(host(server.port, scheme=scheme), limits=self.LIMITS)

    def test_a_dripping_tls_handshake(self, authority: LabAuthority) -> None:
        def drip(sock: socket.socket, over: threading.Event) -> None:
            for byte in b"\x16\x03\x03\x40\x00" + bytes(1000):
                sock.sendall(bytes([byte]))
                if over.wait(0.05):
                    return

        with BadServer(drip) as server, pytest.raises(UnreachableError, match="TLS handshake in time"):
            connect(host(server.port, ca=authority.file), limits=self.LIMITS)

    def test_a_dripping_login(self, secured: World) -> None:
        secured.service.misbehave(Fault.ENDLESS, "Login")
        with pytest.raises(UnreachableError, match="did not answer within"):
            secured.open(limits=self.LIMITS)


class TestDialling:
    @pytest.fixture
    def dialled(self, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
        """Every address a socket is told to connect to, or a resolver is asked for."""
        seen: list[Any] = []

        def resolve(name: str, port: int, **_: Any) -> list[Any]:
            seen.append((name, port))
            return []

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        return seen

    @pytest.mark.parametrize(
        ("text", "version"),
        [("2001:db8::5", 6), ("10.0.0.1", 4), ("xn--hst-sna.example", 0), ("Sql01.corp.example", 0)],
    )
    def test_dials_what_is_written(self, dialled: list[Any], text: str, version: Any) -> None:
        with pytest.raises(UnreachableError):
            connect(host(5986, address=text, version=version))
        assert dialled == [(text, 5986)]

    def test_an_ipv6_address_stands_in_brackets_in_the_host_header(self) -> None:
        address = Address("2001:db8::5", 6)
        assert address.for_url == "[2001:db8::5]"

    def test_asks_no_proxy(self, sealed: World, monkeypatch: pytest.MonkeyPatch) -> None:
        with BadServer(lambda sock, over: sock.sendall(b"no")) as proxy:
            for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
                monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
            one = script()
            with sealed.open() as transport:
                assert answered(next(transport.run([one])), one)
            assert len(proxy._socks) == 0

    def test_reads_no_netrc_and_no_bundle_of_the_environment(
        self, secured: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        netrc = tmp_path / "netrc"
        netrc.write_text("machine 127.0.0.1 login other password other\n")
        monkeypatch.setenv("NETRC", str(netrc))
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(secured.ca))
        with pytest.raises(DeniedError, match="unknown CA"):
            secured.open(ca=None)
        secured.open().close()

    def test_ends_at_the_deadline_of_the_connection(self) -> None:
        deadline = Deadline(SystemClock(), 0.0)
        with pytest.raises(UnreachableError, match="did not answer"):
            dial(Address("127.0.0.1", 4), 9, deadline)


def test_a_secret_is_revealed_for_the_login_only(secured: World) -> None:
    class Watched(Secret):
        revealed = 0

        def reveal(self) -> str:
            Watched.revealed += 1
            return super().reveal()

    transports = WinrmTransports(SystemClock(), Limits())
    with transports.open(secured.host(), Watched(PASSWORD)) as transport:
        list(transport.run([script()]))
    assert Watched.revealed == 1
