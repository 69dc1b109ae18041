"""Runbooks: what a file becomes, and what is said of a wrong one, with file and line."""

from __future__ import annotations

import pytest

from fleet import catalog
from fleet.errors import UsageErrors
from fleet.model import Os, Rung, Source
from tests.catalog.support import CHECK, REMEDY, RUNBOOK, Folder, complaint

NAME = "runbooks/x-missing.yaml"


def load(folder: Folder) -> catalog.Catalog:
    return catalog.load([folder.path])


def test_a_file_becomes_a_runbook(folder: Folder) -> None:
    folder.edit(NAME, "sources:", "outside: [Call the owner of x.]\nsources:")
    folder.edit(NAME, "{size: 4}", "{size: 4}\n    only_after: the owner agreed")
    book = load(folder).runbook("x-missing")
    assert (book.id, book.title, book.about, book.os) == (
        "x-missing",
        "There is no x",
        "x is needed.",
        Os.LINUX,
    )
    assert (book.codes, book.detect, book.outside) == (("XMissing",), "x-there", ("Call the owner of x.",))
    assert book.ladder == (Rung("put-x", {"size": 4}, "the owner agreed"),)
    assert book.sources == (Source("Of x", "2020-10", "y"),)
    assert len(book.digest) == 64


def test_a_fault_with_nothing_to_do_in_the_guest_is_a_runbook_too(folder: Folder) -> None:
    folder.write(
        "runbooks/quota.yaml", "id: quota\ntitle: Quota\nabout: Too much.\noutside: [Ask for more.]\n"
    )
    book = load(folder).runbook("quota")
    assert (book.os, book.detect, book.ladder) == (None, None, ())


@pytest.mark.parametrize(
    ("old", "new", "line", "sentence"),
    [
        ("id: x-missing", "id: x-mising", 1, 'the id must be the name of the file, "x-missing"'),
        ("title: There is no x\n", "", 0, '"title" is missing'),
        ("title:", "titel:", 2, '"titel" is not a key here; did you mean "title"?'),
        ("os: linux", "os: linus", 4, "\"os\": input should be 'linux' or 'windows'"),
        ("codes: [XMissing]", "codes: XMissing", 5, '"codes": input should be a valid list'),
        ("codes: [XMissing]", "codes: [XMissing, 5]", 5, '"codes.1": input should be a valid string'),
        (
            "- remedy: put-x",
            "- remdy: put-x",
            8,
            '"ladder.0.remdy" is not a key here; did you mean "remedy"?',
        ),
        ("detect: x-there", "detect: x-their", 6, 'no snippet is called "x-their"; did you mean "x-there"?'),
        ("detect: x-there", "detect: put-x", 6, '"put-x" is a remedy, not a check'),
        ("remedy: put-x", "remedy: put-y", 8, 'no snippet is called "put-y"; did you mean "put-x"?'),
        ("remedy: put-x", "remedy: x-there", 8, '"x-there" is a check, not a remedy'),
        ("{size: 4}", "{siez: 4}", 8, 'put-x has no parameter "siez"; did you mean "size"?'),
        ("{size: 4}", "{size: 0}", 8, "put-x: size: must be at least 1"),
        ("{size: 4}", "{size: '4'}", 8, "put-x: size: must be a whole number, not '4'"),
        ("os: linux", "os: windows", 6, '"x-there" has no form for windows'),
        ("os: linux\n", "", 5, '"x-there" has no form for windows'),
        ("detect: x-there\n", "", 6, 'a ladder needs "detect"'),
        ("about: x is needed.", "about: x\nabout: y", 4, '"about" stands twice'),
        ("about: x is needed.", "about: *x", 3, "no YAML: found undefined alias"),
        ("{size: 4}", "{size: 4", 10, "no YAML: "),
        ("about: x is needed.", "about: &x y\nleft_alone: [*x]", 3, "aliases (* and &) are not allowed"),
        ("about: x is needed.", "about: !!python/name:os.system x", 3, ""),
        ("about: x is needed.", "about: !x y", 3, ""),
    ],
)
def test_a_wrong_runbook_is_refused_with_its_line(
    folder: Folder, old: str, new: str, line: int, sentence: str
) -> None:
    path = folder.edit(NAME, old, new)
    said = complaint(lambda: load(folder))
    assert sentence in said
    assert f"{path}:{line}: " in said or not line


