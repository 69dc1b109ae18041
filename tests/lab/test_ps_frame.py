"""A frame that was rendered can be read back, whatever its values are."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.lab import ps_frame
from fleet.model import Arguments, Kind, Shell, Snippet, SnippetText
from fleet.render import render

QUOTES = "'\u2018\u2019\u201a\u201b\"`$"
PIECES = st.sampled_from(QUOTES) | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
BODIES = st.lists(PIECES).map("".join)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | BODIES
)
KEYS = st.from_regex(r"[a-z]{1,8}", fullmatch=True)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3)
)
PARAMETERS = st.dictionaries(st.sampled_from(["name", "amount", "things"]), VALUES)


def snippet(body: str) -> Snippet:
    text = SnippetText(body, Path("x.ps1"), "0" * 64)
    return Snippet("x", Kind.CHECK, "X", 30, {Shell.POWERSHELL: text})


@given(BODIES, PARAMETERS, st.booleans(), st.from_regex(r"[0-9a-z]{1,64}", fullmatch=True))
def test_what_was_rendered_is_read_back(
    body: str, values: dict[str, object], check: bool, nonce: str
) -> None:
    arguments = Arguments(values)  # type: ignore[arg-type]
    script = render(snippet(body), arguments, shell=Shell.POWERSHELL, check=check, nonce=nonce, timeout=77)
    frame = ps_frame.read(ps_frame.unpack(script.payload))
    assert frame == ps_frame.Frame(nonce, body, dict(values), check, 77)


@pytest.mark.parametrize("line", [b"", b"!!!!", base64.b64encode(b"no deflate"), b"AAAA"])
def test_a_line_that_holds_no_frame_is_refused(line: bytes) -> None:
    with pytest.raises(ps_frame.FrameError):
        ps_frame.read(ps_frame.unpack(line))


@pytest.mark.parametrize(
    "text",
    [
        "",
        ps_frame.MARKER,
        '"nonce":"a"\n' + ps_frame.MARKER + "$body = 'x'\n$parameters = @{}\n$fleetCheckMode = $maybe\n",
        '"nonce":"a"\n'
        + ps_frame.MARKER
        + "$body = 'x'\n$parameters = @{'a'=Get-Date}\n$fleetCheckMode = $true\n",
        '"nonce":"a"\n' + ps_frame.MARKER + "$body = 1\n$parameters = @{}\n$fleetCheckMode = $true\n",
    ],
)
def test_a_text_that_is_no_frame_is_refused(text: str) -> None:
    with pytest.raises(ps_frame.FrameError):
        ps_frame.read(text)
