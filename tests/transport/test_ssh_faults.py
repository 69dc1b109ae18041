"""ssh when something is wrong: every fault ends in time, in words, with the truth, and leaves nothing."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import paramiko
import pytest

from fleet.errors import BusyError, DeniedError, ProtocolError, TransportError, UnreachableError
from fleet.lab.guest import Process
from fleet.lab.ssh_server import SshServer
from fleet.model import Address, Host, Outcome, Script, Secret, Shell, SshSettings
from fleet.ports import SystemClock
from fleet.transport import Limits
from fleet.transport.ssh import SshTransports
from fleet.transport.ssh_known_hosts import KnownHosts, fingerprint
from tests.sshd import Sshd, needs_sshd, running_sshd
from tests.transport.contract import (
    Answer,
    GroupProcess,
    Say,
    SubprocessGuest,
    World,
    read,
    sh_payload,
    ssh_host,
)
from tests.transport.proxy import BadServer, Proxy, refusing_port

pytestmark = needs_sshd

SHORT = Limits(connect=0.4, login=0.4, grace=0.3)
"""For faults that last until a limit."""
ENOUGH = Limits(connect=5.0, login=10.0, grace=0.3)
SLACK = 1.5
"""Seconds beyond the limit that a busy machine may take to notice."""

SH = World("sh", contextlib.nullcontext, sh_payload)  # type: ignore[arg-type]
"""For its scripts only."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with running_sshd(tmp_path_factory.mktemp("sshd")) as running:
        yield running


