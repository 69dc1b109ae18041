"""From a host of the inventory to a logged-in SSH connection, through jump hosts where there are some."""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fabric
import paramiko

from fleet.errors import BusyError, DeniedError, ProtocolError, TransportError, UnreachableError
from fleet.model import Host, Secret, printable
from fleet.ports import Clock, Deadline
from fleet.transport import Limits
from fleet.transport.ssh_files import SshFiles, fabric_config
from fleet.transport.ssh_known_hosts import SSH_PORT
from fleet.transport.ssh_rules import HostKeyPolicy, OneMethod, greeting, hardened_transport

# Paramiko reports errors to its logger, which without a handler writes to the terminal.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

KEEPALIVE = 15
"""Seconds of silence after which a packet is sent."""

MAX_UNANSWERED = 3
"""Keepalives that may go unanswered before the connection counts as lost."""


@dataclass(frozen=True, slots=True)
class Link:
    """One SSH connection of the way to the guest."""

    connection: fabric.Connection
    transport: paramiko.Transport
    sock: Any

    def cut(self) -> None:
        """Close from any thread, and wake whoever waits for it."""
        with contextlib.suppress(OSError, EOFError):
            # before close(): a thread in recv() is not woken by closing its descriptor
            self.sock.shutdown(socket.SHUT_RDWR)
        self.transport.close()
        self.sock.close()


def close_all(links: list[Link]) -> None:
    """Cut what is connected, the guest first, and wait until Paramiko's threads have seen it."""
    for link in reversed(links):
        link.cut()
        link.transport.join(_JOIN)


_JOIN = 5.0
"""Seconds to wait for Paramiko's thread to see that its socket is closed; it looks ten times a second."""


class Login:
    """The way to one guest: jump hosts first, the guest last."""

    def __init__(
        self,
        host: Host,
        password: Secret | None,
        passphrase: Secret | None,
        config: paramiko.SSHConfig,
        files: SshFiles,
        limits: Limits,
        clock: Clock,
    ) -> None:
        self._host = host
        self._password = password
        self._passphrase = passphrase
        self._config = config
        self._files = files
        self._limits = limits
        self._clock = clock

    def links(self) -> list[Link]:
        """Log in all the way. What does not need the network is looked at first."""
        known = self._files.known_hosts(self._host.ssh.known_hosts)
        route = self._route()
        keys = [self._key(connection) for connection in route]
        if keys[-1] is None and self._password is None:
            raise DeniedError(
                "there is neither a key nor a password for this host: set ansible_ssh_private_key_file or "
                "fleet_password. Nothing was sent"
            )
        if None in keys[:-1]:
            raise DeniedError(
                "a jump host is only logged in to with a key: set ansible_ssh_private_key_file. "
                "Nothing was sent"
            )
        connecting = Deadline(self._clock, self._limits.connect)
        sock: Any = _dial(route[0].host, route[0].port, connecting, self._limits)
        deadline = Deadline(self._clock, self._limits.login)
        links: list[Link] = []
        try:
            for connection, key in zip(route, keys, strict=True):
                if links:
                    sock = _dial_through(links[-1], connection, deadline)
                policy = HostKeyPolicy(known, connection.host, connection.port)
                method = OneMethod(connection.user, key, self._password, deadline)
                links.append(_log_in(connection, sock, policy, method, deadline, self._limits))
        except BaseException:
            close_all(links)
            raise
        return links

    def _route(self) -> list[fabric.Connection]:
        host = self._host
        # with an ssh_config its Port counts unless the inventory says another than the default
        port = None if host.ssh.config_file and host.port == SSH_PORT else host.port
        target = self._connection(host.address.text, user=host.user, port=port)
        jumps = host.ssh.proxy_jump or target.ssh_config.get("proxyjump", "none")
        if jumps.lower() == "none":
            if "proxycommand" in target.ssh_config:
                raise DeniedError(
                    f"{host.ssh.config_file} asks for a ProxyCommand, which fleet does not run. "
                    "Use ProxyJump. Nothing was sent"
                )
            return [target]
        try:
            hops = [self._connection(jump.strip()) for jump in jumps.split(",")]
        except ValueError:
            hops = []
        if not hops or not all(hop.host for hop in hops):
            raise DeniedError(f"{jumps} is no list of jump hosts (user@host:port, ...). Nothing was sent")
        return [*hops, target]

    def _connection(self, name: str, **settings: Any) -> fabric.Connection:
        connection = fabric.Connection(
            name,
            config=fabric_config(self._config),
            gateway=False,
            forward_agent=False,
            connect_kwargs={},
            **settings,
        )
        connection.connect_timeout = (
            None  # a ConnectTimeout of the ssh_config does not count beside our deadline
        )
        return connection

    def _key(self, connection: fabric.Connection) -> paramiko.PKey | None:
        path = self._host.ssh.key_file
        if path is None and (self._password is None or connection.original_host != self._host.address.text):
            identities = connection.ssh_config.get("identityfile", [])
            path = Path(identities[0]).expanduser() if identities else None
        return None if path is None else self._files.key(path, self._passphrase)


def _endpoint(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _dial(host: str, port: int, deadline: Deadline, limits: Limits) -> socket.socket:
    """Connect to exactly that name or address.

    Raises:
        UnreachableError: With the reason in words.
    """
    endpoint = _endpoint(host, port)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError):
        raise UnreachableError(f"the name {host} is not known here; correct ansible_host, or DNS") from None
    failure: OSError = TimeoutError()
    for position, (family, kind, protocol, _, address) in enumerate(found):
        sock = socket.socket(family, kind, protocol)
        try:
            # an address that does not answer leaves the others their share of the time
            sock.settimeout(max(deadline.remaining / (len(found) - position), 0.001))
            sock.connect(address)
        except OSError as error:
            sock.close()
            failure = error
            continue
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, KEEPALIVE * MAX_UNANSWERED * 1000)
        return sock
    raise UnreachableError(_dial_words(endpoint, failure, limits)) from None


