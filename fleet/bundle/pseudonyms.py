"""Pseudonyms for names and addresses: the same in every file of every host of a run, and turned back by the
operator alone.

Addresses and e-mail addresses are known by their shape. Names are known because the inventory has them or a
log told them (``observe``); whoever wants them replaced everywhere observes everything before replacing. What
is encoded (base64, compressed) is not looked into; neither are addresses written with hyphens.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import os
import re
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from fleet.bundle.addresses import Address, Addresses
from fleet.errors import UsageError

HOST, DOMAIN, USER, MAIL, SUBSCRIPTION, ADDRESS = "host", "domain", "user", "mail", "subscription", "address"

MOST_NAMES = 200_000
"""Names the map keeps; a guest that makes up more gets pseudonyms for them that can't be turned back."""

MIN_LENGTH = 3
"""Characters of a name that is replaced: shorter ones are part of too much that is none."""

_FORMAT = "fleet.pseudonyms/1"
_STAY = frozenset({
    "account", "admin", "administrator", "administrators", "all", "and", "backup", "com", "daemon", "default",
    "defaultuser0", "example", "false", "for", "from", "guest", "invalid", "is", "local", "localdomain",
    "localhost", "name", "net", "network", "nobody", "none", "not", "null", "org", "public", "root",
    "service", "services", "system", "the", "true", "unknown", "user", "username", "users", "was", "with",
})  # fmt: skip
"""Words that name nobody; replacing them would make every log unreadable."""

_GUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
_UNITS = "service|socket|slice|mount|automount|swap|timer|target|scope|device|path"
_MAIL = rf"(?<![\w.%+-])[\w.%+-]++@(?:[\w-]{{1,63}}\.){{1,8}}(?!(?:{_UNITS})\b)[A-Za-z]{{2,63}}"
"""Not user@1000.service, which is a unit of systemd."""
_V4 = r"(?:(?<=%[0-9A-F]{2})|(?<!\d)(?<!\d\.))(?:\d{1,3}\.){3}\d{1,3}(?!\d|\.\d)"
_V6 = (
    r"(?<![0-9A-Fa-f.])(?<![0-9A-Fa-f:]:)"
    r"(?:[0-9A-Fa-f]{1,4}:(?:[0-9A-Fa-f]{0,4}:){1,7}|::(?:[0-9A-Fa-f]{1,4}:){0,6})"
    r"(?:(?:\d{1,3}\.){3}\d{1,3}|[0-9A-Fa-f]{0,4})"
    r"(?![0-9A-Za-z:]|\.\d)"
)
_ADDRESSES = re.compile(f"(?P<v6>{_V6})|(?P<v4>{_V4})")
_SHAPES = re.compile(f"(?P<mail>{_MAIL})|{_ADDRESSES.pattern}")
_SHAPES_BACK = re.compile(f"(?P<mail>mail[0-9a-f]{{12}})|{_ADDRESSES.pattern}")
_V4_ALONE = re.compile(_V4)
_VERSION_BEFORE = re.compile(
    r"(?:\bv|(?:version|agent|extension|linux|snapshot)[\s:=\"'>-]{1,4})$", re.IGNORECASE
)
"""Before four numbers that are a version, as in WALinuxAgent-2.2.53.1."""

_WORD = re.compile(r"\w[\w.-]*+")
_WORD_BACK = re.compile(
    r"(?:host|domain|user)[0-9a-f]{12}|00000000-[0-9a-f]{4}(?:-[0-9a-f]{4}){2}-[0-9a-f]{12}"
)
_ESCAPE = {"\\": re.compile(r"[nrtbf]|u[0-9a-fA-F]{4}"), "%": re.compile(r"(?:25)*[0-9a-fA-F]{2}")}
"""What of an escape sequence runs into the word behind it."""

_SUBSCRIPTION = re.compile(rf"(?i)subscription(?:s/|[_ -]?id\W{{1,8}})({_GUID})")
_NAME = r"([\w][\w.$-]{0,63})"
_USERS = tuple(
    re.compile(text)
    for text in (
        r"(?:/home/|(?i:[A-Z]:\\{1,2}Users\\{1,2}))" + _NAME,
        r"(?i)\buser(?:name)?[\"']?\s{0,2}[=:]\s{0,2}[\"']?" + _NAME,
        r"\b(?:for|by|invalid) user " + _NAME,
        r"\b(?:password|publickey|Password) for " + _NAME + r" from ",
        r"\buid=\d{1,10}\(" + _NAME + r"\)",
        r"\bsudo(?:\[\d{1,10}\])?:\s{1,4}" + _NAME + r" : ",
        r"Name=['\"](?:Subject|Target)UserName['\"]>" + _NAME + "<",
    )
)
_HOSTS = tuple(
    re.compile(text)
    for text in (
        r"(?i)\b(?:static |transient )?(?:hostname|computername|computer name)[\"']?\s{0,4}[=:]\s{0,4}[\"']?"
        + _NAME,
        r"<Computer>" + _NAME + "</Computer>",
        r"(?m)^[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d " + _NAME + r" [\w./-]{1,64}(?:\[\d{1,10}\])?:",
    )
)
_DOMAINS = re.compile(r"(?m)^(?:search|domain) ([\w. -]{1,255})$")


