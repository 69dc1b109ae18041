"""A file is cleaned piece by piece as if it were cleaned at once, whatever its encoding, in little memory."""

from __future__ import annotations

import base64
import gzip
import io
import tracemalloc
from typing import BinaryIO, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.bundle import cleaning
from fleet.bundle.cleaning import Cleaned, Cleaner, Level, Uncleanable
from fleet.bundle.pseudonyms import Pseudonyms
from fleet.model import Secret
from fleet.redact import Redactor

PASSWORD = "Correct-Horse-42"
KEY = (
    "-----BEGIN RSA PRIVATE KEY-----\n"
    + "\n".join(base64.b64encode(bytes([line] * 48)).decode() for line in range(25))
    + "\n-----END RSA PRIVATE KEY-----\n"
)
SAS = "https://x.blob.core.windows.net/v?sv=2020&sig=4Xk9aB%2Bc8dE7fG6hJ5%3D&se=2026"


def cleaner(level: Level = Level.SECRETS) -> Cleaner:
    pseudonyms = Pseudonyms(bytes(32))
    pseudonyms.add_host("web3.corp.example")
    return Cleaner(level, Redactor([Secret(PASSWORD)]), pseudonyms)


def clean(data: bytes, level: Level = Level.SECRETS) -> tuple[bytes, Cleaned]:
    target = io.BytesIO()
    done = cleaner(level).stream(io.BytesIO(data), target)
    return target.getvalue(), done


LINE = st.sampled_from(
    [f"login {PASSWORD} ok\n", KEY, f"{SAS}\n", "plain\n", "web3 10.1.0.4\n", "\n", "x" * 90 + "\n"]
)


@settings(max_examples=60)
@given(lines=st.lists(LINE, max_size=40), size=st.integers(200, 3000))
def test_pieces_of_any_size_give_what_the_whole_gives(lines: list[str], size: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cleaning, "PIECE", size)
        patch.setattr(cleaning, "_NEAR", 2500)
        shown, done = clean("".join(lines).encode(), Level.FULL)
    assert done.left_out == 0
    assert shown.decode() == cleaner(Level.FULL).text("".join(lines))


