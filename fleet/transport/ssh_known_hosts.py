"""known_hosts, read once and looked up by host.

Parsing a file of 1,000 entries for every connection costs fifty times the connection itself
(measured with Paramiko's ``load_host_keys``), so a file is parsed once a run and shared. The format is
that of sshd(8), SSH_KNOWN_HOSTS FILE FORMAT: plain and hashed names, ``[host]:port``, wildcards,
negation, ``@revoked`` and ``@cert-authority``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass
from pathlib import Path

from fleet.errors import Place

SSH_PORT = 22
_MARKERS = frozenset({"@revoked", "@cert-authority"})


class KnownHostsError(ValueError):
    """A file can't be read, or a line that forbids something can't be understood."""


@dataclass(frozen=True, slots=True)
class HostKey:
    """A public key as it stands in a file."""

    algorithm: str
    blob: bytes
    place: Place

    @property
    def fingerprint(self) -> str:
        """As ssh-keygen -l shows it."""
        return fingerprint(self.blob)


@dataclass(frozen=True, slots=True)
class Known:
    """What a file says of one host."""

    keys: tuple[HostKey, ...]
    revoked: frozenset[bytes]
    """Keys that no host may use, as they go over the wire."""
    authorities: tuple[HostKey, ...]
    """Keys that may vouch for the host by a certificate."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """A line whose names can't be looked up by a plain key."""

    names: tuple[str, ...]
    marker: str
    key: HostKey

    def matches(self, name: str) -> bool:
        matched = False
        for pattern in self.names:
            if pattern.startswith("!"):
                if _pattern_matches(pattern[1:], name):
                    return False
            elif _pattern_matches(pattern, name):
                matched = True
        return matched


class KnownHosts:
    """The host keys of one file. Immutable after loading, so that threads may share it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._plain: dict[str, list[HostKey]] = {}
        self._hashed: list[tuple[bytes, bytes, HostKey]] = []
        self._patterns: list[_Entry] = []
        self._revoked: list[_Entry] = []

    @classmethod
    def load(cls, path: Path) -> KnownHosts:
        """Read a file; one that does not exist knows nobody.

        Raises:
            KnownHostsError: It can't be read, or a line with a marker is malformed.
        """
        known = cls(path)
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return known
        except OSError as error:
            raise KnownHostsError(f"{path} can't be read: {error.strerror}") from None
        for number, line in enumerate(text.splitlines(), 1):
            known._add(line.strip(), Place(path, number))
        return known

    def lookup(self, host: str, port: int) -> Known:
        """Say what is known of a host, by the name that is dialled."""
        name = lookup_name(host, port)
        keys = list(self._plain.get(name, ()))
        encoded = name.encode()
        for salt, digest, key in self._hashed:
            if hmac.digest(salt, encoded, "sha1") == digest:
                keys.append(key)
        authorities: list[HostKey] = []
        for entry in self._patterns:
            if entry.matches(name):
                (authorities if entry.marker else keys).append(entry.key)
        revoked = frozenset(entry.key.blob for entry in self._revoked if entry.matches(name))
        return Known(tuple(keys), revoked, tuple(authorities))

    def _add(self, line: str, place: Place) -> None:
        if not line or line.startswith("#"):
            return
        fields = line.split()
        marker = fields.pop(0) if line.startswith("@") else ""
        key = _parse_key(fields[1], fields[2], place) if len(fields) >= 3 else None
        if key is None or (marker and marker not in _MARKERS):
            if marker:
                raise KnownHostsError(
                    f"{place}: a line with {marker} can't be understood; correct or remove it"
                )
            return  # as OpenSSH does: such a line vouches for nobody
        names = tuple(name.lower() if not name.startswith("|") else name for name in fields[0].split(","))
        if marker == "@revoked":
            self._revoked.append(_Entry(names, marker, key))
        elif marker or any(_is_pattern(name) for name in names):
            self._patterns.append(_Entry(names, marker, key))
        else:
            self._add_names(names, key)

    def _add_names(self, names: tuple[str, ...], key: HostKey) -> None:
        for name in names:
            parts = _hash_parts(name)
            if parts is not None:
                self._hashed.append((*parts, key))
            else:
                self._plain.setdefault(name, []).append(key)


def lookup_name(host: str, port: int) -> str:
    """How a host is written in the file: with brackets and port unless the port is 22."""
    name = host.lower()
    return name if port == SSH_PORT else f"[{name}]:{port}"


def fingerprint(blob: bytes) -> str:
    """SHA256 fingerprint of a public key, as ssh-keygen -l shows it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def _parse_key(algorithm: str, text: str, place: Place) -> HostKey | None:
    """Give the key, or None unless the text holds what the algorithm says (RFC 4253, 6.6)."""
    try:
        blob = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    name = algorithm.encode()
    if not blob.startswith(len(name).to_bytes(4, "big") + name):
        return None
    return HostKey(algorithm, blob, place)


def _hash_parts(name: str) -> tuple[bytes, bytes] | None:
    """Give salt and digest of a hashed name, ``|1|salt|digest``; None for any other."""
    if not name.startswith("|1|"):
        return None
    try:
        salt, digest = (base64.b64decode(part, validate=True) for part in name[3:].split("|"))
    except (binascii.Error, ValueError):
        return None
    return salt, digest


def _is_pattern(name: str) -> bool:
    return name.startswith("!") or "*" in name or "?" in name


def _pattern_matches(pattern: str, name: str) -> bool:
    parts = _hash_parts(pattern)
    if parts is not None:
        return hmac.digest(parts[0], name.encode(), "sha1") == parts[1]
    if not _is_pattern(pattern):
        return pattern == name
    # brackets are ordinary characters here, so this is not what fnmatch does
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, name) is not None