class Pseudonyms:
    """The pseudonyms of one run. May be used by many threads."""

    def __init__(self, key: bytes | None = None) -> None:
        self._key = secrets.token_bytes(32) if key is None else key
        self._addresses = Addresses(self._digest)
        self._lock = threading.Lock()
        self._known: dict[str, tuple[str, str]] = {}
        """Kind and pseudonym by the name in lower case."""
        self._originals: dict[str, str] = {}
        self._longest = 1
        """Parts, between dots and hyphens, of the known name that has most."""
        self._tally: Counter[str] = Counter()
        self.not_kept = 0
        """Pseudonyms that were given but do not stand in the map, because it is full."""

    @property
    def tally(self) -> Mapping[str, int]:
        """How many places were replaced, by kind."""
        with self._lock:
            return dict(self._tally)

    def add_host(self, name: str) -> None:
        """Replace this host name from now on, and the domain it is in; an address needs no adding."""
        if re.fullmatch(rf"{_V4}|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*", name):
            return
        first, _, rest = name.strip(".").partition(".")
        pseudonym = self._add(HOST, first)
        if pseudonym and len(first) > 15:  # NetBIOS cuts names there
            self._alias(first[:15], HOST, pseudonym)
        self.add_domain(rest)

    def add_domain(self, name: str) -> None:
        """Replace this domain, and the names of hosts in it, from now on."""
        if name and any(part not in _STAY for part in name.casefold().split(".")):
            self._add(DOMAIN, name.strip("."))

    def add_user(self, name: str) -> None:
        r"""Replace this user name from now on; ``DOMAIN\user`` and ``user@domain`` are two names."""
        domain, backslash, user = name.rpartition("\\")
        user, at, suffix = user.partition("@")
        if backslash:
            self.add_domain(domain)
        if at:
            self.add_domain(suffix)
        for word in _WORD.findall(user.replace("$", " ")):
            self._add(USER, word)

    def observe(self, text: str) -> None:
        """Learn the names that a text tells by where they stand: homes, logins, journals, subscriptions."""
        for match in _SUBSCRIPTION.finditer(text):
            self._add(SUBSCRIPTION, match[1])
        for pattern in _USERS:
            for match in pattern.finditer(text):
                self.add_user(match[1])
        for pattern in _HOSTS:
            for match in pattern.finditer(text):
                self.add_host(match[1])
        for match in _DOMAINS.finditer(text):
            for name in match[1].split():
                self.add_domain(name)

    def text(self, text: str) -> str:
        """Give the text with everything that is known, or known by its shape, replaced."""
        self.observe(text)
        tally: Counter[str] = Counter()
        text = _SHAPES.sub(lambda match: self._hide_shape(match, tally), text)
        text = _WORD.sub(lambda match: self._hide_word(match, tally), text)
        with self._lock:
            self._tally += tally
        return text

    def reveal(self, text: str) -> str:
        """Give the text with every pseudonym of this run turned back."""
        text = _WORD_BACK.sub(lambda match: self._originals.get(match[0], match[0]), text)
        return _SHAPES_BACK.sub(self._reveal_shape, text)

    def save(self, path: Path) -> None:
        """Write the map, for the owner alone. Raises FileExistsError rather than writing over another."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file, self._lock:
            kept = {name: self._originals[name] for name in sorted(self._originals)}
            json.dump({"schema": _FORMAT, "key": self._key.hex(), "names": kept}, file, indent=1)

    def _add(self, kind: str, name: str) -> str | None:
        folded = name.casefold()
        if len(name) < MIN_LENGTH or folded in _STAY or not re.search(r"[^\W\d_]", name):
            return None
        with self._lock:
            if folded in self._known:
                return self._known[folded][1]
            if len(self._originals) >= MOST_NAMES:
                self.not_kept += 1
                return None
            pseudonym = self._pseudonym(kind, folded)
            self._known[folded] = kind, pseudonym
            self._originals[pseudonym] = name
            self._longest = max(self._longest, len(re.findall(r"[.\-_]", name)) + 1)
        return pseudonym

    def _alias(self, name: str, kind: str, pseudonym: str) -> None:
        with self._lock:
            self._known.setdefault(name.casefold(), (kind, pseudonym))
            self._longest = max(self._longest, len(re.findall(r"[.\-_]", name)) + 1)

    def _pseudonym(self, kind: str, folded: str) -> str:
        digits = self._digest(f"{kind} {folded}".encode("utf-8", "surrogatepass")).hex()
        if kind == SUBSCRIPTION:  # still a GUID, for what reads the file next
            return f"00000000-{digits[:4]}-{digits[4:8]}-{digits[8:12]}-{digits[12:24]}"
        return kind + digits[:12]

    def _digest(self, data: bytes) -> bytes:
        return hashlib.blake2b(data, key=self._key, digest_size=16).digest()

    def _hide_shape(self, match: re.Match[str], tally: Counter[str]) -> str:
        found = match[0]
        if match["mail"]:
            tally[MAIL] += 1
            pseudonym = self._pseudonym(MAIL, found.casefold())
            with self._lock:
                if len(self._originals) < MOST_NAMES:
                    self._originals.setdefault(pseudonym, found)
                elif pseudonym not in self._originals:
                    self.not_kept += 1
            return pseudonym
        shown = _turn(
            match[0], match.string[max(0, match.start() - 16) : match.start()], self._addresses.hide
        )
        tally[ADDRESS] += shown != found
        return shown

    def _reveal_shape(self, match: re.Match[str]) -> str:
        if match["mail"]:
            return self._originals.get(match[0], match[0])
        return _turn(
            match[0], match.string[max(0, match.start() - 16) : match.start()], self._addresses.reveal
        )

    def _hide_word(self, match: re.Match[str], tally: Counter[str]) -> str:
        word, before = match[0], match.string[match.start() - 1 : match.start()]
        hidden = self._hide_parts(word, tally)
        escape = _ESCAPE[before].match(word) if hidden == word and before in _ESCAPE else None
        if escape:
            return escape[0] + self._hide_parts(word[escape.end() :], tally)
        return hidden

    def _hide_parts(self, word: str, tally: Counter[str]) -> str:
        """Replace the known names that stand between dots, hyphens and underscores; the longest first."""
        if "." not in word and "-" not in word and "_" not in word:  # most words, and most of the time
            known = self._known.get(word.casefold())
            if known is None:
                return word
            tally[known[0]] += 1
            return known[1]
        pieces = re.split(r"([.\-_])", word)
        folded = [piece.casefold() for piece in pieces]
        out, at = list[str](), 0
        while at < len(pieces):
            for end in range(min(len(pieces), at + 2 * self._longest - 1), at, -2):
                found = self._known.get("".join(folded[at:end]))
                if found:
                    break
            else:
                out.append(pieces[at])
                at += 1
                continue
            kind, pseudonym = found
            if kind == DOMAIN and at >= 2 and folded[at - 1] == "." and out[-2] == pieces[at - 2]:
                out[-2] = self._host_in_domain(pieces[at - 2], tally)
            tally[kind] += 1
            out.append(pseudonym)
            at = end
        return "".join(out)

    def _host_in_domain(self, label: str, tally: Counter[str]) -> str:
        """The name before a known domain is a host's, whoever told us."""
        pseudonym = self._add(HOST, label)
        tally[HOST] += pseudonym is not None
        return pseudonym or label


