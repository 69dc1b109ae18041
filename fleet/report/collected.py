"""A run that collected, for people: what came of each host, what was replaced, what stands out."""

from __future__ import annotations

import shlex
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from fleet.engine.verdict import verdicts
from fleet.journal import Run
from fleet.model import Outcome, printable
from fleet.report import terminal
from fleet.report.fold import fold
from fleet.report.sizes import in_bytes
from fleet.report.terminal import WIDTH, Paint, plain

_MISSING_SHOWN = 2
_SIGNS_SHOWN = 10
_LONGEST = 50

_KINDS = {
    "sas signature": ("SAS token", "SAS tokens"),
    "private key": ("private key", "private keys"),
    "authorization": ("token", "tokens"),
    "web token": ("token", "tokens"),
    "known": ("password", "passwords"),
    "named": ("password", "passwords"),
    "option": ("password", "passwords"),
    "url": ("password", "passwords"),
}
_NAMES = ("name or address", "names and addresses")


@dataclass(frozen=True, slots=True)
class HostPart:
    """What the archive has of a host."""

    files: int
    size: int
    """Bytes."""
    missing: tuple[tuple[str, str], ...]
    """Where it would be, and why it is missing."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What an archive came to; texts of guests may be hostile still."""

    path: Path
    size: int
    """Bytes of the archive; 0 where there is none."""
    partial: str | None
    hosts: Mapping[str, HostPart]
    replaced: Mapping[str, int]
    map: Path | None
    signs: tuple[tuple[str, str, str], ...]
    """Host, what stands out, and the runbook that answers it."""
    manifest_sha256: str
    left: tuple[str, ...] = ()
    """Hosts that may still have what was staged there."""


def to_text(run: Run, summary: Summary, paint: Paint = plain) -> str:
    """The lines that a person reads."""
    return "".join(f"{line}\n" for line in _lines(run, summary, paint))


def _lines(run: Run, summary: Summary, paint: Paint) -> Iterator[str]:
    words = verdicts(run.targets, run.results)
    told = {line.host: line.message for line in terminal.host_lines(run)}
    lines = []
    for host, word in words.items():
        part = summary.hosts.get(host)
        texts = [] if word is Outcome.OK else [told[host]]
        if part is not None and (part.files or word is Outcome.OK):
            texts.insert(0, _part(part))
        lines.append(terminal.HostLine(host, word, "; ".join(texts) or told[host]))
    yield terminal.table(lines, paint).rstrip("\n")
    yield from _redacted(summary)
    yield from _signs(summary)
    for line in _notices(summary):
        yield from textwrap.wrap(line, WIDTH, subsequent_indent="  ", break_on_hyphens=False)
    yield from _made(summary)
    yield from terminal.closing(run, words)


def _part(part: HostPart) -> str:
    files = f"{part.files} {'file' if part.files == 1 else 'files'}"
    text = f"{files}, {in_bytes(part.size)}"
    if part.missing:
        shown = [f"{_short(origin)} ({_short(reason)})" for origin, reason in part.missing[:_MISSING_SHOWN]]
        more = len(part.missing) - len(shown)
        shown += [f"{more} more in missing.txt"] if more > 0 else []
        text += f"; {len(part.missing)} missing: {', '.join(shown)}"
    return text


def _short(text: str) -> str:
    text = printable(text).replace("\n", " ")
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _redacted(summary: Summary) -> Iterator[str]:
    tally: Counter[tuple[str, str]] = Counter()
    for kind, number in summary.replaced.items():
        tally[_KINDS.get(kind, _NAMES)] += number
    if tally:
        told = (f"{number:,} {one if number == 1 else many}" for (one, many), number in tally.most_common())
        yield f"Redacted: {', '.join(told)}"
    if summary.map is not None:
        yield f"Map: {summary.map}"
        yield "  turns every name back: keep it, don't send it; fleet bundle reveal uses it"


def _signs(summary: Summary) -> Iterator[str]:
    grouped: dict[tuple[str, str], list[str]] = {}
    for host, what, runbook in summary.signs:
        grouped.setdefault((what, runbook), []).append(host)
    for (what, runbook), hosts in list(grouped.items())[:_SIGNS_SHOWN]:
        text = f"Stands out: {printable(fold(list(dict.fromkeys(hosts))))} {printable(what)} -> {runbook}"
        yield from textwrap.wrap(text, WIDTH, subsequent_indent="  ", break_on_hyphens=False)
    if len(grouped) > _SIGNS_SHOWN:
        yield f"Stands out: {len(grouped) - _SIGNS_SHOWN} more, in index.html of the archive"


def archive_lines(summary: Summary) -> Iterator[str]:
    """What an operator must not overlook, the archive, and how to check it; each in one line."""
    yield from _notices(summary)
    yield from _made(summary)


def _notices(summary: Summary) -> Iterator[str]:
    if summary.left:
        yield (
            f"What was staged may still be on {printable(fold(list(summary.left)))}, which could not be "
            "cleaned. The next fleet collect there removes it when it is a day old."
        )
    if summary.partial is not None:
        yield f"Partial: {printable(summary.partial)}"


def _made(summary: Summary) -> Iterator[str]:
    if summary.size:
        path = shlex.quote(str(summary.path))
        yield f"{summary.path}  {in_bytes(summary.size)}   verify: fleet bundle verify {path}"
        yield f"SHA-256 of its manifest: {summary.manifest_sha256}"
