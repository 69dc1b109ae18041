"""The header of a snippet: what it says, and what is said of a wrong one, with file and line."""

from __future__ import annotations

import pytest

from fleet import catalog
from fleet.errors import UsageErrors
from fleet.model import Kind, Param, Return, Risk, Severity, Shell
from tests.catalog.support import CHECK, Folder, complaint


def load(folder: Folder) -> catalog.Catalog:
    return catalog.load([folder.path])


def test_a_header_becomes_a_snippet(folder: Folder) -> None:
    folder.write(
        "sh/tidy-x.sh",
        '#!/bin/sh\n# /// fleet\n# kind = "remedy"\n# title = "Tidy x"\n# about = "More."\n'
        '# risk = "reboot"\n'
        '# idempotent = "check"\n# timeout = 120\n# needs = ["root"]\n# undo = "put-x"\n#\n# [params.name]\n'
        '# type = "str"\n# required = true\n# pattern = \'[a-z]+\'\n# about = "Which"\n#\n# [params.level]\n'
        '# type = "float"\n# default = 1\n# choices = [1, 2.5]\n# about = "How much"\n#\n# [returns.size]\n'
        '# type = "int"\n# about = "How large it is"\n# ///\n:\n',
    )
    snippet = load(folder).snippet("tidy-x")
    assert (snippet.name, snippet.kind, snippet.title, snippet.about) == (
        "tidy-x",
        Kind.REMEDY,
        "Tidy x",
        "More.",
    )
    assert (snippet.risk, snippet.severity, snippet.timeout) == (Risk.REBOOT, None, 120)
    assert (snippet.idempotent, snippet.needs, snippet.undo) == ("check", frozenset({"root"}), "put-x")
    assert snippet.params == {
        "name": Param("name", "str", "Which", required=True, pattern="[a-z]+"),
        "level": Param("level", "float", "How much", default=1, choices=(1, 2.5)),
    }
    assert snippet.returns == {"size": Return("size", "int", "How large it is")}
    assert snippet.texts[Shell.SH].text.startswith("#!/bin/sh\n# /// fleet\n")


def test_what_a_header_leaves_out_is_careful(folder: Folder) -> None:
    snippet = load(folder).snippet("x-there")
    assert (snippet.severity, snippet.idempotent, snippet.needs) == (Severity.ERROR, "no", frozenset())
    assert (snippet.params, snippet.returns) == ({}, {})


@pytest.mark.parametrize(
    ("old", "new", "line", "sentence"),
    [
        ("# /// fleet", "# /// fleets", 0, 'has no header: a line "# /// fleet" begins it'),
        ("# ///\nchanged", "changed", 2, 'the header is not ended by a line "# ///"'),
        ("# timeout", "timeout", 6, 'a line of the header must begin with "# "'),
        ('"Put x there"', "Put x there", 4, "no TOML: Invalid value"),
        ("# timeout = 10", "# timeout = 10\n# timeout = 20", 7, "no TOML: Cannot overwrite a value"),
        (
            '# kind = "remedy"',
            '# kind = "remedi"',
            3,
            "\"kind\": input should be 'check', 'remedy' or 'collect'",
        ),
        ('# title = "Put x there"\n', "", 3, '"title" is missing'),
        ("# timeout = 10", "# timeout = 0", 6, '"timeout": input should be greater than or equal to 1'),
        ("# timeout = 10", "# timeout = 3601", 6, '"timeout": input should be less than or equal to 3600'),
        ("# timeout = 10", '# timeout = "10"', 6, '"timeout": input should be a valid integer'),
        ("# timeout = 10", "# timout = 10", 6, '"timout" is not a key here; did you mean "timeout"?'),
        ("# risk = ", "# rsik = ", 5, '"rsik" is not a key here; did you mean "risk"?'),
        ('# risk = "safe"\n', "", 3, 'a remedy needs "risk"'),
        ("# risk", '# severity = "error"\n# risk', 5, '"severity" is for checks only'),
        ('# undo_note = "x does no harm"\n', "", 3, 'a remedy needs "undo" or "undo_note", one of them'),
        (
            "# undo_note",
            '# undo = "put-x"\n# undo_note',
            7,
            'a remedy needs "undo" or "undo_note", one of them',
        ),
        (
            "# minimum = 1",
            "# minumum = 1",
            12,
            '"params.size.minumum" is not a key here; did you mean "minimum"?',
        ),
        ('# type = "int"', '# type = "secret"', 10, "\"params.size.type\": input should be 'str', 'int'"),
        ('# about = "How large"\n', "", 9, '"params.size.about" is missing'),
        ("# default = 3\n", "", 9, "params.size: must be required or have a default, one of them"),
        (
            "# default = 3",
            "# default = 3\n# required = true",
            9,
            "params.size: must be required or have a default",
        ),
        ("# default = 3", "# default = 0", 9, "params.size: the default must be at least 1"),
        ("# default = 3", '# default = "3"', 9, "params.size: the default must be a whole number, not '3'"),
        ("# default = 3", "# default = " + "[" * 5_000, 3, "a value is nested too deep"),
        ("# default = 3", "# default = 2020-10-01", 11, '"params.size.default": '),
        ("# minimum = 1", "# pattern = 'x'", 9, "params.size: a pattern is for text and lists only"),
        ("[params.size]", "[params.Size]", 9, '"params.Size": '),
        ("[params.size]", "[params.pid]", 9, 'params.pid: "pid" already means something to a shell'),
        ("[params.size]", "[params.fleet_x]", 9, 'params.fleet_x: "fleet_x" already means something'),
    ],
)
def test_a_wrong_header_is_refused_with_its_line(
    folder: Folder, old: str, new: str, line: int, sentence: str
) -> None:
    path = folder.edit("sh/put-x.sh", old, new)
    said = complaint(lambda: load(folder))
    assert sentence in said
    assert f"{path}:{line}: " in said if line else f"{path}: " in said


