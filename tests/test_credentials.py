"""From references to secrets: where each comes from, what is refused, and that no error repeats a value."""

from __future__ import annotations

import os
import select
import sys
import threading
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet import credentials
from fleet.credentials import Vault, resolve
from fleet.errors import Place, SecretError
from fleet.model import Secret, SecretRef
from fleet.ports import SystemClock

VALUE = "hunter2-correct-horse"
PLACE = Place(Path("prod.yaml"), 14)


def env(name: str = "OPS_PW", place: Place | None = PLACE) -> SecretRef:
    return SecretRef("env", (name,), place)


def file(path: Path) -> SecretRef:
    return SecretRef("file", (str(path),), PLACE)


def command(*argv: str) -> SecretRef:
    return SecretRef("command", argv, PLACE)


def refused(ref: SecretRef) -> str:
    """The sentence, without place and reference; it has both, and no value."""
    with pytest.raises(SecretError) as caught:
        resolve(ref)
    text = str(caught.value)
    assert VALUE not in text
    assert VALUE not in repr(caught.value)
    assert caught.value.__cause__ is None
    assert text.startswith(f"prod.yaml:14: the secret from {ref} ")
    assert caught.value.place == PLACE
    return text.removeprefix(f"prod.yaml:14: the secret from {ref} ")


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "ops"
    path.write_text(f"{VALUE}\n")
    path.chmod(0o600)
    return path