@pytest.mark.parametrize("text", ["", "[]", "just words", "- a\n"])
def test_what_is_no_mapping_is_refused(folder: Folder, text: str) -> None:
    path = folder.write(NAME, text)
    assert complaint(lambda: load(folder)) == f"{path}:1: must be a mapping of keys and values"


def test_a_document_that_is_nested_without_end_is_refused(folder: Folder) -> None:
    for opening in ("[", "{a: ", "- ", "? "):
        path = folder.write(NAME, "a: " * (opening in "[{a: ") + opening * 50_000)
        assert complaint(lambda: load(folder)) == f"{path}: is nested too deep"


def test_control_characters_are_refused(folder: Folder) -> None:
    path = folder.edit(NAME, "There is no x", "There is \x01 no x")
    assert complaint(lambda: load(folder)) == f"{path}: has a character that YAML does not allow"


def test_words_stay_words(folder: Folder) -> None:
    folder.edit(NAME, "codes: [XMissing]", "codes: [no, 'on', 2020-10-01, 1e3, 0x80042308, 0o7, 1:30]")
    assert load(folder).runbook("x-missing").codes == (
        "no", "on", "2020-10-01", "1e3", "0x80042308", "0o7", "1:30",
    )  # fmt: skip


class TestOrder:
    def two_rungs(self, folder: Folder, note: str = "") -> None:
        folder.write("sh/reboot-x.sh", REMEDY.replace('"safe"', '"reboot"'))
        folder.edit(NAME, "ladder:", "ladder:\n  - remedy: reboot-x")
        folder.edit(NAME, "{size: 4}", "{size: 4}" + note)

    def test_a_milder_rung_after_a_harder_one_needs_its_reason(self, folder: Folder) -> None:
        self.two_rungs(folder)
        assert (
            f"{folder.path / NAME}:9: put-x (safe) stands after a rung that is reboot: "
            "move it, or say why in order_note"
        ) in complaint(lambda: load(folder))

    def test_with_a_reason_it_may_stand_there(self, folder: Folder) -> None:
        self.two_rungs(folder, "\n    order_note: it mends another cause")
        assert [rung.remedy for rung in load(folder).runbook("x-missing").ladder] == ["reboot-x", "put-x"]


class TestCodes:
    def test_a_code_leads_to_its_runbook_in_any_case(self, folder: Folder) -> None:
        loaded = load(folder)
        assert loaded.by_code("XMissing") is loaded.by_code("xmissing") is loaded.runbook("x-missing")

    def test_an_unknown_code_gets_a_suggestion(self, folder: Folder) -> None:
        said = complaint(lambda: load(folder).by_code("XMising"))
        assert said == 'no runbook answers the code "XMising"; did you mean "XMissing"?'

    def test_a_code_is_answered_once(self, folder: Folder) -> None:
        path = folder.write(
            "runbooks/y.yaml", RUNBOOK.replace("id: x-missing", "id: y").replace("XMissing", "xMISSING")
        )
        assert f'{path}: the code "xMISSING" is answered by x-missing already' in complaint(
            lambda: load(folder)
        )


def test_all_mistakes_are_said_at_once_and_each_once(folder: Folder) -> None:
    folder.edit("sh/put-x.sh", "# timeout = 10", "# timeout = 0")
    folder.edit("sh/x-there.sh", '# severity = "error"\n', "")
    folder.edit(NAME, "title:", "titel:")
    with pytest.raises(UsageErrors) as caught:
        load(folder)
    said = [str(error) for error in caught.value.errors]
    assert len(said) == len(set(said)) == 4
    assert all(str(folder.path) in line for line in said)


def test_checks_may_be_written_in_the_other_shell_only(folder: Folder) -> None:
    folder.write("ps/y-there.ps1", CHECK.removeprefix("#!/bin/sh\n"))
    folder.write(
        "runbooks/y.yaml",
        "id: y\ntitle: Y\nabout: y\nos: windows\ndetect: y-there\noutside: [Ask.]\n",
    )
    assert load(folder).runbook("y").detect == "y-there"
