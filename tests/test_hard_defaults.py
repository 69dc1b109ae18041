"""What really holds when nothing is configured: the settings as the libraries have them, one list to review.

Everything is read from the objects that do the work, after a login to a guest of the lab, and not from
the code that sets them. A change of this list is a change of what fleet promises.
"""

from __future__ import annotations

import inspect
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import click
import jinja2.sandbox
import paramiko
import pytest

from fleet import api, render
from fleet.catalog import scripts_folder
from fleet.cli.main import cli
from fleet.engine.prepare import Settings
from fleet.inventory import Inventory, load
from fleet.lab.ssh_server import SshServer
from fleet.model import Host, Risk, Secret
from fleet.ports import SystemClock
from fleet.transport import Limits
from fleet.transport.ssh import SshTransports
from fleet.transport.ssh_login import KEEPALIVE, MAX_UNANSWERED
from tests.transport.winrm_world import LineGuest, World

MINIMAL = """\
all:
  hosts:
    web01: {ansible_host: 127.0.0.1, ansible_user: ops, fleet_password: {env: PW}}
    sql01: {ansible_host: 127.0.0.1, ansible_user: ops, fleet_password: {env: PW}, ansible_connection: winrm}
"""


class Door:
    """A guest that lets in and runs nothing."""

    name = "web01"
    accounts: Mapping[str, str] = MappingProxyType({"ops": "correct horse"})

    def spawn(self, command: str) -> Any:
        raise AssertionError(command)


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    path = tmp_path / "inv.yaml"
    path.write_text(MINIMAL)
    return load([path])


def fields(host: Host) -> dict[str, object]:
    return {
        "port": host.port,
        "become": host.become,
        "ssh": {name: getattr(host.ssh, name) for name in host.ssh.__dataclass_fields__},
        "winrm": {name: getattr(host.winrm, name) for name in host.winrm.__dataclass_fields__},
    }


def test_a_host_of_two_words(inventory: Inventory) -> None:
    ssh = {
        "key_file": None,
        "key_passphrase": None,
        "config_file": None,
        "known_hosts": None,
        "proxy_jump": None,
    }
    winrm = {
        "scheme": "https",
        "auth": "ntlm",
        "ca_trust_path": None,
        "verify": True,
        "server_name": None,
        "certificate": None,
        "certificate_key": None,
        "fresh_process": False,
    }
    assert fields(inventory.hosts["web01"]) == {"port": 22, "become": False, "ssh": ssh, "winrm": winrm}
    assert fields(inventory.hosts["sql01"]) == {"port": 5986, "become": False, "ssh": ssh, "winrm": winrm}


def test_limits() -> None:
    assert Limits() == Limits(connect=10.0, login=20.0, grace=15.0, keep=1_048_576)
    assert (KEEPALIVE, MAX_UNANSWERED) == (15, 3)


@pytest.fixture
def ssh(tmp_path: Path) -> Iterator[Any]:
    """The connection that Fabric has opened."""
    with SshServer([Door()]) as lab:
        known_hosts = tmp_path / "known_hosts"
        known_hosts.write_text(lab.known_hosts_text())
        path = tmp_path / "inv.yaml"
        path.write_text(MINIMAL.replace("web01: {", "web01: {fleet_known_hosts: %s, " % known_hosts).replace(  # noqa: UP031 (braces)
            "ansible_host", f"ansible_port: {lab.addresses['web01'][1]}, ansible_host", 1
        ))  # fmt: skip
        host = load([path]).hosts["web01"]
        with SshTransports(SystemClock()).open(host, Secret("correct horse")) as transport:
            yield transport._links[-1]


def test_ssh(ssh: Any) -> None:
    transport: paramiko.Transport = ssh.transport
    options = transport.get_security_options()
    offered = " ".join([*options.kex, *options.ciphers, *options.digests, *options.key_types])
    for weak in (
        "cbc",
        "3des",
        "md5",
        "hmac-sha1",
        "group1-",
        "group14-sha1",
        "exchange-sha1",
        "ssh-rsa",
        "dss",
    ):
        assert weak not in offered.replace("rsa-sha2", "")
    assert options.ciphers[0] == "aes128-gcm@openssh.com"
    assert options.kex[0].startswith("curve25519")
    connection = ssh.connection
    assert connection.forward_agent is False
    assert type(connection.client._policy).__name__ == "HostKeyPolicy"
    assert len(connection.client._host_keys) == len(connection.client._system_host_keys) == 0
    assert set(connection.connect_kwargs) == {
        "sock", "transport_factory", "auth_strategy", "timeout", "banner_timeout", "channel_timeout",
    }  # fmt: skip
    assert type(connection.connect_kwargs["auth_strategy"]).__name__ == "OneMethod"
    assert list(connection.connect_kwargs["auth_strategy"].get_sources()) == [], "no agent, no search"
    assert connection.config.base_ssh_config.get_hostnames() == set(), "nobody's ssh_config"
    assert connection.gateway is False


def test_winrm() -> None:
    with World(LineGuest(), "https", "ntlm") as world, world.open() as transport:
        wire = transport._session._wire
        assert wire is not None
        session = wire.session
        assert session.trust_env is False
        assert (session.proxies, list(session.cookies)) == ({}, [])
        assert session.headers["Accept-Encoding"] == "identity"
        adapter: Any = next(iter(session.adapters.values()))
        assert adapter.max_retries.total == 0
        tls = transport._session._contexts.of(world.host().winrm)._context
        assert tls.verify_mode is ssl.CERT_REQUIRED
        assert tls.check_hostname
        assert tls.minimum_version >= ssl.TLSVersion.TLSv1_2
        assert not [cipher["name"] for cipher in tls.get_ciphers() if "NULL" in cipher["name"]]


@pytest.mark.parametrize("auth", ["basic", "certificate", "credssp"])
def test_winrm_over_plain_http_seals_or_refuses(auth: str) -> None:
    with World(LineGuest(), "http", "ntlm") as world:
        with pytest.raises(Exception, match=r"over plain HTTP|Nothing was sent"):
            world.open(auth=auth)
        assert world.service.messages == 0
        with world.open() as transport:
            assert transport._session.service.transport.encryption is not None


def test_rendering() -> None:
    environment = render.Renderer(scripts_folder())._environment
    assert isinstance(environment, jinja2.sandbox.ImmutableSandboxedEnvironment)
    assert environment.undefined is jinja2.StrictUndefined
    assert environment.loader is None
    assert environment.globals == {}


def defaults(command: str) -> dict[str, Any]:
    """The options of a command line that says nothing but the name of a fix or a plan."""
    with click.Context(cli) as context:
        found = cli.get_command(context, command)
    assert found is not None
    return found.make_context(command, ["restart-waagent"]).params


def test_the_command_line_changes_nothing_by_default() -> None:
    fix = defaults("fix")
    assert (fix["apply_"], fix["allow"]) == (False, "safe")
    for command in ("fix", "apply"):
        assert defaults(command)["limit"] is None
        assert defaults(command)["workers"] == 32
        assert defaults(command)["timeout"] is None
    assert Settings() == Settings(allow=Risk.SAFE, workers=32, timeout=None)
    assert inspect.signature(api.run).parameters["allow"].default is Risk.SAFE