@pytest.mark.parametrize("shift", range(0, 2000, 97))
def test_a_key_that_lies_across_a_cut_is_masked_whole(monkeypatch: pytest.MonkeyPatch, shift: int) -> None:
    monkeypatch.setattr(cleaning, "PIECE", 4000)
    monkeypatch.setattr(cleaning, "_NEAR", 2500)
    shown, _ = clean(b"line\n" * (shift // 5) + KEY.encode() + b"line\n" * 2000)
    assert not any(line.encode() in shown for line in KEY.splitlines()[1:-1])
    assert shown.count(b"line\n") == shift // 5 + 2000


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_every_encoding_of_logs_is_read_and_written_back(encoding: str) -> None:
    text = f"Grüße von web3, {PASSWORD}\r\n{SAS}\r\n" * 40
    shown, done = clean(text.encode(encoding), Level.FULL)
    assert shown.decode(encoding) == cleaner(Level.FULL).text(text)
    assert PASSWORD not in shown.decode(encoding)
    assert not done.binary


def test_bytes_that_are_no_text_of_the_encoding_stay() -> None:
    data = b"caf\xe9 \xff\xfe ok\n"
    assert clean(data)[0] == data
    wide = "\ufeffx".encode("utf-16-le") + b"\x00\xd8" + "yz\n".encode("utf-16-le")
    assert clean(wide)[0] == wide


@given(st.binary(max_size=600), st.sampled_from([Level.NONE, Level.SECRETS]))
def test_no_bytes_break_it(data: bytes, level: Level) -> None:
    try:
        clean(data, level)
    except Uncleanable:
        assert level is Level.SECRETS


def test_nothing_is_touched_at_level_none() -> None:
    data = f"{PASSWORD} web3 {SAS}".encode()
    assert clean(data, Level.NONE)[0] == data


def test_names_stay_at_level_secrets() -> None:
    shown, _ = clean(f"web3 10.1.0.4 {PASSWORD}\n".encode())
    assert shown == b"web3 10.1.0.4 ***\n"


class TestWhatIsNotText:
    DATA = b"ElfFile\0\0\x01\x02\x03" * 50

    def test_is_taken_as_it_is_and_said(self) -> None:
        shown, done = clean(self.DATA)
        assert shown == self.DATA
        assert done.binary

    @pytest.mark.parametrize("place", range(3000, 9000, 500))
    def test_holds_no_known_secret_wherever_it_is_cut(
        self, monkeypatch: pytest.MonkeyPatch, place: int
    ) -> None:
        monkeypatch.setattr(cleaning, "PIECE", 4000)
        monkeypatch.setattr(cleaning, "_NEAR", 500)
        secrets = PASSWORD.encode() + b"\0\1" + PASSWORD.encode("utf-16-le") + b"\0" + SAS.encode()
        noise = bytes(range(256)) * 60
        shown, done = clean(noise[:place] + secrets + noise[place:])
        assert done.binary
        assert PASSWORD.encode() not in shown
        assert PASSWORD.encode("utf-16-le")[:-1] not in shown
        assert shown.startswith(noise[:place])
        assert shown.endswith(noise[place:])

    def test_is_left_out_where_no_place_to_cut_it_is_safe(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(cleaning, "PIECE", 1000)
        monkeypatch.setattr(cleaning, "LONGEST", 4000)
        monkeypatch.setattr(cleaning, "_NEAR", 200)
        monkeypatch.setattr(cleaning, "_TRIED", 0)
        shown, done = clean(b"\0\1\2" * 5000)
        assert done.left_out > 2
        assert len(shown) < 4000

    def test_is_refused_where_names_have_to_go(self) -> None:
        target = io.BytesIO()
        with pytest.raises(Uncleanable, match="not text"):
            cleaner(Level.FULL).stream(io.BytesIO(self.DATA), target)
        assert target.getvalue() == b""

    def test_is_refused_when_compressed_because_secrets_hide_there(self) -> None:
        data = gzip.compress(PASSWORD.encode())
        with pytest.raises(Uncleanable, match="compressed"):
            clean(data)
        assert clean(data, Level.NONE)[0] == data


class TestALineTooLong:
    def test_is_left_out_counted_and_said(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(cleaning, "PIECE", 1000)
        monkeypatch.setattr(cleaning, "LONGEST", 4000)
        monkeypatch.setattr(cleaning, "_NEAR", 100)
        data = b"before\n" + b"x" * 9000 + PASSWORD.encode() + b"\n" + b"after\n" * 300
        shown, done = clean(data)
        assert PASSWORD.encode() not in shown
        assert b"xxx" not in shown
        assert b"left out" in shown
        assert done.left_out == 1
        assert shown.endswith(b"after\n" * 200)

    def test_does_not_fill_the_memory(self) -> None:
        class Endless:
            """100 MB without an end of line, none of it kept anywhere."""

            def __init__(self) -> None:
                self.left = 100_000_000

            def read(self, size: int) -> bytes:
                size = min(size, self.left)
                self.left -= size
                return b"x" * size

        tracemalloc.start()
        try:
            done = cleaner(Level.NONE).stream(cast(BinaryIO, Endless()), cast(BinaryIO, Nowhere()))
            secrets = cleaner().stream(cast(BinaryIO, Endless()), cast(BinaryIO, Nowhere()))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert (done.left_out, secrets.left_out) == (0, 1)
        assert peak < 12_000_000


class Nowhere:
    """Takes everything and keeps nothing."""

    def write(self, data: bytes) -> int:
        return len(data)


def test_a_name_that_a_later_file_tells_is_replaced_in_an_earlier_one() -> None:
    one = cleaner(Level.FULL)
    for data in (b"marla is here\n", b"uid=1000(marla)\n"):
        one.observe(io.BytesIO(data))
    target = io.BytesIO()
    one.stream(io.BytesIO(b"marla is here\n"), target)
    assert b"marla" not in target.getvalue()


def test_the_tally_counts_once_what_was_looked_at_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleaning, "PIECE", 500)
    monkeypatch.setattr(cleaning, "_NEAR", 200)
    one = cleaner(Level.FULL)
    one.stream(io.BytesIO(f"{PASSWORD} web3 10.1.0.4\n".encode() * 200), cast(BinaryIO, Nowhere()))
    assert one.tally == {"known": 200, "host": 200, "address": 200}


FORMS = {
    "plain": PASSWORD,
    "base64": base64.b64encode(PASSWORD.encode()).decode(),
    "wide base64": base64.b64encode(PASSWORD.encode("utf-16-le")).decode(),
    "hex": PASSWORD.encode().hex(),
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("written", FORMS.values(), ids=FORMS)
def test_a_known_secret_is_found_in_its_forms_in_every_encoding(encoding: str, written: str) -> None:
    shown, _ = clean(f"value {written} end\n".encode(encoding))
    assert written not in shown.decode(encoding)
