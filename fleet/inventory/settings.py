"""The settings fleet understands, what their values may be, and what is said of all other keys."""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

from fleet.errors import InventoryError, Place
from fleet.inventory import secretrefs
from fleet.inventory.address import parse_address
from fleet.inventory.draft import Mistakes, Owner, Setting, Withheld, shown
from fleet.inventory.names import split_port
from fleet.model import JsonValue, Os, Shell

WITHHELD = "***"
"""Shown for a variable whose name says that it may hold a secret."""


class Typed(NamedTuple):
    """A setting's value, of the type that ``Host`` wants."""

    value: Any
    place: Place


class Understood(NamedTuple):
    """What a host or group says, sorted into settings and other variables."""

    settings: Mapping[str, Typed]
    variables: Mapping[str, JsonValue]


def _text(value: JsonValue, place: Place) -> str:  # noqa: ARG001 (all converters take both)
    if isinstance(value, Withheld):
        raise ValueError("is encrypted (!vault), which fleet does not open")  # noqa: TRY004 (bad data)
    if value is None or value == "":
        raise ValueError("is empty; give it a value or take it out")
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError("has to be text; put it in quotes")  # noqa: TRY004 (bad data, not a wrong call)
    text = str(value)
    if secretrefs.has_jinja(text):
        raise ValueError("is a Jinja template, and fleet evaluates none; write the value itself")
    if not text.isprintable():
        raise ValueError("has a control or invisible character in it")
    return text


def _address(value: JsonValue, place: Place) -> Any:
    try:
        return parse_address(_text(value, place))
    except InventoryError as error:
        raise ValueError(f"can't be dialled: {error.message}") from None


def _port(value: JsonValue, place: Place) -> int:
    text = _text(value, place)
    if not re.fullmatch(r"[1-9][0-9]{0,4}", text) or int(text) > 65535:
        raise ValueError(f"has to be a number from 1 to 65535, not {shown(text)}")
    return int(text)


def _whole(value: JsonValue, place: Place) -> int:
    text = _text(value, place)
    if not re.fullmatch(r"-?[0-9]{1,9}", text):
        raise ValueError(f"has to be a whole number, not {shown(text)}")
    return int(text)


_WORDS = {
    "yes": True,
    "true": True,
    "on": True,
    "1": True,
    "no": False,
    "false": False,
    "off": False,
    "0": False,
}


def _bool(value: JsonValue, place: Place) -> bool:
    if isinstance(value, bool):
        return value
    text = _text(value, place).lower()
    if text not in _WORDS:
        raise ValueError(f"has to be true or false, not {shown(text)}")
    return _WORDS[text]


def _user(value: JsonValue, place: Place) -> str:
    text = _text(value, place)
    if text.startswith("-") or text != text.strip():
        raise ValueError(f"is not a user name: {shown(text)} begins with a dash or has blanks around it")
    return text


def _word(
    choices: Mapping[str, Any], advice: Mapping[str, str] | None = None
) -> Callable[[JsonValue, Place], Any]:
    def convert(value: JsonValue, place: Place) -> Any:
        text = _text(value, place)
        if text in choices:
            return choices[text]
        if advice and text in advice:
            raise ValueError(advice[text])
        names = ", ".join(name for name in choices if "." not in name)
        raise ValueError(f"has to be one of {names}, not {shown(text)}")

    return convert


def _file(value: JsonValue, place: Place) -> Any:
    return secretrefs.near(place, _text(value, place))


def _jump(value: JsonValue, place: Place) -> str:
    """``[user@]host[:port]``, several with commas, as ``ProxyJump`` of ssh_config has it."""
    hops = []
    for hop in _text(value, place).split(","):
        user, at, target = hop.strip().rpartition("@")
        if at and not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.\\+-]*", user):
            raise ValueError("has a jump host whose user name is not one; write user@host:port")
        try:
            name, port = split_port(target)
            address = parse_address(name)
            shown_port = f":{_port(port, place)}" if port is not None else ""
        except InventoryError as error:
            raise ValueError(f"has a jump host that can't be dialled: {error.message}") from None
        hops.append(f"{user}{at}{address.for_url}{shown_port}")
    return ",".join(hops)


