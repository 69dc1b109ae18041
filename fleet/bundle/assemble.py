"""From what was fetched to the archive: all names are learnt first, then everything is cleaned."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from typing import BinaryIO

from fleet.bundle.archive import Archive, Suffix
from fleet.bundle.cleaning import Cleaner, compressed, encoding_of
from fleet.bundle.pseudonyms import Pseudonyms
from fleet.bundle.unpack import Pack, Record
from fleet.engine.collect import Collected
from fleet.model import Host, JsonValue

_EVERYTHING = "everything"
"""What is missing of a host that gave nothing."""


@dataclass
class _Case:
    """One host's part: what came, and what of it could be read."""

    collected: Collected
    pack: Pack | None = None

    def open_pack(self) -> None:
        """Find out what is in its pack, where there is one."""
        came = self.collected
        if came.pack is not None and came.pack.exists():
            self.pack = Pack(came.pack, came.chosen.wanted, came.chosen.most)


def know_hosts(pseudonyms: Pseudonyms, hosts: Sequence[Host]) -> None:
    """Have the names of the inventory replaced: hosts, their addresses' names, and who logs in."""
    for host in hosts:
        pseudonyms.add_host(host.name)
        if not host.address.version:
            pseudonyms.add_host(host.address.text)
        if host.user:
            pseudonyms.add_user(host.user)


def assemble(
    archive: Archive,
    cleaner: Cleaner,
    collected: Sequence[Collected],
    results: JsonValue,
    *,
    created: datetime,
) -> None:
    """Fill an archive, hosts in the order given. Raises ``OSError`` where the disk here is full.

    ``results`` may be None. ``created`` stands for a time that a guest did not tell, or told wrongly.
    """
    cases = [_Case(each) for each in collected]
    for case in cases:
        case.open_pack()
        _observe(case, cleaner)
    if results is not None:
        archive.results(results)
    for case in cases:
        archive.host(case.collected.host.name)
    for number, case in enumerate(cases):
        try:
            _add(archive, case, created)
        except OSError:
            for each in cases[number:]:
                name = each.collected.host.name
                archive.miss(
                    name, _EVERYTHING, origin=name, reason="there was no room for it on the disk here"
                )
            raise


def _observe(case: _Case, cleaner: Cleaner) -> None:
    """Read all of a host's files once: for the names in them, and to know what can be read."""
    for _, _, text in case.collected.chosen.listings:
        cleaner.observe(BytesIO(_encoded(text)))
    if case.pack is not None:
        for record in case.pack.records:
            case.pack.inspect(record, cleaner.observe)


def _add(archive: Archive, case: _Case, created: datetime) -> None:
    came, name = case.collected, case.collected.host.name
    if came.reason and not came.chosen.wanted and not came.chosen.listings:
        archive.miss(name, _EVERYTHING, origin=came.host.name, reason=came.reason)
        return
    for item, origin, text in came.chosen.listings:
        archive.add(name, item, BytesIO(_encoded(text)), origin=f"list of {origin}", taken=created)
    for lacking in came.chosen.lacking:
        archive.miss(name, lacking.item, origin=lacking.origin, reason=lacking.reason)
    if case.pack is not None:
        for record in sorted(case.pack.records, key=lambda each: (each.wanted.number, each.kind)):
            _add_record(archive, name, case.pack, record, created)
        for wanted, reason in case.pack.misses:
            archive.miss(name, wanted.item, origin=wanted.origin, reason=reason)
        if case.pack.problem:
            archive.miss(name, _EVERYTHING, origin=name, reason=case.pack.problem)
    for item, origin, reason in _unanswered(case):
        archive.miss(name, item, origin=origin, reason=reason)


def _add_record(archive: Archive, host: str, pack: Pack, record: Record, created: datetime) -> None:
    with pack.open(record) as source:
        suffix = _suffix(record, source)
    with pack.open(record) as source:
        archive.add(
            host,
            record.wanted.item,
            source,
            origin=record.wanted.origin,
            taken=record.taken or created,
            suffix=suffix,
            truncated=pack.truncated(record),
            note=record.note,
        )


def _suffix(record: Record, source: BinaryIO) -> Suffix:
    if record.kind != "txt":
        return record.kind
    start = source.read(4096)
    if encoding_of(start) is not None and not compressed(start):
        return "txt"
    return "evtx" if re.search(r"(?i)\.evtx$", record.wanted.origin) else "bin"


def _unanswered(case: _Case) -> Iterator[tuple[str, str, str]]:
    """What was asked for and neither came nor was explained."""
    pack, came = case.pack, case.collected
    answered = set[int]()
    if pack is not None:
        answered = {record.wanted.number for record in pack.records}
        answered |= {wanted.number for wanted, _ in pack.misses}
    reason = came.reason or (pack and pack.problem) or "the guest did not answer to it"
    for wanted in came.chosen.wanted:
        if wanted.number not in answered:
            yield wanted.item, wanted.origin, reason


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
