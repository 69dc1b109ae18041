"""Secrets in inventories are references; a value is refused and never repeated in a sentence."""

from __future__ import annotations

import re
from pathlib import Path

from fleet.errors import Place
from fleet.inventory.draft import Withheld
from fleet.model import JsonValue, SecretRef

HELP = "docs/inventory.md#secrets"

_PASSWORD_KEY = re.compile(
    r"(?:ansible_(?:[a-z0-9_]+_)?)?(?:pass|passwd|password)|ansible_(?:[a-z0-9_]+_)?passphrase", re.IGNORECASE
)
_PRIVATE = re.compile(
    r"passw|passphrase|(?:^|_)pass(?:$|_)|pwd|secret|token|credential|api_?key|private_?key|connection_?string",
    re.IGNORECASE,
)
_SOURCES = ("env", "file", "keyring", "command")
_FORMS = "{env: NAME}, {file: PATH}, {keyring: SERVICE/USER} or {command: [PROGRAM, ARGUMENT]}"
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def is_password_key(key: str) -> bool:
    """Whether Ansible, or a person, keeps a password of ours under this name."""
    return _PASSWORD_KEY.fullmatch(key) is not None


def is_private(key: str) -> bool:
    """Whether a variable of this name may hold a secret, so that its value is not even taken over."""
    return _PRIVATE.search(key) is not None


def refusal(key: str, value: JsonValue) -> str:
    """What to say of a password that stands in the file."""
    if "become" in key or "sudo" in key:
        return (
            "a password for sudo stands in the file. fleet runs sudo -n, which asks for none: take it out "
            f"and allow it in sudoers; see {HELP}"
        )
    target = "fleet_key_passphrase" if "passphrase" in key else "fleet_password"
    found = "a password stands in the file. Put it into an environment variable and write"
    if isinstance(value, str) and has_jinja(value):
        found = f"{key} is a Jinja template, and fleet evaluates none. Write"
    if isinstance(value, Withheld):
        found = (
            "an encrypted password (!vault) stands in the file. Put it into an environment variable and write"
        )
    return f"{found} {target}: {{env: NAME}} (INI and CSV: {target}=env:NAME); or see {HELP}"


def has_jinja(text: str) -> bool:
    """Whether Ansible would evaluate this text."""
    return "{{" in text or "{%" in text


def parse_secret(key: str, value: JsonValue, place: Place) -> SecretRef:
    """Read a reference; ``ValueError`` with a sentence that holds no value."""
    if isinstance(value, str):
        source, colon, locator = value.partition(":")
        if not colon or source not in {"env", "file", "keyring"}:
            raise ValueError(refusal(key, value))
        return _reference(source, locator, place)
    if isinstance(value, dict) and len(value) == 1:
        ((source, locator),) = value.items()
        if source in _SOURCES:
            return _reference(source, locator, place)
    if isinstance(value, dict):
        raise ValueError(f"{key} has to be exactly one of {_FORMS}; see {HELP}")  # noqa: TRY004 (bad data)
    raise ValueError(refusal(key, value))


def _reference(source: str, locator: JsonValue, place: Place) -> SecretRef:
    if source == "command":
        return SecretRef("command", _command(locator), place)
    if not isinstance(locator, str) or not locator.strip():
        raise ValueError(f"the secret's {source} is empty or no text; write {_FORMS}")
    _check_text(source, locator)
    if source == "env":
        if not _ENV_NAME.fullmatch(locator):
            raise ValueError("{env: ...} has to name an environment variable (letters, digits, underscores)")
        return SecretRef("env", (locator,), place)
    if source == "file":
        try:
            return SecretRef("file", (str(near(place, locator)),), place)
        except ValueError as error:
            raise ValueError(f"the secret's file {error}") from None
    service, slash, user = locator.rpartition("/")
    if not (service and slash and user):
        raise ValueError("{keyring: ...} has to be SERVICE/USER")
    return SecretRef("keyring", (locator,), place)


def _command(words: JsonValue) -> tuple[str, ...]:
    if not isinstance(words, list) or not words or not all(isinstance(word, str | int) for word in words):
        raise ValueError("{command: ...} has to be a list, [PROGRAM, ARGUMENT, ...]; no shell reads it")
    argv = tuple(str(word) for word in words)
    for word in argv:
        _check_text("command", word)
    program = argv[0]
    if not program or program.startswith("-") or ("/" in program and not program.startswith("/")):
        raise ValueError("the program of {command: ...} has to be a name found on PATH, or an absolute path")
    return argv


def _check_text(source: str, text: str) -> None:
    if has_jinja(text):
        raise ValueError(f"the secret's {source} is a Jinja template, and fleet evaluates none; write it out")
    if not text.isprintable():
        raise ValueError(f"the secret's {source} has a control or invisible character")


def near(place: Place, text: str) -> Path:
    """A path as the inventory means it: ``~`` is the user's home, relative is from the file's folder.

    Raises ``ValueError`` where there is no such home.
    """
    try:
        path = Path(text).expanduser()
    except RuntimeError:
        raise ValueError("begins with ~ and a user who has no home here; write the path out") from None
    return path if path.is_absolute() else place.path.absolute().parent / path
