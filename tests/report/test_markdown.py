"""The summary for tickets, read by an independent parser: texts of guests are code spans and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from fleet.model import printable
from fleet.report.markdown import code, to_markdown
from tests.report.samples import HARM, fix, hostile, mended, sample
from tests.sweep.runs import sweep_run

EXPECTED = """\
# `Readiness: Azure VM backup`

**5 hosts = 1 not ready + 1 not known + 1 ready with warnings + 2 ready**

- Run: `20261121-2000-b7`
- Command: `fleet sweep -i prod.yaml`
- Profile: `azure-vm`
- Started: `2026-11-21 20:00:00 UTC`
- Finished: `2026-11-21 20:00:38 UTC`
- Catalogue: `SHA-256 cccccccccccccccc…`
- Inventory: `SHA-256 dddddddddddddddd…`

## Please note

- `Waiver expired and counts no longer: clock on web2, until 2026-11-01, dba-team: \
the disk is replaced in December (waivers.yaml:1)`

## Hosts

| hosts | are |
| ---: | :--- |
| 1 | not ready |
| 1 | not known |
| 1 | ready with warnings |
| 2 | ready |

## What was found

- **error** `disk-space` `/var has 3 % free` on 1 host: `web1` - runbook `disk-full`
- **unreachable** `connection refused` on 1 host: `old`
- **warning** `clock` `off by 90 s` on 1 host: `web2` - runbook `clock-wrong`
- **info** `verbose` `on` on 1 host: `db1`

## Waivers in force

- `disk-space on db1, until 2026-12-31, dba-team: the disk is replaced in December \
(waivers.yaml:1) - covers db1`

## Next

- `A disk is full`, 1 host

  ```sh
  fleet fix disk-full -i prod.yaml -l web1
  ```

- `The clock is off`, 1 host

  ```sh
  fleet explain clock-wrong
  ```

- `Can they be reached now?`, 1 host

  ```sh
  fleet ping -i prod.yaml -l old
  ```

"""


def test_a_sweep() -> None:
    assert to_markdown(sample()) == EXPECTED


def test_a_fix_says_what_became_of_its_hosts() -> None:
    text = to_markdown(fix(*mended(), outside=["Start a backup."]))
    assert "**1 host = 1 changed**" in text
    assert "- **changed** `cleaned` on 1 host: `web1`" in text
    assert "## Outside the guests\n\n- `Start a backup.`" in text


def test_what_did_not_end_says_so() -> None:
    assert "did not end by itself" in to_markdown(sweep_run({"a": []}, finished=None, interrupted=True))
    assert "was interrupted" in to_markdown(sweep_run({"a": []}, interrupted=True))


def flat_tokens(text: str) -> Iterator[Token]:
    reader = MarkdownIt("commonmark", {"linkify": False}).enable("table")
    for token in reader.parse(text):
        yield token
        yield from token.children or []


OURS = {
    "heading_open", "heading_close", "paragraph_open", "paragraph_close", "inline", "text", "code_inline",
    "strong_open", "strong_close", "bullet_list_open", "bullet_list_close", "list_item_open",
    "list_item_close", "fence", "table_open", "table_close", "thead_open", "thead_close", "tbody_open",
    "tbody_close", "tr_open", "tr_close", "th_open", "th_close", "td_open", "td_close",
}  # fmt: skip


def test_a_hostile_guest_adds_no_markup() -> None:
    tokens = list(flat_tokens(to_markdown(hostile())))
    assert {token.type for token in tokens} == OURS
    assert [token.content for token in tokens if token.type == "fence"] == [
        "fleet ping -i prod.yaml -l plain\n"
    ]
    texts = "".join(token.content for token in tokens if token.type == "text")
    assert not any(sign in texts for sign in "<@#[`")
    spans = {token.content for token in tokens if token.type == "code_inline"}
    assert "<script>window.harmed = 1</script>" in spans
    assert "| pipe \\| [link](http://example.org) @everyone #1 ![i](x)" in spans
    assert "`code` ``two`` ```three" in spans


@pytest.mark.parametrize("text", HARM)
def test_a_code_span_holds_what_was_said(text: str) -> None:
    assert_exactly(text)


@given(st.text(st.sampled_from("`\\ a\n|<*_[]\t\u202e")))
def test_a_code_span_holds_any_text(text: str) -> None:
    assert_exactly(text)


def assert_exactly(text: str) -> None:
    shown = printable(text).replace("\n", " ⏎ ").strip()
    tokens = [token for token in flat_tokens(f"- {code(text)}") if token.type in {"text", "code_inline"}]
    assert [(token.type, token.content) for token in tokens if token.content] == (
        [("code_inline", shown)] if shown else []
    )
