"""What the documents show is so: commands and options exist, links lead somewhere, cli.md is current."""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click
import pytest
from click.testing import CliRunner

from fleet.cli.main import cli

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])

CONTACT_NOBODY = {"explain", "hosts", "list", "show"}
"""Commands that are run as they are shown."""

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+\s+(.*)$", re.MULTILINE)
PLACEHOLDER = re.compile(r"\b[A-Z]{3,}\b|[…<>|]|\.\.\.")
"""HOSTS, PLAN.json, a pipe: an example to be read, not run."""


def blocks(text: str, kinds: set[str]) -> Iterator[str]:
    """The fenced blocks of these kinds."""
    kind, lines = None, list[str]()
    for line in text.splitlines(keepends=True):
        if not line.startswith("```"):
            lines.append(line)
        elif kind is None:
            kind, lines = line[3:].strip(), []
        else:
            if kind in kinds:
                yield "".join(lines)
            kind = None


def context(command: click.Command) -> click.Context:
    """A context as the program makes it; click keeps what the first one says of ``--help``."""
    return click.Context(command, help_option_names=["-h", "--help"])


def commands_shown(document: Path) -> Iterator[list[str]]:
    """The words of every line ``$ fleet ...`` in the document's blocks, without a comment behind it."""
    for block in blocks(document.read_text("utf-8"), {"console", "sh", "text", ""}):
        for line in re.sub(r"\\\n\s*", " ", block).splitlines():
            if match := re.match(r"\s*\$ (?:[A-Z_]+=\S+ )*fleet (.*)", line):
                text = re.split(r"\s[|>&]|\s\s+\(", match[1])[0]
                yield shlex.split(text, comments=True)


EXAMPLE_COMMANDS = [
    pytest.param(words, id=f"{document.name}: fleet {' '.join(words)}")
    for document in DOCUMENTS
    for words in commands_shown(document)
]


def resolve(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that these words name, and the rest of them."""
    command: click.Command = cli
    rest = list(words)
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        below = command.get_command(context(command), rest[0])
        assert below is not None, f"there is no command {' '.join(words)!r}"
        command, rest = below, rest[1:]
    return command, rest


def all_commands(command: click.Command = cli, path: str = "fleet") -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name in command.list_commands(context(command)):
            below = command.get_command(context(command), name)
            assert below is not None
            yield from all_commands(below, f"{path} {name}")


ALL_COMMANDS = [pytest.param(command, id=path) for path, command in all_commands()]


class TestExamples:
    def test_there_are_some(self) -> None:
        assert len(EXAMPLE_COMMANDS) > 5

    @pytest.mark.parametrize("words", EXAMPLE_COMMANDS)
    def test_each_names_a_command_and_options_that_exist(self, words: list[str]) -> None:
        command, rest = resolve(words)
        parser = command.make_parser(context(command))
        try:
            parser.parse_args(args=rest)
        except click.UsageError as error:
            pytest.fail(f"fleet {' '.join(words)}: {error.format_message()}")

    @pytest.mark.parametrize("words", EXAMPLE_COMMANDS)
    def test_those_that_contact_nobody_run(self, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
        if not words or words[0] not in CONTACT_NOBODY or PLACEHOLDER.search(" ".join(words)):
            return
        files = [word for word in words if word.endswith((".yaml", ".ini", ".csv"))]
        if not all((ROOT / name).exists() for name in files):
            return
        monkeypatch.chdir(ROOT)
        ended = CliRunner().invoke(cli, words)
        assert ended.exit_code == 0, ended.output


class TestLinks:
    @pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
    def test_lead_to_files_and_headings_that_exist(self, document: Path) -> None:
        for target in LINK.findall(document.read_text("utf-8")):
            if "://" in target or target.startswith("mailto:"):
                continue
            name, _, anchor = target.partition("#")
            path = (document.parent / name).resolve() if name else document
            assert path.exists(), f"{document.name} links to {target}"
            if anchor:
                assert anchor in anchors(path), f"{document.name} links to {target}"


def anchors(document: Path) -> set[str]:
    """The anchors that a renderer of Markdown makes of the headings."""
    headings = HEADING.findall(document.read_text("utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


class TestReference:
    def test_is_what_the_commands_say_of_themselves(self) -> None:
        written = (ROOT / "docs/cli.md").read_text("utf-8")
        assert written == make_cli().document(), "run ./dev docs"

    @pytest.mark.parametrize("command", ALL_COMMANDS)
    def test_every_command_and_every_option_has_help(self, command: click.Command) -> None:
        assert command.help
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                assert parameter.help, parameter.opts

    def test_every_visible_command_is_in_it(self) -> None:
        written = (ROOT / "docs/cli.md").read_text("utf-8")
        for path, command in all_commands():
            if not command.hidden:
                assert f"## {path}\n" in written


def make_cli() -> ModuleType:
    specification = importlib.util.spec_from_file_location("make_cli", ROOT / "docs/make_cli.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


class TestTheRulesSeeWhatIsPlanted:
    def test_a_command_that_does_not_exist(self) -> None:
        with pytest.raises(AssertionError, match="no command"):
            resolve(["lunch"])

    def test_a_shown_command_is_found_in_a_block(self, tmp_path: Path) -> None:
        document = tmp_path / "x.md"
        document.write_text(
            "```console\n$ FLEET_X=1 fleet hosts -i a.yaml \\\n    -l web   # all\nweb ok\n```\n"
        )
        assert list(commands_shown(document)) == [["hosts", "-i", "a.yaml", "-l", "web"]]

    def test_headings_become_anchors(self, tmp_path: Path) -> None:
        document = tmp_path / "x.md"
        document.write_text("# Secrets, and where `they` are\n")
        assert anchors(document) == {"secrets-and-where-they-are"}
