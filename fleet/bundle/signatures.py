"""Known signs of faults in collected logs, each with the runbook that answers it.

Error codes come from the runbooks themselves; the rest is listed here with its source. A file is looked at
as it passes by, line by line, in little memory: a sign is kept once with how often it came.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from fleet.bundle.cleaning import encoding_of
from fleet.catalog.codes import key
from fleet.model import Runbook

MOST = 100
"""Different signs that are kept of one file."""

_LONGEST_LINE = 4096
"""Characters of a line that are looked at."""

_SHOWN = 300
"""Characters of its line that are kept of a sign."""

_MARS = "azure recovery service", "cloudbackup"
"""In the paths of the MARS agent, in both spellings, and in the name of its channel. The codes of its
runbooks are common ones of Windows, or plain numbers."""

_CODE = re.compile(r"\b[A-Z][A-Za-z0-9]{9,79}\b|\b0x[0-9A-Fa-f]{5,8}\b|(?<![\w-])-\d{9,10}\b")
_MARS_CODE = re.compile(
    r"\b[A-Z][A-Za-z0-9_]{9,79}\b|\b0x[0-9A-Fa-f]{4,8}\b|(?<![\w-])-\d{9,10}\b"
    r"|\b[Ii][Dd]\b[ :=#]{0,3}\d{3,6}\b|(?<=[>\"'])\d{5,6}(?=[<\"'])|\(407\)"
)
"""In logs of the MARS agent, as the snippet mars-log reads them: plain numbers count behind "ID", those of
five digits and more as a whole value of an event too, and 407 where .NET writes the status of an answer."""

_PROVIDER = re.compile(r'"(?:provider(?:name)?|source)"\s{0,2}:\s{0,2}"([^"\\]{1,100})"', re.IGNORECASE)
_EVENT_ID = re.compile(r'"(?:event)?id"\s{0,2}:\s{0,2}"?(\d{1,6})\b', re.IGNORECASE)

_HANGS = "proceeded for accepting signals"
"""The freezer's last words before it hangs with the file systems frozen, when nothing follows them
(Azure/azure-linux-extensions, issues 951, 1680 and 1868)."""

_BEGINS, _ENDED = "T:S freeze, timeout value", "= Logs during Freeze Start ="
"""The extension's log before each freeze, and once its freezer has ended
(Azure/azure-linux-extensions, VMBackup: fsfreezer.py and freezesnapshotter.py)."""

_NEVER_ENDED = "a freeze was begun and never ended before the next one"
_HANG = "the freezer took the last signal and wrote nothing more: file systems may be frozen"

_LINES: tuple[tuple[re.Pattern[str], str, str], ...] = (
    (
        # Azure/azure-linux-extensions, VMBackup: fsfreezer.py
        re.compile(r"Failed to (?:FIFREEZE|FITHAW)"),
        "a mount point could not be frozen or thawed",
        "azvm-fsfreeze-failed",
    ),
    (
        # Application Error 1000, of text exports; as an event its name is in the message
        re.compile(r"(?i)(?:faulting application|application error|\b1000\b).{0,300}IaaSBcdrExtension\.exe"),
        "the backup extension's program crashed",
        "azvm-vmrestorepoint-internal-error-antivirus",
    ),
)

_EVENTS: Mapping[tuple[str, int], tuple[str, str]] = {
    ("vss", 12298): ("writes could not be held back for a shadow copy", "azvm-vss-timeout-iops"),
    ("volsnap", 8): ("writes to a volume took too long for a shadow copy", "azvm-vss-timeout-iops"),
    ("volsnap", 9): ("writes to a volume took too long for a shadow copy", "azvm-vss-timeout-iops"),
    ("volsnap", 21): ("writes to a volume took too long for a shadow copy", "azvm-vss-timeout-iops"),
    ("vss", 8193): ("the VSS service met an unexpected error", "azvm-vss-service-bad-state"),
    ("vss", 8194): ("the VSS service was denied a callback", "azvm-vss-service-bad-state"),
    ("com+", 4691): ("COM+ could not begin transactions", "azvm-com-plus-msdtc-error"),
    ("microsoft-windows-backup", 517): (
        "another backup product failed",
        "azvm-event-log-other-backup-product",
    ),
    ("cloudbackup", 14): ("a newer agent is asked for", "mars-agent-version-current"),
    ("msiinstaller", 1401): ("an installation could not write a key", "azvm-vcredist-installation-failure"),
}
"""By provider, in lower case, and id. 8193 and 8194 have many causes: the runbook looks at the service."""


@dataclass(frozen=True, slots=True)
class Sign:
    """A sign in a file."""

    what: str
    runbook: str
    times: int
    first: str
    """The beginning of the first line that shows it."""


class Signatures:
    """All that is looked for."""

    def __init__(self, runbooks: Mapping[str, Runbook]) -> None:
        self.codes: dict[str, tuple[str, str]] = {}
        """Code as written and runbook, by the code's key; those that could be any number are left out."""
        self.mars: dict[str, tuple[str, str]] = {}
        """All codes of the MARS agent's runbooks, for its own logs."""
        for book in runbooks.values():
            for code in book.codes:
                if book.id.startswith("mars-"):
                    self.mars[key(code)] = code, book.id
                if _CODE.fullmatch(code) and not code.endswith(".exe"):
                    self.codes[key(code)] = code, book.id

    def scanner(self, origin: str) -> Scanner:
        """Begin with a file; ``origin`` is its path in the guest."""
        if any(name in origin.casefold() for name in _MARS):
            return Scanner(self.codes | self.mars, _MARS_CODE)
        return Scanner({code: each for code, each in self.codes.items() if not each[1].startswith("mars-")})


