"""``run_native`` of the sh library: programs that end at once must not be waited for."""

from __future__ import annotations

import subprocess

import pytest

from fleet.catalog import scripts_folder
from tests.snippets.harness import SHELLS

MANY_QUICK_ONES = """
FLEET_ROOT= root=
. "$1"
trap 'echo stopped' TERM # as the frame has it: what is lost here is lost there
count=0
while [ "$count" -lt 200 ]; do
    count=$((count + 1))
    run_native 60 true
done
echo "$count ended"
"""


@pytest.mark.parametrize("shell", SHELLS)
def test_the_alarm_of_a_program_that_ends_at_once_ends_too(shell: str) -> None:
    """The alarm's subshell may not have set its trap yet when it is told to end."""
    command = [*SHELLS[shell], *(["sh"] if shell == "busybox" else [])]
    ended = subprocess.run(
        [*command, "-c", MANY_QUICK_ONES, "sh", str(scripts_folder() / "sh/_library.sh")],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert ended.stdout == "200 ended\n"
    assert ended.stderr == ""
