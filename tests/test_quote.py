"""A value arrives in the guest exactly as it was given, or is refused with a reason before it is sent."""

from __future__ import annotations

import base64
import json
import math
import random
import shutil
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.errors import ParameterError
from fleet.model import ParamValue, Untrusted
from fleet.quote import RESERVED_NAMES, check_name, ps_literal, sh_assignments, sh_literal
from tests.powershell_lexer import SINGLE_QUOTES, read

SHELLS = {"dash": ["dash"], "bash": ["bash"], "busybox": ["busybox", "sh"]}

FRAGMENTS = [
    *SINGLE_QUOTES, *'"`$%&|;<>(){}[]*?~#!=,\\/^@-+.: \t\n\r', "\u201c\u201d\u201e", "\u2013\u2014\u2015",
    "\u00a0", "\u0085", "\u2028", "\u2029", "\ufeff", "\u200b", "\u202e", "\U0001f600", "e\u0301", "\u212a",
    "\uffff", "\x01\x02\x03\x07\x08\x0b\x0c\x0e\x1b\x7f\x9b", "$(touch pwned)", "`touch pwned`", "${x}", "$x",
    "$'\\n'", "'@", '"@', "@'\n", "\n'@\n", '\n"@\n', "--%", "-Command", "<<EOF", "\nEOF\n", "''", "'\"'\"'",
    "'; touch pwned; '", "\u2019; exit 7; \u2019", "%PATH%", "!x!", "{{ x }}", "{% raw %}", "{# #}", "#}",
    "${#x}", "word", "ÄÖÜß", "日本",
]  # fmt: skip
hostile_text = st.one_of(
    st.lists(st.sampled_from(FRAGMENTS), max_size=12).map("".join),
    st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=40),
)
# bash needs time by the square of the number of quotes, 23 s for a million of them
BIG = ["'" * 100_000 + "a" * 900_000, "a" * 1_000_000, "\u2019\n" * 350_000, "$(x)\\`\n" * 150_000]


