"""What a bundle's snippets answer, taken apart; written from the contract and not from fleet's own reader."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from urllib.parse import quote_from_bytes, unquote_to_bytes

STAGE = "abcdefghij0123456789"
_PLAIN = "".join(map(chr, range(0x21, 0x7F))).replace("%", "")


def escaped(text: str) -> str:
    """A path or word as the snippets take it."""
    return quote_from_bytes(text.encode("utf-8", "surrogatepass"), safe=_PLAIN)


def item(*fields: object) -> str:
    """Fields of an item of a list, the texts among them as they are."""
    return "\t".join(map(str, fields))


@dataclass(frozen=True, slots=True)
class Taken:
    """One record of a pack."""

    number: int
    kind: str
    data: bytes
    codes: tuple[str, ...]


def listed(text: str) -> tuple[list[tuple[int, int, str]], list[tuple[int, str, str]]]:
    """Files (number, size, path) and what was not looked at (number, code, path)."""
    files, signs = [], []
    for line in text.splitlines():
        word, number, *rest = line.split("\t")
        path = unquote_to_bytes(rest[-1]).decode("utf-8", "surrogatepass")
        if word == "F":
            size, time, _ = rest
            assert int(time) >= 0
            files.append((int(number), int(size), path))
        else:
            assert word == "M"
            signs.append((int(number), rest[0], path))
    return files, signs


def unpacked(pack: bytes) -> tuple[list[Taken], list[tuple[int, str]]]:
    """What was taken, and what is missing; the pack has to be whole."""
    taken, missing = [], []
    while not pack.startswith(b"E\n"):
        line, _, pack = pack.partition(b"\n")
        word, number, *rest = line.decode("ascii").split("\t")
        if word == "M":
            missing.append((int(number), rest[0]))
            continue
        assert word == "F"
        kind, size, plain, epoch, codes = rest
        assert int(epoch) > 1_700_000_000
        reader = zlib.decompressobj(wbits=31)
        data = reader.decompress(pack[: int(size)])
        assert reader.eof
        assert not reader.unused_data
        assert len(data) == int(plain)
        taken.append(Taken(int(number), kind, data, tuple(codes.split(","))))
        pack = pack[int(size) :]
    assert pack == b"E\n"
    return taken, missing
