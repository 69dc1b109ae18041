"""From what the files say to hosts: groups and their order, inherited settings, defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from types import MappingProxyType
from typing import Any

from fleet.errors import InventoryError, Place
from fleet.inventory.address import parse_address
from fleet.inventory.draft import Draft, Mistakes, Owner, shown
from fleet.inventory.settings import Typed, Understood, understand
from fleet.model import DEFAULT_SSH, DEFAULT_WINRM, Host, JsonValue, Os, Shell, SshSettings, WinrmSettings

_PORTS = {("ssh", "https"): 22, ("winrm", "https"): 5986, ("winrm", "http"): 5985}
_BUILT_IN = frozenset({"all", "ungrouped"})


def resolve(draft: Draft) -> tuple[dict[str, Host], dict[str, tuple[str, ...]]]:
    """Make hosts, in the order of the files, and the members of every group, in the same order."""
    for name in draft.hosts:
        if name in draft.groups:
            other = draft.groups[name].place
            draft.mistakes.add(
                f"{shown(name)} is a host here and a group at {other}; "
                "rename one, so that -l means only one of them",
                draft.hosts[name].place,
            )
    for group in draft.groups.values():
        if not group.declared:
            draft.mistakes.add(
                f"the group {shown(group.name)} has no hosts or children in any file", group.place
            )
    tree = _Tree(draft)
    hosts: dict[str, Host] = {}
    for owner in draft.hosts.values():
        host = _host(owner, tree, draft.mistakes)
        if host is not None:
            hosts[owner.name] = host
    draft.mistakes.raise_if_any()
    members: dict[str, list[str]] = {name: [] for name in ("all", *draft.groups, "ungrouped")}
    for name, host in hosts.items():
        members["all"].append(name)
        for group_name in host.groups or {"ungrouped"}:
            members[group_name].append(name)
    return hosts, {name: tuple(inside) for name, inside in members.items()}


@dataclass(slots=True)
class _Inherited:
    """What a set of groups hands down to a host that is directly in all of them."""

    groups: frozenset[str]
    settings: dict[str, Typed] = field(default_factory=dict)
    variables: dict[str, JsonValue] = field(default_factory=dict)


class _Tree:
    """The groups: who is above whom, how deep, and what they say."""

    def __init__(self, draft: Draft) -> None:
        self._groups = draft.groups
        self._parents: dict[str, list[str]] = {name: [] for name in draft.groups}
        for group in draft.groups.values():
            for child in group.children:
                self._parents[child].append(group.name)
        self._depths = self._measure(draft)
        self._understood = {name: understand(group, draft.mistakes) for name, group in draft.groups.items()}
        self._direct: dict[str, list[str]] = {name: [] for name in draft.hosts}
        for group in draft.groups.values():
            for host in group.hosts:
                self._direct[host].append(group.name)
        self._cache: dict[tuple[str, ...], _Inherited] = {}

    def inherited(self, host: str) -> _Inherited:
        """What a host gets from its groups. As in Ansible the deeper wins, then priority, then the name."""
        direct = tuple(sorted(self._direct[host]))
        found = self._cache.get(direct)
        if found is None:
            found = self._cache[direct] = self._collect(direct)
        return found

    def _collect(self, direct: tuple[str, ...]) -> _Inherited:
        above: set[str] = set()
        waiting = [name for name in direct if name not in _BUILT_IN] or [
            *({"ungrouped"} & self._groups.keys())
        ]
        waiting += {"all"} & self._groups.keys()
        while waiting:
            name = waiting.pop()
            if name not in above:
                above.add(name)
                waiting.extend(self._parents[name])
        inherited = _Inherited(frozenset(above - _BUILT_IN))
        for name in sorted(above, key=self._rank):
            said = self._understood[name]
            inherited.settings.update(said.settings)
            inherited.variables.update(said.variables)
        return inherited

    def _rank(self, name: str) -> tuple[int, int, str]:
        priority = self._understood[name].settings.get("ansible_group_priority")
        return self._depths.get(name, 1), priority.value if priority else 1, name

    def _measure(self, draft: Draft) -> dict[str, int]:
        """The longest way from ``all`` to each group; a circle is a mistake."""
        depths: dict[str, int] = {}
        if self._parents.get("all"):
            draft.mistakes.add(
                '"all" holds every group already and can\'t be a child', self._groups["all"].place
            )
        try:
            for name in TopologicalSorter(self._parents).static_order():
                above = (depths[parent] for parent in self._parents[name])
                depths[name] = 0 if name == "all" else 1 + max(above, default=0)
        except CycleError as error:
            circle = error.args[1]
            shown_circle = " > ".join(shown(name) for name in reversed(circle))
            draft.mistakes.add(f"groups are inside each other: {shown_circle}", self._groups[circle[0]].place)
        return depths


class _Given:
    """The settings that hold for one host, by name."""

    def __init__(self, settings: Mapping[str, Typed]) -> None:
        self._settings = settings

    def get(self, name: str, default: Any = None) -> Any:
        """The value, or the default where nobody set it."""
        setting = self._settings.get(name)
        return default if setting is None else setting.value

    def place(self, name: str, otherwise: Place) -> Place:
        """Where it was set."""
        setting = self._settings.get(name)
        return otherwise if setting is None else setting.place


def _host(owner: Owner, tree: _Tree, mistakes: Mistakes) -> Host | None:
    said: Understood = understand(owner, mistakes)
    inherited = tree.inherited(owner.name)
    given = _Given({**inherited.settings, **said.settings})
    address = given.get("ansible_host")
    if address is None:
        try:
            address = parse_address(owner.name)
        except InventoryError as error:
            mistakes.add(f"{error.message}; or give its address in ansible_host", owner.place, owner.name)
            return None
    connection = given.get("ansible_connection", "ssh")
    system, shell = _system(given, connection)
    winrm = _winrm(given) if connection == "winrm" else DEFAULT_WINRM
    user = given.get("ansible_user")
    host = Host(
        name=owner.name,
        address=address,
        connection=connection,
        os=system,
        shell=shell,
        port=given.get("ansible_port", _PORTS.get((connection, winrm.scheme), 0)),
        user=user,
        password=given.get("fleet_password"),
        become=given.get("ansible_become", False),
        ssh=_ssh(given) if connection == "ssh" else DEFAULT_SSH,
        winrm=winrm,
        zone=given.get("fleet_zone"),
        realm=given.get("fleet_realm", realm_of(user)),
        window=given.get("fleet_window"),
        groups=inherited.groups,
        variables=MappingProxyType({**inherited.variables, **said.variables}),
        place=owner.place,
    )
    return host if _fits(host, given, mistakes) else None


def _system(given: _Given, connection: str) -> tuple[Os, Shell]:
    """System and shell: each follows from the other, or both from the connection."""
    shell, system = given.get("fleet_shell"), given.get("fleet_os")
    if system is None:
        over_ssh = connection == "ssh" and shell is Shell.POWERSHELL
        system = Os.WINDOWS if connection == "winrm" or over_ssh else Os.LINUX
    if shell is None:
        shell = Shell.POWERSHELL if system is Os.WINDOWS else Shell.SH
    return system, shell


def realm_of(user: str | None) -> str | None:
    r"""The domain of ``DOMAIN\user`` or ``user@domain`` in capitals, None where there is none.

    ``.\user`` names the machine itself, so it says no realm either.
    """
    if not user:
        return None
    domain = user.partition("\\")[0] if "\\" in user else user.rpartition("@")[2] if "@" in user else ""
    return domain.upper() if domain not in {"", "."} else None


def _ssh(given: _Given) -> SshSettings:
    jump = given.get("fleet_proxy_jump")
    for name in ("ansible_ssh_common_args", "ansible_ssh_extra_args", "ansible_ssh_args"):
        jump = jump or given.get(name)
    settings = SshSettings(
        key_file=given.get("ansible_ssh_private_key_file"),
        key_passphrase=given.get("fleet_key_passphrase"),
        config_file=given.get("fleet_ssh_config"),
        known_hosts=given.get("fleet_known_hosts"),
        proxy_jump=jump,
    )
    return DEFAULT_SSH if settings == DEFAULT_SSH else settings


def _winrm(given: _Given) -> WinrmSettings:
    """As Ansible, port 5985 means http unless the scheme is said."""
    name = given.get("ansible_winrm_server_name")
    return WinrmSettings(
        scheme=given.get("ansible_winrm_scheme", "http" if given.get("ansible_port") == 5985 else "https"),
        auth=given.get("ansible_winrm_transport", "ntlm"),
        ca_trust_path=given.get("ansible_winrm_ca_trust_path"),
        verify=given.get("ansible_winrm_server_cert_validation", True),
        server_name=name.text if name else None,
        certificate=given.get("ansible_winrm_cert_pem"),
        certificate_key=given.get("ansible_winrm_cert_key_pem"),
        fresh_process=given.get("fleet_powershell", False),
    )


def _fits(host: Host, given: _Given, mistakes: Mistakes) -> bool:
    """Whether the settings of a host go together; what does not is noted."""
    fault = _clash(host)
    if fault is None:
        return True
    name, message = fault
    assert host.place is not None, "hosts made here have one"
    mistakes.add(message, given.place(name, host.place), host.name)
    return False


def _clash(host: Host) -> tuple[str, str] | None:
    """The setting to look at and what is wrong, if anything."""
    windows = host.os is Os.WINDOWS
    if host.connection == "winrm" and not windows:
        return "fleet_os", "fleet_os is linux, but winrm reaches Windows only; use ansible_connection: ssh"
    if windows and host.shell is Shell.SH:
        return "fleet_shell", "fleet_shell is sh, which Windows does not have; write powershell"
    if not windows and host.shell is Shell.POWERSHELL and host.connection == "ssh":
        return "fleet_shell", "fleet_shell is powershell, which fleet uses on Windows only; write sh"
    if windows and host.become:
        return (
            "ansible_become",
            "ansible_become works through sudo, which Windows does not have; log in as an administrator "
            "and set it to false there",
        )
    if host.connection != "winrm":
        return None
    if host.winrm.scheme == "http" and host.winrm.auth in {"basic", "certificate"}:
        return (
            "ansible_winrm_transport",
            f"{host.winrm.auth} needs https; over http fleet accepts ntlm and kerberos only",
        )
    if host.winrm.auth == "certificate" and not (host.winrm.certificate and host.winrm.certificate_key):
        return (
            "ansible_winrm_transport",
            "certificate needs ansible_winrm_cert_pem and ansible_winrm_cert_key_pem",
        )
    return None
