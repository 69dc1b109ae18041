"""Packs as guests write them, and as hostile ones do."""

from __future__ import annotations

import gzip
from pathlib import Path

from fleet.bundle.unpack import Pack, Record
from fleet.engine.chosen import Wanted

TAKEN = 1_763_690_000
"""2025-11-21 01:53:20 UTC."""


def wanted(*numbers: int, most: int = 1_000_000, kind: str = "file") -> list[Wanted]:
    return [
        Wanted(number, f"item-{number}", kind, f"/var/log/{number}", most, most, "", 60)  # type: ignore[arg-type]
        for number in numbers
    ]


def record(
    number: int,
    text: bytes,
    *,
    kind: str = "txt",
    code: str = "whole",
    plain: int | None = None,
    size: int | None = None,
    taken: object = TAKEN,
    packed: bytes | None = None,
) -> bytes:
    packed = gzip.compress(text) if packed is None else packed
    plain = len(text) if plain is None else plain
    size = len(packed) if size is None else size
    return f"F\t{number}\t{kind}\t{size}\t{plain}\t{taken}\t{code}\n".encode() + packed


def missed(number: int, code: str) -> bytes:
    return f"M\t{number}\t{code}\n".encode()


END = b"E\n"


def read(pack: Pack, record: Record) -> bytes:
    """What is good of a record, after it was inspected as it is before it goes into an archive."""
    pack.inspect(record, lambda _: None)
    with pack.open(record) as source:
        return b"".join(iter(lambda: source.read(10_000), b""))


def opened(folder: Path, data: bytes, wanted: list[Wanted], most: int = 10_000_000) -> Pack:
    path = folder / "x.pack"
    path.write_bytes(data)
    return Pack(path, wanted, most)
