"""The words of the sh library: what each does, in every shell."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleet.model import Outcome
from tests.snippets.frames import SHELLS, frame, run

pytestmark = pytest.mark.skipif(not SHELLS, reason="no shell here")
every_shell = pytest.mark.parametrize("shell", SHELLS)
one_shell = next(iter(SHELLS), "")


@every_shell
def test_data_has_types(shell: str, tmp_path: Path) -> None:
    body = """
data text 'a b'
data 'k"ey' value
data_int number -12
data_int octal 007
data_int nothing ''
data_bool yes y
data_bool no 0
data_bool strange maybe
data_list words 'a b' '"c"'
data_list none </dev/null
printf 'one\\ntwo' >"$root/lines"
data_list lines <"$root/lines"
undo path /etc/x
undo_bool restart 1
"""
    [reply] = run(shell, frame(body), environment={"FLEET_ROOT": str(tmp_path)})
    assert reply.data == {
        "text": "a b",
        'k"ey': "value",
        "number": -12,
        "octal": None,
        "nothing": None,
        "yes": True,
        "no": False,
        "strange": None,
        "words": ["a b", '"c"'],
        "none": [],
        "lines": ["one", "two"],
        "undo": {"path": "/etc/x", "restart": True},
    }


@every_shell
def test_a_key_given_twice_keeps_its_first_value(shell: str) -> None:
    [reply] = run(shell, frame("data k one\ndata k two\nok done\n"))
    assert (reply.outcome, reply.data) == (Outcome.OK, {"k": "one"})
    assert "k was given twice" in reply.log.raw


@every_shell
def test_a_program_has_a_deadline_of_its_own(shell: str) -> None:
    body = """
status=0
run_native 1 sh -c 'sleep 61; :' || status=$?
data_int slow "$status"
status=0
run_native 9 sh -c 'exit 7' || status=$?
data_int failed "$status"
data out "$(run_native 9 printf '%s' 'a  b')"
data in "$(printf 'fed' | run_native 9 cat)"
run_native 9 no-such-program || data_int missing $?
"""
    [reply] = run(shell, frame(body))
    assert reply.outcome is Outcome.OK
    assert reply.data == {"slow": 124, "failed": 7, "out": "a  b", "in": "fed", "missing": 127}


@every_shell
def test_deadlines_that_are_called_off_at_once_never_ring_and_answer_nothing(shell: str) -> None:
    body = """
count=0
while [ "$count" -lt 25 ]; do
    run_native 20 true
    count=$((count + 1))
done
data_int count "$count"
"""
    [reply] = run(shell, frame(body))
    assert (reply.outcome, reply.data, reply.log.raw) == (Outcome.OK, {"count": 25}, "")


@every_shell
def test_a_file_is_replaced_as_a_whole_and_keeps_its_mode(shell: str, tmp_path: Path) -> None:
    path = tmp_path / "a file"
    path.write_text("old")
    path.chmod(0o640)
    body = "printf 'new\\r\\n' | replace_file \"$root/a file\" && changed done\n"
    [reply] = run(shell, frame(body), environment={"FLEET_ROOT": str(tmp_path)})
    assert reply.outcome is Outcome.CHANGED
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new\r\n", 0o640)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a file"]


@every_shell
def test_a_link_is_not_replaced(shell: str, tmp_path: Path) -> None:
    (tmp_path / "target").write_text("old")
    (tmp_path / "link").symlink_to("target")
    body = 'printf new | replace_file "$root/link" || fail refused\n'
    [reply] = run(shell, frame(body), environment={"FLEET_ROOT": str(tmp_path)})
    assert (reply.message.raw, (tmp_path / "target").read_text()) == ("refused", "old")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["link", "target"]


@every_shell
def test_a_copy_kept_for_undo_is_private(shell: str, tmp_path: Path) -> None:
    (tmp_path / "conf").write_text("secret\n")
    body = 'keep_copy "$root/conf"\ndata copy "$copy"\ndata sum "$(checksum "$root/conf")"\n'
    [reply] = run(shell, frame(body), environment={"FLEET_ROOT": str(tmp_path)})
    copy = Path(str(reply.data["copy"]))
    assert copy.read_text() == "secret\n"
    assert copy.parent == tmp_path / "var/lib/fleet/backup"
    assert copy.parent.stat().st_mode & 0o077 == 0
    assert (
        reply.data["sum"]
        == subprocess.check_output(["cksum"], input=b"secret\n", text=False).decode().strip()
    )


@every_shell
def test_a_process_is_found_by_its_command_line_and_known_again_by_its_start(
    shell: str, tmp_path: Path
) -> None:
    for pid, words, start in [("11", "thing\0-x\0", "500"), ("12", "other\0", "600"), ("13", "", "700")]:
        folder = tmp_path / "proc" / pid
        folder.mkdir(parents=True)
        (folder / "cmdline").write_text(words)
        (folder / "stat").write_text(f"{pid} (a) b (c) S 1 " + "0 " * 17 + f"{start} 0\n")
    (tmp_path / "proc/stat").write_text("cpu 1\nbtime 1000\n")
    body = """
