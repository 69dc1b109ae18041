"""No secret survives in any form, what is no secret stays readable, and no text makes it slow."""

from __future__ import annotations

import base64
import json
import shlex
import time
import urllib.parse
from collections.abc import Callable
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.model import Secret, printable
from fleet.quote import ps_literal
from fleet.redact import MASK, Redactor


def _base64_inside(data: bytes, before: int) -> str:
    """Base64 of a text in which the secret begins ``before`` bytes in; its own characters only."""
    encoded = base64.b64encode(b"x" * before + data + b"yyy").decode()
    first, end = -(-before * 8 // 6), (before + len(data)) * 8 // 6
    return encoded[first:end]


ENCODINGS: dict[str, Callable[[str], str]] = {
    "raw": str,
    "url": lambda text: urllib.parse.quote(text, safe=""),
    "url path": urllib.parse.quote,
    "form": urllib.parse.quote_plus,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 for urls": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "base64, 1 byte in": lambda text: _base64_inside(text.encode(), 1),
    "base64, 2 bytes in": lambda text: _base64_inside(text.encode(), 2),
    "base64, 3 bytes in": lambda text: _base64_inside(text.encode(), 3),
    "UTF-16LE": lambda text: text.encode("utf-16-le").decode("latin-1"),
    "base64 of UTF-16LE": lambda text: base64.b64encode(text.encode("utf-16-le")).decode(),
    "base64 of UTF-16LE, 2 bytes in": lambda text: _base64_inside(text.encode("utf-16-le"), 2),
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON, not ASCII": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "JSON, slashes escaped": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "JSON in JSON": lambda text: json.dumps(json.dumps(text)[1:-1])[1:-1],
    "XML": escape,
    "XML attribute": lambda text: escape(text, {'"': "&quot;", "'": "&apos;"}),
    "HTML": lambda text: escape(text, {'"': "&#34;", "'": "&#39;"}),
    "sh": shlex.quote,
    "sh, backslash": lambda text: text.replace("'", "'\\''"),
    "PowerShell": ps_literal,
    "Python": repr,
    "hex": lambda text: text.encode().hex(),
    "terminal": printable,
    "wrong code page": lambda text: text.encode().decode("latin-1"),
    "CRLF": lambda text: text.replace("\n", "\r\n"),
}

CANARIES = [
    "hunter2hunter2", "Pa$$w0rd", "it's \"quoted\" & <tagged>", "pass\u00e9\u00fc\u20ac-word", "a+b/c=d?e&f",
    "x.*[a-z]+(y)|$^\\d", "line one\nline two\n", "\u2018typo\u2019graphic", "C:\\temp\\new`tick", "1234",
    "emoji\U0001f511key", "  spaces  ", "tab\tand\x1besc",
]  # fmt: skip


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("secret", CANARIES)
def test_a_planted_secret_is_gone_in_every_encoding(secret: str, encoding: str) -> None:
    planted = ENCODINGS[encoding](secret)
    redacted = Redactor([Secret(secret)]).text(f"before {planted}\nafter")
    core = planted.strip("'\" ")
    assert core not in redacted
    assert MASK in redacted
    assert redacted.startswith("before ")
    assert redacted.endswith("after")


@given(
    secret=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=6, max_size=30).filter(
        lambda text: len(text.strip()) >= 6 and MASK not in text
    ),
    encoding=st.sampled_from(sorted(ENCODINGS)),
    before=st.text(max_size=20),
    after=st.text(max_size=20),
)
def test_no_secret_survives_anywhere(secret: str, encoding: str, before: str, after: str) -> None:
    planted = ENCODINGS[encoding](secret)
    redacted = Redactor([Secret(secret), Secret("another secret")]).text(before + planted + after)
    assert planted not in redacted


def test_base64_that_is_wrapped_at_column_76_is_masked() -> None:
    secret = "correct horse battery staple"
    for before in range(40, 70):
        document = base64.encodebytes(b"x" * before + secret.encode() + b"y" * 40).decode()
        redacted = Redactor([Secret(secret)]).text(document.replace("\n", "\r\n"))
        joined = "".join(redacted.split())
        kept = [base64.b64encode(b"x" * pad + secret.encode())[4:-4].decode() for pad in range(3)]
        assert MASK in redacted
        assert not any(each in joined for each in kept)


def test_secrets_that_overlap_or_contain_each_other_are_masked_as_one() -> None:
    redactor = Redactor([Secret("abcdefgh"), Secret("efghijkl"), Secret("abcdefghijklmnop")])
    assert redactor.text("<abcdefghijkl>") == f"<{MASK}>"
    assert redactor.text("<abcdefghijklmnop>") == f"<{MASK}>"
    assert redactor.text("<abcdefghabcdefgh>") == f"<{MASK}{MASK}>"


