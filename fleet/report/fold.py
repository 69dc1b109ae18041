"""Many host names on one line: ``sql01 sql02 sql03`` becomes ``sql[01-03]``."""

from __future__ import annotations

import re
from collections.abc import Iterable

_NUMBERED = re.compile(r"(?P<stem>.*?[^0-9])(?P<number>[0-9]{1,9})")


def fold(names: Iterable[str]) -> str:
    """Fold names that differ only in a number at their end; the others stay as they are.

    Ranges are written as pyinfra, ClusterShell and Ansible users read them: ``web[3,9] bk[01-12]``.
    """
    groups: dict[tuple[str, int], list[str]] = {}
    for name in names:
        match = _NUMBERED.fullmatch(name)
        key = (match["stem"], len(match["number"])) if match else (name, -1)
        groups.setdefault(key, []).append(match["number"] if match else "")
    return " ".join(_fold_group(stem, width, numbers) for (stem, width), numbers in groups.items())


def _fold_group(stem: str, width: int, numbers: list[str]) -> str:
    if width < 0:
        return stem
    if len(numbers) == 1:
        return stem + numbers[0]
    spans: list[list[int]] = []
    for number in sorted({int(text) for text in numbers}):
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    parts = [
        f"{first:0{width}d}"
        if first == last
        else f"{first:0{width}d}{',' if last == first + 1 else '-'}{last:0{width}d}"
        for first, last in spans
    ]
    return f"{stem}[{','.join(parts)}]"
