"""What collect-stage takes of files that are really there and of programs that really run, in every shell."""

from __future__ import annotations

import base64
import ctypes
import hashlib
import os
import random
import shutil
import socket
import stat
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.collect.guest import STAGE, Guest, collector, running, staging, unpacked, until
from tests.collect.guest import guest as guest_of

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
needs_mounts = pytest.mark.skipif(
    os.geteuid() != 0
    or subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode != 0,
    reason="needs root and mounts of its own",
)


def mounting(command: str) -> list[str]:
    """Run the guest's shell where something else is mounted, which nobody else sees."""
    return [
        shutil.which("unshare") or "",
        "-m",
        "--propagation",
        "private",
        "/bin/sh",
        "-c",
        f'{command} && exec "$@"',
        "sh",
    ]


def program(guest: Guest, name: str) -> str:
    return str(guest.programs / name) if guest.programs else shutil.which(name) or name


# --- files


def test_files_come_whole_with_the_time_they_were_taken(guest: Guest) -> None:
    guest.write("/var/log/a.log", b"line\n" * 1000)
    guest.write("/var/log/empty.log", b"")
    before = int(time.time())
    taken, missed = guest.take("/var/log/a.log", "/var/log/empty.log")
    assert missed == {}
    assert taken[1][:3] == ("txt", ["whole"], b"line\n" * 1000)
    assert taken[2][:3] == ("txt", ["whole"], b"")
    assert before <= taken[1].when <= time.time()


def test_the_folder_is_private_and_holds_the_pack_alone(guest: Guest) -> None:
    guest.write("/var/log/a.log", b"x")
    reply = guest.stage(["/var/log/a.log"])
    assert reply.outcome == "ok", reply.message
    assert stat.S_IMODE(guest.folder.stat().st_mode) == 0o700
    assert guest.folder.stat().st_uid == os.geteuid()
    assert stat.S_IMODE((guest.folder / "pack").stat().st_mode) == 0o600
    assert [path.name for path in guest.folder.iterdir()] == ["pack"]
    assert guest.clean().data["removed"] is True
    assert guest.clean().data["removed"] is False


def test_of_a_large_file_the_end_is_taken(guest: Guest) -> None:
    guest.write("/var/log/a.log", b"0123456789" * 100)
    taken, _ = guest.take("/var/log/a.log", most=15)
    assert taken[1].text == b"567890123456789"
    assert taken[1].codes == ["tail:1000"]
    assert guest.take("/var/log/a.log", most=1000)[0][1].codes == ["whole"]


def test_a_sparse_log_of_20_gigabytes_is_not_read(guest: Guest) -> None:
    path = guest.write("/var/log/a.log")
    with path.open("r+b") as file:
        file.truncate(20 << 30)
        file.seek(0, os.SEEK_END)
        file.write(b"the end\n")
    began = time.monotonic()
    taken, _ = guest.take("/var/log/a.log", most=100_000)
    assert time.monotonic() - began < 5
    assert taken[1].text == b"\0" * 99_992 + b"the end\n"
    assert taken[1].codes == [f"tail:{(20 << 30) + 8}"]


def test_a_small_sparse_file_is_taken_with_its_holes(guest: Guest) -> None:
    path = guest.write("/var/log/a.log", b"start")
    os.truncate(path, 500_000)
    taken, _ = guest.take("/var/log/a.log")
    assert taken[1].text == b"start" + b"\0" * 499_995


@needs_mounts
def test_files_of_proc_that_say_they_are_empty_are_read(guest: Guest) -> None:
    guest.path("/proc").mkdir()
    guest.extra = mounting('mount --bind /proc "$FLEET_ROOT/proc"')
    assert guest.list("/proc/version")[0][0].size == 0
    taken, missed = guest.take("/proc/version", "/proc/cmdline", "/proc/self/exe", "/proc/mounts", most=2000)
    assert taken[1].text == Path("/proc/version").read_bytes()
    assert taken[1].codes == ["whole"]
    assert taken[2].text == Path("/proc/cmdline").read_bytes()
    assert missed == {3: "link", 4: "link"}  # /proc/self is a link, and so is /proc/mounts


