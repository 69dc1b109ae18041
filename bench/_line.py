"""A line with a delay, for measurements: a port that leads to another one."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, one_way: float) -> None:
    """Hand bytes on in order, each ``one_way`` seconds after it came."""
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
            waiting.put_nowait((time.monotonic() + one_way, data))
    except OSError:
        pass
    waiting.put_nowait((time.monotonic(), b""))
    await task


@contextmanager
def delayed(port: int, one_way: float) -> Iterator[int]:
    """A port of this machine that leads to another one, so many seconds away in each direction."""
    ready, found = threading.Event(), [0]
    loop = asyncio.new_event_loop()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection("127.0.0.1", port)
        with contextlib.suppress(asyncio.CancelledError):  # at the end of the bench
            await asyncio.gather(
                _carry(reader, there[1], one_way), _carry(there[0], writer, one_way), return_exceptions=True
            )

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
