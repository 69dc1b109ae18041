"""Puts a snippet into the frame of its shell: snippet, arguments and shell in, ``Script`` out.

Only the two frames are templates, and they are ours. Bodies, libraries and values enter as data and are
never parsed by Jinja, so no text of a user or a guest is ever a template and no child process with
limits is needed for one. What may become program text is told by type: ``SnippetText`` and ``Arguments``.
"""

from __future__ import annotations

import base64
import functools
import re
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from fleet import quote
from fleet.catalog.folder import scripts_folder
from fleet.errors import CatalogError
from fleet.model import Arguments, Script, Shell, Snippet, SnippetText
from fleet.needed import needed, without_comments

SH_COMMAND = "sh -s"
"""The constant command line of a shell that reads framed scripts from its stdin."""

if TYPE_CHECKING:
    POWERSHELL_COMMAND: str
    """The constant command line of a Windows PowerShell that reads framed scripts from its stdin."""

MAX_COMMAND = 8_000
"""Characters the PowerShell command line may have; cmd.exe allows 8,191 (KB 830473)."""

_NONCE = re.compile(r"[0-9a-z]{1,64}")


def __getattr__(name: str) -> str:
    if name == "POWERSHELL_COMMAND":
        return powershell_command()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class Renderer:
    """Renders with the frames and libraries of one scripts folder, each read once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._environment = ImmutableSandboxedEnvironment(
            undefined=jinja2.StrictUndefined,
            keep_trailing_newline=True,
            autoescape=False,
        )
        self._environment.globals.clear()
        self._environment.filters |= {"ps_literal": quote.ps_literal, "sh_literal": quote.sh_literal}
        self._frames: dict[Shell, jinja2.Template] = {}
        self._libraries: dict[Shell, str] = {}
        self._needed: dict[str, str] = {}
        """What of PowerShell's library a body needs, by the body."""

    def render(
        self,
        snippet: Snippet,
        arguments: Arguments,
        *,
        shell: Shell,
        check: bool,
        nonce: str,
        timeout: int | None = None,
    ) -> Script:
        """Frame a snippet for one shell; ``timeout`` in seconds takes the place of the snippet's own."""
        body = snippet.texts.get(shell)
        if body is None:
            raise CatalogError(f'"{snippet.name}" has no form for {shell.name.lower()}')
        if not _NONCE.fullmatch(nonce):
            raise ValueError("a nonce has 1 to 64 characters of 0-9a-z")
        seconds = snippet.timeout if timeout is None else timeout
        common = {
            "library": self._library(shell, body),
            "body": body.text,
            "nonce": nonce,
            "timeout": seconds,
        }
        if shell is Shell.SH:
            text = self._frame(shell).render(
                common, check=str(int(check)), assignments=quote.sh_assignments(arguments.values)
            )
            payload = text.encode()
        else:
            text = self._frame(shell).render(common, check=check, params=dict(arguments.values))
            payload = _pack(text)
        return Script(
            shell=shell,
            nonce=nonce,
            payload=payload,
            timeout=float(seconds),
            snippet=snippet.name,
            digest=body.digest,
            mutates=snippet.mutates and not check,
        )

    def _library(self, shell: Shell, body: SnippetText) -> str:
        """What of the library this body needs; PowerShell reads all that it is sent, which takes it long."""
        if shell not in self._libraries:
            self._libraries[shell] = without_comments(self._read(shell, f"_library{shell.suffix}"))
        if shell is Shell.SH:
            return self._libraries[shell]
        if body.text not in self._needed:
            self._needed[body.text] = needed(self._libraries[shell], body.text)
        return self._needed[body.text]

    def _frame(self, shell: Shell) -> jinja2.Template:
        if shell not in self._frames:
            source = self._read(shell, f"_frame{shell.suffix}.j2")
            self._frames[shell] = self._environment.from_string(source)
        return self._frames[shell]

    def _read(self, shell: Shell, name: str) -> str:
        return (self._folder / shell.value / name).read_text("ascii")


@functools.cache
def _renderer() -> Renderer:
    return Renderer(scripts_folder())


def render(
    snippet: Snippet,
    arguments: Arguments,
    *,
    shell: Shell,
    check: bool,
    nonce: str,
    timeout: int | None = None,
) -> Script:
    """Frame a snippet with fleet's own frames; see ``Renderer.render``."""
    return _renderer().render(snippet, arguments, shell=shell, check=check, nonce=nonce, timeout=timeout)


@functools.cache
def powershell_command(program: str = "powershell") -> str:
    """Give the constant command line; ``program`` is ``pwsh`` where Windows PowerShell does not exist."""
    return encoded_command((scripts_folder() / "ps" / "_bootstrap.ps1").read_text("ascii"), program)


def encoded_command(bootstrap: str, program: str) -> str:
    """Encode a bootstrap for ``-EncodedCommand`` without its comment lines and indentation."""
    lines = (line.strip() for line in bootstrap.splitlines())
    text = "\n".join(line for line in lines if line and not line.startswith("#"))
    encoded = base64.b64encode(text.encode("utf-16-le")).decode("ascii")
    options = "-NoProfile -NonInteractive -ExecutionPolicy Bypass -OutputFormat Text"
    command = f"{program} {options} -EncodedCommand {encoded}"
    if len(command) >= MAX_COMMAND:
        raise CatalogError(
            f"_bootstrap.ps1 makes a command line of {len(command)} characters; too long for cmd.exe"
        )
    return command


def rendered_text(script: Script) -> str:
    """Give what a person reads, or runs by hand, of a rendered script: the frame's text."""
    if script.shell is Shell.SH:
        return script.payload.decode()
    return _PS_BY_HAND + _unpack(script.payload)


_PS_BY_HAND = """\
# fleet sends the text below as one line of base64 of deflate to the standard input of a constant command.
# By hand: save it as frame.ps1 (UTF-8 with BOM where it is not ASCII), then
#   powershell -NoProfile -ExecutionPolicy Bypass -File frame.ps1
"""


def _pack(text: str) -> bytes:
    """Compress to raw deflate and write it as one line of ASCII that no code page can hurt."""
    deflate = zlib.compressobj(level=9, wbits=-zlib.MAX_WBITS)
    return base64.b64encode(deflate.compress(text.encode()) + deflate.flush()) + b"\n"


def _unpack(line: bytes) -> str:
    return zlib.decompress(base64.b64decode(line), wbits=-zlib.MAX_WBITS).decode()
