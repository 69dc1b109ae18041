"""What the sh frame promises, whatever the snippet in it does and whichever shell runs it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fleet.lab.fake_root import TOOLS
from fleet.model import Outcome, Reply
from tests.snippets import frames
from tests.snippets.frames import SHELLS, frame, run

pytestmark = pytest.mark.skipif(not SHELLS, reason="no shell here")
every_shell = pytest.mark.parametrize("shell", SHELLS)

ENDINGS = {
    "nothing": ("", Outcome.OK, ""),
    "ok": ("ok 'all is well'", Outcome.OK, "all is well"),
    "changed": ("changed one\nchanged two", Outcome.CHANGED, "one; two"),
    "fail": ("fail 'no use'\nok never", Outcome.FAILED, "no use"),
    "fail after a change": ("changed one\nfail two", Outcome.FAILED, "two; done before that: one"),
    "skip": ("skip 'not here'\nok never", Outcome.SKIPPED, "not here"),
    "exit 0": ("ok early\nexit 0\nok never", Outcome.OK, "early"),
    "exit 3": ("ok fine\nexit 3", Outcome.FAILED, "a command failed (status 3)"),
    "a command fails": ("changed one\nfalse\nok never", Outcome.FAILED, "(status 1); done before that: one"),
    "a command is missing": ("no-such-command", Outcome.FAILED, "a command failed (status 127)"),
    "a variable is missing": ('ok "$no_such_variable"', Outcome.FAILED, "a command failed (status"),
    "a condition is false": ("ok fine\n[ 1 = 2 ] && ok never", Outcome.OK, "fine"),
    "exec": ("exec false", Outcome.FAILED, "(status 1)"),
    "killed": ("sh -c 'kill -KILL $PPID'", Outcome.FAILED, "the script's shell was ended (status"),
    "terminated": ("sh -c 'kill -TERM $PPID'\nok never", Outcome.FAILED, "stopped by signal TERM"),
    "hung up": ("sh -c 'kill -HUP $PPID'\nok never", Outcome.FAILED, "stopped by signal HUP"),
    "interrupted": ("sh -c 'kill -INT $PPID'\nok never", Outcome.FAILED, "stopped by signal INT"),
    "no shell text": ("if true; then\necho \"it's", Outcome.BROKEN, "can't be parsed"),
    "a brace too many": ("}\necho out", Outcome.BROKEN, "can't be parsed"),
    "its stdin is read": ("cat\nsh -c 'cat; read x'\nread y || ok ate", Outcome.FAILED, ""),
}


@every_shell
@pytest.mark.parametrize("ending", ENDINGS)
def test_every_ending_is_answered_and_stops_no_other_script(shell: str, ending: str) -> None:
    body, outcome, message = ENDINGS[ending]
    first, second = run(shell, frame(body + "\n"), frame("ok 'the next one'\n"))
    assert (first.outcome, message in first.message.raw) == (outcome, True), first
    assert (second.outcome, second.message.raw) == (Outcome.OK, "the next one")


@every_shell
def test_a_child_that_reads_stdin_takes_nothing_from_the_next_script(shell: str) -> None:
    first, second = run(shell, frame("cat\nsh -c cat\nread x || ok nothing\n"), frame("ok next\n"))
    assert (first.message.raw, second.message.raw) == ("nothing", "next")


@every_shell
def test_output_comes_before_the_envelope_and_the_envelope_on_a_fresh_line(shell: str) -> None:
    [reply] = run(shell, frame("echo out\necho err >&2\nprintf 'no line end'\nok done\n"))
    assert (reply.outcome, reply.log.raw) == (Outcome.OK, "out\nerr\nno line end")


@every_shell
def test_output_arrives_while_the_body_still_runs(shell: str) -> None:
    process = frames.start(shell)
    assert process.stdin
    assert process.stdout
    process.stdin.write(frame("echo first\nsleep 30\n").payload)
    process.stdin.flush()
    assert process.stdout.readline() == b"first\n"
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


@every_shell
def test_a_forged_envelope_is_log(shell: str) -> None:
    forged = '{"fleet":1,"nonce":"guess","outcome":"ok","message":"forged","data":{},"seconds":0}'
    [reply] = run(shell, frame(f"echo '{forged}'\nprintf '%s' '{forged}'\nfail real\n"))
    assert (reply.outcome, reply.message.raw) == (Outcome.FAILED, "real")
    assert reply.log.raw.count("forged") == 2


@every_shell
def test_what_the_body_starts_does_not_learn_the_nonce(shell: str) -> None:
    script = frame("env\nps -ef || :\n")
    process = frames.start(shell)
    stdout, _ = process.communicate(script.payload, timeout=60)
    assert stdout.count(script.nonce.encode()) == 1  # in the envelope


@every_shell
def test_a_script_that_was_cut_off_runs_nothing(shell: str, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    payload = frame(f": >'{marker}'\nok ran\n").payload
    lines = [at for at, byte in enumerate(payload) if byte == ord("\n")]
    points = {
        *range(len(payload) - 60, len(payload) - 1),
        *lines[-45:-1],
        *lines[:-45:60],
        *range(0, 400, 40),
    }
    for point in sorted(points):
        process = frames.start(shell)
        stdout, _ = process.communicate(payload[:point], timeout=60)
        assert (stdout, marker.exists()) == (b"", False), f"ran when cut at {point} of {len(payload)}"


@every_shell
def test_the_body_sees_check_mode_and_arguments(shell: str) -> None:
    hostile = 'it\'s "quoted" $(touch x) `y` \\ \n* \t~ {{ z }} ${#a} \u00e4\u20ac\U0001f600\n\n'
    body = 'data value "$value"\ndata_bool check "$check"\n'
    for check in (True, False):
        [reply] = run(shell, frame(body, check=check, arguments={"value": hostile}))
        assert reply.data == {"value": hostile, "check": check}


@every_shell
def test_a_remedy_goes_on_when_nobody_listens_any_more(shell: str, tmp_path: Path) -> None:
    marker = tmp_path / "done"
    process = frames.start(shell)
    assert process.stdin
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    process.stdin.write(frame(f"note one\necho two || :\nnote three\n: >'{marker}'\n").payload)
    process.stdin.close()
    process.wait(60)
    process.stderr.close()
    assert marker.exists()


@every_shell
def test_a_daemon_that_keeps_the_output_open_does_not_hold_the_answer(shell: str) -> None:
    script = frame("sleep 30 &\nok started\n")
    process = frames.start(shell)
    assert process.stdin
    assert process.stdout
    process.stdin.write(script.payload)
    process.stdin.close()
    line = b""
    while not line.startswith(b'{"fleet"'):
        line = process.stdout.readline()
    assert b"started" in line
    os.killpg(process.pid, signal.SIGKILL)
    process.stdout.close()
    assert process.stderr
    process.stderr.close()
    process.wait()


@every_shell
def test_the_watcher_does_not_outlive_a_quick_body(shell: str) -> None:
    timeout = 100_000_000 + os.getpid()  # a sleep of nobody else
    [reply] = run(shell, frame("ok quick\n", timeout=timeout))
    assert reply.outcome is Outcome.OK
    _wait_until_gone(f"sleep\0{timeout}\0")


@pytest.fixture(scope="module")
def stopped() -> dict[str, list[Reply]]:
    """Replies of three scripts for each shell; the shells wait for their deadlines at the same time."""
    with ThreadPoolExecutor(len(SHELLS)) as pool:
        return dict(zip(SHELLS, pool.map(_stopped, SHELLS), strict=True))


def _stopped(shell: str) -> list[Reply]:
    mark = _mark(shell)
    busy = (
        "data seen before\nchanged something\n"
        f"(setsid sleep {mark}0 >/dev/null 2>&1 &)\n"
        f"sh -c 'trap \"\" TERM; sleep {mark}1; :' &\nsleep {mark}2 &\n(sleep {mark}3 &)\n"
        "while :; do :; done\n"
    )
    waiting = "data seen before\nsleep 60\nok never\n"
    return run(shell, frame(busy, timeout=1), frame(waiting, timeout=1), frame("ok next\n"))


def _mark(shell: str) -> str:
    return f"8{os.getpid()}{list(SHELLS).index(shell)}"


@every_shell
def test_a_body_is_stopped_at_its_deadline_and_says_what_it_had(
    shell: str, stopped: dict[str, list[Reply]]
) -> None:
    busy, waiting, after = stopped[shell]
    assert (busy.outcome, busy.data) == (Outcome.TIMED_OUT, {"seen": "before"})
    assert busy.message.raw == "stopped after 1 s; done before that: something"
    assert (waiting.outcome, waiting.data) == (Outcome.TIMED_OUT, {"seen": "before"})
    assert after.message.raw == "next"


@every_shell
def test_what_the_body_started_is_ended_with_it_but_not_a_daemon(
    shell: str, stopped: dict[str, list[Reply]]
) -> None:
    """A child that is deaf to SIGTERM, one in the background and one that lost its parent."""
    for number in "123":
        _wait_until_gone(f"sleep\0{_mark(shell)}{number}\0")
    [daemon] = _processes(f"sleep\0{_mark(shell)}0\0")
    os.kill(daemon, signal.SIGKILL)


@every_shell
def test_without_awk_there_is_still_an_answer(shell: str, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    for tool in set(TOOLS) - {"awk"}:
        for folder in os.get_exec_path():
            if (Path(folder) / tool).exists():
                (tmp_path / "bin" / tool).symlink_to(Path(folder) / tool)
                break
    (tmp_path / "bin" / shell).symlink_to(_full_path(SHELLS[shell][0]))
    environment = {"PATH": str(tmp_path / "bin"), "FLEET_ROOT": str(tmp_path)}
    program = [str(_full_path(SHELLS[shell][0])), *SHELLS[shell][1:]]
    script = frame("ok never\n")
    process = subprocess.Popen(
        [*program, "-s"], stdin=-1, stdout=-1, stderr=-2, env=environment, start_new_session=True
    )
    stdout, _ = process.communicate(script.payload, timeout=60)
    [reply] = frames.replies(stdout, script)
    assert (reply.outcome, "awk is missing" in reply.message.raw) == (Outcome.FAILED, True)


def _full_path(program: str) -> Path:
    return next(path for folder in os.get_exec_path() if (path := Path(folder) / program).exists())


def _processes(command_line: str) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_text() == command_line:
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def _wait_until_gone(command_line: str) -> None:
    end = time.monotonic() + 10
    while _processes(command_line):
        assert time.monotonic() < end, f"still there: {command_line}"