def test_what_is_no_plain_file_is_never_opened(guest: Guest) -> None:
    guest.write("/etc/shadow", b"secret")
    guest.path("/d/folder").mkdir(parents=True)
    os.mkfifo(guest.path("/d/fifo"))
    guest.path("/d/link").symlink_to(guest.path("/etc/shadow"))
    guest.path("/d/etc").symlink_to(guest.path("/etc"))
    guest.path("/d/loop").symlink_to("loop")
    guest.path("/d/broken").symlink_to("nowhere")
    expected = {
        "/d/fifo": "special",
        "/d/folder": "special",
        "/d/link": "link",
        "/d/etc/shadow": "link",
        "/d/loop": "link",
        "/d/loop/x": "link",
        "/d/broken": "link",
        "/d/missing": "gone",
        "/d/missing/x": "gone",
        "/etc/shadow/x": "gone",
        "/d/../etc/shadow": "special",
        "/d/folder/../../etc/shadow": "special",
        "/d/folder/..": "special",
        "/d/folder/": "special",
        "/": "special",
    }
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(guest.path("/d"))
        try:
            server.bind("socket")
        finally:
            os.chdir(here)
        expected["/d/socket"] = "special"
        taken, missed = guest.take(*expected)
    assert taken == {}
    assert dict(zip(expected, missed.values(), strict=True)) == expected