def run_sh(shell: str, script: str, folder: Path) -> bytes:
    done = subprocess.run(
        SHELLS[shell], input=script.encode(), cwd=folder, capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert not (folder / "pwned").exists(), "a value was executed"
    return done.stdout


def printed_by(shell: str, values: Sequence[str], folder: Path) -> list[bytes]:
    script = "".join(f"v={sh_literal(value)}; printf '%s\\000' \"$v\"\n" for value in values)
    return run_sh(shell, script, folder).split(b"\0")[:-1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sh")


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    if shutil.which(SHELLS[name][0]) is None:
        pytest.skip(f"no {name} on this machine")
    return name


class TestSh:
    @settings(max_examples=15)
    @given(values=st.lists(hostile_text, min_size=40, max_size=80))
    @pytest.mark.parametrize("name", SHELLS)
    def test_every_text_arrives_as_its_bytes(self, values: list[str], name: str, folder: Path) -> None:
        if shutil.which(SHELLS[name][0]) is None:
            pytest.skip(f"no {name} on this machine")
        assert printed_by(name, values, folder) == [value.encode() for value in values]

    def test_texts_of_a_megabyte_arrive(self, shell: str, folder: Path) -> None:
        assert printed_by(shell, BIG, folder) == [value.encode() for value in BIG]

    def test_all_kinds_of_values_arrive(self, shell: str, folder: Path) -> None:
        values: dict[str, ParamValue] = {
            "text": "it's\n",
            "yes": True,
            "no": False,
            "whole": -(2**63),
            "real": 0.1,
            "items": ["a b", "'", 3, True],
            "nothing": [],
            "table": {"a": "x=y", "b c": 1, "d": ""},
        }
        script = sh_assignments(values) + "".join(f"printf '%s\\000' \"${name}\"\n" for name in values)
        assert run_sh(shell, script, folder).split(b"\0")[:-1] == [
            b"it's\n", b"1", b"0", b"-9223372036854775808", b"0.1", b"a b\n'\n3\n1", b"", b"a=x=y\nb c=1\nd=",
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("value", "reason"),
        [
            (["a\nb"], "newline"),
            (["a", ""], "empty item"),
            ([["a"]], "inside lists"),
            ([None], "inside lists"),
            ({"a=b": "c"}, "before a ="),
            ({"": "c"}, "before a ="),
            ({"a": "b\nc"}, "newline"),
        ],
    )
    def test_what_would_arrive_as_something_else_is_refused(self, value: ParamValue, reason: str) -> None:
        with pytest.raises(ParameterError, match=f"^name: .*{reason}"):
            sh_assignments({"name": value})


class TestPowerShell:
    """By the published rules of its tokenizer; the engine itself judges below."""

    @settings(max_examples=400)
    @given(hostile_text)
    def test_every_text_is_one_string(self, value: str) -> None:
        assert read(ps_literal(value)) == value

    @pytest.mark.parametrize("value", BIG, ids=["quotes", "letters", "typographic", "mixed"])
    def test_texts_of_a_megabyte_are_one_string(self, value: str) -> None:
        assert read(ps_literal(value)) == value

    @pytest.mark.parametrize("quote", sorted(SINGLE_QUOTES))
    def test_each_of_the_five_quotes_is_doubled(self, quote: str) -> None:
        assert ps_literal(f"a{quote}b") == f"'a{quote}{quote}b'"

    @settings(max_examples=300)
    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | hostile_text
            | st.floats(allow_nan=False, allow_infinity=False),
            lambda inner: st.lists(inner, max_size=4)
            | st.dictionaries(hostile_text, inner, max_size=4).filter(
                lambda table: len({key.casefold() for key in table}) == len(table)
            ),
            max_leaves=12,
        )
    )  # fmt: skip
    def test_every_value_keeps_type_and_shape(self, value: Any) -> None:
        back = read(ps_literal(value))
        assert repr(back) == repr(value)

    @pytest.mark.parametrize(
        ("value", "literal"),
        [
            (None, "$null"),
            (True, "$true"),
            (2147483647, "2147483647"),
            (2147483648, "[int64]'2147483648'"),
            (-1, "[int]'-1'"),
            (-2147483649, "[int64]'-2147483649'"),
            (1.5, "[double]'1.5'"),
            (1e300, "[double]'1e+300'"),
            ([], "@()"),
            (["x"], "@(,'x')"),
            ([["x"]], "@(,@(,'x'))"),
            (["x", 1], "@('x',1)"),
            ({}, "@{}"),
            ({"it's": [True]}, "@{'it''s'=@(,$true)}"),
        ],
    )
    def test_how_values_are_written(self, value: ParamValue | None, literal: str) -> None:
        assert ps_literal(value) == literal

    @pytest.mark.parametrize(
        ("value", "reason"),
        [
            ({"Name": 1, "name": 2}, "only in case"),
            ({"STRASSE": 1, "stra\u00dfe": 2}, "only in case"),
            ([[]] * 2 + [json.loads("[" * 20 + "]" * 20)], "nested deeper"),
            ({1: "x"}, "no text"),
            (b"x", "bytes"),
            (Untrusted("x"), "Untrusted"),
            ([Untrusted("x")], "Untrusted"),
        ],
        ids=str,
    )
    def test_what_would_arrive_as_something_else_is_refused(self, value: Any, reason: str) -> None:
        with pytest.raises(ParameterError, match=reason):
            ps_literal(value)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("a\0b", "NUL"),
        ("\ud800", "surrogate"),
        ("a\udfffb", "surrogate"),
        (2**63, "64 bits"),
        (-(2**63) - 1, "64 bits"),
        (10**5000, "64 bits"),
        (math.nan, "no number"),
        (-math.inf, "no number"),
    ],
    ids=["nul", "high surrogate", "low surrogate", "large", "small", "huge", "nan", "infinite"],
)
def test_both_shells_refuse_what_cannot_be_sent(value: ParamValue, reason: str) -> None:
    for nested in (value, [value], {"key": value}):
        with pytest.raises(ParameterError, match=reason):
            ps_literal(nested)
        with pytest.raises(ParameterError, match=reason):
            sh_assignments({"name": nested})
    if isinstance(value, str):
        with pytest.raises(ParameterError, match=reason):
            sh_literal(value)
        with pytest.raises(ParameterError, match=reason):
            ps_literal({value: 1})


