"""SSH against a hand-tuned Paramiko loop, in one run on one machine: ratios, not absolute times.

A real sshd on the loopback, one known_hosts of 1,000 entries, a script of 4 KB on stdin, 32 threads. Every
host is an address of 127.0.1.0/22, so that each is looked up by its own name. Targets:

* 100 hosts: wall at most 1.1 times that of the loop (medians of interleaved rounds), client CPU at most
  8 ms a host;
* 1,000 hosts: less than 120 MB, and time in proportion to 100.

Each measurement runs in a process of its own, so that its CPU and memory are its own.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

THREADS = 32
MAX_RATIO, MAX_CPU_MS, MAX_MEGABYTES, MAX_GROWTH = 1.1, 8.0, 120.0, 1.25
SCRIPT_BYTES = 4096
TIMEOUT = 300
"""Seconds after which a measurement is given up."""


def payload(nonce: str) -> bytes:
    """A script of 4 KB that answers."""
    answer = f'{{"fleet":1,"nonce":"{nonce}","outcome":"ok","message":"","data":{{}},"seconds":0}}'
    text = f"fleet_frame() {{\necho '{answer}'\n}}\nfleet_frame\n"
    return b"#" * (SCRIPT_BYTES - len(text) - 1) + b"\n" + text.encode()


def addresses(count: int) -> list[str]:
    return [f"127.0.{1 + number // 250}.{1 + number % 250}" for number in range(count)]


def with_fleet(server: dict[str, Any], hosts: list[str]) -> int:
    """Give the number of hosts that answered."""
    from fleet.model import Address, Host, Os, Script, Shell, SshSettings
    from fleet.ports import SystemClock
    from fleet.transport.ssh import SshTransports

    settings = SshSettings(key_file=Path(server["key_file"]), known_hosts=Path(server["known_hosts"]))
    transports = SshTransports(SystemClock())

    def one(address: str) -> bool:
        host = Host(
            address,
            Address(address, 4),
            "ssh",
            Os.LINUX,
            Shell.SH,
            server["port"],
            server["user"],
            ssh=settings,
        )
        script = Script(Shell.SH, "n1", payload("n1"), 30.0, "bench", "0" * 64)
        with transports.open(host) as transport:
            (completed,) = transport.run([script])
        return completed.exit_code == 0 and b'"outcome":"ok"' in completed.stdout

    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(one, hosts))


def with_loop(server: dict[str, Any], hosts: list[str]) -> int:
    """The hand-tuned loop: known_hosts and key read once, fast algorithms, no agent, no key search."""
    import paramiko

    known = {}
    for line in Path(server["known_hosts"]).read_text().splitlines():
        name, kind, text = line.split()
        known[name] = (kind, text)
    key = paramiko.Ed25519Key.from_private_key_file(server["key_file"])

    def one(address: str) -> bool:
        import socket

        sock = socket.create_connection((address, server["port"]), 10)
        transport = paramiko.Transport(sock)
        options = transport.get_security_options()
        options.kex = ("curve25519-sha256@libssh.org",)
        options.ciphers = ("aes128-gcm@openssh.com",)
        try:
            transport.start_client(timeout=20)
            presented = transport.get_remote_server_key()
            assert known[f"[{address}]:{server['port']}"] == (presented.get_name(), presented.get_base64())
            transport.auth_publickey(server["user"], key)
            channel = transport.open_session()
            channel.exec_command("sh -s")
            channel.sendall(payload("n1"))
            channel.shutdown_write()
            said = bytearray()
            while data := channel.recv(32_768):
                said += data
            return channel.recv_exit_status() == 0 and b'"outcome":"ok"' in said
        finally:
            transport.close()

    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(one, hosts))


CLIENTS: dict[str, Callable[[dict[str, Any], list[str]], int]] = {"fleet": with_fleet, "loop": with_loop}


def measure(client: str, server: dict[str, Any], count: int) -> dict[str, float]:
    """Run one client over so many hosts in a process of its own."""
    command = [
        sys.executable,
        __file__,
        "--client",
        client,
        "--count",
        str(count),
        "--server",
        json.dumps(server),
    ]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def run_client(client: str, server: dict[str, Any], count: int) -> None:
    """What the process of ``measure`` does: load, log in once, then be measured."""
    CLIENTS[client](server, addresses(1))
    before, began = time.process_time(), time.perf_counter()
    answered = CLIENTS[client](server, addresses(count))
    wall, cpu = time.perf_counter() - began, time.process_time() - before
    if answered != count:
        raise SystemExit(f"{client}: only {answered} of {count} hosts answered")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"wall": wall, "cpu_ms": cpu / count * 1000, "megabytes": peak}))


def versions() -> str:
    from importlib.metadata import version

    client = subprocess.run(["ssh", "-V"], capture_output=True, text=True, check=False).stderr.strip()
    names = ("paramiko", "fabric", "cryptography")
    packages = ", ".join(f"{name} {version(name)}" for name in names)
    return f"Python {platform.python_version()}, {packages}, {client.split(',')[0]}"


def compare(rounds: int, large: int) -> bool:
    """Print the ratios; give whether all targets are met."""
    from tests.sshd import REASON, SSHD, running_sshd

    if SSHD is None:
        print(f"skipped: {REASON}")
        return True
    print(versions())
    options = {"ListenAddress": "0.0.0.0", "MaxStartups": "500:30:1000", "LogLevel": "ERROR"}
    with tempfile.TemporaryDirectory() as folder, running_sshd(Path(folder), options=options) as running:
        lines = [running.line(f"[{address}]:{running.port}") for address in addresses(1000)]
        running.known_hosts.write_text("".join(lines))
        server = {
            "port": running.port,
            "user": running.user,
            "key_file": str(running.key_file),
            "known_hosts": str(running.known_hosts),
        }
        results: dict[str, list[dict[str, float]]] = {"loop": [], "fleet": []}
        for _ in range(rounds):
            for client, measured in results.items():
                measured.append(measure(client, server, 100))
        many = measure("fleet", server, large)
    return report(results, many, large)


def report(results: dict[str, list[dict[str, float]]], many: dict[str, float], large: int) -> bool:
    middle = {
        client: {name: statistics.median(one[name] for one in measured) for name in measured[0]}
        for client, measured in results.items()
    }
    for client, values in middle.items():
        print(
            f"100 hosts, {client:5}  wall {values['wall']:.2f} s  client CPU {values['cpu_ms']:.1f} ms a host"
        )
    ratio = middle["fleet"]["wall"] / middle["loop"]["wall"]
    growth = many["wall"] / middle["fleet"]["wall"] / (large / 100)
    print(f"{large} hosts, fleet  wall {many['wall']:.1f} s  client CPU {many['cpu_ms']:.1f} ms a host")
    checks = [
        ("wall, times the hand-tuned loop", ratio, MAX_RATIO),
        ("client CPU, ms a host", middle["fleet"]["cpu_ms"], MAX_CPU_MS),
        (f"memory at {large} hosts, MB", many["megabytes"], MAX_MEGABYTES),
        (f"time for {large} hosts, times what 100 would predict", growth, MAX_GROWTH),
    ]
    for name, value, limit in checks:
        print(f"{'ok  ' if value <= limit else 'MISS'} {name}: {value:.2f} (at most {limit:g})")
    return all(value <= limit for _, value, limit in checks)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds of 100 hosts")
    parser.add_argument("--large", type=int, default=1000, help="hosts of the large run")
    parser.add_argument("--client", choices=CLIENTS, help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, default=100, help=argparse.SUPPRESS)
    parser.add_argument("--server", type=json.loads, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.client:
        run_client(arguments.client, arguments.server, arguments.count)
    elif not compare(arguments.rounds, arguments.large):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
