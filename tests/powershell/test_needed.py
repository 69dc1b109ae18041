"""With every script travels what it calls: asked of PowerShell's own parser, not of our reading of it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from fleet.catalog import Catalog, scripts_folder
from fleet.model import Shell
from fleet.needed import needed, without_comments
from tests.powershell.engine import Engine, fine, snippet_of

LIBRARY = without_comments((scripts_folder() / "ps" / "_library.ps1").read_text("ascii"))

PARSE = """[CmdletBinding()]
param($text)
$tokens = $errors = $null
$ast = [Management.Automation.Language.Parser]::ParseInput($text, [ref]$tokens, [ref]$errors)
$found = @{ calls = @(); defines = @(); reads = @(); writes = @() }
foreach ($node in $ast.FindAll({ $true }, $true)) {
    switch ($node.GetType().Name) {
        'CommandAst' { $found.calls += $node.GetCommandName() }
        'FunctionDefinitionAst' { $found.defines += $node.Name }
        'VariableExpressionAst' { $found.reads += $node.VariablePath.UserPath }
        'AssignmentStatementAst' { $found.writes += $node.Left.Extent.Text.TrimStart('$') }
    }
}
foreach ($key in @($found.Keys)) { Add-FleetData $key @($found[$key] | Sort-Object -Unique) }
"""


@pytest.mark.pwsh
def test_every_function_and_table_that_a_script_uses_is_sent_with_it(pwsh: Engine, catalog: Catalog) -> None:
    functions = {name.lower() for name in re.findall(r"(?m)^function ([\w-]+)", LIBRARY)}
    tables = {name.lower() for name in re.findall(r"(?m)^\$(\w+) = ", LIBRARY)}
    for name, snippet in catalog.snippets.items():
        body = snippet.texts[Shell.POWERSHELL].text if Shell.POWERSHELL in snippet.texts else ""
        (reply,) = pwsh.run([pwsh.script(snippet_of(PARSE), {"text": needed(LIBRARY, body) + body})])
        data: dict[str, Any] = dict(fine(reply).data)
        said = {key: {str(each).lower() for each in value} for key, value in data.items()}
        assert said["calls"] & functions <= said["defines"], name
        assert said["reads"] & tables <= said["writes"], name