@pytest.mark.parametrize(
    "name",
    ["", "A", "1a", "_a", "a-b", "a b", "a;b", "a\n", "é", "PATH", "fleet_nonce", "check", "root", "if"],
)
def test_names_that_a_shell_or_fleet_uses_are_refused(name: str) -> None:
    with pytest.raises(ParameterError):
        check_name(name)
    with pytest.raises(ParameterError):
        sh_assignments({name: "x"})


def test_ordinary_names_are_taken() -> None:
    for name in ("name", "settle_seconds", "a1", "timeout"):
        check_name(name)
    assert {"pid", "whatif", "then", "args"} <= RESERVED_NAMES


PS_PROBE = r"""
$ErrorActionPreference = 'Stop'
function Show($Value) {
    if ($null -eq $Value) { return 'null' }
    if ($Value -is [string]) {
        return 'text ' + [Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes($Value))
    }
    if ($Value -is [bool]) { return "bool $Value" }
    if ($Value -is [int]) { return "int $Value" }
    if ($Value -is [long]) { return "long $Value" }
    if ($Value -is [double]) { return 'real ' + [BitConverter]::DoubleToInt64Bits($Value) }
    if ($Value -is [hashtable]) {
        $keys = @($Value.Keys | Sort-Object { Show $_ })
        $pairs = foreach ($key in $keys) { (Show $key) + '=' + (Show $Value[$key]) }
        return 'table(' + (@($pairs) -join ',') + ')'
    }
    if ($Value -is [object[]]) {
        $items = for ($at = 0; $at -lt $Value.Count; $at++) { Show $Value[$at] }
        return 'list(' + (@($items) -join ',') + ')'
    }
    throw $Value.GetType()
}
[Threading.Thread]::CurrentThread.CurrentCulture = 'de-DE'
"""


def shown(value: Any) -> str:
    """What the probe says of a value."""
    if value is None:
        return "null"
    if isinstance(value, str):
        return "text " + base64.b64encode(value.encode()).decode()
    if isinstance(value, bool):
        return f"bool {value}"
    if isinstance(value, int):
        return f"int {value}" if -(2**31) <= value < 2**31 else f"long {value}"
    if isinstance(value, float):
        return "real " + str(int.from_bytes(struct.pack(">d", value), "big", signed=True))
    if isinstance(value, dict):
        pairs = sorted((shown(key), shown(item)) for key, item in value.items())
        return "table(" + ",".join(f"{key}={item}" for key, item in pairs) + ")"
    return "list(" + ",".join(shown(item) for item in value) + ")"


@pytest.mark.pwsh
@pytest.mark.skipif(shutil.which("pwsh") is None, reason="no pwsh on PATH")
def test_the_engine_reads_back_every_value(tmp_path: Path) -> None:
    chance = random.Random(20261124)
    texts = ["".join(chance.choices(FRAGMENTS, k=chance.randrange(12))) for _ in range(1000)]
    numbers = [
        0,
        -1,
        2**31 - 1,
        -(2**31),
        2**31,
        -(2**63),
        2**63 - 1,
        0.1,
        -1.5,
        1e300,
        5e-324,
        1 / 3,
        123456789.125,
    ]
    shapes: list[Any] = [
        True,
        False,
        None,
        [],
        ["x"],
        [["x"]],
        [[]],
        [[], ["a", 1], [None]],
        {},
        {"it's": ["\u2019"]},
    ]
    nested = [
        {"a": [{"b": [-1, -2, [3.5]]}, {"c": {"\u2019": None}}]},
        [-1, 2, -3],
        ["\n'@\n", "\u2018\u2019"],
    ]
    values: list[Any] = [*texts, *numbers, *shapes, *nested, BIG[0], BIG[2]]
    lines = [f"Show ({ps_literal(value)})" for value in values]
    script = tmp_path / "probe.ps1"
    script.write_text(PS_PROBE + "\n".join(lines) + "\n", "utf-8-sig")
    done = subprocess.run(
        ["pwsh", "-NoProfile", "-NonInteractive", "-File", str(script)],
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.stderr == b""
    assert done.stdout.decode().splitlines() == [shown(value) for value in values]