@needs_root
def test_a_device_is_never_opened(guest: Guest) -> None:
    try:
        os.mknod(guest.path("/var/log/zero"), 0o600 | stat.S_IFCHR, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("no devices can be made here")
    assert guest.take("/var/log/zero") == ({}, {1: "special"})


@needs_root
def test_without_rights_it_says_so(guest: Guest) -> None:
    guest.write("/d/closed.log", b"secret")
    guest.write("/d/folder/x.log", b"secret")
    guest.write("/d/open.log", b"x")
    for path in ("/d/closed.log", "/d/folder", "/d/folder/x.log"):
        guest.path(path).chmod(0)
        os.chown(guest.path(path), 65534, 65534)
    guest.extra = [shutil.which("setpriv") or "", "--bounding-set", "-dac_override,-dac_read_search"]
    taken, missed = guest.take("/d/closed.log", "/d/folder/x.log", "/d/open.log")
    assert missed == {1: "denied", 2: "denied"}
    assert taken[3].text == b"x"
    entries, signs, _ = guest.list("/d/folder/*", "/d/**")
    assert sorted(each.path for each in entries) == [b"/d/closed.log", b"/d/open.log"]
    assert [(sign.number, sign.code) for sign in signs] == [(1, "denied"), (2, "denied")]


def test_names_of_any_bytes_are_taken(guest: Guest) -> None:
    hostile = [
        b"new\nline\n",
        b"\n",
        b"\xff\xfe",
        b"-rf",
        b"a\\nb\\",
        b"%41",
        b"'\"$(id)`",
        b"tab\t ",
        b"\x01\x7f*?[",
    ]
    lines = []
    for number, name in enumerate(hostile):
        guest.write("/var/log/x/" + os.fsdecode(name), b"%d" % number)
        escaped = "".join(f"%{byte:02X}" for byte in b"/var/log/x/" + name)
        lines.append(f"{number}\t100\t{escaped}")
    reply = guest.run("collect-stage", stage=STAGE, files=lines, room=1_000_000)[1]
    assert reply.outcome == "ok", reply.message
    taken, missed = guest.pack()
    guest.clean()
    assert missed == {}
    assert [each.text for each in taken.values()] == [b"%d" % number for number in range(len(hostile))]


def test_a_nul_or_half_an_escape_in_a_path_is_refused(guest: Guest) -> None:
    guest.write("/var/log/a", b"x")
    lines = ["1\t100\t/var/log/a%00b", "2\t100\t/var/log/a%4", "3\t100\t/var/log/a%zz"]
    guest.run("collect-stage", stage=STAGE, files=lines, room=1_000_000)
    assert guest.pack() == ({}, {1: "special", 2: "special", 3: "special"})
    guest.clean()


@pytest.mark.parametrize(
    "meanwhile",
    [
        "printf more >>{file}",
        ": >{file}",
        "mv {file} {file}.1",
        "mv {file} {file}.1; printf new >{file}",
        "rm {file}",
        "printf new >{file}.new; mv {file}.new {file}",
        "rm {file}; ln -s /etc/shadow {file}",
    ],
)
def test_a_file_that_changes_while_it_is_read_is_taken_and_said_so(guest: Guest, meanwhile: str) -> None:
    path = guest.write("/var/log/a.log", b"x" * 5000)
    guest.program("head", f'"{program(guest, "head")}" "$@"\n{meanwhile.format(file=repr(str(path)))} || :')
    taken, missed = guest.take("/var/log/a.log")
    assert missed == {}
    assert taken[1].codes == ["changed"]
    assert taken[1].text == b"x" * 5000


def test_of_a_file_that_grows_only_what_was_there_is_taken(guest: Guest) -> None:
    path = guest.write("/var/log/a.log", b"x" * 5000)
    guest.program(
        "head", f"[ ! -f /proc/self/fd/0 ] || printf more >>'{path}'; exec '{program(guest, 'head')}' \"$@\""
    )
    taken, _ = guest.take("/var/log/a.log")
    assert taken[1].codes == ["changed"]
    assert taken[1].text == b"x" * 5000


def exchange(one: Path, other: Path) -> None:
    """Two names swap what they stand for, in one step (renameat2 of Linux, RENAME_EXCHANGE)."""
    result = ctypes.CDLL(None).renameat2(-100, os.fsencode(one), -100, os.fsencode(other), 2)
    assert result == 0, "renameat2"


def test_no_exchange_of_file_and_link_gets_another_file_read(guest: Guest) -> None:
    guest.write("/etc/shadow", b"secret")
    one, other = guest.write("/var/log/x/a", b"fine"), guest.path("/var/log/x/b")
    other.symlink_to(guest.path("/etc/shadow"))
    over = threading.Event()

    def go_on() -> None:
        while not over.is_set():
            for _ in range(101):
                exchange(one, other)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        taken, missed = guest.take(*["/var/log/x/a"] * 40)
    finally:
        over.set()
        thread.join()
    assert {each.text for each in taken.values()} <= {b"fine"}
    assert set(missed.values()) <= {"link", "gone"}


# --- programs


def test_programs_get_their_words_as_they_are(guest: Guest) -> None:
    guest.program("show", 'printf "<%s>" "$@"; printf "%s" "$LC_ALL" >&2')
    words = ["", "a b", "-n", "$(id)", "'\"`\\", "*", "per%cent", "tab\there", "new\nline", "\u00fc", ""]
    taken, missed = guest.ask(["show", *words], ["show"])
    assert missed == {}
    assert taken[1].text == "".join(f"<{word}>" for word in words).encode() + b"C"
    assert taken[1].codes == ["whole"]
    assert taken[2].text == b"<>C"


def test_programs_have_no_input_and_say_how_they_ended(guest: Guest) -> None:
    guest.program("reads", "cat; echo done")
    guest.program("fails", "echo no >&2; exit 3")
    guest.program("silent", "exit 4")
    taken, missed = guest.ask(["reads"], ["fails"], ["silent"])
    assert (taken[1].text, taken[1].codes) == (b"done\n", ["whole"])
    assert (taken[2].text, taken[2].codes) == (b"no\n", ["status:3"])
    assert (taken[3].text, taken[3].codes) == (b"", ["status:4"])
    assert missed == {}


def test_only_programs_are_run(guest: Guest) -> None:
    guest.write("/opt/plain", "#!/bin/sh\necho run")
    guest.write("/opt/tool", "#!/bin/sh\necho run").chmod(0o755)
    words = [
        ["nosuch"],
        ["fail", "x"],
        ["set"],
        ["./x"],
        ["/opt/plain"],
        ["/opt"],
        ["A=B"],
        [""],
        ["-x"],
        ["/opt/tool"],
        ["printf", "a program too"],
    ]
    taken, missed = guest.ask(*words)
    assert missed == dict.fromkeys(range(1, len(words) - 1), "notfound")
    assert [each.text for each in taken.values()] == [b"run\n", b"a program too"]


def test_a_program_that_hangs_is_ended_and_what_it_said_is_kept(guest: Guest) -> None:
    guest.program("hangs", "echo started; exec sleep 1000")
    guest.program("mute", "sleep 1000")
    taken, missed = guest.ask(["hangs"], ["mute"], seconds=1)
    assert (taken[1].text, taken[1].codes) == (b"started\n", ["timeout"])
    assert missed == {2: "timeout"}
    assert running(guest) == []


def test_a_program_that_prints_without_end_is_cut(guest: Guest) -> None:
    taken, _ = guest.ask(["yes"], most=100_000)
    assert taken[1].codes == ["room"]
    assert taken[1].text == b"y\n" * 50_000


def test_what_a_program_left_running_is_ended_and_not_waited_for(guest: Guest) -> None:
    guest.program("leaves", "sleep 1000 & echo started")
    began = time.monotonic()
    taken, _ = guest.ask(["leaves"], seconds=20)
    assert time.monotonic() - began < 10
    assert (taken[1].text, taken[1].codes) == (b"started\n", ["whole"])
    assert running(guest) == []


def test_a_daemon_that_keeps_its_output_open_is_not_waited_for_longer_than_allowed(tmp_path: Path) -> None:
    with guest_of(tmp_path, "dash") as guest:
        guest.program("daemon", f"{shutil.which('setsid')} sleep 1000 & echo started")
        taken, _ = guest.ask(["daemon"], seconds=1)
    assert taken[1].text == b"started\n"


# --- the journal


def events(guest: Guest, providers: str, *, log: str = "journal", **params: Any) -> tuple[bytes, list[str]]:
    line = f"1\t100000\t{log}\t{providers}"
    reply = guest.run("collect-stage", stage=STAGE, events=[line], room=1_000_000, **params)[1]
    assert reply.outcome == "ok", reply.message
    taken, missed = guest.pack()
    guest.clean()
    return (taken[1].text, taken[1].codes) if taken else (b"", [missed[1]])


def test_the_journal_is_asked_by_unit_kernel_and_time(guest: Guest) -> None:
    guest.program("journalctl", 'printf "%s\\n" "$@"')
    asked = ["--no-pager", "--quiet", "--reverse", "--utc", "--output=short-iso"]
    text, codes = events(guest, "walinuxagent:;kernel:1,2;dbus.socket:", since=1763690000)
    assert codes == ["whole"]
    assert text.decode().splitlines() == [
        *asked,
        "--since=@1763690000",
        *("_SYSTEMD_UNIT=walinuxagent.service", "+", "_PID=1", "UNIT=walinuxagent.service"),
        *("+", "_TRANSPORT=kernel", "+"),
        *("_SYSTEMD_UNIT=dbus.socket", "+", "_PID=1", "UNIT=dbus.socket"),
    ]
    assert events(guest, "")[0].decode().splitlines() == asked
    assert events(guest, "a%3Bb%20-x:")[0].decode().splitlines()[5] == "_SYSTEMD_UNIT=a;b -x.service"


def test_without_a_journal_it_says_so(guest: Guest) -> None:
    guest.program("journalctl", "echo no journal >&2; exit 1")
    assert events(guest, "kernel:") == (b"", ["failed:1"])
    assert events(guest, "", log="System") == (b"", ["notfound"])
    guest.program("journalctl", "echo some; exit 1")
    assert events(guest, "kernel:") == (b"some\n", ["status:1"])
    guest.program("journalctl", "exec yes")
    text, codes = events(guest, "kernel:")
    assert (len(text), codes) == (100_000, ["room"])


def test_where_there_is_no_journalctl_it_is_not_found(tmp_path: Path) -> None:
    with guest_of(tmp_path, "only-busybox") as guest:
        assert events(guest, "kernel:") == (b"", ["notfound"])


# --- room


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def test_a_pack_is_never_larger_than_its_room(guest: Guest) -> None:
    guest.write("/var/log/a", noise(300_000))
    guest.write("/var/log/b", noise(300_000))
    guest.write("/var/log/c", b"x" * 5000)
    guest.program("noise", f"cat '{guest.path('/var/log/a')}'")
    room = 400_000
    reply = guest.stage(["/var/log/a", "/var/log/b", "/var/log/c"], room=room)
    assert reply.outcome == "ok"
    assert int(str(reply.data["size"])) <= room
    taken, missed = guest.pack()
    guest.clean()
    assert taken[1].text == noise(300_000)
    assert taken[2].codes == ["tail:300000", "room"]
    assert len(taken[2].text) > 50_000
    assert noise(300_000).endswith(taken[2].text)
    assert missed == {} or missed == {3: "room"}

    taken, missed = guest.ask(["noise"], ["noise"], room=room)
    assert taken[2].codes == ["room"]
    assert noise(300_000).startswith(taken[2].text)
    assert len(taken[2].text) > 50_000


def test_what_compresses_well_is_more_than_the_room(guest: Guest) -> None:
    guest.write("/var/log/a", b"the same line\n" * 100_000)
    taken, _ = guest.take("/var/log/a", most=10_000_000, room=100_000)
    assert taken[1].codes == ["whole"]


def test_a_room_too_small_to_say_anything_is_refused(guest: Guest) -> None:
    reply = guest.stage(["/var/log/a"] * 10, room=100)
    assert reply.outcome == "failed"
    assert "nothing was staged" in reply.message.raw


def test_a_disk_without_enough_free_is_left_alone(guest: Guest) -> None:
    guest.program("df", "echo F B U A C M; echo /dev/my disk 9 9 70000 50% /")
    reply = guest.stage(room=10_000_000)
    assert reply.outcome == "failed"
    assert "has 68 MB free, and 74 MB are needed; nothing was staged" in reply.message.raw
    assert guest.list("/x")[2].data["free"] == 70000 * 1024
    guest.program("df", "exit 1")
    assert guest.stage(room=10_000_000).outcome == "failed"
    assert guest.list("/x")[2].data["free"] == 0


@needs_mounts
def test_a_disk_that_fills_up_meanwhile_leaves_a_whole_pack(guest: Guest) -> None:
    guest.write("/var/log/small", b"small")
    guest.write("/var/log/large", noise(4_000_000))
    guest.write(
        "/var/log/twice", noise(600_000)
    )  # there is room for it, but not for it and its copy in the pack
    guest.write("/var/log/last", b"last")
    # A disk that says it has more than it has. It is gone with the shell, so the pack is shown on the way.
    guest.extra = mounting('mount -t tmpfs -o size=1m none "$FLEET_ROOT/var/tmp"')
    guest.program("df", "echo F B U A C M; echo x 9 9 900000 50% /")
    shown = guest.path("/shown")
    guest.extra = [
        *guest.extra[:-2],
        guest.extra[-2].replace(
            'exec "$@"', f'"$@"; cp "{guest.folder}/pack" "{shown}"; ls -A "{guest.folder}"'
        ),
        "sh",
    ]
    files = ["/var/log/small", "/var/log/large", "/var/log/twice", "/var/log/last"]
    script = collector("collect-stage", **staging(files, most=10_000_000, room=50_000_000))
    process = guest.start(script)
    stdout, stderr = process.communicate(timeout=60)
    assert stderr == b""
    assert stdout.splitlines()[-1] == b"pack"
    assert b"not all that was read could be written" in stdout
    taken, missed = unpacked(shown.read_bytes())
    assert (taken[1].text, taken[4].text) == (b"small", b"last")
    assert missed == {2: "failed:5", 3: "failed:5"}  # a full disk is told by df, which lies here


# --- the folder


def test_a_folder_that_is_there_already_is_refused(guest: Guest) -> None:
    guest.folder.mkdir()
    (guest.folder / "theirs").write_bytes(b"x")
    reply = guest.stage()
    assert reply.outcome == "failed"
    assert "is there already" in reply.message.raw
    assert [path.name for path in guest.folder.iterdir()] == ["theirs"]
    guest.clean()


def test_a_planted_link_is_neither_followed_nor_taken(guest: Guest) -> None:
    target = guest.path("/etc")
    target.mkdir()
    (target / "pack").write_bytes(b"precious")
    guest.folder.symlink_to(target)
    assert guest.stage().outcome == "failed"
    assert guest.run("collect-send", stage=STAGE, offset=0, length=10)[1].outcome == "failed"
    reply = guest.run("collect-clean", stage=STAGE)[1]
    assert (reply.outcome, reply.data["removed"]) == ("ok", False)
    assert (target / "pack").read_bytes() == b"precious"
    guest.folder.unlink()


@needs_root
def test_a_folder_of_another_user_is_left_to_them(guest: Guest) -> None:
    guest.folder.mkdir()
    (guest.folder / "pack").write_bytes(b"x")
    os.chown(guest.folder, 65534, 65534)
    assert guest.stage().outcome == "failed"
    assert guest.run("collect-send", stage=STAGE, offset=0, length=10)[1].outcome == "failed"
    assert guest.run("collect-clean", stage=STAGE)[1].data["removed"] is False
    shutil.rmtree(guest.folder)


def test_links_in_the_folder_are_removed_and_not_followed(guest: Guest) -> None:
    guest.write("/etc/precious", b"x")
    guest.folder.mkdir()
    (guest.folder / "x").symlink_to(guest.path("/etc"))
    guest.clean()
    assert guest.path("/etc/precious").exists()


def test_leftovers_of_more_than_a_day_are_removed(guest: Guest) -> None:
    parent = guest.path("/var/tmp")
    old = time.time() - 2 * 86_400
    for name in ("a" * 20, "b" * 20, "c" * 19, "D" * 20, "e" * 21):
        (parent / f"fleet-collect-{name}").mkdir()
        (parent / f"fleet-collect-{name}" / "pack").write_bytes(b"x")
    (parent / f"fleet-collect-{'f' * 20}").symlink_to(guest.path("/var/log"))
    for each in parent.iterdir():
        if "bbb" not in each.name:
            os.utime(each, (old, old), follow_symlinks=False)
    reply = guest.stage()
    assert reply.data["left"] == ["a" * 20]
    guest.clean()
    kept = sorted(each.name.removeprefix("fleet-collect-") for each in parent.iterdir())
    assert kept == ["D" * 20, "b" * 20, "c" * 19, "e" * 21, "f" * 20]
    for each in parent.iterdir():
        each.unlink() if each.is_symlink() else shutil.rmtree(each)


@needs_root
def test_an_old_folder_of_another_user_is_left_to_them(guest: Guest) -> None:
    theirs = guest.path("/var/tmp") / f"fleet-collect-{'a' * 20}"
    theirs.mkdir()
    os.utime(theirs, (0, 0))
    os.chown(theirs, 65534, 65534)
    assert "left" not in guest.stage().data
    guest.clean()
    theirs.rmdir()


def test_two_collections_at_once_do_not_meet(guest: Guest) -> None:
    guest.write("/var/log/a", b"x" * 100_000)
    other = "z" * 20
    params = staging(["/var/log/a"] * 3, room=1_000_000)
    scripts = [collector("collect-stage", **{**params, "stage": stage}) for stage in (STAGE, other, STAGE)]
    started = [guest.start(script) for script in scripts]
    replies = [guest.finish(process, script)[1] for process, script in zip(started, scripts, strict=True)]
    assert replies[1].outcome == "ok"
    assert sorted(reply.outcome for reply in (replies[0], replies[2])) == ["failed", "ok"]
    assert len(guest.pack()[0]) == 3
    guest.clean()
    assert guest.run("collect-clean", stage=other)[1].data["removed"] is True


def test_killed_half_way_nothing_is_left_after_cleaning(guest: Guest) -> None:
    guest.program("hangs", "echo started; sleep 1000")
    script = collector("collect-stage", **staging(commands=[["hangs"]], room=1_000_000, seconds=100))
    process = guest.start(script)
    until(lambda: (guest.folder / "piece").exists())
    os.killpg(process.pid, 9)
    process.communicate(timeout=20)
    guest.clean()


def test_stopped_at_its_deadline_it_answers_and_can_be_cleaned(guest: Guest) -> None:
    guest.program("hangs", "sleep 1000")
    params = staging(commands=[["hangs"]], room=1_000_000, seconds=100)
    assert guest.run("collect-stage", timeout=1, **params)[1].outcome == "timed_out"
    guest.clean()
    assert running(guest) == []


def test_cleaned_while_it_runs_it_ends_and_makes_nothing_anew(guest: Guest) -> None:
    guest.write("/var/log/a", b"x")
    guest.program("cleans", f"rm -rf '{guest.folder}'")
    reply = guest.stage(["/var/log/a"], [["cleans"]])
    assert reply.outcome == "failed"
    assert not guest.folder.exists()


def test_without_root_nothing_is_done(guest: Guest) -> None:
    guest.program("id", "echo 1000")
    for name, params in (
        ("collect-list", {"items": ["1\t1\t/x"]}),
        ("collect-stage", {"stage": STAGE, "room": 1_000_000}),
        ("collect-send", {"stage": STAGE, "offset": 0, "length": 1}),
        ("collect-clean", {"stage": STAGE}),
    ):
        reply = guest.run(name, **params)[1]
        assert reply.outcome == "failed"
        assert "needs root" in reply.message.raw


@pytest.mark.skipif(shutil.which("mksh") is None, reason="needs a shell that counts with 32 bits: mksh")
def test_a_shell_that_counts_with_32_bits_is_refused(tmp_path: Path) -> None:
    with guest_of(tmp_path, "dash") as guest:
        guest.shell = ["mksh"]
        for reply in (guest.stage(), guest.run("collect-list", items=["1\t1\t/x"])[1]):
            assert reply.outcome == "failed"
            assert "32 bits" in reply.message.raw


# --- sending


@pytest.fixture(name="staged")
def _staged(guest: Guest) -> bytes:
    guest.write("/var/log/a", noise(200_000))
    assert guest.stage(["/var/log/a"]).outcome == "ok"
    return (guest.folder / "pack").read_bytes()


@pytest.mark.parametrize(("offset", "length"), [(0, 1 << 40), (65536, 100_000), (7, 1)])
@pytest.mark.parametrize("encoding", ["raw", "base64"])
def test_exactly_these_bytes_are_sent(
    guest: Guest, staged: bytes, offset: int, length: int, encoding: str
) -> None:
    content, reply = guest.run("collect-send", stage=STAGE, offset=offset, length=length, encoding=encoding)
    wanted = staged[offset : offset + length]
    assert reply.outcome == "ok", reply.message
    assert (content if encoding == "raw" else base64.b64decode(content)) == wanted
    assert reply.data == {"sha256": hashlib.sha256(wanted).hexdigest(), "size": len(wanted)}
    guest.clean()


def test_behind_the_end_there_is_nothing(guest: Guest, staged: bytes) -> None:
    for offset in (len(staged), len(staged) + 10_000_000):
        content, reply = guest.run("collect-send", stage=STAGE, offset=offset, length=10)
        assert content == b""
        assert reply.data == {"sha256": hashlib.sha256(b"").hexdigest(), "size": 0}
    guest.clean()


def test_what_is_not_staged_can_not_be_sent(guest: Guest) -> None:
    content, reply = guest.run("collect-send", stage=STAGE, offset=0, length=10)
    assert content == b""
    assert reply.outcome == "failed"
    assert "is not there" in reply.message.raw
