"""Frozen values that every layer shares, and nothing that acts: the vocabulary, in one place to look up.

Three kinds of text are kept apart by type, so that a type checker sees a mix-up:

* ``SnippetText``  trusted: came out of a catalogue file, may become program text.
* ``Secret``       never shown: has no usable text form, must be revealed by name.
* ``Untrusted``    chosen by a guest: its text form is escaped for a terminal.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from fleet.errors import Place

JsonValue = Any
"""None, bool, int, float, str, or lists and string-keyed dicts of these."""

ParamValue = str | int | bool | float | list[Any] | dict[str, Any]
"""What a snippet's parameter may hold."""


class Os(StrEnum):
    """Kind of system in a guest."""

    LINUX = "linux"
    WINDOWS = "windows"


class Shell(StrEnum):
    """What interprets a script in the guest; the values are the folders below ``scripts/``."""

    SH = "sh"
    POWERSHELL = "ps"

    @property
    def suffix(self) -> str:
        """File name suffix of its snippets."""
        return ".sh" if self is Shell.SH else ".ps1"


class Kind(StrEnum):
    """What a snippet is for."""

    CHECK = "check"
    REMEDY = "remedy"
    COLLECT = "collect"


class Severity(StrEnum):
    """How bad a failed check is."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Risk(StrEnum):
    """What a remedy may cost, from nothing to what can't be taken back. Ordered by ``rank``."""

    SAFE = "safe"
    SERVICE_INTERRUPTION = "service-interruption"
    REBOOT = "reboot"
    DESTRUCTIVE = "destructive"

    @property
    def rank(self) -> int:
        """Position in the order of the words above, 0 is the mildest."""
        return list(Risk).index(self)


class Outcome(StrEnum):
    """How one step ended on one host. The same words in journal, API, reports and tests."""

    OK = "ok"
    CHANGED = "changed"
    FAILED = "failed"
    SKIPPED = "skipped"
    HELD = "held"
    UNREACHABLE = "unreachable"
    DENIED = "denied"
    BUSY = "busy"
    TIMED_OUT = "timed_out"
    BROKEN = "broken"
    UNKNOWN = "unknown"
    NOT_RUN = "not_run"

    @property
    def fine(self) -> bool:
        """Whether nothing is left to do."""
        return self in {Outcome.OK, Outcome.CHANGED, Outcome.SKIPPED}

    @property
    def truth_missing(self) -> bool:
        """Whether the truth about the host is not known (exit code 3)."""
        return not self.fine and self not in {Outcome.FAILED, Outcome.HELD}


class Secret:
    """A value that must not be shown. Only ``reveal`` gives it away."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Give the value; call it as late as possible and keep the result nowhere."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return "***"

    def __reduce__(self) -> str | tuple[Any, ...]:
        raise TypeError("a secret can't be stored")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(("Secret", self._value))


def printable(text: str) -> str:
    """Escape everything that could act on a terminal or deceive its reader.

    Kept: newline and what Unicode calls printable. Escaped: other controls, format characters
    (bidi, zero width), surrogates, private use and unassigned code points.
    """
    if text.replace("\n", "").isprintable():
        return text
    return "".join(_printable_character(character) for character in text)


def _printable_character(character: str) -> str:
    if character == "\n" or character.isprintable():
        return character
    code = ord(character)
    if unicodedata.category(character) == "Zs":
        return " "
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


class Untrusted:
    """Text that a guest chose. ``str()`` is safe to print; ``raw`` is what was received."""

    __slots__ = ("raw",)

    def __init__(self, raw: str) -> None:
        self.raw = raw

    def __str__(self) -> str:
        return printable(self.raw)

    def __repr__(self) -> str:
        return f"Untrusted({str(self)!r})"

    def __bool__(self) -> bool:
        return bool(self.raw)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Untrusted) and other.raw == self.raw

    def __hash__(self) -> int:
        return hash(("Untrusted", self.raw))


@dataclass(frozen=True, slots=True)
class SnippetText:
    """Program text that came out of a file of the catalogue; made only by ``fleet.catalog``."""

    text: str
    path: Path
    digest: str
    """SHA-256 of the file's bytes, hex."""


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Where a secret is to be found; the value itself is resolved late by ``fleet.credentials``."""

    source: Literal["env", "file", "keyring", "command"]
    locator: tuple[str, ...]
    """Name, path, ``SERVICE/USER``, or an argument list."""
    place: Place | None = None

    def __str__(self) -> str:
        shown = self.locator[0] if self.source == "command" else " ".join(self.locator)
        return f"{self.source}: {shown}"


@dataclass(frozen=True, slots=True)
class Address:
    """A host name or IP address that was parsed; what it holds is exactly what is dialled."""

    text: str
    """ASCII host name (IDN already encoded) or IP address, without brackets."""
    version: Literal[0, 4, 6] = 0
    """0 for a name."""

    @property
    def for_url(self) -> str:
        """With brackets where a URL needs them."""
        return f"[{self.text}]" if self.version == 6 else self.text

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class SshSettings:
    """How to log in over SSH, besides user and password."""

    key_file: Path | None = None
    key_passphrase: SecretRef | None = None
    config_file: Path | None = None
    """An ssh_config to honour; none is read unless named."""
    known_hosts: Path | None = None
    """None: the user's ``~/.ssh/known_hosts``."""
    proxy_jump: str | None = None