def load(path: Path) -> Pseudonyms:
    """Read a map that ``save`` wrote. Raises UsageError for what is none, or is open to others."""
    try:
        if os.name == "posix" and path.stat().st_mode & 0o077:
            raise UsageError(f"{path}: others may read this map; run: chmod 600 {path}")
        fields = json.loads(path.read_text("utf-8"))
        if fields["schema"] != _FORMAT:
            raise UsageError(f'{path}: its schema is not "{_FORMAT}"')
        loaded = Pseudonyms(bytes.fromhex(fields["key"]))
        loaded._originals = {str(name): str(original) for name, original in fields["names"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise UsageError(f"{path}: is no map of pseudonyms that can be read") from None
    return loaded


def _turn(text: str, before: str, turn: Callable[[Address], Address]) -> str:
    """Turn what looks like an address into another one; text that only looks like one stays."""
    if ":" not in text:
        octets = [int(octet) for octet in text.split(".")]
        if max(octets) > 255 or _VERSION_BEFORE.search(before):
            return text
        return _other(text, ipaddress.IPv4Address(bytes(octets)), turn)
    for end in (len(text), len(text) - 1):  # with and without the colon of a sentence
        try:
            return _other(text[:end], ipaddress.IPv6Address(text[:end]), turn) + text[end:]
        except ValueError:
            continue
    return _V4_ALONE.sub(lambda match: _turn(match[0], "", turn), text)  # 12:30:00:10.0.0.4


def _other(text: str, address: Address, turn: Callable[[Address], Address]) -> str:
    turned = turn(address)
    if turned == address:
        return text
    if isinstance(turned, ipaddress.IPv6Address) and turned.ipv4_mapped:
        return f"::ffff:{turned.ipv4_mapped}"
    return str(turned)