data found "$(processes '[t]hing')"
data none "$(processes '[n]othing')"
data id "$(process_id 12)"
data gone "$(process_id 99)"
data started "$(process_started 12)"
"""
    [reply] = run(shell, frame(body), environment={"FLEET_ROOT": str(tmp_path)})
    ticks = os.sysconf("SC_CLK_TCK")
    assert reply.data == {
        "found": "11 thing -x",
        "none": "",
        "id": "12:600",
        "gone": "",
        "started": str(1000 + 600 // ticks),
    }


def read_as_the_agent_does(text: str, wanted: str) -> str:
    """What azurelinuxagent/common/conf.py of WALinuxAgent 2.7.3.0 does (ConfigurationProvider.load)."""
    values = {}
    for line in text.split("\n"):
        if not line.startswith("#") and "=" in line:
            key, value = line.split("=", 1)
            values[key.strip()] = value.split("#")[0].strip('" ').strip()
    value = values.get(wanted, "")
    return "" if value == "None" else value


KEYS = st.sampled_from(
    ["Logs.Verbose", "LogsxVerbose", "Logs.Verbose2", "A", "#Logs.Verbose", "# Logs.Verbose"]
)
LINES = st.builds(
    "{}{}{}={}{}{}{}".format,
    st.sampled_from(["", " ", "\t"]),
    KEYS,
    st.sampled_from(["", " ", "\t "]),
    st.sampled_from(["", " ", '"', ' "']),
    st.sampled_from(["y", "n", "Y", "N", "None", "", "maybe", "a=b"]),
    st.sampled_from(["", " ", '"', " # why", "#y", '" # "n"']),
    st.sampled_from(["", "\r"]),
)
CONFS = st.builds(
    "{}{}".format,
    st.lists(LINES | st.sampled_from(["", "# comment", "no setting", "\r"]), min_size=1, max_size=6).map(
        "\n".join
    ),
    st.sampled_from(["", "\n"]),
)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(CONFS, min_size=20, max_size=20))
def test_waagent_conf_is_read_and_changed_as_the_agent_reads_it(
    texts: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("root")
    for number, text in enumerate(texts):
        (folder / f"{number}.conf").write_bytes(text.encode())
    body = f"""
for number in $(seq 0 {len(texts) - 1}); do
    waagent_conf=$root/$number.conf
    data "read$number" "$(waagent_setting Logs.Verbose)"
    waagent_with Logs.Verbose y <"$waagent_conf" >"$root/$number.new"
    waagent_conf=$root/$number.new
    data "changed$number" "$(waagent_setting Logs.Verbose)"
done
"""
    [reply] = run(one_shell, frame(body), environment={"FLEET_ROOT": str(folder)})
    for number, text in enumerate(texts):
        changed = (folder / f"{number}.new").read_bytes().decode()
        assert reply.data[f"read{number}"] == read_as_the_agent_does(text, "Logs.Verbose")
        assert reply.data[f"changed{number}"] == read_as_the_agent_does(changed, "Logs.Verbose") == "y"
        for key in ("LogsxVerbose", "Logs.Verbose2", "A"):
            assert read_as_the_agent_does(changed, key) == read_as_the_agent_does(text, key)


@every_shell
def test_the_search_for_a_backup_does_not_find_itself(shell: str) -> None:
    """On the real /proc, where no freezer runs; the programs beside the search are there too."""
    search = 'while [ $n -lt 25 ]; do n=$((n + 1)); found="$found$(waagent_backup)"; done'
    [reply] = run(
        shell, frame(f'n=0 found=\n{search}\ndata found "$found"\n'), environment={"FLEET_ROOT": ""}
    )
    assert (reply.outcome, reply.data["found"]) == (Outcome.OK, "")
