"""Masks secrets in everything that is kept or shown: known ones in every form they may come back in, and
unknown ones by what they look like.

Known secrets are found with a table of the first characters of all their forms, not with a regular
expression over them: a run over a thousand hosts may know a thousand passwords, each in some fifty forms, and
the cost of a search must not grow with their number. 1 MB takes about 0.2 s, whatever stands in it.
"""

from __future__ import annotations

import base64
import html
import itertools
import json
import re
import shlex
import threading
import urllib.parse
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from fleet.model import JsonValue, Secret, printable

MASK = "***"
"""What stands in place of a secret."""

MIN_LENGTH = 4
"""Characters a secret must have to be masked: every text is full of shorter ones."""


class Redactor:
    """Masks secrets in texts and JSON values. May be used by many threads."""

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        self._known: set[Secret] = set()
        self._forms: dict[str, dict[int, set[str]]] = {}
        """The forms of all secrets by their first characters and their length, longest first."""
        self._lock = threading.Lock()
        self._tally: Counter[str] = Counter()
        self.too_short = 0
        """How many secrets are not masked because they are shorter than ``MIN_LENGTH``."""
        self.add(secrets)

    def add(self, secrets: Iterable[Secret]) -> None:
        """Mask these too from now on; those that are known already cost nothing."""
        with self._lock:
            for secret in secrets:
                if secret not in self._known:
                    self._known.add(secret)
                    self._register(secret.reveal())

    def learn(self, other: Redactor) -> None:
        """Mask what another one masks; the tallies stay apart."""
        with other._lock:
            known = set(other._known)
        self.add(known)

    @property
    def tally(self) -> Mapping[str, int]:
        """How many places were masked, by the kind of secret: ``known`` or the name of a pattern."""
        with self._lock:
            return dict(self._tally)

    def text(self, text: str) -> str:
        """Give the text with every secret masked."""
        counts: Counter[str] = Counter()
        text = self._masked(text, counts)
        if counts:
            with self._lock:
                self._tally += counts
        return text

    def uncounted(self, text: str) -> str:
        """Give what ``text`` gives, for a text that is only being looked at: the tally stays."""
        return self._masked(text, Counter())

    def _masked(self, text: str, counts: Counter[str]) -> str:
        text = self._mask_known(text, counts)
        lowered = text.lower()
        for pattern in _PATTERNS:
            if any(needle in lowered for needle in pattern.needles):
                text, count = pattern.expression.subn(pattern.replacement, text)
                counts[pattern.name] += count
        return text

    def value(self, value: JsonValue) -> JsonValue:
        """Give a copy of a JSON value with every secret masked in keys, texts and numbers."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(key): self._entry(key, item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, int | float) and not isinstance(value, bool):
            return MASK if self._mask_known(str(value), Counter()) != str(value) else value
        return value

    def _entry(self, key: str, item: JsonValue) -> JsonValue:
        """A text that stands under a telling name is masked whole."""
        if isinstance(item, str) and item and _TELLING_NAME.fullmatch(key):
            with self._lock:
                self._tally["named"] += 1
            return MASK
        return self.value(item)

    def _register(self, secret: str) -> None:
        if len(secret) < MIN_LENGTH:
            self.too_short += 1
            return
        for form in _forms(secret):
            start, length = form[:MIN_LENGTH], len(form)
            by_length = self._forms.get(start, {})
            if length in by_length:
                by_length[length].add(form)
            else:
                # replaced as a whole, because another thread may be reading it
                self._forms[start] = dict(sorted([*by_length.items(), (length, {form})], reverse=True))

    def _mask_known(self, text: str, counts: Counter[str]) -> str:
        if not self._forms:
            return text
        found = list(self._find(text))
        if "\n" in text:
            found += self._find_across_lines(text)
        if not found:
            return text
        pieces, end = [], 0
        for start, stop in _merge(found):
            pieces += [text[end:start], MASK]
            counts["known"] += 1
            end = stop
        return "".join([*pieces, text[end:]])

    def _find(self, text: str) -> Iterator[tuple[int, int]]:
        forms = self._forms
        starts = [at for at in range(len(text) - MIN_LENGTH + 1) if text[at : at + MIN_LENGTH] in forms]
        for at in starts:
            for length, ending in forms[text[at : at + MIN_LENGTH]].items():
                if text[at : at + length] in ending:
                    yield at, at + length
                    break

    def _find_across_lines(self, text: str) -> Iterator[tuple[int, int]]:
        """Find what was wrapped, as base64 is at column 76 and PowerShell's output at the window's edge."""
        lines = re.split(r"\r?\n", text)
        if len(lines) == 1:
            return
        places = [0, *(match.end() for match in re.finditer(r"\r?\n", text))]
        joined_places = [0, *itertools.accumulate(len(line) for line in lines)]
        for start, stop in self._find("".join(lines)):
            yield _unwrap(start, joined_places, places), _unwrap(stop - 1, joined_places, places) + 1


def _unwrap(at: int, joined_places: list[int], places: list[int]) -> int:
    line = min(bisect_right(joined_places, at), len(places)) - 1
    return places[line] + at - joined_places[line]


def _merge(found: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Join the spans that overlap."""
    found.sort()
    start, end = found[0]
    for next_start, next_end in found[1:]:
        if next_start < end:
            end = max(end, next_end)
        else:
            yield start, end
            start, end = next_start, next_end
    yield start, end


