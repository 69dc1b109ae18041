"""Not run: read by mypy in ``tests/test_typing.py``. Lines with a mark must be rejected, the others not."""

from fleet.model import Arguments, Secret, Shell, Snippet, SnippetText, Untrusted
from fleet.quote import ps_literal, sh_assignments, sh_literal
from fleet.render import render

said = Untrusted("$(reboot)")
secret = Secret("hunter2")


def trusted(snippet: Snippet, arguments: Arguments, text: SnippetText) -> None:
    render(snippet, arguments, shell=Shell.SH, check=True, nonce="n")
    sh_literal(text.text)


def mixed_up(snippet: Snippet, arguments: Arguments, text: SnippetText) -> None:
    render(said, arguments, shell=Shell.SH, check=True, nonce="n")  # rejected
    render(text, arguments, shell=Shell.SH, check=True, nonce="n")  # rejected
    render(snippet, said, shell=Shell.SH, check=True, nonce="n")  # rejected
    render(snippet, {"name": "raw"}, shell=Shell.SH, check=True, nonce="n")  # rejected
    render(snippet, arguments, shell=Shell.SH, check=True, nonce=said)  # rejected
    Snippet("x", snippet.kind, "X", 1, {Shell.SH: "echo"})  # rejected
    Snippet("x", snippet.kind, "X", 1, {Shell.SH: said})  # rejected
    SnippetText(said, text.path, "")  # rejected
    Arguments({"name": said})  # rejected
    Arguments({"name": secret})  # rejected
    sh_literal(said)  # rejected
    sh_literal(secret)  # rejected
    ps_literal(said)  # rejected
    sh_assignments({"name": secret})  # rejected