def _dial_words(endpoint: str, failure: OSError, limits: Limits) -> str:
    if isinstance(failure, TimeoutError):
        return (
            f"{endpoint} did not answer within {limits.connect:g} s; is it running, and does every firewall "
            "on the way let this port through?"
        )
    if failure.errno == errno.ECONNREFUSED:
        return f"{endpoint} refused the connection; does sshd run there, and on this port (ansible_port)?"
    return f"{endpoint} can't be reached: {failure.strerror}; check ansible_host and the network"


def _dial_through(link: Link, connection: fabric.Connection, deadline: Deadline) -> paramiko.Channel:
    target = _endpoint(connection.host, connection.port)
    jump = _endpoint(link.connection.host, link.connection.port)
    try:
        return link.transport.open_channel(
            "direct-tcpip", (connection.host, connection.port), ("127.0.0.1", 0), timeout=deadline.remaining
        )
    except paramiko.ChannelException as error:
        if error.code == _PROHIBITED:
            raise DeniedError(
                f"the jump host {jump} does not allow connections through it to {target}; "
                "see AllowTcpForwarding and PermitOpen in its sshd_config"
            ) from None
        raise UnreachableError(
            f"the jump host {jump} can't reach {target}; check the address and its network"
        ) from None
    except (paramiko.SSHException, EOFError, OSError):
        raise UnreachableError(
            f"the jump host {jump} did not connect to {target} in time; try again"
        ) from None


_TOO_MANY = ("Exceeded MaxStartups", "Not allowed at this time")
"""What newer OpenSSH says in place of a greeting (sshd.c, 9.8)."""

_PROHIBITED = 1
"""SSH_OPEN_ADMINISTRATIVELY_PROHIBITED (RFC 4254, 5.1)."""


def _log_in(
    connection: fabric.Connection,
    sock: Any,
    policy: HostKeyPolicy,
    method: OneMethod,
    deadline: Deadline,
    limits: Limits,
) -> Link:
    """Let Fabric open the connection over a socket of ours, by our rules, before the deadline."""
    links: list[Link] = []

    def transport_factory(sock: Any, disabled_algorithms: object = None) -> paramiko.Transport:  # noqa: ARG001
        transport = hardened_transport(sock, policy)
        links.append(Link(connection, transport, sock))
        return transport

    connection.client.set_missing_host_key_policy(policy)
    connection.connect_kwargs = {
        "sock": sock,
        "transport_factory": transport_factory,
        "auth_strategy": method,
        "timeout": deadline.remaining,
        "banner_timeout": deadline.remaining,
        "channel_timeout": limits.login,
    }
    try:
        connection.open()
    except (paramiko.SSHException, EOFError, OSError, TransportError) as error:
        transport = links[0].transport if links else None
        reason = _login_error(error, connection, method, deadline, transport, limits)
        close_all(links)
        sock.close()
        raise reason from None
    except BaseException:
        close_all(links)
        sock.close()
        raise
    links[0].transport.set_keepalive(KEEPALIVE)
    return links[0]


def _login_error(
    error: Exception,
    connection: fabric.Connection,
    method: OneMethod,
    deadline: Deadline,
    transport: paramiko.Transport | None,
    limits: Limits,
) -> TransportError:
    """Say in our words what Paramiko means, and what to do."""
    endpoint = _endpoint(connection.host, connection.port)
    alive = transport is not None and transport.is_active()
    text = str(error)
    if isinstance(error, TransportError):
        return error
    if isinstance(error, paramiko.BadAuthenticationType):
        allowed = printable(", ".join(sorted(error.allowed_types)))[:100]
        return DeniedError(
            f"{endpoint} does not allow {connection.user} a login with a {method.word}; it allows: {allowed}"
        )
    if isinstance(error, paramiko.AuthenticationException) and alive and not deadline.expired:
        return DeniedError(
            f"{endpoint} refused the {method.word} of {connection.user}; {method.advice}",
            login=method.word == "password",
        )
    if isinstance(error, paramiko.ssh_exception.IncompatiblePeer):
        return DeniedError(
            f"{endpoint} offers no algorithm that is safe ({printable(text)[:100]}); nothing was sent. "
            "Update OpenSSH in the guest, or allow current algorithms in its sshd_config"
        )
    if deadline.expired:
        return UnreachableError(
            f"{endpoint} took the connection but did not finish the login within {limits.login:g} s; "
            "the guest may be overloaded or hung"
        )
    said = "" if transport is None else greeting(transport)
    if said and not said.startswith(("SSH-2.", "SSH-1.99-", *_TOO_MANY)):
        return ProtocolError(
            f"what answers at {endpoint} is no SSH server, it says: {printable(said)[:60]}; "
            "check ansible_port"
        )
    if "protocol banner" in text:
        return BusyError(
            f"{endpoint} hung up before its greeting, as sshd does when too many log in at once "
            "(MaxStartups); try again, or with fewer --workers"
        )
    if isinstance(error, paramiko.SSHException) and not isinstance(error, paramiko.AuthenticationException):
        return ProtocolError(
            f"{endpoint} broke the SSH protocol during the login ({printable(text)[:100]}); try again"
        )
    return UnreachableError(
        f"{endpoint} closed the connection during the login; try again, and look into its sshd log"
    )


@contextlib.contextmanager
def cut_after(seconds: float, link: Link) -> Iterator[None]:
    """Cut the connection if what is done inside takes longer; Paramiko would wait for ever."""
    timer = threading.Timer(seconds, link.cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
