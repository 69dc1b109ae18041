"""An archive is whole or says why not, is named by fleet alone, and shows every change made to it."""

from __future__ import annotations

import base64
import contextlib
import html
import io
import json
import re
import unicodedata
import urllib.parse
import zipfile
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet import catalog
from fleet.bundle.archive import Archive
from fleet.bundle.cleaning import Cleaner, Level
from fleet.bundle.folders import folder
from fleet.bundle.pseudonyms import Pseudonyms
from fleet.bundle.signatures import Signatures
from fleet.bundle.verify import verify
from fleet.errors import UnreachableError, UsageError
from fleet.model import Secret
from fleet.redact import Redactor

SIGNATURES = Signatures(catalog.load().runbooks)
WHEN = datetime(2026, 11, 21, 2, 31, 7, tzinfo=UTC)
PASSWORD = "Correct-Horse-42"


def archive(path: Path, level: Level = Level.SECRETS) -> Archive:
    pseudonyms = Pseudonyms(bytes(32))
    pseudonyms.add_host("web3.corp.example")
    cleaner = Cleaner(level, Redactor([Secret(PASSWORD)]), pseudonyms)
    return Archive(path, run="20261121-0231-k4", created=WHEN, cleaner=cleaner, signatures=SIGNATURES)


def write(path: Path, level: Level = Level.SECRETS) -> None:
    text = f"{PASSWORD} web3\nFailed to FIFREEZE <b>\n".encode()
    with archive(path, level) as out:
        out.host("web3")
        out.add("web3", "agent-log", io.BytesIO(text), origin="/var/log/waagent.log", taken=WHEN)
        cut = "stopped after 60 s"
        out.add("web3", "uptime", io.BytesIO(b""), origin="uptime", taken=WHEN, truncated=cut)
        out.miss("web9", "extension-logs", origin="/var/log/azure", reason="no such folder")
        out.results({"results": []})


def manifest(path: Path) -> Any:
    with zipfile.ZipFile(path) as file:
        return json.loads(file.read("manifest.json"))


class TestAWholeArchive:
    def test_is_what_it_says(self, tmp_path: Path) -> None:
        write(tmp_path / "case.zip")
        found = verify(tmp_path / "case.zip")
        assert found.problems == ()
        assert found.files == 2
        assert found.partial is None

    def test_has_names_of_ours_and_tells_where_each_came_from(self, tmp_path: Path) -> None:
        write(tmp_path / "case.zip")
        said = manifest(tmp_path / "case.zip")
        first, second = said["files"]
        assert first["name"] == "web3/0001-agent-log.txt"
        assert first["origin"] == "/var/log/waagent.log"
        assert first["taken"] == "2026-11-21T02:31:07Z"
        assert second["truncated"] == "stopped after 60 s"
        assert said["hosts"] == {"web3": "web3", "web9": "web9"}
        assert said["replaced"] == {"known": 1}
        assert said["missing"][0]["reason"] == "no such folder"

    def test_lists_what_is_missing_for_people(self, tmp_path: Path) -> None:
        write(tmp_path / "case.zip")
        with zipfile.ZipFile(tmp_path / "case.zip") as file:
            text = file.read("missing.txt").decode()
        assert "web9: extension-logs: /var/log/azure: no such folder\n" in text
        assert "incomplete: stopped after 60 s" in text

    def test_is_the_same_byte_for_byte_each_time(self, tmp_path: Path) -> None:
        for name in ("a.zip", "b.zip"):
            write(tmp_path / name)
        assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()

    def test_is_private_and_leaves_nothing_beside_it(self, tmp_path: Path) -> None:
        write(tmp_path / "case.zip")
        assert [path.name for path in tmp_path.iterdir()] == ["case.zip"]
        assert (tmp_path / "case.zip").stat().st_mode & 0o777 == 0o600

    def test_holds_no_name_at_level_full_not_even_as_a_folder(self, tmp_path: Path) -> None:
        path = tmp_path / "case.zip"
        write(path, Level.FULL)
        with zipfile.ZipFile(path) as file:
            everything = "".join([*file.namelist(), *(file.read(name).decode() for name in file.namelist())])
        assert "web3" not in everything
        assert verify(path).problems == ()

    def test_has_an_index_that_runs_nothing_and_loads_nothing(self, tmp_path: Path) -> None:
        write(tmp_path / "case.zip")
        with zipfile.ZipFile(tmp_path / "case.zip") as file:
            page = file.read("index.html").decode()
        policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
        assert policy
        assert policy[1].startswith("default-src &#39;none&#39;; style-src &#39;sha256-")
        assert "<script" not in page
        assert not re.search(r"(?:src|href)=", page)
        assert "FIFREEZE &lt;b&gt;" in page
        assert "fleet explain azvm-fsfreeze-failed" in page
        assert "*** web3" in page, "the end of a text can be read without unpacking"