class Scanner:
    """Looks at one file as its bytes pass by."""

    def __init__(self, wanted: Mapping[str, tuple[str, str]], code: re.Pattern[str] = _CODE) -> None:
        self._wanted = wanted
        self._code = code
        self._signs: dict[tuple[str, str], Sign] = {}
        self._decoder: codecs.IncrementalDecoder | None = None
        self._rest = ""
        self._skipping = False
        self._frozen: str | None = None
        """The line with which a freeze began that was not seen to end."""
        self._hangs: str | None = None
        """The line with the freezer's last words, while nothing followed it."""

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        if self._decoder is None:
            if not data:
                return
            self._decoder = codecs.getincrementaldecoder(encoding_of(data) or "utf-8")("replace")
        *lines, rest = (self._rest + self._decoder.decode(data)).split("\n")
        for line in lines:
            if not self._skipping:
                self._look(line)
            self._skipping = False
        if len(rest) > _LONGEST_LINE:
            if not self._skipping:
                self._look(rest)
            self._skipping = True
        self._rest = "" if self._skipping else rest

    def signs(self) -> tuple[Sign, ...]:
        """What was found; the file is at its end."""
        if self._rest and not self._skipping:
            self._look(self._rest)
            self._rest = ""
        if self._hangs is not None:
            self._note(_HANG, "azvm-fsfreeze-failed", self._hangs)
        return tuple(self._signs.values())

    def _look(self, line: str) -> None:
        line = line[:_LONGEST_LINE].strip("\ufeff\r\t ")
        if not line:
            return
        self._hangs = line if _HANGS in line else None
        if _BEGINS in line and self._frozen is not None:
            self._note(_NEVER_ENDED, "azvm-fsfreeze-failed", self._frozen)
        if _BEGINS in line or _ENDED in line:
            self._frozen = None
        self._frozen = self._hangs or self._frozen
        for what, runbook in dict.fromkeys(self._found(line)):
            self._note(what, runbook, line)

    def _found(self, line: str) -> Iterator[tuple[str, str]]:
        for match in self._code.finditer(line):
            known = self._wanted.get(key(match[0]))
            if known and _hexadecimal(known[0]) == _hexadecimal(match[0]):
                yield known
        for pattern, what, runbook in _LINES:
            if pattern.search(line):
                yield what, runbook
        provider, number = _PROVIDER.search(line), _EVENT_ID.search(line)
        if provider and number:
            name = provider[1].casefold()
            name = "com+" if name.startswith("microsoft-windows-com") else name
            event = _EVENTS.get((name, int(number[1])))
            if event:
                yield f"{event[0]} (event {number[1]})", event[1]

    def _note(self, what: str, runbook: str, line: str) -> None:
        known = self._signs.get((what, runbook))
        if known:
            self._signs[what, runbook] = replace(known, times=known.times + 1)
        elif len(self._signs) < MOST:
            self._signs[what, runbook] = Sign(what, runbook, 1, line[:_SHOWN])


def _hexadecimal(code: str) -> bool:
    """Whether a number is written so, or signed, which stands for it; 0x407 is not 407."""
    return code[:2].lower() == "0x" or code.startswith("-")
