"""Which parts of the PowerShell library a text needs, so that a script travels with these and no others.

The library is written to be cut: a part begins at the beginning of a line, with ``function NAME`` or
``$NAME =``, and ends where the next begins. A part is needed where its name stands anywhere in the text, or
in a part that is needed: a name in a comment brings a part too many, never one too few.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_BEGIN = re.compile(r"function ([A-Za-z]\w*(?:-\w+)*)|\$([A-Za-z]\w*) = ")
_WORD = re.compile(r"[A-Za-z]\w*(?:-\w+)*")


def needed(library: str, text: str) -> str:
    """The parts of ``library`` that ``text`` needs, in their order; what it defines itself it has."""
    parts = list(_parts(library))
    by_name = {name: (part, set(_names(part))) for name, part in parts if name}
    own = {name for name, _ in _parts(text)}
    wanted = [name for name in _names(text) if name not in own]
    taken: set[str] = set()
    while wanted:
        name = wanted.pop()
        if name in by_name and name not in taken:
            taken.add(name)
            wanted += by_name[name][1]
    return "".join(part for name, part in parts if not name or name in taken)


def without_comments(library: str) -> str:
    """Leave out whole lines of comment: they are two fifths of what would travel with every script.

    Not in a here-string of PowerShell; here-documents of the shell have no such lines (a test).
    """
    return "".join(
        line for line, verbatim in _lines(library) if verbatim or not line.lstrip().startswith("#")
    )


def _parts(library: str) -> Iterator[tuple[str, str]]:
    """Name and text of every part; the name of what stands before the first is empty."""
    name, lines = "", list[str]()
    for line, verbatim in _lines(library):
        begin = None if verbatim else _BEGIN.match(line)
        if begin:
            yield name, "".join(lines)
            name, lines = (begin[1] or begin[2]).lower(), []
        lines.append(line)
    yield name, "".join(lines)


def _lines(library: str) -> Iterator[tuple[str, bool]]:
    """Every line, and whether it stands in a here-string."""
    verbatim = False
    for line in library.splitlines(keepends=True):
        yield line, verbatim
        verbatim = not line.startswith("'@") if verbatim else line.rstrip().endswith("@'")


def _names(text: str) -> list[str]:
    """Names of functions, and of variables however they are written; case does not matter in PowerShell."""
    words = [word.lower() for word in _WORD.findall(text)]
    return words + [word.split("-")[0] for word in words if "-" in word]
