"""The architecture, held: who may import whom, which outside library lives where, what is never called."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]

LAYERS: tuple[frozenset[str], ...] = (
    frozenset({"errors", "model", "ports"}),
    frozenset({"codec", "envelope", "needed", "quote", "redact"}),
    frozenset({"catalog", "inventory"}),
    frozenset({"render"}),
    frozenset({"credentials", "journal", "transport"}),
    frozenset({"engine"}),
    frozenset({"api"}),
    frozenset({"lab", "report"}),
    frozenset({"bundle"}),
    frozenset({"cli"}),
    frozenset({"__main__"}),
)
"""Lowest first; a part may import what stands before it. docs/architecture.md describes the same."""

SAME_LAYER = {("model", "errors")}
"""Within the lowest layer: a host knows the place in the file it was read from."""

TRANSPORTS = {"fake", "local", "ssh", "winrm"}
"""None of these knows another; what they share stands beside them under a name of its own."""

LIBRARIES: dict[str, tuple[str, ...]] = {
    "click": ("cli/*",),
    "cryptography": ("transport/ssh*.py", "transport/winrm*.py", "lab/*"),
    "fabric": ("transport/ssh*.py",),
    "idna": ("inventory/*",),
    "jinja2": ("render.py", "report/*"),
    "keyring": ("credentials.py",),
    "paramiko": ("transport/ssh*.py", "lab/ssh_server.py"),
    "platformdirs": ("api.py", "cli/*", "journal/*"),
    "pydantic": ("catalog/*", "inventory/*", "engine/*"),
    "requests_credssp": ("transport/winrm*.py",),
    "requests": ("transport/winrm*.py",),
    "rich": ("cli/*", "report/*"),
    "spnego": ("transport/winrm*.py", "lab/winrm_*.py"),
    "urllib3": ("transport/winrm*.py",),
    "winrm": ("transport/winrm*.py",),
    "xmltodict": ("transport/winrm*.py",),
    "yaml": ("catalog/*", "inventory/*", "lab/*"),
}
"""Where each outside library may be imported; a wrapper around it is what the rest uses."""

PRINTING = ("cli/*", "__main__.py")
"""Where a word may go to a terminal, a question be asked or the process be ended."""


def own_modules() -> list[Path]:
    return sorted((ROOT / "fleet").rglob("*.py"))


def inside(path: Path) -> str:
    """The path below ``fleet/``, as the tables above write it."""
    return path.relative_to(ROOT / "fleet").as_posix()


def dotted(path: Path) -> str:
    name = "fleet." + inside(path).removesuffix(".py").replace("/", ".")
    return name.removesuffix(".__init__")


def imports(tree: ast.AST, module: str, *, package: bool) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything that is imported, wherever in the file and however it is written."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".")
                above = parts[: len(parts) - node.level + (1 if package else 0)]
                base = ".".join([*above, base]).rstrip(".")
            for alias in node.names:
                yield node.lineno, f"{base}.{alias.name}"
        elif isinstance(node, ast.Call) and _called(node) in {"import_module", "__import__"}:
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield node.lineno, first.value


def _called(node: ast.Call) -> str:
    function = node.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def layer(part: str) -> int:
    for number, parts in enumerate(LAYERS):
        if part in parts:
            return number
    raise LookupError(f"fleet.{part} has no layer: add it to LAYERS and to docs/architecture.md")


def import_mistakes(source: str, module: str, *, package: bool = False) -> list[str]:
    """What this module imports although it stands higher or beside it."""
    part = module.split(".")[1]
    mistakes = []
    for line, name in imports(ast.parse(source), module, package=package):
        pieces = name.split(".")
        if pieces[0] != "fleet" or len(pieces) == 1 or pieces[1] == "__version__":
            continue
        other = pieces[1]
        if other == part:
            if part == "transport" and _sideways(module, pieces):
                mistakes.append(f"{module}:{line} imports {name}: transports do not know each other")
        elif layer(other) >= layer(part) and (part, other) not in SAME_LAYER:
            mistakes.append(f"{module}:{line} imports {name}: imports point down only")
    return mistakes


def _sideways(module: str, imported: list[str]) -> bool:
    """Whether one transport imports another; ``winrm_session`` belongs to ``winrm``, other parts to all."""
    other = [*imported, "", ""][2].split("_")[0]
    return other in TRANSPORTS and other != [*module.split("."), ""][2].split("_")[0]


def library_mistakes(source: str, path: str) -> list[str]:
    """Which outside libraries are imported in a file that is not theirs."""
    mistakes = []
    for line, name in imports(ast.parse(source), "fleet.x", package=False):
        library = name.split(".")[0]
        if library in sys.stdlib_module_names or library == "fleet":
            continue
        homes = LIBRARIES.get(library)
        if homes is None:
            mistakes.append(f"{path}:{line} imports {library}, which has no home in LIBRARIES")
        elif not any(fnmatch(path, home) for home in homes):
            mistakes.append(f"{path}:{line} imports {library}, whose home is {' '.join(homes)}")
    return mistakes


BANNED_MODULES = {"marshal", "pickle", "shelve", "telnetlib", "xml.dom.minidom"}
BANNED_NAMES = {
    "AutoAddPolicy",
    "WarningPolicy",
    "extractall",
    "unsafe_load",
    "full_load",
    "_create_unverified_context",
}
BANNED_CALLS = {
    "eval",
    "exec",
    "os.popen",
    "os.system",
    "subprocess.getoutput",
    "subprocess.getstatusoutput",
    "winrm.Session",
    "yaml.load",
}
BANNED_ARGUMENTS = {("verify", False), ("shell", True)}
TERMINAL_CALLS = {"print", "input", "breakpoint", "sys.exit", "exit", "quit"}


def call_mistakes(source: str, path: str) -> list[str]:
    """Calls that the hard defaults forbid, and words to a terminal from below the command line."""
    talks = any(fnmatch(path, home) for home in PRINTING)
    mistakes = []
    tree = ast.parse(source)
    for line, name in imports(tree, "fleet.x", package=False):
        if any(name == banned or name.startswith(banned + ".") for banned in BANNED_MODULES):
            mistakes.append(f"{path}:{line} imports {name}")
        if name.split(".")[-1] in BANNED_NAMES or name in BANNED_CALLS:
            mistakes.append(f"{path}:{line} imports {name}")
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in BANNED_NAMES:
            mistakes.append(f"{path}:{node.lineno} uses {node.attr}")
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        if called in BANNED_CALLS or (called in TERMINAL_CALLS and not talks):
            mistakes.append(f"{path}:{node.lineno} calls {called}")
        for keyword in node.keywords:
            value = keyword.value
            if isinstance(value, ast.Constant) and (keyword.arg, value.value) in BANNED_ARGUMENTS:
                mistakes.append(f"{path}:{node.lineno} passes {keyword.arg}={value.value!r}")
    return mistakes


def described(path: Path) -> str:
    return inside(path)


@pytest.mark.parametrize("path", own_modules(), ids=described)
class TestEveryModule:
    def test_imports_only_what_lies_below_it(self, path: Path) -> None:
        if inside(path) == "__init__.py":
            pytest.skip("the front door: it names what users may import, and loads it when used")
        source = path.read_text("utf-8")
        assert import_mistakes(source, dotted(path), package=path.name == "__init__.py") == []

    def test_leaves_outside_libraries_to_their_wrappers(self, path: Path) -> None:
        assert library_mistakes(path.read_text("utf-8"), inside(path)) == []

    def test_calls_nothing_that_is_forbidden(self, path: Path) -> None:
        assert call_mistakes(path.read_text("utf-8"), inside(path)) == []

    def test_says_what_belongs_into_it(self, path: Path) -> None:
        assert ast.get_docstring(ast.parse(path.read_text("utf-8")))


def test_the_layers_hold_no_part_that_is_gone() -> None:
    there = {inside(path).split("/")[0].removesuffix(".py") for path in own_modules()}
    assert frozenset().union(*LAYERS) - there == frozenset()


def test_the_architecture_document_says_the_same() -> None:
    text = (ROOT / "docs/architecture.md").read_text("utf-8")
    table = text.split("```layers\n")[1].split("```")[0]
    rows = [re.split(r"\s{2,}|(?<=^\d[ab])\s", line)[:2] for line in table.splitlines()]
    assert [frozenset(parts.split()) for _, parts in reversed(rows)] == list(LAYERS)


def test_every_file_that_the_architecture_document_names_is_there() -> None:
    text = (ROOT / "docs/architecture.md").read_text("utf-8")
    names = re.findall(r"`((?:[a-z_]+/)+[\w.]+\.\w+|[a-z_]+\.py)`", text)
    assert len(names) > 20
    for name in names:
        folders = (ROOT, ROOT / "fleet", ROOT / "fleet/transport")
        assert any((folder / name).exists() for folder in folders), name


DISTRIBUTIONS = {"requests_credssp": "pywinrm", "spnego": "pyspnego", "winrm": "pywinrm", "yaml": "pyyaml"}
"""What must be asked for to get a library, where it is called otherwise; pywinrm's extra brings CredSSP."""


