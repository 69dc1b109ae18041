"""The page as a file: nothing to load, one script and one style by their hash, escaped texts, its size."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import re
import zlib
from html.parser import HTMLParser
from typing import Any

import pytest

from fleet.journal import Run
from fleet.model import Outcome, Untrusted, printable
from fleet.report import packed
from fleet.report.html import RESULT_WORDS, SYMBOLS, to_html
from fleet.report.view import Tone, view
from tests.report.samples import EVIL_HOST, HARM, fix, hostile, mended, sample
from tests.sweep.runs import DISK, result, sweep_run


class Reader(HTMLParser):
    """Elements, attributes and the text of scripts, as a parser of HTML sees them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inside: dict[str, list[str]] = {"script": [], "style": [], "h1": [], "title": []}
        self._open = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in self.inside:
            self._open = tag
            self.inside[tag].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == self._open:
            self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open:
            self.inside[self._open][-1] += data

    def only(self, tag: str, **wanted: str) -> dict[str, str | None]:
        (found,) = [
            attributes
            for name, attributes in self.tags
            if name == tag and wanted.items() <= attributes.items()
        ]
        return found


def carried(run: Run) -> dict[str, Any]:
    """The results that the page carries."""
    document: dict[str, Any] = json.loads(
        zlib.decompress(base64.b64decode(Reader(to_html(run)).inside["script"][0]))
    )
    return document