def _ssh_arguments(value: JsonValue, place: Place) -> str | None:
    """The jump host out of options for OpenSSH's ssh, which fleet does not run."""
    if value is None or value == "":
        return None
    try:
        words = shlex.split(_text(value, place))
    except ValueError as error:
        raise ValueError(str(error) if "Jinja" in str(error) else "has a quote that is not closed") from None
    joined = " ".join(words)
    match = re.fullmatch(r"(?:-J ?|-o ?ProxyJump(?:=| ))([^ ]+)", joined)
    if match is None:
        raise ValueError(
            "holds options of the ssh program, which fleet does not run; only -o ProxyJump=HOST is "
            "understood. For the rest name an ssh_config in fleet_ssh_config"
        )
    return _jump(match[1], place)


def _become_user(value: JsonValue, place: Place) -> None:
    if _text(value, place) != "root":
        raise ValueError("has to be root: fleet's scripts run as the login user or as root")


_CONNECTIONS = {
    "ssh": "ssh",
    "winrm": "winrm",
    "local": "local",
    "fake": "fake",
    "ansible.builtin.ssh": "ssh",
    "ansible.builtin.winrm": "winrm",
    "ansible.builtin.local": "local",
    "ansible.builtin.paramiko_ssh": "ssh",
    "ansible.builtin.smart": "ssh",
}
_OTHER_CONNECTIONS = {
    "psrp": "can't be psrp; write winrm: fleet speaks to the same port through WinRM",
    "smart": "can't be smart; write ssh",
    "paramiko": "can't be paramiko; write ssh",
    "paramiko_ssh": "can't be paramiko_ssh; write ssh",
}
_AUTH = {name: name for name in ("ntlm", "kerberos", "basic", "certificate", "credssp")}
_OTHER_AUTH = {
    "ssl": "can't be ssl; write basic or certificate (https is the default)",
    "plaintext": "can't be plaintext; fleet never sends a password over HTTP. Write ntlm or kerberos",
}

KNOWN: Mapping[str, Callable[[JsonValue, Place], Any]] = MappingProxyType(
    {
        "ansible_host": _address,
        "ansible_port": _port,
        "ansible_user": _user,
        "ansible_connection": _word(_CONNECTIONS, _OTHER_CONNECTIONS),
        "ansible_ssh_private_key_file": _file,
        "ansible_winrm_transport": _word(_AUTH, _OTHER_AUTH),
        "ansible_winrm_scheme": _word({"https": "https", "http": "http"}),
        "ansible_winrm_ca_trust_path": _file,
        "ansible_winrm_server_cert_validation": _word({"validate": True, "ignore": False}),
        "ansible_winrm_server_name": _address,
        "ansible_winrm_cert_pem": _file,
        "ansible_winrm_cert_key_pem": _file,
        "ansible_become": _bool,
        "ansible_become_method": _word({"sudo": None, "ansible.builtin.sudo": None, "runas": None}),
        "ansible_become_user": _become_user,
        "ansible_ssh_common_args": _ssh_arguments,
        "ansible_ssh_extra_args": _ssh_arguments,
        "ansible_ssh_args": _ssh_arguments,
        "ansible_group_priority": _whole,
        "fleet_os": _word({"linux": Os.LINUX, "windows": Os.WINDOWS}),
        "fleet_zone": _text,
        "fleet_realm": _text,
        "fleet_window": _text,
        "fleet_shell": _word({"sh": Shell.SH, "powershell": Shell.POWERSHELL}),
        "fleet_powershell": _word({"fresh": True, "reuse": False}),
        "fleet_known_hosts": _file,
        "fleet_ssh_config": _file,
        "fleet_proxy_jump": _jump,
        "fleet_password": lambda value, place: secretrefs.parse_secret("fleet_password", value, place),
        "fleet_key_passphrase": lambda value, place: secretrefs.parse_secret(
            "fleet_key_passphrase", value, place
        ),
    }
)
"""Names of the settings and what turns a value into its type, or raises ``ValueError``."""

_SECRETS = frozenset({"fleet_password", "fleet_key_passphrase"})

ALIASES = MappingProxyType(
    {
        "ansible_ssh_host": "ansible_host",
        "ansible_winrm_host": "ansible_host",
        "ansible_ssh_port": "ansible_port",
        "ansible_winrm_port": "ansible_port",
        "ansible_ssh_user": "ansible_user",
        "ansible_winrm_user": "ansible_user",
        "ansible_private_key_file": "ansible_ssh_private_key_file",
    }
)
"""Other names that Ansible has for the same (its ssh and winrm connection plugins)."""