def _forms(secret: str) -> set[str]:
    """Give every form in which programs write a text."""
    data, wide = secret.encode("utf-8", "surrogatepass"), secret.encode("utf-16-le", "surrogatepass")
    forms = {
        secret,
        secret.strip(),
        secret.replace("\n", "\r\n"),
        printable(secret),
        repr(secret)[1:-1],
        repr(data)[2:-1],
        data.hex(),
        data.hex().upper(),
        wide.decode("latin-1").rstrip("\0"),
        wide.decode("utf-8", "surrogateescape").rstrip("\0"),
        *(line for line in secret.splitlines() if len(line) >= 16),
        *_url_forms(secret),
        *_base64_forms(data),
        *_base64_forms(wide),
        *_json_forms(secret),
        *_xml_forms(secret),
        *_quoted_forms(secret),
        *_misread_forms(secret),
    }
    return {form for form in forms if len(form) >= MIN_LENGTH}


def _url_forms(secret: str) -> Iterator[str]:
    for safe in ("", "/", "!*'()", ":/?#[]@!$&'()*+,;="):
        encoded = urllib.parse.quote(secret, safe=safe, errors="surrogatepass")
        for form in (encoded, encoded.replace("%20", "+")):
            yield form
            yield re.sub("%..", lambda match: match[0].lower(), form)


def _base64_forms(data: bytes) -> Iterator[str]:
    """Give the characters that depend on the secret alone, wherever it begins among the bytes around it."""
    for offset in range(3):
        encoded = base64.b64encode(bytes(offset) + data).decode("ascii")
        first, end = (offset * 8 + 5) // 6, (offset + len(data)) * 8 // 6
        for form in (encoded[first:end], encoded[first:].rstrip("=")):
            yield form
            yield form.translate({ord("+"): "-", ord("/"): "_"})


def _json_forms(secret: str) -> Iterator[str]:
    for ascii_only in (True, False):
        form = json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
        html_safe = re.sub("[<>&']", lambda match: f"\\u{ord(match[0]):04x}", form)
        for plain in (form, html_safe):
            for written in (plain, plain.replace("/", "\\/")):
                yield written
                yield re.sub(r"\\u[0-9a-f]{4}", lambda match: "\\u" + match[0][2:].upper(), written)
                yield json.dumps(written, ensure_ascii=False)[1:-1]


def _xml_forms(secret: str) -> Iterator[str]:
    marked = re.sub(r"[\x00-\x1f]", lambda match: f"_x{ord(match[0]):04X}_", secret)
    for text in (secret, marked):
        base = text.replace("&", "&amp;").replace("<", "&lt;")
        greater, double = (">", "&gt;"), ('"', "&quot;", "&#34;")
        single = ("'", "&apos;", "&#39;", "&#039;", "&#x27;")
        for choice in itertools.product(greater, double, single):
            form = base
            for character, written in zip(">\"'", choice, strict=True):
                form = form.replace(character, written)
            yield form
            yield re.sub("[^\x00-\x7f]", lambda match: f"&#{ord(match[0])};", form)
            yield re.sub("[\r\n\t]", lambda match: f"&#x{ord(match[0]):X};", form)
    yield html.escape(secret)


def _quoted_forms(secret: str) -> Iterator[str]:
    """Between quotes, or behind backslashes, of sh and PowerShell."""
    yield shlex.quote(secret)[1:-1] if shlex.quote(secret) != secret else secret
    yield secret.replace("'", "'\\''")
    yield re.sub("['\u2018-\u201b]", r"\g<0>\g<0>", secret)
    yield secret.replace("'", "''")
    yield re.sub(r"[^\w@%+=:,./-]", r"\\\g<0>", secret)
    yield re.sub(r'[$`"\\]', r"\\\g<0>", secret)
    yield re.sub(r'[$`"]', r"`\g<0>", secret)
    yield secret.replace('"', '""')
    yield secret.replace("\\", "\\\\")


