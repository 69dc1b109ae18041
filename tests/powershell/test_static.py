"""What can be said of the PowerShell files without an engine, and of their syntax with one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fleet.catalog import Catalog
from fleet.lab import ps_frame
from fleet.model import Kind, Param, Shell, Snippet
from fleet.quote import ps_literal
from fleet.render import MAX_COMMAND, powershell_command
from tests.powershell.engine import Engine, fine, snippet_of

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "scripts" / "ps"
FAKE = ROOT / "fleet" / "lab" / "fake_windows.ps1"
FILES = sorted([*FOLDER.glob("*.ps1"), *FOLDER.glob("*.j2")])
SNIPPETS = [path for path in FILES if not path.name.startswith("_")]
LIBRARY, CONTACT = (FOLDER / "_library.ps1").read_text("ascii").split("# --- contact -", 1)

every_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
every_snippet = pytest.mark.parametrize("path", SNIPPETS, ids=lambda path: path.stem)

_NO_CODE = re.compile(r"@'\n.*?\n'@|'(?:[^']|'')*'|\"(?:`.|\"\"|[^\"`])*\"|#[^\n]*", re.DOTALL)


def code(text: str) -> str:
    """A text without its comments and with empty strings; what `$( )` in a string holds is lost."""
    return _NO_CODE.sub(lambda match: "" if match[0].startswith("#") else "''", text)


NEWER = {
    r"(?m)^\s*(class|enum|using)\s": "5.0",
    r"::new\(": "5.0; New-Object",
    r"\.(Where|ForEach)\(": "4.0; Where-Object, ForEach-Object",
    r"\?\?|\?\.|&&|\|\|": "7.0",
    r"\s\?\s": "7.0 as ternary; as an alias, Where-Object",
    r"-(Parallel|AsHashtable|SkipLast|AsUTC)\b": "newer than 3.0",
    r"\b(Get-ComputerInfo|Write-Information|Get-FileHash|New-TemporaryFile|Join-String)\b": "newer than 3.0",
    r"\bReadToEndAsync|\bReadAsync|\bTask\]|ValueTuple": ".NET 4.5; 3.0 runs on 4.0",
}
NEVER = {
    r"\bInvoke-Expression\b|\biex\b": "evaluates text",
    r"\bWrite-Host\b|\bOut-(Default|Host)\b|\bFormat-(Table|List|Wide|Custom)\b": "data, never words",
    r"\bRead-Host\b": "nobody is there",
    r"\b(Get|Invoke|Set|Remove)-WmiObject\b|\bgwmi\b|\[wmi": "gone in 7",
    r"\bConvertTo-Json\b": "differs between versions; the frame writes JSON",
    r"\|\s*%": "no aliases",
}
ONLY_THE_LIBRARY = {
    r"\bexit\b": "would end the process",
    r"\b(Get|Set|Start|Stop|Restart|New)-Service\b": "Get-FleetService and its like",
    r"-ItemProperty\b|HKLM:|\[Microsoft\.Win32": "the registry functions of the library",
    r"\[(System\.)?(Diagnostics|IO|ServiceProcess|Environment|Security|Console|Threading)\b": "the library",
    r"\b(Get|Stop|Start)-Process\b|\bGet-(WinEvent|CimInstance|Date)\b|\bStart-Sleep\b|\bAdd-Type\b": "it",
    r"(?m)(^|[=|;{(]\s*)&\s*[^&]": "Invoke-FleetNative; a program started plainly reads the next frame",
}


@every_file
def test_is_ascii_with_unix_lines_and_no_loose_ends(path: Path) -> None:
    data = path.read_bytes()
    assert data.isascii()
    assert not re.search(rb"[\r\t\0]| \n", data)
    assert data.endswith(b"\n")
    assert not data.endswith(b"\n\n")


@every_file
@pytest.mark.parametrize("pattern", [*NEWER, *NEVER])
def test_uses_nothing_newer_than_3_0_and_nothing_banned(path: Path, pattern: str) -> None:
    found = re.search(pattern, code(path.read_text("ascii")))
    assert not found, f"{found[0]!r}: {(NEWER | NEVER)[pattern]}"


@every_snippet
@pytest.mark.parametrize("pattern", ONLY_THE_LIBRARY)
def test_touches_windows_only_through_the_library(path: Path, pattern: str) -> None:
    found = re.search(pattern, code(path.read_text("ascii")))
    assert not found, f"{found[0]!r}: {ONLY_THE_LIBRARY[pattern]}"


@every_snippet
def test_is_an_advanced_script_and_a_remedy_asks_before_it_acts(path: Path, catalog: Catalog) -> None:
    text = path.read_text("ascii")
    remedy = catalog.snippet(path.stem).kind is Kind.REMEDY
    binding = "[CmdletBinding(SupportsShouldProcess = $true)]" if remedy else "[CmdletBinding()]"
    assert f"# ///\n{binding}\nparam(" in text
    assert ("$PSCmdlet.ShouldProcess(" in text) is remedy


@every_snippet
def test_takes_what_its_header_declares_and_uses_it(path: Path, catalog: Catalog) -> None:
    snippet, text = catalog.snippet(path.stem), path.read_text("ascii")
    assert f"\nparam({declaration(snippet)})\n" in text
    body = text.split("\nparam(", 1)[1].split("\n", 1)[1]
    assert all(f"${name}" in body for name in snippet.params)


def declaration(snippet: Snippet) -> str:
    """What the param block of a snippet has to be."""
    types = {
        "str": "string",
        "int": "int",
        "bool": "bool",
        "float": "double",
        "list": "object[]",
        "dict": "hashtable",
    }

    def one(param: Param) -> str:
        kind = "long" if param.type == "int" and (param.maximum or 0) >= 2**31 else types[param.type]
        if param.required:
            return f"[Parameter(Mandatory = $true)][{kind}]${param.name}"
        return f"[{kind}]${param.name} = {ps_literal(param.default)}"

    return ", ".join(one(param) for param in snippet.params.values())


@every_snippet
def test_says_that_it_needs_an_administrator_when_it_does(path: Path, catalog: Catalog) -> None:
    asks = "Assert-FleetAdministrator\n" in path.read_text("ascii")
    assert ("admin" in catalog.snippet(path.stem).needs) is asks


@every_snippet
def test_a_remedy_with_undo_says_what_was_there_before(path: Path, catalog: Catalog) -> None:
    undo = catalog.snippet(path.stem).undo
    if undo is not None:
        assert re.search(r"Add-FleetUndo|Add-FleetData 'undo' ", path.read_text("ascii"))
        assert Shell.POWERSHELL in catalog.snippet(undo).texts


def defined(text: str) -> set[str]:
    return set(re.findall(r"(?m)^function ([A-Za-z]+-[A-Za-z]+)", text))


def used(text: str) -> set[str]:
    return set(
        re.findall(r"\b[A-Z][A-Za-z]+-Fleet[A-Za-z]+\b", re.sub(r"(?m)^function [A-Za-z-]+|#.*", "", text))
    )


def test_every_function_of_the_library_exists_and_is_used() -> None:
    calls = used(LIBRARY) | used(CONTACT)
    for path in SNIPPETS:
        calls |= used(path.read_text("ascii"))
    assert calls == defined(LIBRARY) | defined(CONTACT)


def test_the_fake_replaces_all_contact_and_nothing_else() -> None:
    calls = used(LIBRARY)
    for path in SNIPPETS:
        calls |= used(path.read_text("ascii"))
    replaced = {name for name in defined(FAKE.read_text("ascii")) if "-Fleet" in name}
    assert replaced == calls & defined(CONTACT)


def test_only_the_frame_has_the_line_where_contact_can_be_replaced() -> None:
    for path in FILES:
        count = path.read_text("ascii").count(ps_frame.MARKER)
        assert count == (path.name == "_frame.ps1.j2"), path.name


def test_the_command_fits_into_cmd_and_leaves_stdin_alone() -> None:
    assert len(powershell_command()) < MAX_COMMAND
    assert "$input" not in code((FOLDER / "_bootstrap.ps1").read_text("ascii")).lower()


def test_the_writer_table_is_sound() -> None:
    table = LIBRARY.split("$FleetWriterTable = @'\n")[1].split("\n'@")[0]
    rows = [line.split("|") for line in table.split("\n")]
    ids = [id for _, id, *_ in rows if id]
    assert len(rows) == 47
    assert len({name.lower() for name, *_ in rows}) == len(rows)
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", id) for id in ids)
    assert {impact for _, _, _, impact, _ in rows} == {"low", "medium", "high"}
    assert all(service or not listed for _, _, service, _, listed in rows)


@pytest.mark.pwsh
@pytest.mark.parametrize("path", [*FOLDER.glob("*.ps1"), FAKE], ids=lambda path: path.name)
def test_the_parser_finds_no_error_and_no_construct_newer_than_3_0(path: Path, pwsh: Engine) -> None:
    body = """[CmdletBinding()]
    param($text)
    $tokens = $errors = $null
    $ast = [Management.Automation.Language.Parser]::ParseInput($text, [ref]$tokens, [ref]$errors)
    Add-FleetData errors @($errors | ForEach-Object { "$_" })
    $newer = '^(Ternary|PipelineChain|TypeDefinition|UsingStatement)'
    $found = $ast.FindAll({ $args[0].GetType().Name -match $newer }, $true)
    Add-FleetData newer @($found | ForEach-Object { "$_" })
    """
    data = fine(pwsh.run([pwsh.script(snippet_of(body), {"text": path.read_text("ascii")})])[0]).data
    assert data == {"errors": [], "newer": []}