NOT_OURS = frozenset(
    {
        "ansible_become_exe",
        "ansible_become_flags",
        "ansible_connection_timeout",
        "ansible_facts",
        "ansible_host_key_checking",
        "ansible_network_os",
        "ansible_pipelining",
        "ansible_python_interpreter",
        "ansible_remote_tmp",
        "ansible_scp_if_ssh",
        "ansible_sftp_batch_mode",
        "ansible_shell_executable",
        "ansible_shell_type",
        "ansible_ssh_executable",
        "ansible_ssh_host_key_checking",
        "ansible_ssh_pipelining",
        "ansible_ssh_retries",
        "ansible_ssh_timeout",
        "ansible_ssh_transfer_method",
        "ansible_ssh_use_tty",
        "ansible_timeout",
        "ansible_user_dir",
        "ansible_user_id",
        "ansible_user_uid",
        "ansible_winrm_connection_timeout",
        "ansible_winrm_kerberos_delegation",
        "ansible_winrm_kerberos_hostname_override",
        "ansible_winrm_kinit_args",
        "ansible_winrm_kinit_cmd",
        "ansible_winrm_kinit_mode",
        "ansible_winrm_message_encryption",
        "ansible_winrm_operation_timeout_sec",
        "ansible_winrm_path",
        "ansible_winrm_read_timeout_sec",
        "ansible_winrm_send_cbt",
    }
)
"""Settings of Ansible that change nothing about what fleet does; kept as variables."""


def understand(owner: Owner, mistakes: Mistakes) -> Understood:
    """Sort and convert what is said of a host or group; what is wrong is noted and left out."""
    settings: dict[str, Typed] = {}
    spelled: dict[str, str] = {}
    variables: dict[str, JsonValue] = {}
    for key, setting in owner.settings.items():
        name = ALIASES.get(key, key)
        if name in KNOWN:
            try:
                typed = Typed(KNOWN[name](setting.value, setting.place), setting.place)
            except ValueError as error:
                said = str(error) if name in _SECRETS else f"{key} {error}"
                mistakes.add(said, setting.place, owner.title)
                continue
            other = spelled.setdefault(name, key)
            if other != key:
                mistakes.add(
                    f"{key} means the same as {other}; keep one of the two", setting.place, owner.title
                )
            settings[name] = typed
            continue
        fault = _fault(key, setting)
        if fault:
            mistakes.add(fault, setting.place, owner.title)
        else:
            variables[key] = _variable(key, setting.value)
    return Understood(settings, variables)


def _fault(key: str, setting: Setting) -> str | None:
    """What is wrong with a key that is not one of ours, if anything."""
    if secretrefs.is_password_key(key):
        return secretrefs.refusal(key, setting.value)
    if _has_withheld(setting.value):
        return (
            f"{shown(key)} is encrypted (!vault), which fleet does not open; move it to a file that "
            f"only Ansible reads, or see {secretrefs.HELP}"
        )
    return _looks_like_ours(key)


@lru_cache(maxsize=4096)
def _looks_like_ours(key: str) -> str | None:
    if key in NOT_OURS:
        return None
    spelled = key.lower().replace("-", "_")
    own = spelled.startswith("fleet_")
    cutoff = 0.75 if own else 0.87
    close = difflib.get_close_matches(spelled, [*KNOWN, *ALIASES], 1, cutoff)
    if close:
        return f'{shown(key)} is not a setting; did you mean "{close[0]}"?'
    if own:
        return f"{shown(key)} is not a setting; docs/inventory.md lists those that begin with fleet_"
    return None


def _has_withheld(value: JsonValue) -> bool:
    if isinstance(value, dict):
        return any(_has_withheld(item) for item in value.values())
    if isinstance(value, list):
        return any(_has_withheld(item) for item in value)
    return isinstance(value, Withheld)


def _variable(key: str, value: JsonValue) -> JsonValue:
    if secretrefs.is_private(key):
        return WITHHELD
    if isinstance(value, dict):
        return {name: _variable(name, item) for name, item in value.items()}
    if isinstance(value, list):
        return [_variable("", item) for item in value]
    return value
