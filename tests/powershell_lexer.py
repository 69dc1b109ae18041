"""Reads the part of PowerShell's grammar that ``ps_literal`` may write, by the engine's published rules.

Written from ``tokenizer.cs`` (``ScanStringLiteral``) and ``CharTraits.cs`` (``IsSingleQuote``), not from
``fleet.quote``: a value that got out of its quotes leaves text that this grammar has no rule for.
"""

from __future__ import annotations

import re
from typing import Any

SINGLE_QUOTES = {"'", "\u2018", "\u2019", "\u201a", "\u201b"}
_CASTS = {"int": int, "int64": int, "double": float}


class Reader:
    """A recursive descent over one expression."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def whole(self) -> Any:
        value = self._expression()
        assert self._at == len(self._text), f"text after the value: {self._text[self._at :][:40]!r}"
        return value

    def _expression(self) -> Any:
        if self._text[self._at] in SINGLE_QUOTES:
            return self._string()
        if self._take("@("):
            return self._list()
        if self._take("@{"):
            return self._table()
        if cast := self._match(r"\[([a-z0-9]+)\](?=')"):
            return _CASTS[cast[1]](self._string())
        if word := self._match(r"\$(true|false|null)(?![A-Za-z0-9_:])"):
            return {"true": True, "false": False, "null": None}[word[1]]
        number = self._match(r"[0-9]+(?![A-Za-z0-9_.])")
        assert number, f"no rule for {self._text[self._at :][:40]!r}"
        assert int(number[0]) < 2**31, "a bare number this large is no int"
        return int(number[0])

    def _string(self) -> str:
        characters: list[str] = []
        self._at += 1
        while True:
            character = self._text[self._at]
            if character in SINGLE_QUOTES:
                if self._text[self._at + 1 : self._at + 2] not in SINGLE_QUOTES:
                    self._at += 1
                    return "".join(characters)
                self._at += 1
                character = self._text[self._at]
            characters.append(character)
            self._at += 1

    def _list(self) -> list[Any]:
        if self._take(")"):
            return []
        if self._take(","):  # the unary comma: a list of one
            items = [self._expression()]
        else:
            items = [self._expression()]
            assert self._text[self._at] == ",", "a list of one without its comma is unrolled"
            while self._take(","):
                items.append(self._expression())
        assert self._take(")")
        return items

    def _table(self) -> dict[str, Any]:
        table: dict[str, Any] = {}
        while not self._take("}"):
            key = self._string()
            assert key.lower() not in {name.lower() for name in table}
            assert self._take("=")
            table[key] = self._expression()
            self._take(";")
        return table

    def _take(self, token: str) -> bool:
        if self._text.startswith(token, self._at):
            self._at += len(token)
            return True
        return False

    def _match(self, pattern: str) -> re.Match[str] | None:
        found = re.compile(pattern).match(self._text, self._at)
        if found:
            self._at = found.end()
        return found


def read(expression: str) -> Any:
    """Give the value of an expression; fails an assertion or runs out of text where PowerShell would err."""
    return Reader(expression).whole()
