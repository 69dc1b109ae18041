"""Any bytes that a shell variable can hold become JSON of pure ASCII, with every awk this machine has."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fleet.catalog import scripts_folder
from tests.snippets.frames import SHELLS, frame, run

LIBRARY = scripts_folder() / "sh" / "_library.sh"

AWKS = {
    name: command
    for name, command in {
        "mawk": ["mawk"],
        "gawk": ["gawk"],
        "original-awk": ["original-awk"],
        "busybox": ["busybox", "awk"],
    }.items()
    if shutil.which(command[0])
}

pytestmark = pytest.mark.skipif("dash" not in SHELLS, reason="no dash here")

TEXTS = st.binary(max_size=40) | st.text(max_size=20).map(lambda text: text.encode("utf-8", "surrogatepass"))
HARD = [
    b"",
    b"\n",
    b"plain text, all of it: !#$%&'()*+,-./<=>?@[]^_`{|}~",
    b'quotes " and \\ and \\" and \\\\n',
    b"\n\nlines\n\twith\rends\n\n\n",
    bytes(range(1, 128)),
    bytes(range(128, 256)),
    "ä€\U0001f600\u2028\ufeff\u202e".encode(),
    b"cut \xe2\x82, alone \x80, long \xc0\xaf \xf0\x80\x80\x80, surrogate \xed\xa0\x80, \xf4\x90\x80\x80",
    b"first and last of each length: \xc2\x80\xdf\xbf \xe0\xa0\x80\xed\x9f\xbf\xef\xbf\xbf \xf4\x8f\xbf\xbf",
    b"just outside: \xe0\x9f\xbf \xe0\x80\x80 \xed\xbf\xbf \xf0\x8f\xbf\xbf \xf4\x90\x80\x80 \xf5",
    b"never in UTF-8: \xff \xfe \xc1",
    b"\xf0\x9f\x98\x80\xf0\x9f\x98\n\x80\xe4",
    b"%s %d %% \\045 %c",
    b"&\\&\\\\&",
]


@pytest.mark.parametrize("awk", AWKS)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(values=HARD)
@given(values=st.lists(TEXTS, min_size=10, max_size=30))
def test_any_bytes_become_the_json_that_python_would_read(
    awk: str, values: list[bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    values = [value.replace(b"\0", b"") for value in values]
    output = _json_of(values, _only_awk(awk, tmp_path_factory))
    assert output.isascii()
    assert [json.loads(line) for line in output.splitlines()] == [
        value.decode("utf-8", "replace") for value in values
    ]


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_hands_all_bytes_over(shell: str) -> None:
    body = "".join(f'{_assignment(value)}\ndata k{i} "$value"\n' for i, value in enumerate(HARD))
    [reply] = run(shell, frame(body))
    assert [reply.data[f"k{i}"] for i in range(len(HARD))] == [
        value.decode("utf-8", "replace") for value in HARD
    ]


@pytest.mark.parametrize("awk", AWKS)
def test_a_megabyte_is_no_trouble(awk: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    value = "é\n\\x".encode() * 200_000
    process = subprocess.run(
        ["dash", "-c", '. "$0"; value=$(cat; echo .); fleet_json "${value%.}"', str(LIBRARY)],
        input=value,
        env={"PATH": _only_awk(awk, tmp_path_factory), "LC_ALL": "C"},
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert json.loads(process.stdout) == value.decode()


def _assignment(value: bytes) -> str:
    octal = "".join(f"\\{byte:03o}" for byte in value)
    return f"value=$(printf '{octal}.'); value=${{value%.}}"


def _json_of(values: list[bytes], path: str) -> bytes:
    lines = [f'{_assignment(value)}; fleet_json "$value"; echo' for value in values]
    process = subprocess.run(
        ["dash", "-c", '. "$0"; eval "$(cat)"', str(LIBRARY)],
        input="\n".join(lines).encode(),
        env={"PATH": path, "LC_ALL": "C"},
        capture_output=True,
        check=True,
        timeout=60,
    )
    return process.stdout


def _only_awk(awk: str, factory: pytest.TempPathFactory) -> str:
    folder = Path(factory.getbasetemp()) / f"awk-{awk}"
    if not folder.exists():
        folder.mkdir()
        found = shutil.which(AWKS[awk][0])
        assert found
        (folder / "awk").symlink_to(found)
    return f"{folder}:{os.environ['PATH']}"