HOSTILE = "../../etc/x\n<script>alert(1)</script>\x1b[2J\udcff\u202e"


class TestWhatAGuestSays:
    def test_is_harmless_in_every_document(self, tmp_path: Path) -> None:
        path = tmp_path / "case.zip"
        with archive(path) as out:
            out.add(
                "h",
                "item",
                io.BytesIO(b"Failed to FIFREEZE " + HOSTILE.encode("utf-8", "surrogateescape")),
                origin=HOSTILE,
                taken=WHEN,
            )
            out.miss("h", "item", origin=HOSTILE, reason=HOSTILE)
        assert verify(path).problems == ()
        with zipfile.ZipFile(path) as file:
            page, missing, said = (
                file.read(name).decode() for name in ("index.html", "missing.txt", "manifest.json")
            )
        assert "<script" not in page
        assert len(missing.splitlines()) == 1
        for text in (page, missing, said):
            assert "\x1b" not in text
            assert "\u202e" not in text

    def test_is_cleaned_in_the_manifest_too(self, tmp_path: Path) -> None:
        path = tmp_path / "case.zip"
        with archive(path, Level.FULL) as out:
            out.add("h", "item", io.BytesIO(b"x"), origin="/home/marla/x", taken=WHEN)
            out.miss("h", "item", origin=f"/x/{PASSWORD}", reason="web3 has none")
        text = json.dumps(manifest(path))
        assert "marla" not in text
        assert PASSWORD not in text
        assert "web3" not in text

    def test_names_no_entry(self, tmp_path: Path) -> None:
        with archive(tmp_path / "case.zip") as out, pytest.raises(ValueError, match="name of an item"):
            out.add("h", "../x", io.BytesIO(b""), origin="x", taken=WHEN)


@given(st.lists(st.text(max_size=80), max_size=12))
def test_folders_are_different_and_harmless_on_every_system(hosts: list[str]) -> None:
    taken: list[str] = []
    for host in hosts:
        taken.append(folder(host, taken))
    alike = {unicodedata.normalize("NFKC", name).casefold().rstrip(". ") for name in taken}
    assert len(alike) == len(hosts)
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9._-]*", name) and ".." not in name for name in taken)


@pytest.mark.parametrize(
    ("host", "name"),
    [("..", "host"), ("C:\\x", "c_x"), ("CON", "host-con"), ("nul.txt", "host-nul.txt"), 
     ("com1", "host-com1"), ("", "host"),
     ("Web3.Corp", "web3.corp"), ("a\nb", "a_b"), ("\udcff", "host"), ("a..b", "a.b"), ("x" * 300, "x" * 60)],
)  # fmt: skip
def test_a_folder_of_a_host_with_a_strange_name(host: str, name: str) -> None:
    assert folder(host, []) == name