@pytest.mark.parametrize(
    ("pattern", "default", "sentence"),
    [
        ("[", "x", "the pattern is no regular expression"),
        ("[a-z]+", "X", "the default 'X' does not match [a-z]+"),
    ],
)
def test_a_wrong_pattern_is_refused(folder: Folder, pattern: str, default: str, sentence: str) -> None:
    folder.edit("sh/put-x.sh", '"int"', '"str"')
    folder.edit(
        "sh/put-x.sh", "# default = 3\n# minimum = 1", f'# default = "{default}"\n# pattern = "{pattern}"'
    )
    assert sentence in complaint(lambda: load(folder))


def test_all_mistakes_of_a_header_are_said_at_once(folder: Folder) -> None:
    folder.edit("sh/put-x.sh", "# risk = ", "# rsik = ")
    folder.edit("sh/put-x.sh", "# timeout = 10\n", "# timeout = 0\n")
    with pytest.raises(UsageErrors) as caught:
        load(folder)
    assert [error.place.line for error in caught.value.errors if error.place] == [6, 5]


class TestTwins:
    def test_twins_are_one_snippet_with_two_forms(self, folder: Folder) -> None:
        folder.write("ps/x-there.ps1", CHECK.removeprefix("#!/bin/sh\n"))
        snippet = load(folder).snippet("x-there")
        assert {shell: text.path.name for shell, text in snippet.texts.items()} == {
            Shell.SH: "x-there.sh",
            Shell.POWERSHELL: "x-there.ps1",
        }

    @pytest.mark.parametrize(
        ("old", "new", "line"),
        [
            ("timeout = 10", "timeout = 11", 5),
            ("timeout = 10\n", "timeout = 10  # s\n", 5),
            ("# ///\n", "#\n# ///\n", 6),
        ],
    )
    def test_their_headers_are_the_same_to_the_byte(
        self, folder: Folder, old: str, new: str, line: int
    ) -> None:
        path = folder.write("ps/x-there.ps1", CHECK.removeprefix("#!/bin/sh\n").replace(old, new, 1))
        said = complaint(lambda: load(folder))
        assert said.startswith(f"{path}:{line}: differs from the header of its twin, ")
        assert f"x-there.sh:{line + 1}; both must be the same" in said


@pytest.mark.parametrize(
    ("data", "line", "sentence"),
    [
        (b"\xef\xbb\xbf" + CHECK.encode(), 1, "begins with a byte order mark"),
        (CHECK.replace("there", "d\u00e9j\u00e0", 1).encode(), 4, "has a character beyond ASCII"),
        (CHECK.encode().replace(b"\n", b"\r\n"), 1, "has a carriage return or NUL"),
        (CHECK.encode() + b"a\0", 9, "has a carriage return or NUL"),
    ],
)
def test_only_what_arrives_unchanged_is_taken(folder: Folder, data: bytes, line: int, sentence: str) -> None:
    path = folder.write("sh/x-there.sh", data)
    assert complaint(lambda: load(folder)).startswith(f"{path}:{line}: {sentence}")