class TestEnvironment:
    def test_gives_the_variable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPS_PW", VALUE)
        assert resolve(env()) == Secret(VALUE)

    def test_a_variable_that_is_not_set(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("OPS_PW", raising=False)
        assert refused(env()) == (
            "is missing: the environment variable is not set; export it before you start fleet"
        )

    @pytest.mark.parametrize("value", [f"{VALUE}\n", f"{VALUE}\r", f"a\n{VALUE}"])
    def test_a_line_break_is_refused(self, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
        monkeypatch.setenv("OPS_PW", value)
        assert refused(env()) == "holds a line break or a NUL, which no login takes; it has to be one line"

    def test_an_empty_one_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPS_PW", "")
        assert refused(env()) == "is empty"


class TestFile:
    @pytest.mark.parametrize(
        ("content", "value"),
        [
            ("pass word", "pass word"),
            ("pass\n", "pass"),
            ("pass\r\n", "pass"),
            (" pass ", " pass "),
            ("pä", "pä"),
        ],
    )
    def test_gives_its_line(self, secret_file: Path, content: str, value: str) -> None:
        secret_file.write_bytes(content.encode())
        assert resolve(file(secret_file)) == Secret(value)

    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644])
    def test_that_others_may_touch_is_refused(self, secret_file: Path, mode: int) -> None:
        secret_file.chmod(mode)
        assert refused(file(secret_file)) == "may be read or changed by others; run: chmod 600 on it"

    def test_that_belongs_to_somebody_else_is_refused(
        self, secret_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = os.fstat

        def foreign(descriptor: int) -> os.stat_result:
            fields = list(real(descriptor))
            fields[4] = 12345
            return os.stat_result(fields)

        monkeypatch.setattr("fleet.credentials.os.fstat", foreign)
        assert refused(file(secret_file)) == "belongs to somebody else; it has to be yours or root's"

    def test_a_symbolic_link_is_refused(self, secret_file: Path) -> None:
        link = secret_file.with_name("link")
        link.symlink_to(secret_file)
        assert refused(file(link)) == "is a symbolic link; name the file itself"

    def test_a_pipe_does_not_hang(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe", 0o600)
        assert refused(file(tmp_path / "pipe")) == "is no regular file"

    def test_a_folder_is_refused(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o700)
        assert refused(file(tmp_path)) == "is no regular file"

    def test_missing(self, tmp_path: Path) -> None:
        assert refused(file(tmp_path / "gone")) == "can't be read: No such file or directory"

    @pytest.mark.parametrize(
        ("content", "sentence"),
        [
            (b"", "is empty"),
            (b"\n", "is empty"),
            (
                VALUE.encode() + b"\n\n",
                "holds a line break or a NUL, which no login takes; it has to be one line",
            ),
            (
                b"\0" + VALUE.encode(),
                "holds a line break or a NUL, which no login takes; it has to be one line",
            ),
            (VALUE.encode() + b"\xff", "is not UTF-8 text"),
            (b"x" * 65_537, "is longer than 65536 bytes; that is no password"),
        ],
    )
    def test_content_that_is_no_password(self, secret_file: Path, content: bytes, sentence: str) -> None:
        secret_file.write_bytes(content)
        assert refused(file(secret_file)) == sentence


class FakeKeyring(ModuleType):
    """Stands for the optional package."""

    def __init__(self, entries: dict[tuple[str, str], str], failure: Exception | None = None) -> None:
        super().__init__("keyring")
        self.entries, self.failure = entries, failure

    def get_password(self, service: str, user: str) -> str | None:
        if self.failure:
            raise self.failure
        return self.entries.get((service, user))


class TestKeyring:
    REF = SecretRef("keyring", ("fleet/prod/ops",), PLACE)

    def test_gives_the_entry(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "keyring", FakeKeyring({("fleet/prod", "ops"): VALUE}))
        assert resolve(self.REF) == Secret(VALUE)

    def test_without_the_package(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "keyring", None)
        assert refused(self.REF) == "needs the package keyring: pip install 'fleet-remediation[keyring]'"

    def test_without_the_entry(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "keyring", FakeKeyring({}))
        assert refused(self.REF) == (
            "is missing: the keyring has no such entry; add it with: keyring set SERVICE USER"
        )

    def test_a_backend_that_fails_and_talks_too_much(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "keyring", FakeKeyring({}, LookupError(VALUE)))
        assert refused(self.REF) == "can't be read: the keyring failed (LookupError)"


class ClockOfFile(SystemClock):
    """Stands still until a file has something in it, then is past every deadline."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def monotonic(self) -> float:
        ready = self.path.exists() and self.path.stat().st_size > 0
        return credentials.COMMAND_SECONDS + 1 if ready else 0.0


def has_ended(pid: int) -> bool:
    """Whether a process is gone, or goes within five seconds."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], 5)[0])
    finally:
        os.close(descriptor)


class TestCommand:
    def test_gives_its_output(self) -> None:
        assert resolve(command("printf", "%s\\n", VALUE)) == Secret(VALUE)

    def test_no_shell_reads_the_arguments(self) -> None:
        assert resolve(command("printf", "%s", "$HOME; `id` 'x")) == Secret("$HOME; `id` 'x")

    def test_what_the_operator_types_is_not_its_input(self) -> None:
        reader, writer = os.pipe()
        os.write(writer, b"typed ahead ")
        os.close(writer)
        real = os.dup(0)
        try:
            os.dup2(reader, 0)
            assert resolve(command("sh", "-c", "cat; echo nothing-read")) == Secret("nothing-read")
        finally:
            os.dup2(real, 0)
            os.close(real)
            os.close(reader)

    def test_its_errors_are_not_shown(self, capfd: pytest.CaptureFixture[str]) -> None:
        assert resolve(command("sh", "-c", f"echo {VALUE} >&2; echo fine-so-far")) == Secret("fine-so-far")
        assert capfd.readouterr() == ("", "")

    def test_a_failure_shows_only_the_code(self) -> None:
        assert refused(command("sh", "-c", f"echo {VALUE}; echo {VALUE} >&2; exit 3")) == (
            "can't be had: the command ended with exit code 3"
        )

    def test_no_output(self) -> None:
        assert refused(command("true")) == "is empty"

    def test_a_program_that_does_not_exist(self) -> None:
        assert refused(command("no-such-program", VALUE)) == (
            "can't be had: the command does not start (No such file or directory)"
        )

    @pytest.mark.parametrize(
        "script",
        [
            "echo $$ > {pid}; echo x; sleep 600",
            "sleep 600 & echo $! > {pid}; echo x",  # ends, and what it started keeps the output open
            "echo $$ > {pid}; echo x; exec >&-; sleep 600",  # closes the output, and goes on
        ],
    )
    def test_one_that_takes_too_long_is_ended_with_all_it_started(self, script: str, tmp_path: Path) -> None:
        pid = tmp_path / "pid"
        with pytest.raises(SecretError, match="the command took longer than 10 seconds"):
            resolve(command("sh", "-c", script.format(pid=pid)), ClockOfFile(pid))
        assert has_ended(int(pid.read_text()))

    def test_endless_output_is_cut(self) -> None:
        """Not ``yes`` for ten seconds into memory."""
        assert refused(command("yes", VALUE)) == "is longer than 65536 bytes; that is no password"


class TestVault:
    def test_resolves_each_reference_once(self, tmp_path: Path) -> None:
        counter = tmp_path / "calls"
        ref = command("sh", "-c", f"echo call >> {counter}; echo {VALUE}")
        vault = Vault()
        assert {vault.get(ref), vault.get(SecretRef(ref.source, ref.locator))} == {Secret(VALUE)}
        assert counter.read_text() == "call\n"

    def test_many_threads_get_the_same_from_one_call(self, tmp_path: Path) -> None:
        counter = tmp_path / "calls"
        ref = command("sh", "-c", f"echo call >> {counter}; echo {VALUE}")
        vault, start, got = Vault(), threading.Barrier(8), []

        def ask() -> None:
            start.wait()
            got.append(vault.get(ref))

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert got == [Secret(VALUE)] * 8
        assert counter.read_text() == "call\n"

    def test_a_failure_is_not_tried_again_and_names_each_place(self, tmp_path: Path) -> None:
        counter = tmp_path / "calls"
        argv = ("sh", "-c", f"echo call >> {counter}; exit 1")
        vault = Vault()
        for line in (3, 9):
            with pytest.raises(SecretError) as caught:
                vault.get(SecretRef("command", argv, Place(Path("prod.yaml"), line)))
            assert caught.value.place == Place(Path("prod.yaml"), line)
        assert counter.read_text() == "call\n"
        assert vault.known_values() == ()

    def test_knows_what_has_to_be_masked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in (("LONG", VALUE), ("SIX", "123456"), ("SHORT", "12345")):
            monkeypatch.setenv(name, value)
        vault = Vault()
        assert vault.known_values() == ()
        assert [vault.get(env(name)) for name in ("LONG", "SIX", "SHORT")][2] == Secret("12345")
        assert set(vault.known_values()) == {Secret(VALUE), Secret("123456")}
        assert vault.warnings == [
            "prod.yaml:14: the secret from env: SHORT is shorter than 6 characters, so it is not masked in "
            "output"
        ]

    def test_does_not_show_what_it_holds(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPS_PW", VALUE)
        vault = Vault()
        vault.get(env())
        assert VALUE not in f"{vault!r} {vault.known_values()!r} {vault.warnings!r}"

    def test_an_interruption_leaves_nobody_waiting(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def interrupted(*_: object) -> Secret:
            raise KeyboardInterrupt

        vault = Vault()
        monkeypatch.setattr(credentials, "resolve", interrupted)
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                vault.get(env())


@given(st.text(min_size=1, max_size=50).filter(lambda text: not set(text) & set("\0\r\n")))
def test_every_other_text_comes_back_as_it_is(value: str) -> None:
    encoded = value.encode("utf-8", "surrogatepass")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "OPS_PW", value) if encoded.isascii() else None
        if encoded.isascii():
            assert resolve(env()) == Secret(value)
        patch.setitem(sys.modules, "keyring", FakeKeyring({("fleet/prod", "ops"): value}))
        assert resolve(TestKeyring.REF) == Secret(value)
