"""Rendering: bodies and values reach the guest as data, in a frame that is the only template."""

from __future__ import annotations

import base64
import re
import shlex
import shutil
import subprocess
import zlib
from pathlib import Path
from types import MappingProxyType

import jinja2
import pytest

from fleet import envelope, render
from fleet.catalog import scripts_folder
from fleet.errors import CatalogError, ParameterError
from fleet.model import (
    Arguments,
    Completed,
    Kind,
    Outcome,
    ParamValue,
    Reply,
    Risk,
    Script,
    Shell,
    Snippet,
    SnippetText,
)
from fleet.quote import check_name
from fleet.render import Renderer, encoded_command, powershell_command, rendered_text

NONCE = "n0nce123"
JINJA = "{{ 7 * 7 }} {% for x in y %} {# gone #} ${#name} {{print}} #}"

SH_FRAME = """\
frame() {
set -eu
check={{ check }}; nonce={{ nonce }}; timeout={{ timeout }}
{{ library }}
{{ assignments }}
{{ body }}
}
( frame )
"""
PS_FRAME = """\
$library = {{ library | ps_literal }}
$body = {{ body | ps_literal }}
$parameters = {{ params | ps_literal }}
{% if check %}$whatIf = $true{% endif %}
# {{ nonce }} {{ timeout }}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Frames as small as can be, so that what is seen is rendering and not a frame."""
    for shell, frame, library in (
        (Shell.SH, SH_FRAME, "say() { printf '%s\\000' \"$@\"; }\n"),
        (Shell.POWERSHELL, PS_FRAME, "function Say($Text) { $Text }\n"),
    ):
        (tmp_path / shell.value).mkdir()
        (tmp_path / shell.value / f"_frame{shell.suffix}.j2").write_text(frame)
        (tmp_path / shell.value / f"_library{shell.suffix}").write_text(library)
    return tmp_path


def snippet(sh: str = ":\n", ps: str = "''\n", kind: Kind = Kind.CHECK) -> Snippet:
    texts = {
        Shell.SH: SnippetText(sh, Path("x.sh"), "digest of sh"),
        Shell.POWERSHELL: SnippetText(ps, Path("x.ps1"), "digest of ps"),
    }
    return Snippet("x", kind, "X", 30, texts, risk=Risk.SAFE if kind is Kind.REMEDY else None)


def arguments(**values: ParamValue) -> Arguments:
    return Arguments(MappingProxyType(values))


def unpack(script: Script) -> str:
    return zlib.decompress(base64.b64decode(script.payload), wbits=-15).decode()


class TestSh:
    def test_the_payload_is_the_frame_and_runs(self, folder: Path) -> None:
        script = Renderer(folder).render(
            snippet('say "$check" "$timeout" "$nonce" "$text"\n'),
            arguments(text="it's\n"),
            shell=Shell.SH,
            check=True,
            nonce=NONCE,
        )
        done = subprocess.run(
            shlex.split(render.SH_COMMAND), input=script.payload, capture_output=True, check=True, timeout=10
        )
        assert done.stdout.split(b"\0") == [b"1", b"30", NONCE.encode(), b"it's\n", b""]
        assert rendered_text(script).encode() == script.payload

    def test_the_body_is_never_a_template(self, folder: Path) -> None:
        body = f"cat <<'EOF'\n{JINJA}\nEOF\n"
        script = Renderer(folder).render(
            snippet(body), arguments(text=JINJA), shell=Shell.SH, check=False, nonce=NONCE
        )
        assert body in script.payload.decode()
        assert shlex.quote(JINJA) in script.payload.decode()

    def test_a_library_is_never_a_template(self, folder: Path) -> None:
        (folder / "sh" / "_library.sh").write_text(f": '{JINJA}'\n")
        script = Renderer(folder).render(snippet(), arguments(), shell=Shell.SH, check=False, nonce=NONCE)
        assert f": '{JINJA}'\n" in script.payload.decode()


