"""From references to secrets: resolved late, once a run, and never repeated in an error.

A reference says where a secret lies (environment, file, keyring, command). Errors name the
reference and the place in the inventory that holds it.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import stat
import subprocess
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import IO

from fleet.errors import SecretError
from fleet.model import Secret, SecretRef
from fleet.ports import Clock, Deadline, SystemClock

COMMAND_SECONDS = 10.0
"""What a command that gives a secret may take; it must not wait for a person."""

MAX_BYTES = 65_536
"""Bytes of a file or a command's output; a longer one is no password."""

MASKED_FROM = 6
"""Characters. A shorter secret is not masked in output: its mask would tear ordinary words apart
and show by its places what it is."""


class Vault:
    """The secrets of one run: each reference is resolved once, by whoever asks first. Thread safe."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._answers: dict[tuple[str, tuple[str, ...]], Future[Secret]] = {}
        self._warnings: list[str] = []

    def get(self, ref: SecretRef) -> Secret:
        """Give the secret; ``SecretError`` where the reference leads nowhere, each time it is asked."""
        key = (ref.source, ref.locator)
        with self._lock:
            answer = self._answers.get(key)
            first = answer is None
            if answer is None:
                answer = self._answers[key] = Future()
        if first:
            self._answer(ref, answer)
        try:
            return answer.result()
        except SecretError as error:
            raise SecretError(error.message, ref.place) from None

    def known_values(self) -> tuple[Secret, ...]:
        """Every secret resolved so far that is long enough to be masked in output."""
        return tuple(secret for secret in self._secrets() if len(secret.reveal()) >= MASKED_FROM)

    @property
    def warnings(self) -> list[str]:
        """Sentences about secrets that are too short to be masked."""
        with self._lock:
            return list(self._warnings)

    def _secrets(self) -> list[Secret]:
        with self._lock:
            answers = list(self._answers.values())
        return [answer.result() for answer in answers if answer.done() and answer.exception() is None]

    def _answer(self, ref: SecretRef, answer: Future[Secret]) -> None:
        try:
            secret = resolve(ref, self._clock)
        except BaseException as error:
            answer.set_exception(error)  # those who wait must not wait for ever, whatever it was
            if not isinstance(error, SecretError):
                raise
            return
        if len(secret.reveal()) < MASKED_FROM:
            where = f"{ref.place}: " if ref.place else ""
            with self._lock:
                self._warnings.append(
                    f"{where}the secret from {ref} is shorter than {MASKED_FROM} characters, "
                    "so it is not masked in output"
                )
        answer.set_result(secret)


def resolve(ref: SecretRef, clock: Clock | None = None) -> Secret:
    """Fetch a secret from where the reference points; ``SecretError`` where that fails."""
    if ref.source == "env":
        value = _from_environment(ref)
    elif ref.source == "file":
        value = _from_file(ref)
    elif ref.source == "keyring":
        value = _from_keyring(ref)
    else:
        value = _from_command(ref, clock or SystemClock())
    if not value:
        raise _error(ref, "is empty")
    if any(character in value for character in "\0\r\n"):
        raise _error(ref, "holds a line break or a NUL, which no login takes; it has to be one line")
    return Secret(value)


def _error(ref: SecretRef, problem: str) -> SecretError:
    return SecretError(f"the secret from {ref} {problem}", ref.place)


def _from_environment(ref: SecretRef) -> str:
    value = os.environ.get(ref.locator[0])
    if value is None:
        raise _error(ref, "is missing: the environment variable is not set; export it before you start fleet")
    return value


def _from_file(ref: SecretRef) -> str:
    path = Path(ref.locator[0])
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags)
    except (OSError, ValueError) as error:
        if path.is_symlink():
            raise _error(ref, "is a symbolic link; name the file itself") from None
        reason = getattr(error, "strerror", None) or "its name is not valid"
        raise _error(ref, f"can't be read: {reason}") from None
    try:
        _check_file(ref, os.fstat(descriptor))
        data = b""
        while len(data) <= MAX_BYTES and (chunk := os.read(descriptor, 65_536)):
            data += chunk
    except OSError as error:
        raise _error(ref, f"can't be read: {error.strerror}") from None
    finally:
        os.close(descriptor)
    return _line(ref, data)


def _check_file(ref: SecretRef, state: os.stat_result) -> None:
    if not stat.S_ISREG(state.st_mode):
        raise _error(ref, "is no regular file")
    if state.st_uid not in {os.geteuid(), 0}:
        raise _error(ref, "belongs to somebody else; it has to be yours or root's")
    if state.st_mode & 0o077:
        raise _error(ref, "may be read or changed by others; run: chmod 600 on it")


def _line(ref: SecretRef, data: bytes) -> str:
    """Text without the one line end that editors and programs put behind it."""
    if len(data) > MAX_BYTES:
        raise _error(ref, f"is longer than {MAX_BYTES} bytes; that is no password")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise _error(ref, "is not UTF-8 text") from None
    return text.removesuffix("\n").removesuffix("\r")


def _from_keyring(ref: SecretRef) -> str:
    try:
        import keyring  # optional: the extra "keyring"
    except ImportError:
        raise _error(ref, "needs the package keyring: pip install 'fleet-remediation[keyring]'") from None
    service, _, user = ref.locator[0].rpartition("/")
    try:
        value: str | None = keyring.get_password(service, user)
    except Exception as error:  # noqa: BLE001 (backends raise what they like, and may say too much)
        raise _error(ref, f"can't be read: the keyring failed ({type(error).__name__})") from None
    if value is None:
        raise _error(ref, "is missing: the keyring has no such entry; add it with: keyring set SERVICE USER")
    return value


def _from_command(ref: SecretRef, clock: Clock) -> str:
    deadline = Deadline(clock, COMMAND_SECONDS)
    try:
        process = subprocess.Popen(  # noqa: S603 (an argument list of the operator's own inventory, no shell)
            list(ref.locator),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "its arguments are not valid"
        raise _error(ref, f"can't be had: the command does not start ({reason})") from None
    assert process.stdout is not None, "asked for above"
    try:
        data = _read(process.stdout, deadline)
        if data is not None and len(data) > MAX_BYTES:
            return _line(ref, data)  # which refuses it
        code = process.wait(deadline.remaining) if data is not None else None
    except subprocess.TimeoutExpired:
        code = None
    finally:
        _end(process)
    if data is None or code is None:
        raise _error(ref, f"can't be had: the command took longer than {COMMAND_SECONDS:.0f} seconds")
    if code != 0:
        raise _error(ref, f"can't be had: the command ended with exit code {code}")
    return _line(ref, data)


def _read(stream: IO[bytes], deadline: Deadline) -> bytes | None:
    """All output, a little more than allowed at most; None where the deadline came first."""
    data = b""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while len(data) <= MAX_BYTES:
            if deadline.expired or not selector.select(deadline.remaining):
                return None
            chunk = os.read(stream.fileno(), 65_536)
            if not chunk:
                break
            data += chunk
    return data


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a command that has not ended by itself, and what it started; close its output."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