def _misread_forms(secret: str) -> Iterator[str]:
    """Bytes of one encoding read as another one, as happens at code pages."""
    yield secret.encode("utf-8", "surrogatepass").decode("latin-1")
    for codec in ("cp1252", "latin-1", "cp437", "cp850"):
        try:
            yield secret.encode(codec).decode("utf-8", "backslashreplace")
        except UnicodeEncodeError:
            continue


@dataclass(frozen=True, slots=True)
class _Pattern:
    """What a secret that nobody told us of looks like."""

    name: str
    needles: tuple[str, ...]
    """In lower case; without one of them in a text the expression need not be tried."""
    expression: re.Pattern[str]
    replacement: str


_VALUE = (
    r'(?:"(?:[^"\\`\n]++|[\\`].|"")*+"?'  # with the escapes of JSON and of PowerShell
    r'|\\+"(?:[^"\\\n]++|\\\\+"?|\\(?!["\\]))*+(?:\\")?'  # JSON within JSON
    r"|'(?:[^'\n]++|''|'\\'')*+'?"  # with the escapes of PowerShell and of sh
    r"|(?!\*\*\*)[^\s\"',;&(){}\[\]<>]++)"
)
"""What may stand after a name: text between quotes, or a word."""
_NAMES = (
    "password", "passwd", "passphrase", "pwd", "accountkey", "sharedaccesskey", "sharedaccesssignature",
    "protectedsettings", "client_secret", "clientsecret", "access_token", "refresh_token", "api_key",
    "apikey",
)  # fmt: skip
_ANY_NAME = "|".join(_NAMES).replace("pwd", "pwd(?!=/)")  # PWD=/root is only a folder
_TELLING_NAME = re.compile(rf"[\w-]*(?:{_ANY_NAME})", re.IGNORECASE)

# Each expression is linear: what repeats is possessive, and nothing that may fail follows it.
_PATTERNS = (
    _Pattern(
        "private key",
        ("private key-----",),
        re.compile(
            r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----(?:[A-Za-z0-9+/=:,.\s\\]++|-(?!----))*+"
            r"(?:-----END [A-Z0-9 ]{0,40}-----)?"
        ),
        "-----PRIVATE KEY " + MASK + "-----",
    ),
    _Pattern(
        "sas signature",
        ("sig=", "sig%3d"),
        re.compile(r"(?i)((?:(?<![a-z0-9])|(?<=%3f)|(?<=%26))sig(?:=|%3d))(?!\*\*\*)[a-z0-9%+/=_.~-]{8,}+"),
        r"\g<1>" + MASK,
    ),
    _Pattern(
        "named",
        _NAMES,
        re.compile(rf"""(?i)((?:{_ANY_NAME})(?:\\*["'])?\s{{0,4}}[=:]\s{{0,4}}){_VALUE}"""),
        r"\g<1>" + MASK,
    ),
    _Pattern(
        "option",
        ("-password", "-passwd", "-passphrase", "-pwd", "-accountkey", "-token", "convertto-securestring"),
        re.compile(
            r"(?i)((?:-(?:password|passwd|passphrase|pwd|accountkey|token)|convertto-securestring(?:\s-string)?)"
            rf"\s{{1,4}}){_VALUE}"
        ),
        r"\g<1>" + MASK,
    ),
    _Pattern(
        "authorization",
        ("authorization", "bearer"),
        re.compile(
            r"""(?i)(authorization(?:\\*["'])?\s{0,4}[:=]\s{0,4}(?:\\*["'])?(?:[a-z]{1,20}\s{1,4})?|bearer\s{1,4})"""
            r"(?!\*\*\*)[a-z0-9._~+/=-]{8,}+"
        ),
        r"\g<1>" + MASK,
    ),
    _Pattern(
        "web token",
        ("eyj",),
        re.compile(r"\beyJ[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_-]{8,}+(?:\.[A-Za-z0-9_-]++)?"),
        MASK,
    ),
    _Pattern(
        "url",
        ("://",),
        re.compile(r"(://[^/\s:@]{0,128}+:)(?!\*\*\*)[^/\s@]{1,256}@"),
        r"\g<1>" + MASK + "@",
    ),
)