@dataclass(frozen=True, slots=True)
class WinrmSettings:
    """How to log in over WinRM, besides user and password."""

    scheme: Literal["https", "http"] = "https"
    auth: Literal["ntlm", "kerberos", "basic", "certificate", "credssp"] = "ntlm"
    ca_trust_path: Path | None = None
    """Certificates to trust; None: those of the system."""
    verify: bool = True
    """False only by ``ansible_winrm_server_cert_validation: ignore``; shown in every report."""
    server_name: str | None = None
    """Name expected in the certificate where it is not the address."""
    certificate: Path | None = None
    certificate_key: Path | None = None
    fresh_process: bool = False
    """``fleet_powershell: fresh``: a PowerShell process for every script."""


DEFAULT_SSH = SshSettings()
DEFAULT_WINRM = WinrmSettings()


@dataclass(frozen=True, slots=True)
class Host:
    """One guest and how it is reached. Secrets are references."""

    name: str
    address: Address
    connection: Literal["ssh", "winrm", "local", "fake"]
    os: Os
    shell: Shell
    port: int
    user: str | None = None
    password: SecretRef | None = None
    become: bool = False
    """Whether scripts run through ``sudo -n``."""
    ssh: SshSettings = DEFAULT_SSH
    winrm: WinrmSettings = DEFAULT_WINRM
    zone: str | None = None
    """Failure domain."""
    realm: str | None = None
    """Whose password it is."""
    window: str | None = None
    groups: frozenset[str] = frozenset()
    variables: Mapping[str, JsonValue] = field(default_factory=lambda: MappingProxyType({}))
    """What the inventory says beside fleet's own settings; shown, never evaluated."""
    place: Place | None = None

    @property
    def endpoint(self) -> str:
        """Address and port as people write them."""
        return f"{self.address.for_url}:{self.port}"


ParamType = Literal["str", "int", "bool", "float", "list", "dict"]


@dataclass(frozen=True, slots=True)
class Param:
    """A declared parameter of a snippet."""

    name: str
    type: ParamType
    about: str
    required: bool = False
    default: ParamValue | None = None
    choices: tuple[ParamValue, ...] = ()
    pattern: str | None = None
    """For ``str`` and the items of ``list``: must match the whole value."""
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True, slots=True)
class Return:
    """A declared entry of a snippet's ``data``."""

    name: str
    type: ParamType
    about: str


@dataclass(frozen=True, slots=True)
class Snippet:
    """A script with its header, in one or both shells."""

    name: str
    kind: Kind
    title: str
    timeout: int
    """Seconds the body may take."""
    texts: Mapping[Shell, SnippetText]
    about: str = ""
    risk: Risk | None = None
    """Remedies only."""
    severity: Severity | None = None
    """Checks only."""
    idempotent: Literal["yes", "no", "check"] = "no"
    """Whether it may be repeated after an unknown outcome."""
    needs: frozenset[str] = frozenset()
    """``root`` or ``admin``."""
    undo: str | None = None
    """Snippet that takes ``data.undo`` back."""
    undo_note: str | None = None
    """Why it can't be taken back."""
    params: Mapping[str, Param] = field(default_factory=lambda: MappingProxyType({}))
    returns: Mapping[str, Return] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def mutates(self) -> bool:
        """Whether it may change a guest."""
        return self.kind is Kind.REMEDY