def sha256(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_the_policy_lets_exactly_this_script_and_this_style() -> None:
    page = Reader(to_html(sample()))
    policy = page.only("meta", **{"http-equiv": "Content-Security-Policy"})["content"]
    assert policy is not None
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules == {
        "default-src": "'none'",
        "script-src": sha256(page.inside["script"][1]),
        "style-src": sha256(page.inside["style"][0]),
        "base-uri": "'none'",
        "form-action": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }


def test_the_policy_comes_before_anything_that_it_is_about() -> None:
    tags = [name for name, _ in Reader(to_html(sample())).tags]
    assert tags[:4] == ["html", "head", "meta", "meta"]


def test_nothing_is_loaded() -> None:
    for name, attributes in Reader(to_html(hostile())).tags:
        assert name not in {"link", "img", "iframe", "object", "embed", "base"}
        assert not {"src", "srcset", "style", "xlink:href"} & set(attributes), name
        assert not [key for key in attributes if key.startswith("on")]
        assert str(attributes.get("href", "#")).startswith("#")


def test_a_hostile_guest_adds_no_element() -> None:
    def kinds(run: Run) -> set[str]:
        return {name for name, _ in Reader(to_html(run)).tags}

    assert kinds(hostile()) <= kinds(sample())
    page = Reader(to_html(hostile()))
    assert len(page.inside["h1"]) == len(page.inside["title"]) == 1
    assert len(page.inside["script"]) == 2
    assert "<script>window.harmed = 1</script>" not in to_html(hostile())
    assert "\u202e" not in to_html(hostile())


def test_what_the_data_is_made_of_can_not_end_its_element() -> None:
    assert re.fullmatch(r"[A-Za-z0-9+/]+=*", Reader(to_html(hostile())).inside["script"][0])


def test_the_data_has_every_result_with_all_that_was_said() -> None:
    document = carried(hostile())
    messages = [row[7] for row in document["rows"]]
    assert messages[: len(HARM)] == [printable(text) for text in HARM]
    assert document["rows"][0][8] == [
        [printable(HARM[0]), printable(HARM[0])],
        ["list", printable(HARM[0])],
        ["map", f"{HARM[0]}={HARM[0]}"],
        ["log", printable(HARM[0])],
    ]
    assert document["hosts"][0][0] == printable(EVIL_HOST)
    assert document["shortened"] == 0


def test_a_waiver_and_a_remedy_are_explained_in_the_details() -> None:
    rows = carried(sample())["rows"]
    details = [pair for row in rows for pair in row[8] or []]
    assert ["waived until", "2026-12-31, dba-team: the disk is replaced in December"] in details
    assert ["waiver expired", "2026-11-01, dba-team: the disk is replaced in December"] in details
    acts = [pair for row in carried(fix(*mended()))["rows"] for pair in row[8] or []]
    assert ["risk", "safe"] in acts


def test_a_long_log_keeps_its_beginning_and_its_end() -> None:
    log = "first\n" + "x" * 10_000 + "\nlast"
    failed = result("a", "disk-space", Outcome.FAILED, "full", log=Untrusted(log))
    (row,) = carried(sweep_run({"a": [failed]}, checks=[DISK]))["rows"]
    (shown,) = [text for key, text in row[8] if key == "log"]
    assert shown.startswith("first\n")
    assert shown.endswith("\nlast")
    assert "6011 characters are left out" in shown


def test_noise_does_not_make_the_page_too_large_and_the_worst_stay_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(packed, "FULL_BYTES", 30_000)
    monkeypatch.setattr(packed, "SHORT_BYTES", 60_000)
    chance = random.Random(3)
    hosts = {
        f"h{number:03}": [
            result(
                f"h{number:03}",
                "disk-space",
                Outcome.FAILED if number == 299 else Outcome.OK,
                chance.randbytes(500).hex(),
                log=Untrusted(chance.randbytes(500).hex()),
            )
        ]
        for number in range(300)
    }
    run = sweep_run(hosts, checks=[DISK])
    document = carried(run)
    assert len(packed.packed(view(run))) < 130_000
    assert document["shortened"] > 200
    assert len(document["rows"]) == 300
    worst = document["rows"][0]
    assert document["hosts"][worst[0]][0] == "h299"
    assert len(worst[7]) == 1000
    assert document["rows"][-1][7] == ""


@pytest.mark.parametrize(
    "run", [sample(), hostile(), fix(*mended()), fix()], ids=["sweep", "hostile", "fix", "nobody"]
)
def test_every_element_that_is_opened_is_closed(run: Run) -> None:
    class Balance(HTMLParser):
        stack: list[str] = []  # noqa: RUF012 (one use)

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag not in {"meta", "input"}:
                self.stack.append(tag)

        def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            pass

        def handle_endtag(self, tag: str) -> None:
            assert self.stack.pop() == tag

    reader = Balance()
    reader.stack = []
    reader.feed(to_html(run))
    assert reader.stack == []


class TestWithoutColour:
    def test_each_tone_has_a_sign_and_a_word_of_its_own(self) -> None:
        assert len(set(SYMBOLS.values())) == len(Tone)
        assert len(set(RESULT_WORDS.values())) == len(Tone)

    def test_each_tone_but_the_two_furthest_apart_has_a_pattern(self) -> None:
        page = to_html(sample())
        patterns = dict(re.findall(r'<pattern id="pattern-(\w+)".*?>(.*?)</pattern>', page))
        assert set(patterns) == {tone.value for tone in Tone} - {"bad", "good"}
        assert len(set(patterns.values())) == len(patterns)

    def test_the_script_knows_the_same_signs(self) -> None:
        script = Reader(to_html(sample())).inside["script"][1]
        signs = re.search(r"const SYMBOLS = \{(.*?)\}", script)
        assert signs is not None
        assert dict(re.findall(r'(\w+): "(.)"', signs[1])) == {
            tone.value: sign for tone, sign in SYMBOLS.items()
        }


def test_a_chart_says_in_words_what_it_draws() -> None:
    page = to_html(sample())
    assert "1 failed, 1 no answer, 1 waived, 2 fine" in page
    assert "1 not ready, 1 ready" in page


def test_a_chart_shows_first_where_there_is_something_to_do() -> None:
    page = to_html(sample())
    quiet = re.findall(r"<details class=\"quiet-bars\">(.*?)</details>", page, re.DOTALL)
    assert [re.findall(r'class="label">(.*?)<', part) for part in quiet] == [["verbose"]]
    assert "1 more without anything to do" in page


def test_a_run_of_one_script_without_zones_has_no_chart_of_them() -> None:
    page = to_html(fix(result("a", "x", Outcome.OK), zones={}, apply=False))
    assert "Hosts by zone" not in page
    assert "Results by script" not in page