def test_what_is_imported_is_asked_for_and_what_is_asked_for_is_imported() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = [text for texts in project["optional-dependencies"].values() for text in texts]
    asked = {canonicalize_name(Requirement(text).name) for text in project["dependencies"] + extras}
    used = (
        {
            name.split(".")[0]
            for path in own_modules()
            for _, name in imports(ast.parse(path.read_text("utf-8")), "fleet.x", package=False)
        }
        - sys.stdlib_module_names
        - {"fleet"}
    )
    assert used == set(LIBRARIES)
    assert {DISTRIBUTIONS.get(library, library) for library in used} == asked


class TestTheRulesSeeWhatIsPlanted:
    """A rule that finds nothing proves nothing: each is shown a mistake."""

    @pytest.mark.parametrize(
        ("module", "source"),
        [
            ("fleet.model", "import fleet.engine"),
            ("fleet.model", "from fleet import engine"),
            ("fleet.render", "def f():\n    from fleet.journal import Journal"),
            ("fleet.quote", "from . import render"),
            ("fleet.quote", "from importlib import import_module\nimport_module('fleet.cli')"),
            ("fleet.inventory.read", "from ..transport import ssh"),
            ("fleet.transport.ssh", "from fleet.transport.winrm import WinrmTransports"),
            ("fleet.transport.ssh", "from fleet.transport import winrm"),
            ("fleet.transport.ssh", "from . import winrm"),
            ("fleet.transport.sudo", "from fleet.transport import winrm_wire"),
            ("fleet.engine", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import fleet.report"),
        ],
    )
    def test_an_import_that_points_up_or_sideways(self, module: str, source: str) -> None:
        assert len(import_mistakes(source, module)) == 1

    @pytest.mark.parametrize(
        ("module", "source"),
        [
            ("fleet.engine.run", "from fleet.engine.plan import Plan"),
            ("fleet.transport.winrm", "from fleet.transport import Limits"),
            ("fleet.transport.winrm", "from fleet.transport.winrm_session import Session"),
            ("fleet.transport.ssh", "from fleet.transport.known_hosts import KnownHosts"),
            ("fleet.cli.main", "import json, fleet.api"),
            ("fleet.model", "from fleet.errors import Place"),
        ],
    )
    def test_but_not_an_import_that_points_down(self, module: str, source: str) -> None:
        assert import_mistakes(source, module) == []

    def test_a_part_without_a_layer(self) -> None:
        with pytest.raises(LookupError, match="no layer"):
            import_mistakes("import fleet.newcomer", "fleet.engine")

    @pytest.mark.parametrize(
        ("path", "source"),
        [
            ("engine/run.py", "import paramiko"),
            ("report/table.py", "from click import echo"),
            ("transport/ssh.py", "import winrm"),
            ("model.py", "def f():\n    import jinja2"),
            ("model.py", "import a_new_library"),
        ],
    )
    def test_a_library_outside_its_home(self, path: str, source: str) -> None:
        assert len(library_mistakes(source, path)) == 1

    @pytest.mark.parametrize(
        "source",
        [
            "client.set_missing_host_key_policy(paramiko.AutoAddPolicy())",
            "from paramiko import WarningPolicy",
            "session.get(url, verify=False)",
            "subprocess.run(command, shell=True)",
            "yaml.load(text)",
            "from yaml import unsafe_load",
            "import pickle",
            "from pickle import loads",
            "archive.extractall(folder)",
            "winrm.Session(host)",
            "from winrm import Session",
            "eval(text)",
            "exec(text)",
            "os.system(command)",
            "print('hello')",
            "sys.exit(1)",
            "input('sure? ')",
        ],
    )
    def test_a_forbidden_call(self, source: str) -> None:
        assert call_mistakes(source, "engine/run.py") != []

    @pytest.mark.parametrize(
        "source", ["print('hello')", "sys.exit(1)", "re.compile(text)", "yaml.safe_load(text)"]
    )
    def test_but_not_a_harmless_one(self, source: str) -> None:
        assert call_mistakes(source, "cli/main.py") == []
