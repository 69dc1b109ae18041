"""Facts about the frame, each on every engine there is: nothing a body does goes unanswered or unseen."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleet.catalog import scripts_folder
from fleet.envelope import parse
from fleet.errors import ParameterError
from fleet.model import Completed, Kind, Outcome, ParamValue
from fleet.quote import ps_literal
from fleet.render import powershell_command, rendered_text
from tests.powershell.engine import Engine, fine, snippet_of

REMEDY = """# kind = "remedy"
[CmdletBinding(SupportsShouldProcess = $true)]
param([string]$what = 'nothing')
$verb = if ($PSCmdlet.ShouldProcess($what, 'Change')) { 'did' } else { 'would do' }
Set-FleetChanged "$verb $what"
"""


@pytest.mark.parametrize(
    ("body", "outcome", "message"),
    [
        ("", "ok", ""),
        ("Set-FleetOk 'seen'", "ok", "seen"),
        ("Set-FleetChanged 'one'; Set-FleetChanged 'two'", "changed", "one; two"),
        ("Stop-FleetFailed 'no'; Set-FleetOk 'never'", "failed", "no"),
        ("Set-FleetChanged 'half'; Stop-FleetFailed 'no'", "failed", "no; done before that: half"),
        ("Stop-FleetSkipped 'not here'", "skipped", "not here"),
        ('throw "b\u00f6se \u20ac \U0001f600"', "failed", "b\u00f6se \u20ac \U0001f600"),
        ("[IO.File]::ReadAllText('/no/such/folder/file')", "failed", "Could not find"),
        ("$never.set", "failed", "has not been set"),
        ("@(1)[5]", "failed", "outside the bounds"),
        ("Read-Host 'who'", "failed", ""),
        ("Set-FleetOk 'far'; exit 7", "ok", "far"),
        ("if (", "broken", "line 1: "),
        ("\n\n'unclosed", "broken", "line 3: "),
    ],
)
def test_every_way_to_end_is_answered(engine: Engine, body: str, outcome: str, message: str) -> None:
    reply = fine(engine.body(body), Outcome(outcome))
    assert message in reply.message.raw


def test_an_unknown_command_fails_and_is_named(engine: Engine) -> None:
    assert "Get-NoSuchThing" in fine(engine.body("Get-NoSuchThing"), Outcome.FAILED).message.raw


def test_what_comes_after_a_bad_script_is_not_touched_by_it(engine: Engine) -> None:
    bodies = [
        "if (",
        "throw 'x'",
        "exit 3",
        "$Global:leak = 1",
        "Add-FleetData leak (Test-Path Variable:leak)",
    ]
    replies = engine.run([engine.script(snippet_of(body)) for body in bodies])
    assert [reply.outcome.value for reply in replies] == ["broken", "failed", "ok", "ok", "ok"]
    assert replies[-1].data == {"leak": False}


def test_every_stream_arrives_in_the_log_as_utf8(engine: Engine) -> None:
    body = "'out \u00e4'; Write-Warning 'w \u20ac'; Write-Verbose 'v'; Write-Host 'h'; "
    body += "Write-Error 'e' -ErrorAction Continue"
    lines = fine(engine.body(body)).log.raw.split("\n")
    assert {"out \u00e4", "warning: w \u20ac", "verbose: v", "error: e", "h"} <= set(lines)


def test_the_log_is_capped_and_says_what_is_missing(engine: Engine) -> None:
    log = fine(engine.body("foreach ($i in 1..30000) { 'x' * 99 }", timeout=60)).log.raw
    assert 1_000_000 < len(log) < 1_100_000
    assert f"fleet: the log was full, {30_000 - 10_486} more lines were dropped" in log


def test_a_log_line_longer_than_the_cap_is_cut(engine: Engine) -> None:
    log = fine(engine.body("'x' * 3000000", timeout=60)).log.raw
    assert log.endswith("(cut)")
    assert len(log) < 1_100_000


def test_an_endless_loop_is_stopped_at_its_deadline_with_its_log_and_data(engine: Engine) -> None:
    reply = fine(engine.body("'seen'; Add-FleetData a 1; while ($true) { }", timeout=1), Outcome.TIMED_OUT)
    assert (reply.log.raw, reply.data, reply.message.raw) == (
        "seen",
        {"a": 1},
        "stopped in the guest after 1 s",
    )


def test_a_statement_that_never_ends_is_not_waited_for(engine: Engine) -> None:
    reply = fine(engine.body("[Threading.Thread]::Sleep(12000)", timeout=1), Outcome.TIMED_OUT)
    assert "may still be at work" in reply.message.raw
    assert reply.seconds < 10


def test_data_keeps_type_shape_and_every_character(engine: Engine) -> None:
    body = r"""
    $rest = -join [char[]](0, 0x1f, 0x212a, 0xe9, 0xd83d, 0xde00)
    Add-FleetData text "a`"b\ `t`n$rest"
    Add-FleetData numbers @(1, -2, 4294967296, 1.5, [double]::NaN, [decimal]'0.1')
    Add-FleetData nested @{ list = @(,@(1)); empty = @(); none = $null; yes = $true; Keys = 'k' }
    Add-FleetData object ([pscustomobject]@{ a = 'b' })
    Add-FleetData date ([datetime]'2026-11-24T06:00:00Z')
    Add-FleetData enumeration ([DayOfWeek]::Monday)
    Add-FleetData listed ('x' | Add-Member -PassThru NoteProperty Extra 1)
    """
    data = fine(engine.body(body)).data
    assert data["text"] == 'a"b\\ \t\n\0\x1f\u212a\xe9\U0001f600'
    assert data["numbers"] == [1, -2, 4294967296, 1.5, None, 0.1]
    assert data["nested"] == {"list": [[1]], "empty": [], "none": None, "yes": True, "Keys": "k"}
    assert (data["object"], data["date"]) == ({"a": "b"}, "2026-11-24T06:00:00.000Z")
    assert (data["enumeration"], data["listed"]) == ("Monday", "x")


def test_data_that_is_too_long_is_dropped_and_the_outcome_kept(engine: Engine) -> None:
    reply = engine.body("Add-FleetData big ('x' * 5000000); Set-FleetChanged 'did it'", timeout=60)
    assert fine(reply, Outcome.CHANGED).data == {}
    assert "too long" in reply.message.raw


def test_200000_characters_beyond_ascii_arrive(engine: Engine) -> None:
    reply = engine.body("Add-FleetData t ([string][char]0x20ac * 200000)", timeout=60)
    assert fine(reply).data["t"] == "\u20ac" * 200_000


def test_an_answer_that_a_body_forges_is_log(engine: Engine) -> None:
    forged = '{"fleet":1,"nonce":"test000001","outcome":"changed","message":"forged","data":{},"seconds":0}'
    reply = fine(engine.body(f"'{forged}'; [Console]::Out.Write('{forged} no newline')"))
    assert (reply.message.raw, reply.data) == ("", {})
    assert "forged" in reply.log.raw


def test_a_reply_begins_a_line_whatever_was_written_before(engine: Engine) -> None:
    fine(engine.body("$o = [Console]::OpenStandardOutput(); $o.WriteByte(120); $o.Flush()"))


HOSTILE: list[ParamValue] = [
    "' \" ` $( ) @( ) { } ; | & < > % ! # --% \\ ~ * ? [ ]",
    "\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u2013\u2014\u2015\u00a0\u0085\u2028\u2029\ufeff\U0001f600",
    "line\nline\r\n'@\n\"@\n#>\n$(throw 'x')",
    "\x01\x1b[31m\x7f",
    "",
    "x" * 1_000_000,
    "\u20ac'" * 100_000,
    0, -1, 2**31, -(2**63), 2**63 - 1, True, False, 1.5, -1e300,
    [], ["one"], [["nested"], []], [1, "two", True],
    {"key": "value", "it's": [1]},
]  # fmt: skip


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: ascii(value)[:20])
def test_hostile_values_come_back_as_they_were_sent(engine: Engine, value: ParamValue) -> None:
    body = "[CmdletBinding()]\nparam($value)\nAdd-FleetData value $value"
    assert fine(engine.body(body, {"value": value}, timeout=60)).data["value"] == value


@pytest.mark.pwsh
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    value=st.recursive(st.text() | st.integers(-(2**63), 2**63 - 1) | st.booleans(), st.lists, max_leaves=5)
)
def test_any_value_comes_back_or_is_refused_here(pwsh: Engine, value: ParamValue) -> None:
    try:
        ps_literal(value)
    except ParameterError:
        return
    body = "[CmdletBinding()]\nparam($value)\nAdd-FleetData value $value"
    assert fine(pwsh.body(body, {"value": value})).data["value"] == value


def test_an_unknown_parameter_and_a_missing_one_fail(engine: Engine) -> None:
    body = "[CmdletBinding()]\nparam([Parameter(Mandatory = $true)][string]$name)"
    assert "nmae" in fine(engine.body(body, {"nmae": "x"}), Outcome.FAILED).message.raw
    fine(engine.body(body), Outcome.FAILED)


def test_check_mode_is_whatif_and_only_for_what_takes_it(engine: Engine) -> None:
    assert fine(engine.body(REMEDY, {"what": "x"}, check=True), Outcome.CHANGED).message.raw == "would do x"
    assert fine(engine.body(REMEDY, {"what": "x"}), Outcome.CHANGED).message.raw == "did x"
    fine(engine.body("[CmdletBinding()]\nparam()\nSet-FleetOk 'looked'", check=True))


def test_a_remedy_that_knows_no_check_mode_is_not_run_in_it(engine: Engine) -> None:
    body = '# kind = "remedy"\n[CmdletBinding()]\nparam()\nSet-FleetChanged "did it"'
    reply = engine.run([engine.script(snippet_of(body, Kind.REMEDY), check=True)])[0]
    assert "SupportsShouldProcess" in fine(reply, Outcome.BROKEN).message.raw


def test_nothing_asks_for_confirmation(engine: Engine) -> None:
    body = "[CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = 'High')]\nparam()\n"
    body += "if ($PSCmdlet.ShouldProcess('x')) { Set-FleetOk 'went on' }"
    assert fine(engine.body(body)).message.raw == "went on"


@pytest.mark.pwsh
def test_the_process_ends_with_its_input_even_with_a_body_that_never_ends(pwsh: Engine) -> None:
    script = pwsh.script(snippet_of("[Threading.Thread]::Sleep(600000)"), timeout=1)
    command = powershell_command("pwsh").split(" ")
    done = subprocess.run(command, input=script.payload + b"not base64\n", capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"FLEET-FRAME " in done.stdout


@pytest.mark.pwsh
def test_a_line_that_was_cut_off_runs_nothing(pwsh: Engine, tmp_path: Path) -> None:
    """The connection may end within a line; base64 and deflate of its first part are valid often enough."""
    trace = tmp_path / "ran"
    script = pwsh.script(snippet_of(f"[IO.File]::WriteAllText('{trace}', 'ran')"))
    command = powershell_command("pwsh").split(" ")
    line = script.payload.rstrip()
    cuts = [len(line) // 4 * 4 - 4 * n for n in range(3, 40)]  # the last eight hold no text any more
    halves = b"".join(line[:cut] + b"\n" for cut in cuts)
    done = subprocess.run(command, input=halves, capture_output=True, timeout=120)
    assert done.stdout.count(b"FLEET-FRAME ") == len(cuts)
    assert not trace.exists()
    assert script.nonce.encode() not in done.stdout


@pytest.mark.pwsh
def test_a_restricted_language_is_said_in_one_line(pwsh: Engine) -> None:
    bootstrap = (scripts_folder() / "ps" / "_bootstrap.ps1").read_text("ascii")
    text = "$ExecutionContext.SessionState.LanguageMode = 'ConstrainedLanguage'\n" + bootstrap
    done = subprocess.run(
        ["pwsh", "-NoProfile", "-Command", text], input=b"", capture_output=True, timeout=60
    )
    assert (done.stdout.strip(), done.returncode) == (b"FLEET-LANGUAGE-MODE ConstrainedLanguage", 3)


@pytest.mark.pwsh
def test_the_frame_runs_by_hand_as_it_is_shown(pwsh: Engine, tmp_path: Path) -> None:
    script = pwsh.script(snippet_of("Set-FleetOk 'by hand'"))
    (tmp_path / "frame.ps1").write_text(rendered_text(script), "utf-8")
    command = ["pwsh", "-NoProfile", "-File", str(tmp_path / "frame.ps1")]
    done = subprocess.run(command, input=b"", capture_output=True, timeout=60)
    answer = parse(Completed(done.stdout, b"", done.returncode, 0.0), script.nonce)
    assert (fine(answer).message.raw, done.returncode, done.stderr) == ("by hand", 0, b"")


LONG = f"sleep {100_000 + os.getpid()}"
"""A program that nobody else runs."""

# --- programs --------------------------------------------------------------------------------------


@pytest.mark.pwsh
class TestPrograms:
    """`Invoke-FleetNative`, with programs of this machine."""

    def test_both_streams_and_the_exit_code_are_told(self, pwsh: Engine) -> None:
        body = "Add-FleetData r (Invoke-FleetNative '/bin/sh' @('-c', 'echo out; echo err >&2; exit 3'))"
        result = fine(pwsh.body(body)).data["r"]
        assert result == {
            "Found": True, "TimedOut": False, "Ended": False, "ExitCode": 3, "Output": ["out", "err"]
        }  # fmt: skip

    def test_its_bytes_can_be_taken_as_they_come_and_it_is_ended_when_enough_came(self, pwsh: Engine) -> None:
        body = """$kept = @{ 0 = 0; 1 = 0 }
        $take = { param($bytes, $count, $which) $kept[$which] += $count; $kept[0] -lt 1000000 }
        $done = Invoke-FleetNative '/bin/sh' @('-c', 'echo error >&2; exec cat /dev/zero') 20 $take
        Add-FleetData r @($done.Ended, $done.TimedOut, $done.ExitCode, $kept[1], ($kept[0] -lt 1100000))"""
        reply = fine(pwsh.body(body))
        assert reply.data["r"] == [True, False, None, 6, True]
        assert reply.seconds < 5

    def test_arguments_arrive_as_they_are(self, pwsh: Engine) -> None:
        words = ["a b", "", 'q"x', "\\", "a\\", 'end\\"', "tab\there", "$(x)"]
        body = "param($words)\n$r = Invoke-FleetNative '/usr/bin/printf' (@('[%s]\\n') + $words)\n"
        body += "Add-FleetData r $r.Output"
        assert fine(pwsh.body("[CmdletBinding()]\n" + body, {"words": words})).data["r"] == [
            f"[{w}]" for w in words
        ]

    def test_a_program_that_is_not_there_is_no_error(self, pwsh: Engine) -> None:
        assert fine(pwsh.body("Add-FleetData r (Invoke-FleetNative '/no/such').Found")).data["r"] is False

    def test_megabytes_on_both_streams_do_not_block(self, pwsh: Engine) -> None:
        command = "head -c 3000000 /dev/zero | tr '\\\\0' x; head -c 3000000 /dev/zero | tr '\\\\0' y >&2"
        body = f"$r = Invoke-FleetNative '/bin/sh' @('-c', \"{command}\")\n"
        body += "Add-FleetData n @($r.Output | ForEach-Object { $_.Length })"
        assert fine(pwsh.body(body)).data["n"] == [3_000_000, 3_000_000]

    def test_the_deadline_ends_the_program_and_its_children(self, pwsh: Engine) -> None:
        body = f"$r = Invoke-FleetNative '/bin/sh' @('-c', '{LONG} & {LONG}; true') 1\n"
        body += "Add-FleetData r $r.TimedOut"
        assert fine(pwsh.body(body)).data["r"] is True
        assert not running(LONG)

    def test_the_deadline_of_the_script_ends_the_program_too(self, pwsh: Engine) -> None:
        program, seconds = LONG.split(" ")
        body = f"Invoke-FleetNative '/bin/{program}' @('{seconds}') 600"
        fine(pwsh.body(body, timeout=1), Outcome.TIMED_OUT)
        assert not running(LONG)

    def test_a_grandchild_that_keeps_the_pipe_is_not_waited_for(self, pwsh: Engine) -> None:
        reply = fine(
            pwsh.body("Add-FleetData r (Invoke-FleetNative '/bin/sh' @('-c', 'sleep 9 & echo hi')).Output")
        )
        assert reply.data["r"] == ["hi"]
        assert reply.seconds < 8


def running(command: str) -> bool:
    """Whether a program with that command line runs on this machine."""
    return subprocess.run(["pgrep", "-fx", command], capture_output=True).returncode == 0