def test_hosts_that_differ_in_case_or_form_get_folders_of_their_own() -> None:
    assert folder("WEB", ["web"]) == "web-2"
    assert folder("we\u0301b", ["we_b"]) == folder("w\u00e9b", ["we_b"]).replace("w_b", "we_b-2")


class TestWhatIsNeverCollected:
    def test_is_missing_with_its_reason_whoever_brings_it(self, tmp_path: Path) -> None:
        path = tmp_path / "case.zip"
        with archive(path, Level.NONE) as out:
            for origin in ("/var/lib/waagent/x.prv", r"C:\x\vault.vaultCredentials"):
                assert out.add("h", "state", io.BytesIO(b"key"), origin=origin, taken=WHEN) is None
        said = manifest(path)
        assert said["files"] == []
        assert all("never collected" in each["reason"] for each in said["missing"])

    def test_protected_settings_are_masked_even_where_nothing_is(self, tmp_path: Path) -> None:
        path = tmp_path / "case.zip"
        settings = b'{"protectedSettings": "MIIBtwYJKoZIhvcN", "publicSettings": {}}'
        with archive(path, Level.NONE) as out:
            out.add("h", "state", io.BytesIO(settings), origin="/x/config/0.settings", taken=WHEN)
            out.add("h", "log", io.BytesIO(PASSWORD.encode()), origin="/var/log/x.log", taken=WHEN)
        with zipfile.ZipFile(path) as file:
            assert b"MIIBtw" not in file.read("h/0001-state.txt")
            assert file.read("h/0002-log.txt") == PASSWORD.encode()


SECRETS = [f"Pa55-{number}&\"'<w>ört$%{number}xYz" for number in range(12)]
FORMS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "URL": lambda secret: urllib.parse.quote(secret, safe=""),
    "base64": lambda secret: base64.b64encode(secret.encode()).decode(),
    "base64 of UTF-16": lambda secret: base64.b64encode(secret.encode("utf-16-le")).decode(),
    "JSON": lambda secret: json.dumps(secret)[1:-1],
    "JSON in UTF-8": lambda secret: json.dumps(secret, ensure_ascii=False)[1:-1],
    "XML": lambda secret: secret.replace("&", "&amp;").replace("<", "&lt;"),
    "HTML": html.escape,
    "hex": lambda secret: secret.encode().hex(),
}


@pytest.mark.parametrize("level", [Level.SECRETS, Level.FULL])
def test_no_secret_in_any_form_is_anywhere_in_an_archive(tmp_path: Path, level: Level) -> None:
    path = tmp_path / "case.zip"
    cleaner = Cleaner(level, Redactor(Secret(secret) for secret in SECRETS), Pseudonyms())
    text = "".join(f"line {name} {form(secret)} end\n" for secret in SECRETS for name, form in FORMS.items())
    with Archive(path, run="r", created=WHEN, cleaner=cleaner, signatures=SIGNATURES) as out:
        for encoding in ("utf-8", "utf-16"):
            out.add("h", "log", io.BytesIO(text.encode(encoding)), origin=f"/x/{SECRETS[0]}", taken=WHEN)
        out.miss("h", "other", origin=SECRETS[1], reason=SECRETS[2])
        out.results({"message": SECRETS[3]})
    with zipfile.ZipFile(path) as file:
        contents = {name: file.read(name) for name in file.namelist()}
    assert len(contents) == 6
    for name, data in contents.items():
        for secret in SECRETS:
            for form in FORMS.values():
                for encoding in ("utf-8", "utf-16-le"):
                    assert form(secret).encode(encoding) not in data, (name, form(secret))


class Breaking:
    """A source that breaks off after a while."""

    def __init__(self, error: BaseException) -> None:
        self.parts = [b"line\n" * 2000, b"line\n" * 100_000]
        self.error = error

    def read(self, size: int) -> bytes:
        if self.parts:
            return self.parts.pop(0)
        raise self.error