@pytest.fixture(scope="module")
def jump(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with running_sshd(tmp_path_factory.mktemp("jump"), options={"AllowTcpForwarding": "yes"}) as running:
        yield running


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    before = set(threading.enumerate())
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    yield
    tick = threading.Event()
    for _ in range(300):
        left = [thread for thread in threading.enumerate() if thread not in before and not _of_module(thread)]
        if not left and len(list(Path("/proc/self/fd").iterdir())) <= descriptors:
            return
        tick.wait(0.01)
    raise AssertionError(f"left behind: {left}, {len(list(Path('/proc/self/fd').iterdir()))} > {descriptors}")


def _of_module(thread: threading.Thread) -> bool:
    return thread.name.startswith("lab-ssh")


def open_to(
    host: Host, limits: Limits = ENOUGH, password: Secret | None = None, passphrase: Secret | None = None
) -> Any:
    return SshTransports(SystemClock(), limits).open(host, password, passphrase)


def host_at(port: int, known_hosts: Path, **settings: Any) -> Host:
    return ssh_host(port, "root", SshSettings(known_hosts=known_hosts, **settings))


def to_sshd(server: Sshd, *, port: int = 0, become: bool = False, **settings: Any) -> Host:
    chosen = {"key_file": server.key_file, "known_hosts": server.known_hosts, **settings}
    return ssh_host(port or server.port, server.user, SshSettings(**chosen), become=become)


def failure(host: Host, limits: Limits = ENOUGH, password: str | None = None) -> TransportError:
    """Open and give the error, which must not have sent anything and must come in time."""
    began = time.monotonic()
    with pytest.raises(TransportError) as caught:
        open_to(host, limits, None if password is None else Secret(password))
    assert time.monotonic() - began < limits.connect + limits.login + SLACK
    assert not caught.value.sent
    assert password is None or password not in str(caught.value)
    return caught.value


class TestNoConnection:
    def test_refused(self, tmp_path: Path) -> None:
        with refusing_port() as port:
            error = failure(host_at(port, tmp_path / "none"), password="long pass phrase")
        assert isinstance(error, UnreachableError)
        assert f"127.0.0.1:{port} refused the connection" in str(error)

    def test_nobody_answers(self, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, contextlib.ExitStack() as stack:
            for _ in range(3):  # fill the queue, so that the next packet is dropped as by a firewall
                filler = stack.enter_context(socket.socket())
                filler.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    filler.connect(listener.getsockname())
            error = failure(host_at(listener.getsockname()[1], tmp_path / "none"), SHORT, "x")
        assert isinstance(error, UnreachableError)
        assert "did not answer within 0.4 s" in str(error)

    def test_a_name_that_nobody_knows(self, tmp_path: Path) -> None:
        host = dataclasses.replace(host_at(22, tmp_path / "none"), address=Address("no-such-host.invalid"))
        error = failure(host, password="long pass phrase")
        assert isinstance(error, UnreachableError)
        assert "no-such-host.invalid" in str(error)

    def test_without_key_and_password_nothing_is_contacted(self, tmp_path: Path) -> None:
        with BadServer(lambda sock, over: None) as server:
            error = failure(host_at(server.port, tmp_path / "none"))
            assert server.connections == 0
        assert isinstance(error, DeniedError)
        assert "fleet_password" in str(error)


def _silent(sock: socket.socket, over: threading.Event) -> None:
    over.wait()


def _drip(sock: socket.socket, over: threading.Event) -> None:
    while not over.wait(0.05):
        sock.sendall(b"S")


def _drip_lines(sock: socket.socket, over: threading.Event) -> None:
    while not over.wait(0.05):
        sock.sendall(b"please wait\r\n")


def _endless_line(sock: socket.socket, over: threading.Event) -> None:
    while not over.is_set():
        sock.sendall(b"x" * 65_536)


def _drip_key_exchange(sock: socket.socket, over: threading.Event) -> None:
    sock.sendall(b"SSH-2.0-slow\r\n\0\0\x04\0")
    while not over.wait(0.05):
        sock.sendall(b"\0")


class TestDeadlines:
    @pytest.mark.parametrize("behave", [_silent, _drip, _drip_lines, _endless_line, _drip_key_exchange])
    def test_a_server_that_does_not_finish_the_login(self, behave: Any, tmp_path: Path) -> None:
        with BadServer(behave) as server:
            error = failure(host_at(server.port, tmp_path / "none"), SHORT, "x")
            assert _client_threads() == []
        assert isinstance(error, UnreachableError | ProtocolError)

    @pytest.mark.parametrize("passed", [30, 500, 1200])
    def test_a_login_that_stalls_half_way(self, server: Sshd, passed: int, tmp_path: Path) -> None:
        with Proxy(server.port, stall_after=passed) as proxy:
            known_hosts = tmp_path / "known_hosts"
            known_hosts.write_text(server.line(f"[127.0.0.1]:{proxy.port}"))
            error = failure(to_sshd(server, port=proxy.port, known_hosts=known_hosts), SHORT)
        assert isinstance(error, UnreachableError)
        assert "did not finish the login within 0.4 s" in str(error)

    def test_a_guest_that_stalls_after_the_login(self, server: Sshd, tmp_path: Path) -> None:
        with Proxy(server.port) as proxy:
            known_hosts = tmp_path / "known_hosts"
            known_hosts.write_text(server.line(f"[127.0.0.1]:{proxy.port}"))
            limits = Limits(connect=5.0, login=1.0, grace=0.2)
            with open_to(to_sshd(server, port=proxy.port, known_hosts=known_hosts), limits) as transport:
                proxy.stall()
                began = time.monotonic()
                with pytest.raises(UnreachableError) as caught:
                    next(transport.run([SH.script(Answer(), timeout=0.2, mutates=True)]))
                assert time.monotonic() - began < 1.0 + SLACK
        assert not caught.value.sent


def _client_threads() -> list[str]:
    """Paramiko's threads; a BadServer has none of those."""
    return [thread.name for thread in threading.enumerate() if isinstance(thread, paramiko.Transport)]


class Ledger:
    """A script that writes down in the guest that it ran, and through a proxy how far its bytes came."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def script(self) -> Script:
        noise = "head -c 2000 /dev/zero | tr '\\0' x"
        text = f"fleet_frame() {{\n{noise}\necho ran >>'{self.path}'\n{noise}\n}}\nfleet_frame\n"
        return Script(Shell.SH, "n0", text.encode(), 10.0, "test", "0" * 64, mutates=True)

    @property
    def ran(self) -> bool:
        return self.path.exists()


class TestResets:
    def _through(
        self, server: Sshd, tmp_path: Path, cut_after: int | None
    ) -> tuple[TransportError | None, int, Proxy]:
        ledger = Ledger(tmp_path / "ledger")
        with Proxy(server.port, cut_after=cut_after) as proxy:
            known_hosts = tmp_path / "known_hosts"
            known_hosts.write_text(server.line(f"[127.0.0.1]:{proxy.port}"))
            login = 0
            try:
                with open_to(to_sshd(server, port=proxy.port, known_hosts=known_hosts)) as transport:
                    login = proxy.from_server
                    list(transport.run([ledger.script()]))
            except TransportError as error:
                return error, login, proxy
            return None, login, proxy

    def test_at_every_stage_of_login_and_script(self, server: Sshd, tmp_path: Path) -> None:
        _, login, proxy = self._through(server, tmp_path, None)
        whole = proxy.from_server
        stages = [*range(1, login, login // 8), *range(login + 1, whole, max(1, (whole - login) // 12))]
        seen = set()
        for number, stage in enumerate(stages):
            folder = tmp_path / str(number)
            folder.mkdir()
            error, _, _ = self._through(server, folder, stage)
            ran = Ledger(folder / "ledger").ran
            if error is None:
                continue  # the cut came with the last bytes, which do not matter any more
            assert isinstance(error, UnreachableError | BusyError | ProtocolError), error
            assert error.sent or not ran, f"cut after {stage} bytes: it ran, the error denies it"
            assert stage > login or not error.sent
            seen.add((stage > login, error.sent))
        assert {(False, False), (True, True)} <= seen, "the cuts did not come where they should"


class WatchedAccounts(dict[str, str]):
    """Notes every look at a password: proof that a login was tried."""

    looked = 0

    def get(self, key: str, default: Any = None) -> Any:
        self.looked += 1
        return super().get(key, default)


class WatchedGuest(SubprocessGuest):
    def __init__(self) -> None:
        self.accounts = WatchedAccounts({"root": "correct horse"})


class TestHostKeys:
    @pytest.fixture
    def guest(self) -> WatchedGuest:
        return WatchedGuest()

    @pytest.fixture
    def lab(self, guest: WatchedGuest) -> Iterator[SshServer]:
        with SshServer([guest]) as lab:
            yield lab

    def refused(self, lab: SshServer, guest: WatchedGuest, known_hosts: Path, text: str) -> str:
        known_hosts.write_text(text)
        host = host_at(lab.addresses["guest"][1], known_hosts)
        error = failure(host, password="correct horse")
        assert isinstance(error, DeniedError)
        assert not error.login
        assert cast("WatchedAccounts", guest.accounts).looked == 0, "a login was tried"
        return str(error)

    def test_known(self, lab: SshServer, guest: WatchedGuest, tmp_path: Path) -> None:
        known_hosts = tmp_path / "known_hosts"
        known_hosts.write_text(lab.known_hosts_text())
        with open_to(host_at(lab.addresses["guest"][1], known_hosts), password=Secret("correct horse")):
            pass
        assert cast("WatchedAccounts", guest.accounts).looked == 1

    def test_unknown(self, lab: SshServer, guest: WatchedGuest, tmp_path: Path) -> None:
        text = self.refused(lab, guest, tmp_path / "known_hosts", "")
        assert key_of(lab) in text
        assert "is not in" in text
        assert "ssh-keyscan -p" in text

    def test_changed(self, lab: SshServer, guest: WatchedGuest, tmp_path: Path) -> None:
        other = paramiko.ECDSAKey.generate()
        line = lab.known_hosts_text().split()
        text = self.refused(
            lab, guest, tmp_path / "known_hosts", f"{line[0]} {line[1]} {other.get_base64()}\n"
        )
        assert key_of(lab) in text
        assert fingerprint(other.asbytes()) in text
        assert "known_hosts:1" in text
        assert "ssh-keygen -f" in text

    def test_changed_to_another_kind_of_key(
        self, lab: SshServer, guest: WatchedGuest, tmp_path: Path
    ) -> None:
        other = paramiko.RSAKey.generate(3072)
        line = lab.known_hosts_text().split()
        text = self.refused(lab, guest, tmp_path / "known_hosts", f"{line[0]} ssh-rsa {other.get_base64()}\n")
        assert fingerprint(other.asbytes()) in text

    def test_revoked(self, lab: SshServer, guest: WatchedGuest, tmp_path: Path) -> None:
        known = lab.known_hosts_text()
        text = self.refused(
            lab, guest, tmp_path / "known_hosts", f"{known}@revoked * {known.split(' ', 1)[1]}"
        )
        assert "@revoked" in text

    def test_only_a_certificate_authority(self, lab: SshServer, guest: WatchedGuest, tmp_path: Path) -> None:
        known = lab.known_hosts_text().split(" ", 1)[1]
        text = self.refused(lab, guest, tmp_path / "known_hosts", f"@cert-authority * {known}")
        assert "certificate authority" in text

    def test_the_key_of_another_port(self, lab: SshServer, guest: WatchedGuest, tmp_path: Path) -> None:
        known = lab.known_hosts_text().split(" ", 1)[1]
        self.refused(lab, guest, tmp_path / "known_hosts", f"127.0.0.1 {known}")

    def test_an_rsa_key_that_is_too_short(self, server: Sshd, tmp_path: Path) -> None:
        key = tmp_path / "host_key"
        subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", key], check=True)
        with running_sshd(tmp_path) as weak:
            error = failure(to_sshd(weak))
        assert "2048 bits" in str(error)

    def test_a_known_hosts_of_a_thousand_entries_is_read_once(
        self, server: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lines = [server.line(f"host{number}.example") for number in range(1000)]
        known_hosts = tmp_path / "known_hosts"
        known_hosts.write_text("".join([*lines, server.line()]))
        loads = []
        load = KnownHosts.load

        def counted(path: Path) -> KnownHosts:
            loads.append(path)
            return load(path)

        monkeypatch.setattr(KnownHosts, "load", counted)
        transports = SshTransports(SystemClock(), ENOUGH)
        for _ in range(4):
            transports.open(to_sshd(server, known_hosts=known_hosts)).close()
        assert loads == [known_hosts]


def key_of(lab: SshServer) -> str:
    return fingerprint(base64.b64decode(lab.known_hosts_text().split()[2]))


class TestAlgorithms:
    @pytest.mark.parametrize(
        "options",
        [
            {"Ciphers": "aes128-cbc,3des-cbc"},
            {"Ciphers": "aes128-ctr", "MACs": "hmac-sha1,hmac-md5"},
            {"KexAlgorithms": "diffie-hellman-group14-sha1"},
        ],
        ids=["ciphers", "macs", "kex"],
    )
    def test_a_server_with_weak_ones_only(self, options: dict[str, str], tmp_path: Path) -> None:
        with running_sshd(tmp_path, options=options) as weak:
            error = failure(to_sshd(weak))
        assert isinstance(error, DeniedError)
        assert "no algorithm that is safe" in str(error)

    def test_a_host_key_signed_with_sha1_only(self, tmp_path: Path) -> None:
        options = {"HostKeyAlgorithms": "ssh-rsa"}
        with running_sshd(tmp_path, options=options, key_type="rsa") as weak:
            assert "no algorithm that is safe" in str(failure(to_sshd(weak)))

    def test_rsa_is_used_with_sha2(self, tmp_path: Path) -> None:
        with running_sshd(tmp_path, key_type="rsa") as rsa, open_to(to_sshd(rsa)) as transport:
            assert transport._links[-1].transport.host_key_type == "rsa-sha2-512"

    def test_the_fastest_safe_ones_are_agreed(self, server: Sshd) -> None:
        with open_to(to_sshd(server)) as transport:
            agreed = transport._links[-1].transport
            assert agreed.local_cipher == agreed.remote_cipher == "aes128-gcm@openssh.com"
            assert agreed.agreed_on_strict_kex
            assert agreed.get_security_options().kex[0] == "curve25519-sha256@libssh.org"

    def test_encrypt_then_mac_needs_strict_key_exchange(self, tmp_path: Path) -> None:
        key = paramiko.ECDSAKey.generate()

        def behave(sock: socket.socket, over: threading.Event) -> None:
            transport = paramiko.Transport(sock, strict_kex=False)
            transport.add_server_key(key)
            options = transport.get_security_options()
            options.ciphers = ("aes128-ctr",)
            options.digests = ("hmac-sha2-256-etm@openssh.com",)
            transport.start_server(event=threading.Event(), server=paramiko.ServerInterface())
            over.wait()
            transport.close()
            transport.packetizer.complete_handshake()
            transport.join(5)

        with BadServer(behave) as old:
            known_hosts = tmp_path / "known_hosts"
            known_hosts.write_text(f"[127.0.0.1]:{old.port} {key.get_name()} {key.get_base64()}\n")
            error = failure(host_at(old.port, known_hosts), password="long pass phrase")
        assert isinstance(error, DeniedError)
        assert "CVE-2023-48795" in str(error)


class TestLogins:
    @pytest.fixture
    def lab(self, tmp_path: Path) -> Iterator[Host]:
        with SshServer([SubprocessGuest()]) as lab:
            known_hosts = tmp_path / "known_hosts"
            known_hosts.write_text(lab.known_hosts_text())
            yield host_at(lab.addresses["guest"][1], known_hosts)

    def test_a_wrong_password(self, lab: Host) -> None:
        error = failure(lab, password="wrong horse")
        assert isinstance(error, DeniedError)
        assert error.login
        assert "refused the password of root" in str(error)

    def test_a_guest_that_refuses_every_password(self, tmp_path: Path) -> None:
        with SshServer([SubprocessGuest()], refuse_passwords={"guest"}) as lab:
            known_hosts = tmp_path / "known_hosts"
            known_hosts.write_text(lab.known_hosts_text())
            error = failure(host_at(lab.addresses["guest"][1], known_hosts), password="correct horse")
        assert isinstance(error, DeniedError)
        assert error.login

    def test_a_key_that_is_not_authorized(self, server: Sshd, tmp_path: Path) -> None:
        key = make_key(tmp_path / "other")
        error = failure(to_sshd(server, key_file=key))
        assert isinstance(error, DeniedError)
        assert "refused the key of" in str(error)
        assert not error.login, "that says nothing about any password"

    def test_a_password_where_only_keys_are_allowed(self, server: Sshd) -> None:
        error = failure(to_sshd(server, key_file=None), password="long pass phrase")
        assert isinstance(error, DeniedError)
        assert "it allows: publickey" in str(error)
        assert not error.login, "the password was not looked at"

    def test_a_key_in_the_lab(self, tmp_path: Path) -> None:
        key = make_key(tmp_path / "key")
        public = key.with_suffix(".pub").read_text()
        with SshServer([SubprocessGuest()], authorized_keys=[public]) as lab:
            known_hosts = tmp_path / "known_hosts"
            known_hosts.write_text(lab.known_hosts_text())
            open_to(host_at(lab.addresses["guest"][1], known_hosts, key_file=key)).close()

    def test_a_key_with_a_passphrase(self, server: Sshd, tmp_path: Path) -> None:
        key = tmp_path / "key"
        shutil.copy(server.key_file, key)
        key.chmod(0o600)
        subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "pass phrase", "-f", key], check=True)
        host = to_sshd(server, key_file=key)
        open_to(host, passphrase=Secret("pass phrase")).close()
        for wrong in (None, Secret("another")):
            with pytest.raises(DeniedError, match="passphrase") as caught:
                open_to(host, passphrase=wrong)
            assert "another" not in str(caught.value)

    def test_a_key_that_others_can_read(self, server: Sshd, tmp_path: Path) -> None:
        key = make_key(tmp_path / "key")
        key.chmod(0o644)
        assert "chmod 600" in str(failure(to_sshd(server, key_file=key)))

    def test_a_key_that_is_not_there(self, server: Sshd, tmp_path: Path) -> None:
        assert "No such file" in str(failure(to_sshd(server, key_file=tmp_path / "gone")))

    def test_a_file_that_is_no_key(self, server: Sshd, tmp_path: Path) -> None:
        (tmp_path / "key").write_text("hello\n")
        (tmp_path / "key").chmod(0o600)
        assert "no private key" in str(failure(to_sshd(server, key_file=tmp_path / "key")))

    def test_too_many_logins_at_once(self, tmp_path: Path) -> None:
        with (
            running_sshd(tmp_path, options={"MaxStartups": "1"}) as crowded,
            socket.create_connection(("127.0.0.1", crowded.port)) as first,
        ):
            first.recv(100)  # its greeting: this login is under way now
            error = failure(to_sshd(crowded))
        assert isinstance(error, BusyError)
        assert "MaxStartups" in str(error)

    def test_something_that_is_no_ssh_server(self, tmp_path: Path) -> None:
        def behave(sock: socket.socket, over: threading.Event) -> None:
            sock.recv(1000)
            sock.sendall(b"HTTP/1.0 400 \x1b[31mBad\r\n")

        with BadServer(behave) as web:
            error = failure(host_at(web.port, tmp_path / "none"), password="long pass phrase")
        assert isinstance(error, ProtocolError)
        assert "HTTP/1.0 400 \\x1b[31mBad" in str(error)


def make_key(path: Path) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path


class TestSudo:
    def stub(self, tmp_path: Path, text: str) -> dict[str, str]:
        stubs = tmp_path / "stubs"
        stubs.mkdir()
        if text:
            (stubs / "sudo").write_text(f"#!/bin/sh\n{text}\n")
            (stubs / "sudo").chmod(0o755)
        for tool in ("sh", "printf"):
            (stubs / tool).symlink_to(cast("str", shutil.which(tool)))
        return {"PATH": str(stubs)}

    @contextlib.contextmanager
    def transport(self, tmp_path: Path, text: str) -> Iterator[Any]:
        environment = self.stub(tmp_path, text)
        with (
            running_sshd(tmp_path / "sshd", environment=environment) as server,
            open_to(to_sshd(server, become=True)) as transport,
        ):
            yield transport

    def denied(self, tmp_path: Path, text: str) -> str:
        with self.transport(tmp_path, text) as transport, pytest.raises(DeniedError) as caught:
            list(transport.run([SH.script(Answer())]))
        return str(caught.value)

    def test_that_asks(self, tmp_path: Path) -> None:
        text = self.denied(tmp_path, "echo 'sudo: a password is required' >&2; exit 1")
        assert "NOPASSWD" in text

    def test_that_is_not_there(self, tmp_path: Path) -> None:
        assert "no sudo in the guest" in self.denied(tmp_path, "")

    def test_that_lets_us(self, tmp_path: Path) -> None:
        text = 'test "$1 $2" = "-n --" || exit 9; shift 2; exec "$@"'
        with self.transport(tmp_path, text) as transport:
            script = SH.script(Answer("as root"))
            (completed,) = transport.run([script])
        assert read(script, completed).message.raw == "as root"

    def test_a_script_that_fails_with_the_words_of_sudo_is_not_sudo(self, tmp_path: Path) -> None:
        text = 'shift 2; exec "$@"'
        with self.transport(tmp_path, text) as transport:
            script = SH.script(Say(b"sudo: a password is required\n"), Answer())
            (completed,) = transport.run([script])
        assert read(script, completed).outcome is Outcome.OK


class ChattyGuest(SubprocessGuest):
    """A login shell that prints, as with an echo in a .bashrc."""

    prelude = 'echo "Welcome!"; echo "stty: not a typewriter" >&2; '

    def spawn(self, command: str) -> Process:
        return cast("Process", GroupProcess(self.prelude + command))


class NologinGuest(ChattyGuest):
    prelude = "echo This account is currently not available.; exit 1; "


class TestLoginShells:
    def outcome(self, guest: SubprocessGuest, tmp_path: Path) -> tuple[Script, Any]:
        with SshServer([guest]) as lab:
            known_hosts = tmp_path / "known_hosts"
            known_hosts.write_text(lab.known_hosts_text())
            host = host_at(lab.addresses["guest"][1], known_hosts)
            with open_to(host, password=Secret("correct horse")) as transport:
                script = SH.script(Answer("heard"))
                (completed,) = transport.run([script])
        return script, completed

    def test_what_it_prints_is_log(self, tmp_path: Path) -> None:
        script, completed = self.outcome(ChattyGuest(), tmp_path)
        reply = read(script, completed)
        assert reply.message.raw == "heard"
        assert "Welcome!" in reply.log.raw
        assert completed.stderr == b"stty: not a typewriter\n"

    def test_one_that_lets_nobody_in_is_heard(self, tmp_path: Path) -> None:
        script, completed = self.outcome(NologinGuest(), tmp_path)
        reply = read(script, completed)
        assert reply.outcome is Outcome.BROKEN
        assert "not available" in reply.message.raw
        assert completed.exit_code == 1


class TestJumpHosts:
    def host(self, server: Sshd, jump: Sshd, folder: Path, known: str) -> Host:
        known_hosts = folder / "known_hosts"
        known_hosts.write_text(known)
        # one key for the whole way, as on a real one
        authorized = jump.key_file.with_name("authorized_keys")
        authorized.write_text(server.key_file.with_suffix(".pub").read_text())
        return to_sshd(server, known_hosts=known_hosts, proxy_jump=f"{jump.user}@127.0.0.1:{jump.port}")

    def test_the_way_through(self, server: Sshd, jump: Sshd, tmp_path: Path) -> None:
        host = self.host(server, jump, tmp_path, server.line() + jump.line())
        with open_to(host) as transport:
            script = SH.script(Answer("behind"))
            (completed,) = transport.run([script])
        assert read(script, completed).message.raw == "behind"

    def test_an_unknown_jump_host(self, server: Sshd, jump: Sshd, tmp_path: Path) -> None:
        error = failure(self.host(server, jump, tmp_path, server.line()))
        assert isinstance(error, DeniedError)
        assert f"127.0.0.1:{jump.port}" in str(error)

    def test_an_unknown_guest_behind_it(self, server: Sshd, jump: Sshd, tmp_path: Path) -> None:
        error = failure(self.host(server, jump, tmp_path, jump.line()))
        assert isinstance(error, DeniedError)
        assert f"127.0.0.1:{server.port}" in str(error)

    def test_a_changed_guest_behind_it(self, server: Sshd, jump: Sshd, tmp_path: Path) -> None:
        wrong = jump.line(f"[127.0.0.1]:{server.port}")
        error = failure(self.host(server, jump, tmp_path, jump.line() + wrong))
        assert "is not the one known" in str(error)

    def test_a_jump_host_that_does_not_forward(self, server: Sshd, tmp_path: Path) -> None:
        with running_sshd(tmp_path / "closed", options={"AllowTcpForwarding": "no"}) as closed:
            error = failure(self.host(server, closed, tmp_path, server.line() + closed.line()))
        assert isinstance(error, DeniedError)
        assert "AllowTcpForwarding" in str(error)

    def test_a_guest_that_the_jump_host_can_not_reach(self, server: Sshd, jump: Sshd, tmp_path: Path) -> None:
        host = self.host(server, jump, tmp_path, jump.line())
        with refusing_port() as port:
            error = failure(dataclasses.replace(host, port=port))
        assert isinstance(error, UnreachableError)
        assert "can't reach" in str(error)

    def test_a_password_is_not_given_to_a_jump_host(self, server: Sshd, jump: Sshd, tmp_path: Path) -> None:
        host = to_sshd(server, key_file=None, proxy_jump=f"127.0.0.1:{jump.port}")
        assert "only logged in to with a key" in str(failure(host, password="long pass phrase"))


class TestSshConfig:
    def test_one_that_is_named_is_honoured(self, server: Sshd, tmp_path: Path) -> None:
        config = tmp_path / "config"
        config.write_text(
            f"Host alias\n  HostName 127.0.0.1\n  Port {server.port}\n  User {server.user}\n"
            f"  IdentityFile {server.key_file}\n  ForwardAgent yes\n"
        )
        host = to_sshd(server, key_file=None, config_file=config)
        host = dataclasses.replace(host, address=Address("alias"), port=22, user=None)
        with open_to(host) as transport:
            script = SH.script(Answer("found"))
            (completed,) = transport.run([script])
        assert read(script, completed).message.raw == "found"

    def test_one_that_is_not_named_is_not_read(self, server: Sshd, private_home: Path) -> None:
        folder = private_home / ".ssh"
        folder.mkdir()
        try:
            (folder / "config").write_text("Host *\n  HostName 127.0.0.2\n  ProxyCommand false\n")
            open_to(to_sshd(server)).close()
        finally:
            shutil.rmtree(folder)

    def test_a_proxy_command_is_not_run(self, server: Sshd, tmp_path: Path) -> None:
        config = tmp_path / "config"
        config.write_text(f"Host *\n  ProxyCommand touch {tmp_path}/ran\n")
        assert "ProxyCommand" in str(failure(to_sshd(server, config_file=config)))
        assert not (tmp_path / "ran").exists()


class ForcedGuest(SubprocessGuest):
    """An account that may not run commands."""

    def spawn(self, command: str) -> Process:
        raise OSError("not allowed")


def test_an_account_that_may_not_run_commands(tmp_path: Path) -> None:
    with SshServer([ForcedGuest()]) as lab:
        known_hosts = tmp_path / "known_hosts"
        known_hosts.write_text(lab.known_hosts_text())
        host = host_at(lab.addresses["guest"][1], known_hosts)
        with (
            open_to(host, password=Secret("correct horse")) as transport,
            pytest.raises(DeniedError, match="does not let this account run commands") as caught,
        ):
            list(transport.run([SH.script(Answer(), mutates=True)]))
    assert not caught.value.sent


def test_many_connections_at_once_share_what_was_read(server: Sshd) -> None:
    transports = SshTransports(SystemClock(), ENOUGH)

    def one(number: int) -> str:
        script = SH.script(Answer(str(number)))
        with transports.open(to_sshd(server)) as transport:
            (completed,) = transport.run([script])
        return read(script, completed).message.raw

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(one, range(24))) == [str(number) for number in range(24)]