def test_secrets_may_be_added_and_are_counted() -> None:
    redactor = Redactor()
    assert redactor.text("hunter2") == "hunter2"
    redactor.add([Secret("hunter2"), Secret("abc")])
    redactor.add([Secret("hunter2"), Secret("abc")])
    assert redactor.text("hunter2 hunter2 abc") == f"{MASK} {MASK} abc"
    assert redactor.too_short == 1
    assert redactor.tally == {"known": 2}


def test_nothing_shows_what_a_redactor_knows() -> None:
    assert "hunter2" not in repr(Redactor([Secret("hunter2")]))


def test_json_values_are_masked_in_keys_texts_and_numbers() -> None:
    redactor = Redactor([Secret("hunter2"), Secret("123456")])
    value = {
        "hunter2": ["x hunter2", 123456, 5, True, None, {"deep": "hunter2"}],
        "adminPassword": "unknown to us",
        "password": "",
        "passwords_expired": 3,
    }
    assert redactor.value(value) == {
        MASK: [f"x {MASK}", MASK, 5, True, None, {"deep": MASK}],
        "adminPassword": MASK,
        "password": "",
        "passwords_expired": 3,
    }


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("https://a.blob.core.windows.net/c?sv=2020&sig=abc%2Fdefghijk%3D&se=1", "abc%2Fdefghijk%3D"),
        ("url%3Fsig%3Dabcdefghijkl", "abcdefghijkl"),
        ("AccountName=x;AccountKey=abcd+/==;EndpointSuffix=core", "abcd+/=="),
        ("SharedAccessKey=qwertzuiop=;EntityPath=x", "qwertzuiop="),
        ("Server=x;Password=hunter2;Encrypt=true", "hunter2"),
        ('{"password": "hun\\"ter2", "a": 1}', 'ter2"'),
        ('"{\\"password\\":\\"hun\\\\\\"ter2\\",\\"a\\":1}"', "ter2"),
        ("password='it''s hunter2'", "hunter2"),
        ("password='it'\\''s hunter2'", "hunter2"),
        ('"protectedSettings": "MIIBuQ"', "MIIBuQ"),
        ("New-X -Password hunter2 -Name y", "hunter2"),
        ("New-X -Password (ConvertTo-SecureString 'hunter2' -AsPlainText)", "hunter2"),
        ("tool --password hunter2", "hunter2"),
        ("Authorization: Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
        ("curl -H 'authorization: Bearer abcdefghijkl'", "abcdefghijkl"),
        ("token eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl end", "c2lnbmF0dXJl"),
        ("git clone https://user:hunter2@host/x", "hunter2"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabcd=\n-----END RSA PRIVATE KEY-----\nafter", "MIIE"),
        ("-----BEGIN PRIVATE KEY-----\\nMIIE\\nabcd=\\n-----END PRIVATE KEY-----", "abcd"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjE cut off here", "b3Blbn"),
    ],
)
def test_unknown_secrets_are_masked_by_what_they_look_like(text: str, secret: str) -> None:
    redactor = Redactor()
    redacted = redactor.text(text)
    assert secret not in redacted
    assert MASK in redacted
    assert redactor.text(redacted) == redacted
    assert sum(redactor.tally.values()) >= 1


@pytest.mark.parametrize(
    "text",
    [
        "the password has expired",
        "PasswordAuthentication no",
        "PWD=/root",
        "basic authentication is off",
        "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----",
        "http://host:8080/path and user@host",
        "design=abcdefghijklmnop",
        "[5] Waiting for completion",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    redactor = Redactor([Secret("unrelated")])
    assert redactor.text(text) == text
    assert redactor.tally == {}


HOSTILE = {
    "letters": "a",
    "lines": "a" * 76 + "\n",
    "key begins": "-----BEGIN RSA PRIVATE KEY-----",
    "names": "password=",
    "names alone": "password",
    "quotes": 'password="',
    "escapes": 'password=\\"\\',
    "backslashes": "\\",
    "options": "-password ",
    "tokens": "eyJaaaaaaaaa.",
    "urls": "://",
    "headers": "authorization:",
    "spaces": "authorization    ",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_cost_grows_with_the_length_of_a_text_only(kind: str) -> None:
    secrets = [Secret("a" * 999 + "b"), *(Secret(f"pass{number:04}") for number in range(200))]
    redactor = Redactor(secrets)

    def cost(size: int) -> float:
        text = (HOSTILE[kind] * size)[:size]
        started = time.process_time()
        redactor.text(text)
        return time.process_time() - started

    # quadratic cost would be sixteen times as much
    assert cost(400_000) < 9 * cost(100_000) + 0.2
