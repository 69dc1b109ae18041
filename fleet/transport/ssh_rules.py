"""The rules every SSH connection keeps: algorithms, host keys, one way to log in."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from typing import Any, NoReturn

import paramiko
from paramiko.auth_strategy import AuthSource, AuthStrategy
from paramiko.packet import Packetizer

from fleet.errors import DeniedError
from fleet.model import Secret
from fleet.ports import Deadline
from fleet.transport.ssh_known_hosts import SSH_PORT, KnownHosts, fingerprint

_KEX = (
    "curve25519-sha256@libssh.org",
    "mlkem768x25519-sha256",
    "ecdh-sha2-nistp256",
    "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521",
    "diffie-hellman-group16-sha512",
    "diffie-hellman-group-exchange-sha256",
    "diffie-hellman-group14-sha256",
)
_CIPHERS = (
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "aes128-ctr",
    "aes192-ctr",
    "aes256-ctr",
)
_MACS = (
    "hmac-sha2-256",
    "hmac-sha2-512",
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512-etm@openssh.com",
)
_KEYS = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
)
_RSA_SIGNATURES = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}
"""How a key of that type is asked for: never by its SHA-1 signature."""

MIN_RSA_BITS = 3072


def hardened_transport(sock: Any, policy: HostKeyPolicy) -> paramiko.Transport:
    """Make a transport that offers what is safe, the fastest first, and nothing else."""
    transport = paramiko.Transport(sock, packetizer_class=_Packetizer)
    options = transport.get_security_options()
    options.kex = tuple(name for name in _KEX if name in options.kex)
    options.ciphers = _CIPHERS
    options.digests = _MACS
    options.key_types = policy.algorithms
    return transport


class _Packetizer(Packetizer):
    greeting = ""
    """The last line the server sent before, or instead of, its SSH greeting."""

    def __init__(self, sock: Any) -> None:
        super().__init__(sock)
        self._sock = sock if isinstance(sock, socket.socket) and hasattr(socket, "TCP_QUICKACK") else None

    def send_message(self, data: Any) -> None:
        """Send, and let what comes be acknowledged at once.

        sshd sends small packets one after the other and by Nagle's rule holds each back until the one
        before is acknowledged; a delayed acknowledgement costs 40 ms of every login (measured).
        """
        super().send_message(data)
        if self._sock is not None:
            with contextlib.suppress(OSError):
                self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def readline(self, timeout: float) -> str:
        """Read a line of the greeting, and remember it for the error it may lead to."""
        self.greeting = super().readline(timeout)
        return self.greeting

    def start_handshake(self, timeout: float) -> None:
        """Nothing: the login has a deadline of its own, and this one costs a thread per connection."""


class OneMethod(AuthStrategy):
    """One try with what was given; no agent, no search, no prompt."""

    def __init__(
        self, user: str, key: paramiko.PKey | None, password: Secret | None, deadline: Deadline
    ) -> None:
        self._user = user
        self._key = key
        self._password = password
        self._deadline = deadline
        self.word = "password" if key is None else "key"
        self.advice = (
            "correct it before you run again, an account may be locked after a few wrong ones"
            if key is None
            else "add its public part to ~/.ssh/authorized_keys of that account"
        )

    def get_sources(self) -> Iterator[AuthSource]:
        """Nothing to try in turn."""
        return iter(())

    def authenticate(self, transport: paramiko.Transport) -> Any:
        """Log in. Raises what Paramiko raises, or DeniedError where one method is not enough."""
        transport.auth_timeout = self._deadline.remaining
        if self._key is not None:
            further = transport.auth_publickey(self._user, self._key)
        else:
            assert self._password is not None
            further = transport.auth_password(self._user, self._password.reveal())
        if further:
            raise DeniedError(
                "the server wants a second proof beside this one, which fleet can't give; "
                "allow this account a login with its key alone"
            )
        return further


class HostKeyPolicy(paramiko.MissingHostKeyPolicy):
    """Judges every host key by the pre-parsed file; Paramiko's own tables stay empty."""

    def __init__(self, known: KnownHosts, host: str, port: int) -> None:
        self._path = known.path
        self._known = known.lookup(host, port)
        self._host = host
        self._port = port

    @property
    def algorithms(self) -> tuple[str, ...]:
        """What to ask the server for, known kinds of key first."""
        known = {
            name for key in self._known.keys for name in _RSA_SIGNATURES.get(key.algorithm, (key.algorithm,))
        }
        return tuple(sorted(_KEYS, key=lambda name: name not in known))

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:  # noqa: ARG002
        """Raise DeniedError unless this is the host's key; called before anything secret is sent."""
        blob = key.asbytes()
        if blob in self._known.revoked:
            raise DeniedError(
                f"{self._shown(key)} is marked @revoked in {self._path}; nothing was sent. "
                "Somebody may be using a stolen key: find out before you connect"
            )
        if blob not in {known.blob for known in self._known.keys}:
            self._refuse(key)
        if key.get_name() == "ssh-rsa" and key.get_bits() < MIN_RSA_BITS:
            raise DeniedError(
                f"{self._shown(key)} is an RSA key of {key.get_bits()} bits, less than {MIN_RSA_BITS}; "
                f"nothing was sent. Put the host's ed25519 key into {self._path} instead"
            )
        _check_agreement(client.get_transport())

    def _refuse(self, key: paramiko.PKey) -> NoReturn:
        same_kind = [known for known in self._known.keys if known.algorithm == key.get_name()]
        listed = same_kind or list(self._known.keys)
        if listed:
            name = f"[{self._host}]:{self._port}" if self._port != SSH_PORT else self._host
            expected = ", ".join(f"{known.algorithm} {known.fingerprint} ({known.place})" for known in listed)
            raise DeniedError(
                f"{self._shown(key)} is not the one known: {expected}. Nothing was sent. Either the machine "
                "was replaced or somebody stands in between: find out. If it was replaced: "
                f"ssh-keygen -f {self._path} -R '{name}', then add its new key"
            )
        if self._known.authorities:
            raise DeniedError(
                f"{self._shown(key)} is only vouched for by a certificate authority "
                f"({self._known.authorities[0].place}), which fleet can't check; nothing was sent. "
                f"Add the host's own key to {self._path}"
            )
        raise DeniedError(
            f"{self._shown(key)} is not in {self._path}; nothing was sent. Compare it with what "
            "ssh-keygen -lf shows for the key files in /etc/ssh of the guest, then add it: "
            f"ssh-keyscan -p {self._port} {self._host} >> {self._path}"
        )

    def _shown(self, key: paramiko.PKey) -> str:
        return f"the host key of {self._host}:{self._port}, {key.get_name()} {fingerprint(key.asbytes())},"


def _check_agreement(transport: paramiko.Transport | None) -> None:
    """Refuse encrypt-then-MAC without strict key exchange (CVE-2023-48795, Terrapin)."""
    assert transport is not None
    agreed: Any = transport  # what it says here is public, but missing from its type stubs
    sides = ((agreed.local_cipher, agreed.local_mac), (agreed.remote_cipher, agreed.remote_mac))
    etm = any("-etm@" in mac and "-gcm@" not in cipher for cipher, mac in sides)
    if etm and not agreed.agreed_on_strict_kex:
        raise DeniedError(
            "the server offers only encrypt-then-MAC and no strict key exchange, which together can be "
            "tampered with (CVE-2023-48795); nothing was sent. Update OpenSSH in the guest"
        )


def greeting(transport: paramiko.Transport) -> str:
    """Give the last line the server sent in the clear; empty if none came."""
    packetizer = transport.packetizer
    return packetizer.greeting if isinstance(packetizer, _Packetizer) else ""
