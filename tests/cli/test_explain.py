"""``fleet explain`` at the command line: forms of output, exit codes, and what is said when nothing fits."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from fleet.cli import main
from fleet.report.explanation import WIDTH


class Ended:
    """Exit code and output of a command."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


Explain = Callable[..., Ended]


@pytest.fixture
def explain(capsys: pytest.CaptureFixture[str]) -> Explain:
    def run(*words: str) -> Ended:
        code = main(["explain", *words])
        return Ended(code, *capsys.readouterr())

    return run


def test_a_code_is_explained_and_nobody_is_contacted(explain: Explain) -> None:
    ended = explain("usererrorfsfreezefailed")
    assert ended.code == 0
    assert ended.out.startswith("UserErrorFsFreezeFailed · ")
    assert not ended.err


@pytest.mark.parametrize("words", [("-2147212524",), ("380008,", "-2147212524"), ("--", "-2147212524")])
def test_a_negative_code_is_no_option(explain: Explain, words: tuple[str, ...]) -> None:
    ended = explain(*words)
    assert ended.code == 0
    assert "0x80042314 · " in ended.out


def test_several_codes_are_explained_one_after_the_other(explain: Explain) -> None:
    ended = explain("380008,UserErrorSkuNotAvailable")
    first, second = ended.out.split("-" * WIDTH)
    assert first.startswith("380008 · ")
    assert second.strip().startswith("UserErrorSkuNotAvailable · ")


def test_json_is_one_document_and_ndjson_one_answer_a_line(explain: Explain) -> None:
    whole = json.loads(explain("380008,UserErrorSkuNotAvailable", "--format", "json").out)
    lines = explain("380008,UserErrorSkuNotAvailable", "--format", "ndjson").out.splitlines()
    assert whole == {"schema": "fleet.explain/1", "answers": [json.loads(line) for line in lines]}
    assert len(lines) == 2


class TestNothingFits:
    def test_a_mistyped_code_is_wrong_use_with_a_suggestion(self, explain: Explain) -> None:
        ended = explain("UserErrorFsFrezeFailed")
        assert (ended.code, ended.out) == (2, "")
        assert 'did you mean "UserErrorFsFreezeFailed"?' in ended.err

    def test_the_others_are_explained_all_the_same(self, explain: Explain) -> None:
        ended = explain("380008", "UserErrorFsFrezeFailed")
        assert ended.code == 2
        assert ended.out.startswith("380008 · ")
        assert ended.err.count("\n") == 1

    def test_words_without_sense_lead_to_the_list(self, explain: Explain) -> None:
        ended = explain("the printer is on fire")
        assert ended.code == 2
        assert "fleet list --kind runbook" in ended.err

    def test_programs_get_the_suggestions_too(self, explain: Explain) -> None:
        ended = explain("UserErrorFsFrezeFailed", "--format", "json")
        [answer] = json.loads(ended.out)["answers"]
        assert answer["suggestions"] == ["UserErrorFsFreezeFailed"]
        assert ended.code == 2

    @pytest.mark.parametrize("words", [(), ("",), (" , ",)])
    def test_without_a_question_it_says_what_it_needs(self, explain: Explain, words: tuple[str, ...]) -> None:
        ended = explain(*words)
        assert ended.code == 2
        assert ended.err.count("\n") == 1

    def test_what_was_typed_cannot_act_on_the_terminal(self, explain: Explain) -> None:
        assert "\x1b" not in explain("\x1b[2J zzzz").err


def test_runbooks_of_users_are_found_as_well(explain: Explain, tmp_path: Path) -> None:
    (tmp_path / "runbooks").mkdir()
    (tmp_path / "runbooks/house-1.yaml").write_text(
        "id: house-1\ntitle: Our own fault\ncodes: [HOUSE-0815]\nabout: It is ours.\noutside: [Call us.]\n"
    )
    ended = explain("house-0815", "--scripts", str(tmp_path))
    assert ended.code == 0
    assert "Our own fault" in ended.out