@dataclass(frozen=True, slots=True)
class Arguments:
    """Values that were checked against a snippet's parameters; made only by ``fleet.catalog``."""

    values: Mapping[str, ParamValue]


@dataclass(frozen=True, slots=True)
class Rung:
    """One step of a ladder."""

    remedy: str
    params: Mapping[str, ParamValue] = field(default_factory=lambda: MappingProxyType({}))
    only_after: str | None = None
    """What a person has to have done or agreed to first; such a rung is held without it."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a fact of a runbook comes from."""

    document: str
    edition: str
    section: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """Something the documents tell to do about a fault, and where fleet has it: one of the last four."""

    do: str
    rung: str | None = None
    """Remedy on the ladder of the same runbook."""
    runbook: str | None = None
    """Another runbook that answers for it."""
    outside: int | None = None
    """Number of the entry of ``outside`` that says it, from 1."""
    reason: str | None = None
    """Why fleet does not do it."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided where the documents disagree or leave something open."""

    question: str
    decision: str
    reason: str
    newest: str
    """Year and month of the newest source, or ``undated``."""


@dataclass(frozen=True, slots=True)
class Runbook:
    """A ladder for one fault: a check that detects it, then remedies from the mildest on."""

    id: str
    title: str
    about: str
    os: Os | None
    """None: both."""
    codes: tuple[str, ...] = ()
    match_hints: tuple[str, ...] = ()
    """Words of its messages, in the languages of the documents, written without accents."""
    detect: str | None = None
    detect_params: Mapping[str, ParamValue] = field(default_factory=lambda: MappingProxyType({}))
    ladder: tuple[Rung, ...] = ()
    outside: tuple[str, ...] = ()
    left_alone: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    """Bundles to collect for a support case."""
    related: tuple[str, ...] = ()
    """Runbooks of other faults with the same message or behind it, in the order to look at them."""
    steps: tuple[Step, ...] = ()
    """What the documents tell to do, in their order."""
    decisions: tuple[Decision, ...] = ()
    sources: tuple[Source, ...] = ()
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Script:
    """What rendering yields and a transport runs: a constant command line and bytes for its stdin."""

    shell: Shell
    nonce: str
    payload: bytes
    """Bytes for the shell's stdin. sh: the framed text. PowerShell: one line of base64."""
    timeout: float
    """Seconds the body has in the guest; the transport adds its own grace."""
    snippet: str
    digest: str
    """SHA-256 of the snippet's file."""
    mutates: bool = False


@dataclass(frozen=True, slots=True)
class Completed:
    """What came back for one script: bytes, exit code, and how it ended."""

    stdout: bytes
    """This script's part of stdout; ends with its envelope line where there is one."""
    stderr: bytes
    exit_code: int | None
    """None where the process lives on for the next script or its end was not seen."""
    seconds: float
    timed_out: bool = False
    """The transport gave up waiting; the guest may still be at it."""
    dropped: int = 0
    """Bytes beyond the cap that were thrown away, head and tail being kept."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A parsed envelope, or what stands for a missing one."""

    outcome: Outcome
    message: Untrusted
    data: Mapping[str, JsonValue]
    log: Untrusted
    seconds: float
    truncated: bool = False


NOTHING = Untrusted("")
"""No text from a guest."""


@dataclass(frozen=True, slots=True)
class Result:
    """How one step ended on one host; already redacted."""

    host: str
    os: Os
    step: int
    """Position on this host within the run, from 1."""
    snippet: str
    outcome: Outcome
    message: Untrusted
    started: datetime
    seconds: float
    data: Mapping[str, JsonValue] = field(default_factory=lambda: MappingProxyType({}))
    risk: Risk | None = None
    severity: Severity | None = None
    attempt: int = 1
    log: Untrusted = NOTHING
    truncated: bool = False
    phase: Literal["look", "try", "act", "verify"] = "look"
    """Why it was run: a check; a remedy asked what it would change; a remedy; a check after it."""

    def __bool__(self) -> bool:
        return self.outcome.fine

    @property
    def simulated(self) -> bool:
        """Whether the answer says that it comes from a model of a guest."""
        return self.data.get("simulated") is True


NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
"""What snippets, runbooks, profiles and bundles are called."""
