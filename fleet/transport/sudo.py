"""Running as root by ``sudo -n``: never with a password, and never in doubt about who answered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fleet import envelope
from fleet.errors import DeniedError
from fleet.model import Completed, Script

SUDO = "sudo -n --"
"""What stands before the shell's command line."""

_REFUSED = 1
_NOT_FOUND = 127


def refuse_sudo(answers: Iterator[Completed], scripts: Sequence[Script]) -> Iterator[Completed]:
    """Pass answers on until one shows that sudo ended and no script was run.

    Raises:
        DeniedError: sudo asks for a password, forbids, or is not there.
    """
    for script, completed in zip(scripts, answers, strict=False):
        reason = _refusal(completed, script)
        if reason is not None:
            raise DeniedError(reason, sent=True, stdout=completed.stdout, stderr=completed.stderr)
        yield completed


def _refusal(completed: Completed, script: Script) -> str | None:
    if completed.timed_out or envelope.prefix(script.nonce) in completed.stdout:
        return None
    lines = completed.stderr.splitlines()
    if completed.exit_code == _REFUSED and any(line.startswith(b"sudo:") for line in lines):
        return (
            "sudo does not let this account run commands without a password: allow it (NOPASSWD in sudoers), "
            "log in as root, or switch ansible_become off"
        )
    if completed.exit_code == _NOT_FOUND and any(b"sudo" in line and b"not found" in line for line in lines):
        return "there is no sudo in the guest: install it, log in as root, or switch ansible_become off"
    return None