class TestPowerShell:
    def test_the_payload_is_one_line_that_no_code_page_can_hurt(self, folder: Path) -> None:
        script = Renderer(folder).render(
            snippet(ps="'\u00e9'\n" * 100),
            arguments(text="\u2019\n"),
            shell=Shell.POWERSHELL,
            check=False,
            nonce=NONCE,
        )
        assert re.fullmatch(rb"[A-Za-z0-9+/]+={0,2}\n", script.payload)

    def test_of_the_library_only_that_is_sent_which_the_body_needs(self, folder: Path) -> None:
        renderer = Renderer(folder)
        for body, library in (("say 1", "function Say($Text) { $Text }\n"), ("1", "")):
            script = renderer.render(
                snippet(ps=body), arguments(), shell=Shell.POWERSHELL, check=False, nonce=NONCE
            )
            assert unpack(script).startswith(f"$library = '{library}'\n")

    def test_everything_but_the_frame_is_a_literal(self, folder: Path) -> None:
        script = Renderer(folder).render(
            snippet(ps=f"say '{JINJA}'\n"),
            arguments(text="\u2019", count=3, items=["x"]),
            shell=Shell.POWERSHELL,
            check=True,
            nonce=NONCE,
        )
        assert unpack(script) == (
            "$library = 'function Say($Text) { $Text }\n'\n"
            f"$body = 'say ''{JINJA}''\n'\n"
            "$parameters = @{'text'='\u2019\u2019';'count'=3;'items'=@(,'x')}\n"
            "$whatIf = $true\n"
            f"# {NONCE} 30\n"
        )

    def test_a_person_reads_the_frame_and_how_to_run_it(self, folder: Path) -> None:
        script = Renderer(folder).render(
            snippet(), arguments(), shell=Shell.POWERSHELL, check=False, nonce=NONCE
        )
        text = rendered_text(script)
        assert text.endswith(unpack(script))
        heading = text.removesuffix(unpack(script))
        assert "powershell -NoProfile -ExecutionPolicy Bypass -File frame.ps1" in heading
        assert all(line.startswith("#") for line in heading.splitlines())


class TestScript:
    @pytest.mark.parametrize(
        ("kind", "check", "mutates"),
        [(Kind.REMEDY, False, True), (Kind.REMEDY, True, False), (Kind.CHECK, False, False)],
    )
    def test_only_a_remedy_outside_check_mode_mutates(
        self, folder: Path, kind: Kind, check: bool, mutates: bool
    ) -> None:
        script = Renderer(folder).render(
            snippet(kind=kind), arguments(), shell=Shell.SH, check=check, nonce=NONCE
        )
        assert script.mutates is mutates

    def test_it_says_what_it_is(self, folder: Path) -> None:
        script = Renderer(folder).render(
            snippet(), arguments(), shell=Shell.POWERSHELL, check=False, nonce=NONCE, timeout=7
        )
        assert (script.shell, script.nonce, script.timeout) == (Shell.POWERSHELL, NONCE, 7.0)
        assert (script.snippet, script.digest) == ("x", "digest of ps")
        assert f"# {NONCE} 7\n" in unpack(script)

    def test_the_same_call_gives_the_same_bytes(self, folder: Path) -> None:
        one, two = (
            Renderer(folder).render(snippet(), arguments(a=1), shell=shell, check=False, nonce=NONCE).payload
            for shell in (Shell.POWERSHELL, Shell.POWERSHELL)
        )
        assert one == two

    def test_a_shell_the_snippet_has_no_form_for_is_refused(self, folder: Path) -> None:
        one = Snippet("x", Kind.CHECK, "X", 30, {Shell.SH: SnippetText(":", Path("x"), "")})
        with pytest.raises(CatalogError, match='"x" has no form for powershell'):
            Renderer(folder).render(one, arguments(), shell=Shell.POWERSHELL, check=False, nonce=NONCE)

    @pytest.mark.parametrize("nonce", ["", "A", "a b", "a'", "a\n", "x" * 65])
    def test_a_nonce_can_carry_nothing(self, folder: Path, nonce: str) -> None:
        with pytest.raises(ValueError, match="nonce"):
            Renderer(folder).render(snippet(), arguments(), shell=Shell.SH, check=False, nonce=nonce)

    @pytest.mark.parametrize("shell", Shell)
    def test_what_the_shell_cannot_hold_is_refused(self, folder: Path, shell: Shell) -> None:
        with pytest.raises(ParameterError, match="NUL"):
            Renderer(folder).render(snippet(), arguments(a="\0"), shell=shell, check=False, nonce=NONCE)


@pytest.mark.parametrize(
    "template",
    [
        "{{ missing }}",
        "{{ body.missing }}",
        "{{ body.__class__.__mro__ }}",
        "{{ ''.__class__.__base__.__subclasses__() }}",
        "{{ body|attr('__class__') }}",
        "{{ '{0.__class__}'.format(body) }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ self.__init__.__globals__ }}",
        "{{ range(9) }}",
        "{% include '/etc/passwd' %}",
        "{% import 'x' as x %}",
        "{% extends '_library.sh' %}",
    ],
)
def test_a_frame_can_reach_nothing_but_what_it_is_given(folder: Path, template: str) -> None:
    (folder / "sh" / "_frame.sh.j2").write_text(template)
    try:
        text = (
            Renderer(folder).render(snippet(), arguments(), shell=Shell.SH, check=False, nonce=NONCE).payload
        )
    except (jinja2.TemplateError, TypeError):
        return
    pytest.fail(f"rendered: {text[:80]!r}")


