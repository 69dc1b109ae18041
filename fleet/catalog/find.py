"""Finds runbooks by what an operator has in hand: error codes, ids, or words of a message.

Words are compared without case and accents and by their beginnings, so that a message fits in the languages
of ``match_hints`` and in another number or tense. A word weighs the more, the fewer runbooks have it.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import Literal

from fleet.catalog import codes
from fleet.catalog.library import Catalog
from fleet.model import Runbook

MAX_TEXT = 4_000
"""Characters of a pasted message that are read; what is behind them adds nothing."""

_STEM = 6
"""Letters by which two words are the same: writer, writers."""
_ENOUGH = 0.6
"""Share of the question, or of a hint, that has to be met."""
_ABOUT = 0.8
"""What a word of the explanation counts, that of a title or hint being 1."""
_CLOSE = 0.7
"""Share of the best score down to which another runbook is worth naming."""
_MOST = 6
"""Runbooks named for one question."""


@dataclass(frozen=True, slots=True)
class Match:
    """A runbook that fits, and why."""

    runbook: Runbook
    by: Literal["code", "id", "text"]
    score: float = 1.0
    """1 is as good as it gets; below that the share of the words that were met."""
    code: str | None = None
    """The code as the runbook writes it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found for one question, the best first; suggestions where nothing was."""

    question: str
    matches: tuple[Match, ...]
    suggestions: tuple[str, ...] = ()


def fold(text: str) -> str:
    """Give text without case and accents."""
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(part for part in parts if not unicodedata.combining(part))


class Finder:
    """Answers questions about one catalogue."""

    def __init__(self, catalog: Catalog) -> None:
        self._books = dict(catalog.runbooks)

    def ask(self, arguments: Sequence[str]) -> list[Answer]:
        """Give one answer for each code or id in the arguments, or one for all of them as a text."""
        whole = " ".join(arguments).strip()
        if self._exact(whole):
            return [self._answer(whole)]
        parts = [part.strip() for argument in arguments for part in argument.split(",")]
        parts = [part for part in parts if part]
        if parts and all(self._exact(part) or _like_a_code(part) for part in parts):
            return [self._answer(part) for part in dict.fromkeys(parts)]
        return [self._answer(whole)]

    def _answer(self, question: str) -> Answer:
        """A mistyped code is not answered by its parts: its likeness is suggested."""
        matches = self._exact(question)
        close = self._suggestions(question) if not matches and _like_a_code(question) else ()
        if not matches and not close:
            matches = self._in_text(question[:MAX_TEXT])
        return Answer(question, tuple(matches), close)

    def _exact(self, question: str) -> list[Match]:
        id = question.casefold()
        if id in self._books:
            return [Match(self._books[id], "id")]
        key = codes.key(question)
        return [self._codes[key]] if key in self._codes else []

    @cached_property
    def _codes(self) -> dict[str, Match]:
        found: dict[str, Match] = {}
        for book in self._books.values():
            for code in book.codes:
                found.setdefault(codes.key(code), Match(book, "code", code=code))
        return found

    def _in_text(self, text: str) -> list[Match]:
        """Give the runbooks of the codes in a text, then those that its words fit."""
        found = {match.runbook.id: match for match in self._codes_in(text)}
        for match in self._by_words(text):
            found.setdefault(match.runbook.id, match)
        return list(found.values())[:_MOST]

    def _codes_in(self, text: str) -> Iterator[Match]:
        for word in re.finditer(r"-?\w[\w.+]*\w|\w", text):
            match = self._codes.get(codes.key(word[0]))
            if match and (_telling(word[0]) or codes.LABEL_BEFORE.search(fold(text[: word.start()]))):
                yield match
        folded = f" {' '.join(re.findall(r'[a-z0-9]+', fold(text)))} "
        for key, match in self._codes.items():
            if " " in key and f" {key} " in folded:
                yield match

    def _by_words(self, text: str) -> list[Match]:
        asked = _stems(text)
        total = self._weights(asked)
        if not total:
            return []
        scored = [(self._score(id, asked, total), id) for id in self._books]
        scored = sorted((pair for pair in scored if pair[0][0] >= _ENOUGH), reverse=True)
        best = scored[0][0][0] if scored else 0
        return [
            Match(self._books[id], "text", round(min(score, 1.0), 2))
            for (score, _), id in scored
            if score >= best * _CLOSE
        ]

    def _score(self, id: str, asked: set[str], total: float) -> tuple[float, float]:
        """How well the best phrase fits: how much of the question it meets, or how much of it is met.

        A phrase counts as met only by several words: one alone stands in too many messages.
        """
        met = self._weights(asked & self._about[id])
        best = (_ABOUT * met / total, 0.0)
        for phrase in self._phrases[id]:
            shared = asked & phrase
            if not shared:
                continue
            met = self._weights(shared)
            of_phrase = met / self._weights(phrase)
            of_question = met / total
            fit = max(of_question, of_phrase if len(shared) >= min(3, max(2, len(phrase))) else 0.0)
            best = max(best, (fit, met * of_phrase))
        return best

    @cached_property
    def _phrases(self) -> dict[str, list[set[str]]]:
        return {
            id: [
                stems for text in (book.title, id, *book.match_hints, *book.codes) if (stems := _stems(text))
            ]
            for id, book in self._books.items()
        }

    @cached_property
    def _about(self) -> dict[str, set[str]]:
        return {id: _stems(book.about) for id, book in self._books.items()}

    @cached_property
    def _spread(self) -> Counter[str]:
        """In how many runbooks a word stands."""
        return Counter(
            stem for id, phrases in self._phrases.items() for stem in self._about[id].union(*phrases)
        )

    def _weights(self, stems: set[str]) -> float:
        """Their sum to the last digit, whatever their order: a phrase that is met counts 1, not nearly 1."""
        return math.fsum(self._weight(stem) for stem in stems)

    def _weight(self, stem: str) -> float:
        return math.log(1 + len(self._books) / (self._spread[stem] or 0.5))

    def _suggestions(self, question: str) -> tuple[str, ...]:
        names = {match.code.casefold(): match.code for match in self._codes.values() if match.code}
        names |= {id: id for id in self._books}
        close = get_close_matches(question[:80].casefold(), list(names), n=3, cutoff=0.7)
        return tuple(names[each] for each in close)


def _stems(text: str) -> set[str]:
    """Beginnings of the words of a text; a long name in CamelCase counts as its words too."""
    spaced = text + " " + re.sub(r"\w{15,}", lambda name: _HUMP.sub(" ", name[0]), text)
    words = re.findall(r"[a-z0-9]{3,}", fold(spaced))
    return {word[:_STEM].rstrip("s") if word.isalpha() else word for word in words}


_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def _like_a_code(text: str) -> bool:
    """Whether this is one word that no sentence has: with digits, inner capitals, or hyphens as in ids."""
    return re.fullmatch(r"\S+", text) is not None and (
        re.search(r"[0-9]|[a-z][A-Z]|-", text) is not None or len(text) > 20
    )


def _telling(word: str) -> bool:
    """Whether a word in a text is a code by itself, not just some number."""
    return len(word) >= 5 and not re.fullmatch(r"[0-9]{1,4}", word)
