"""One check against twelve over a line with 80 ms of round trip, by SSH and by WinRM: seconds a host.

Target: what the line adds to twelve checks is at most 1.5 times what it adds to one; what it adds is the time
with the delay less the time without it, in which guest and fleet do the same work. Guests of the lab.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
sys.path.remove(str(Path(__file__).resolve().parent))  # its winrm.py is not pywinrm

from fleet import load_inventory
from fleet.api import load_catalog
from fleet.engine.plan import Plan, Procedure, bind_own
from fleet.engine.prepare import Settings, execution
from fleet.engine.steps import Task
from fleet.lab.fake_root import FakeRoot
from fleet.lab.lab import Accounts, Lab
from fleet.lab.windows_model import WindowsModel
from fleet.lab.world import windows_server
from fleet.model import Host, Outcome

ONE_WAY, ROUNDS, MANY = 0.04, 6, 12
MAX_RATIO = 1.5


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Hand bytes on in order, each ``ONE_WAY`` seconds after it came."""
    waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def write() -> None:
        while True:
            due, data = await waiting.get()
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            if not data:
                writer.close()
                return
            writer.write(data)

    task = asyncio.create_task(write())
    try:
        while data := await reader.read(65_536):
            waiting.put_nowait((time.monotonic() + ONE_WAY, data))
    except OSError:
        pass
    waiting.put_nowait((time.monotonic(), b""))
    await task


@contextmanager
def delayed(port: int) -> Iterator[int]:
    """A port of this machine that leads to another one, with a delay in both directions."""
    ready, found = threading.Event(), [0]
    loop = asyncio.new_event_loop()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection("127.0.0.1", port)
        with contextlib.suppress(asyncio.CancelledError):  # at the end of the bench
            await asyncio.gather(_carry(reader, there[1]), _carry(there[0], writer), return_exceptions=True)

    async def serve() -> None:
        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        found[0] = server.sockets[0].getsockname()[1]
        ready.set()

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(serve())
        loop.run_forever()
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    ready.wait()
    try:
        yield found[0]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


def seconds(host: Host, check: str, count: int, state: Path) -> float:
    """Wall seconds of a run with the same check so many times; the best of some rounds."""
    snippet = load_catalog().snippet(check)
    task = Task(snippet, bind_own(snippet, {}, {}, text=False), "look")
    plan = Plan(Procedure(check, snippet.title, checks=(task,) * count), (host,), "c", "i")
    found = []
    for _ in range(ROUNDS):
        run = execution(plan, "look", Settings(), state=state, command="bench")
        start = time.perf_counter()
        results = list(run)
        found.append(time.perf_counter() - start)
        assert [result.outcome for result in results] == [Outcome.OK] * count, results[0].message
    return min(found)


def measure(name: str, host: Host, check: str, state: Path) -> bool:
    """Print one line; whether the target is met."""
    seconds(host, check, 1, state)  # what is loaded once
    direct = [seconds(host, check, count, state) for count in (1, MANY)]
    with delayed(host.port) as port:
        if host.ssh.known_hosts is not None:
            known = host.ssh.known_hosts.read_text()
            host.ssh.known_hosts.write_text(known + known.replace(f":{host.port} ", f":{port} "))
        slow = replace(host, port=port)
        behind = [seconds(slow, check, count, state) for count in (1, MANY)]
    one, many = (late - early for late, early in zip(behind, direct, strict=True))
    print(
        f"{name}: one check {behind[0]:.2f} s, {MANY} checks {behind[1]:.2f} s; "
        f"of this the line {one:.2f} s and {many:.2f} s, ratio {many / one:.2f} (at most {MAX_RATIO})"
    )
    return many <= MAX_RATIO * one


def main() -> int:
    """Measure, print, and give 1 where a target is missed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        accounts = Accounts(folder / "secrets")
        linux = [FakeRoot(folder / "lin", "lin", accounts=accounts.linux, uid=1000)]
        state = windows_server(strong_crypto=True)
        windows = [WindowsModel("win", accounts.windows, state, load_catalog())]
        with Lab(folder, linux, windows) as lab:
            hosts = load_inventory(lab.inventory).hosts
            met = [
                measure("ssh", hosts["lin"], "waagent-verbose-logging", folder / "state"),
                measure("winrm", hosts["win"], "complus-msdtc", folder / "state"),
            ]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
