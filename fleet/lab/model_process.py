"""A process that is a thread: what a guest without a PowerShell of its own starts in its place."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable
from typing import BinaryIO


class ModelProcess:
    """Reads lines from its stdin until that ends and writes what ``answer`` makes of each to its stdout.

    Implements ``fleet.lab.guest.Process``. ``opening`` goes to stderr at once. With an ``exit_code`` other
    than 0 nothing is read: so ends a command line that the guest does not know.
    """

    def __init__(self, answer: Callable[[bytes], bytes], *, opening: bytes = b"", exit_code: int = 0) -> None:
        self._answer = answer
        self._exit_code = exit_code
        input_end, write_end = os.pipe()
        read_out, self._out = os.pipe()
        read_err, err = os.pipe()
        self._input: BinaryIO = os.fdopen(input_end, "rb")
        self.stdin: BinaryIO = os.fdopen(write_end, "wb", buffering=0)
        self.stdout: BinaryIO = os.fdopen(read_out, "rb", buffering=0)
        self.stderr: BinaryIO = os.fdopen(read_err, "rb", buffering=0)
        os.write(err, opening)
        os.close(err)
        self._thread = threading.Thread(target=self._serve, name="lab-model", daemon=True)
        self._thread.start()

    def wait(self, timeout: float | None = None) -> int:
        """Exit code, once it has ended; raises ``subprocess.TimeoutExpired``."""
        self._thread.join(timeout)
        if self._thread.is_alive():
            raise subprocess.TimeoutExpired("model", timeout or 0.0)
        return self._exit_code

    def poll(self) -> int | None:
        """Exit code if it has ended, else None."""
        return None if self._thread.is_alive() else self._exit_code

    def kill(self) -> None:
        """End it: its stdin is closed, which it notices after the line under way."""
        self.stdin.close()

    def _serve(self) -> None:
        with self._input, os.fdopen(self._out, "wb", buffering=0) as output:
            if self._exit_code:
                return
            for line in self._input:
                try:
                    output.write(self._answer(line))
                except BrokenPipeError:
                    return