class TestPowerShellCommand:
    def test_it_is_constant_and_short_enough_for_cmd(self) -> None:
        command = render.POWERSHELL_COMMAND
        assert command == powershell_command() == powershell_command("powershell")
        assert len(command) < render.MAX_COMMAND
        assert re.fullmatch(
            r"powershell -NoProfile -NonInteractive -ExecutionPolicy Bypass -OutputFormat Text "
            r"-EncodedCommand [A-Za-z0-9+/]+=*",
            command,
        )

    def test_another_program_runs_the_same_bootstrap(self) -> None:
        assert powershell_command("pwsh").split()[1:] == render.POWERSHELL_COMMAND.split()[1:]

    def test_comments_and_indentation_stay_here(self) -> None:
        command = encoded_command("# why\n$a = 1\n\n    # inside\n    $b\n", "powershell")
        assert base64.b64decode(command.split()[-1]).decode("utf-16-le") == "$a = 1\n$b"

    def test_a_bootstrap_that_cmd_would_cut_off_is_refused(self) -> None:
        with pytest.raises(CatalogError, match="too long for cmd"):
            encoded_command("x" * 3_000, "powershell")

    def test_there_is_no_other_constant(self) -> None:
        with pytest.raises(AttributeError, match="NOTHING"):
            render.NOTHING  # noqa: B018


def reply_of(stdout: bytes) -> Reply:
    return envelope.parse(Completed(stdout, b"", 0, 1.0), NONCE)


@pytest.mark.parametrize("shell", [["dash"], ["bash"], ["busybox", "sh"]], ids=lambda words: str(words[0]))
def test_the_frame_of_sh_answers(shell: list[str]) -> None:
    if shutil.which(shell[0]) is None:
        pytest.skip(f"no {shell[0]} on this machine")
    value = f"it's {JINJA}\n\u2019"
    script = render.render(
        snippet('data said "$text"\nchanged "done"\n', kind=Kind.REMEDY),
        arguments(text=value),
        shell=Shell.SH,
        check=False,
        nonce=NONCE,
    )
    done = subprocess.run([*shell, "-s"], input=script.payload, capture_output=True, timeout=30, check=False)
    reply = reply_of(done.stdout)
    assert (reply.outcome, reply.message.raw, reply.data) == (Outcome.CHANGED, "done", {"said": value})


@pytest.mark.pwsh
@pytest.mark.skipif(shutil.which("pwsh") is None, reason="no pwsh on PATH")
def test_the_frame_of_powershell_answers() -> None:
    value = f"it's {JINJA}\n\u2019"
    body = "[CmdletBinding()]\nparam([string]$text)\nAdd-FleetData said $text\nSet-FleetChanged done\n"
    script = render.render(
        snippet(ps=body), arguments(text=value), shell=Shell.POWERSHELL, check=False, nonce=NONCE
    )
    done = subprocess.run(
        shlex.split(powershell_command("pwsh")),
        input=script.payload,
        capture_output=True,
        timeout=60,
        check=False,
    )
    reply = reply_of(done.stdout)
    assert (reply.outcome, reply.message.raw, reply.data) == (Outcome.CHANGED, "done", {"said": value})
    assert done.stderr == b""


def test_no_parameter_can_have_the_name_of_a_variable_that_the_sh_frame_or_library_sets() -> None:
    """Those that a function sets are the business of the snippet that calls it; they stand indented."""
    texts = [(scripts_folder() / "sh" / name).read_text() for name in ("_frame.sh.j2", "_library.sh")]
    names = set(re.findall(r"^([a-z_][a-z0-9_]*)=", "\n".join(texts), re.MULTILINE))
    assert {"root", "check", "waagent_conf", "fleet_outcome"} <= names
    for name in names:
        with pytest.raises(ParameterError):
            check_name(name)


def test_the_frame_of_powershell_has_the_place_where_a_lab_puts_its_windows() -> None:
    text = rendered_text(
        render.render(snippet(), arguments(), shell=Shell.POWERSHELL, check=False, nonce=NONCE)
    )
    before, mark, _ = text.partition("\n# fleet: contact functions may be replaced here\n")
    assert mark
    assert "\n$library = '" in before