class TestWhatGoesWrong:
    def test_a_source_that_breaks_off_is_kept_as_far_as_it_came(self, tmp_path: Path) -> None:
        path = tmp_path / "case.zip"
        with archive(path) as out:
            source = cast(BinaryIO, Breaking(UnreachableError("the connection was lost")))
            out.add("h", "log", source, origin="/x", taken=WHEN)
        entry = manifest(path)["files"][0]
        assert "the connection was lost" in entry["truncated"]
        assert entry["size"] > 100_000
        assert verify(path).problems == ()

    @pytest.mark.parametrize(
        ("error", "why"),
        [(KeyboardInterrupt(), "interrupted"), (OSError(5, "Input/output error"), "Input/output")],
    )
    def test_what_was_there_when_it_ended_is_kept_and_said_to_be_partial(
        self, tmp_path: Path, error: BaseException, why: str
    ) -> None:
        path = tmp_path / "case.zip"
        with pytest.raises(type(error)), archive(path) as out:  # noqa: PT012
            out.add("h", "log", io.BytesIO(b"x\n"), origin="/x", taken=WHEN)
            raise error
        found = verify(path)
        assert found.problems == ()
        assert found.files == 1
        assert why in (found.partial or "")

    def test_an_interruption_within_a_file_leaves_an_archive_that_can_be_read(self, tmp_path: Path) -> None:
        path = tmp_path / "case.zip"
        with pytest.raises(KeyboardInterrupt), archive(path) as out:  # noqa: PT012
            out.add("h", "one", io.BytesIO(b"x\n"), origin="/x", taken=WHEN)
            out.add("h", "log", cast(BinaryIO, Breaking(KeyboardInterrupt())), origin="/x", taken=WHEN)
        found = verify(path)
        assert found.problems == ()
        assert found.partial
        assert found.files == 2

    def test_a_full_disk_leaves_nothing_behind(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "case.zip"
        out = archive(path)

        def full(*_: object, **__: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(out._zip, "open", full)
        with pytest.raises(OSError, match="No space left"), out:
            out.add("h", "log", io.BytesIO(b"x\n"), origin="/x", taken=WHEN)
        assert list(tmp_path.iterdir()) == []

    def test_what_the_level_forbids_is_missing_with_its_reason(self, tmp_path: Path) -> None:
        path = tmp_path / "case.zip"
        with archive(path, Level.FULL) as out:
            assert (
                out.add("h", "events", io.BytesIO(b"Elf\0\1\2" * 90), origin="x", taken=WHEN, suffix="evtx")
                is None
            )
        said = manifest(path)
        assert said["files"] == []
        assert "not text" in said["missing"][0]["reason"]
        assert verify(path).problems == ()

    def test_nothing_is_written_over(self, tmp_path: Path) -> None:
        path = tmp_path / "case.zip"
        path.write_text("mine")
        with pytest.raises(UsageError, match="there already"):
            archive(path)
        assert path.read_text() == "mine"

    def test_what_another_run_is_writing_is_left_alone(self, tmp_path: Path) -> None:
        (tmp_path / "case.zip.part").write_text("theirs")
        with pytest.raises(UsageError, match="another run"):
            archive(tmp_path / "case.zip")
        assert (tmp_path / "case.zip.part").read_text() == "theirs"

    def test_a_folder_that_is_not_there_is_said(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="can't be written"):
            archive(tmp_path / "none" / "case.zip")


def rewritten(path: Path, change: Callable[[dict[str, bytes]], object]) -> Path:
    """The same archive with entries changed, as somebody would who has no fleet."""
    with zipfile.ZipFile(path) as file:
        entries = {info.filename: file.read(info) for info in file.infolist()}
    change(entries)
    other = path.with_name("changed.zip")
    with zipfile.ZipFile(other, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in entries.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = 0o100600 << 16
            file.writestr(info, data)
    return other


CONTENT = b"*** web3\nFailed to FIFREEZE <b>\n"
FIRST = "web3/0001-agent-log.txt"


class TestVerify:
    @pytest.mark.parametrize(
        ("change", "problem"),
        [
            (lambda entries: entries.update({FIRST: b"*** web4\n"}), "not what was collected"),
            (lambda entries: entries.update({FIRST: CONTENT * 9}), "not what was collected"),
            (lambda entries: entries.pop(FIRST), "not in the archive"),
            (lambda entries: entries.update({"web3/0009-more.txt": b""}), "not in the manifest"),
            (lambda entries: entries.update({"../x": b""}), "not a name that fleet gives"),
            (lambda entries: entries.update({"/etc/passwd": b""}), "not a name that fleet gives"),
            (lambda entries: entries.update({"WEB3/0001-agent-log.txt": b""}), "not a name that fleet gives"),
            (lambda entries: entries.pop("index.html"), "index.html: is not in the archive"),
        ],
    )
    def test_sees_what_was_changed(
        self, tmp_path: Path, change: Callable[[dict[str, bytes]], object], problem: str
    ) -> None:
        write(tmp_path / "case.zip")
        assert verify(rewritten(tmp_path / "case.zip", lambda _: None)).problems == ()
        found = verify(rewritten(tmp_path / "case.zip", change))
        assert any(problem in each for each in found.problems), found.problems

    def test_sees_every_byte_that_changes_the_contents(self, tmp_path: Path) -> None:
        write(tmp_path / "case.zip")
        data = (tmp_path / "case.zip").read_bytes()
        with zipfile.ZipFile(tmp_path / "case.zip") as file:
            info = file.getinfo(FIRST)
        start = info.header_offset + 30 + len(FIRST) + 20
        for at in range(start, start + info.compress_size):
            broken = tmp_path / "broken.zip"
            broken.write_bytes(data[:at] + bytes([data[at] ^ 0x41]) + data[at + 1 :])
            with contextlib.suppress(zlib.error, zipfile.BadZipFile), zipfile.ZipFile(broken) as file:
                if file.read(FIRST) == CONTENT:
                    continue  # a bit between the last one that counts and the next byte
            assert verify(broken).problems, at

    @given(st.data())
    def test_answers_in_a_sentence_whatever_the_bytes(
        self, tmp_path_factory: Any, data: st.DataObject
    ) -> None:
        folder_ = tmp_path_factory.mktemp("v")
        write(folder_ / "case.zip")
        whole = bytearray((folder_ / "case.zip").read_bytes())
        for at in data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=4)):
            whole[at] ^= data.draw(st.integers(1, 255))
        del whole[data.draw(st.integers(len(whole) // 2, len(whole))) :]
        (folder_ / "broken.zip").write_bytes(whole)
        try:
            verify(folder_ / "broken.zip")
        except UsageError as error:
            assert "broken.zip: " in str(error)  # noqa: PT017

    def test_does_not_read_a_bomb_to_its_end(self, tmp_path: Path) -> None:
        write(tmp_path / "case.zip")
        bomb = rewritten(tmp_path / "case.zip", lambda entries: entries.update({FIRST: bytes(30_000_000)}))
        assert any("not what was collected" in each for each in verify(bomb).problems)

    def test_sees_a_name_that_is_there_twice(self, tmp_path: Path) -> None:
        write(tmp_path / "case.zip")
        with (
            pytest.warns(UserWarning, match="Duplicate"),
            zipfile.ZipFile(tmp_path / "case.zip", "a") as file,
        ):
            file.writestr(FIRST, b"other")
        assert any("more than once" in each for each in verify(tmp_path / "case.zip").problems)

    @pytest.mark.parametrize("content", [b"", b"PK", b"text", None])
    def test_says_so_of_what_is_no_archive(self, tmp_path: Path, content: bytes | None) -> None:
        path = tmp_path / "x.zip"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(UsageError, match=r"x\.zip: "):
            verify(path)
