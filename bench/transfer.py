"""200 MB from one guest: fleet's fetching beside the least that a client can do, in one run on one machine.

Over WinRM (HTTPS, the lab's service in a process of its own) the minimal client speaks hand-written SOAP over
one connection of ``http.client`` with envelopes of 512,000 bytes, writes to a file and compares nothing; with
four ranges it does so over four connections. Over SSH (a real sshd) ``sftp`` of OpenSSH and Paramiko's stand
beside it. Targets:

* WinRM, no delay and 20 ms of round trip: at most 1.3 times the minimal client with one connection; the one
  with four shows what is left;
* memory of fleet's process: less than 60 MB, over WinRM and over SSH.

Each measurement runs in a process of its own and counts from the login to the file in its place; of
interleaved rounds the best counts. fleet's guest starts a shell for every 16 MiB and hashes them as it sends
them, as its PowerShell does; over a connection without any delay that is what SSH shows.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import http.client
import json
import os
import platform
import re
import resource
import secrets
import shlex
import ssl
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path[0] = str(ROOT)  # in place of this folder, where winrm.py would hide pywinrm

MEGABYTES = 200
MAX_RATIO, MAX_MEGABYTES, ONE_WAY = 1.3, 60.0, 0.01
USER, PASSWORD = "operator", "correct-horse"
TIMEOUT = 600
"""Seconds after which a measurement is given up."""

Server = dict[str, Any]

SEND = """
sum=$(mktemp -u)
mkfifo "$sum"
sha256sum <"$sum" | cut -c 1-64 >"$sum.done" &
dd if={pack} bs=1M iflag=skip_bytes,count_bytes skip={start} count={length} 2>/dev/null | tee "$sum"
wait
printf '\\n{mark}"outcome":"ok","message":"","data":{{"sha256":"%s"}},"seconds":0}}\\n' "$(cat "$sum.done")"
rm "$sum" "$sum.done"
"""


# fleet


def fetch_all(server: Server, target: Path, connect: Callable[[], Any], connection: str, line: bool) -> None:
    from fleet.engine.fetch import STREAMS, Budget, Source, fetch
    from fleet.envelope import prefix
    from fleet.model import Outcome, Script, Shell
    from fleet.ports import SystemClock

    def ask(offset: int, length: int, _: str) -> Script:
        nonce = secrets.token_hex(16)
        mark = prefix(nonce).decode()
        text = SEND.format(start=offset, pack=server["pack"], length=length, mark=mark).encode()
        return Script(Shell.SH, nonce, in_a_line(text) if line else text, 300.0, "bench", "0" * 64)

    source = Source(server["size"], ask, connect, STREAMS.get(connection, 1))
    with connect() as first:
        budget = Budget(server["size"], 8)
        fetched = fetch(source, target, first=first, budget=budget, clock=SystemClock())
    if fetched.outcome is not Outcome.OK:
        raise SystemExit(fetched.message)


def in_a_line(text: bytes) -> bytes:
    """As for PowerShell; the guest hands it to sh."""
    import zlib

    packer = zlib.compressobj(wbits=-15)
    return base64.b64encode(packer.compress(text) + packer.flush()) + b"\n"


def winrm_fleet(server: Server, target: Path) -> None:
    from fleet.model import Address, Host, Os, Secret, Shell, WinrmSettings
    from fleet.ports import SystemClock
    from fleet.transport import Limits
    from fleet.transport.winrm import WinrmTransports

    settings = WinrmSettings(scheme="https", auth="basic", ca_trust_path=Path(server["authority"]))
    address = Address("127.0.0.1", 4)
    host = Host("guest", address, "winrm", Os.WINDOWS, Shell.POWERSHELL, server["port"], USER, winrm=settings)
    openers = WinrmTransports(SystemClock(), Limits())
    fetch_all(server, target, lambda: openers.open(host, Secret(PASSWORD)), "winrm", line=True)


def ssh_fleet(server: Server, target: Path) -> None:
    from fleet.model import Address, Host, Os, Shell, SshSettings
    from fleet.ports import SystemClock
    from fleet.transport.ssh import SshTransports

    settings = SshSettings(key_file=Path(server["key_file"]), known_hosts=Path(server["known_hosts"]))
    address = Address("127.0.0.1", 4)
    host = Host("guest", address, "ssh", Os.LINUX, Shell.SH, server["port"], server["user"], ssh=settings)
    openers = SshTransports(SystemClock())
    fetch_all(server, target, lambda: openers.open(host), "ssh", line=False)


# The least that a client can do


_SOAP = """<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" \
xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" \
xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" \
xmlns:r="http://schemas.microsoft.com/wbem/wsman/1/windows/shell"><s:Header>\
<a:To>https://127.0.0.1/wsman</a:To><a:ReplyTo><a:Address>\
http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:Address></a:ReplyTo>\
<a:Action>{action}</a:Action><a:MessageID>uuid:{message}</a:MessageID>\
<w:MaxEnvelopeSize>512000</w:MaxEnvelopeSize><w:OperationTimeout>PT20S</w:OperationTimeout>\
<w:ResourceURI>http://schemas.microsoft.com/wbem/wsman/1/windows/shell/cmd</w:ResourceURI>\
<w:SelectorSet><w:Selector Name="ShellId">{shell}</w:Selector></w:SelectorSet>\
</s:Header><s:Body>{body}</s:Body></s:Envelope>"""

_SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
_TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
_STREAM = re.compile(rb'<r:Stream [^>]*Name="stdout"[^>]*>([^<]*)</r:Stream>')
_COMMAND_ID = re.compile(rb"<r:CommandId>([^<]*)</r:CommandId>")


def minimal_range(server: Server, target: Path, offset: int, length: int) -> None:
    """One range over one connection, to its place in the file."""
    context = ssl.create_default_context(cafile=server["authority"])
    link = http.client.HTTPSConnection("127.0.0.1", server["port"], context=context)
    credentials = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    headers = {"Authorization": f"Basic {credentials}", "Content-Type": "application/soap+xml;charset=UTF-8"}
    shell = str(uuid.uuid4()).upper()

    def call(action: str, body: str) -> bytes:
        text = _SOAP.format(action=action, message=uuid.uuid4(), shell=shell, body=body)
        link.request("POST", "/wsman", text.encode(), headers)
        response = link.getresponse()
        reply = response.read()
        if response.status != 200:
            raise SystemExit(f"HTTP {response.status}: {reply[:300]!r}")
        return reply

    streams = "<r:InputStreams>stdin</r:InputStreams><r:OutputStreams>stdout stderr</r:OutputStreams>"
    call(f"{_TRANSFER}/Create", f'<r:Shell ShellId="{shell}">{streams}</r:Shell>')
    command = f"tail -c +{offset + 1} {server['pack']} | head -c {length}"
    reply = call(f"{_SHELL}/Command", f"<r:CommandLine><r:Command>{command}</r:Command></r:CommandLine>")
    found = _COMMAND_ID.search(reply)
    assert found is not None
    wanted = f'<r:DesiredStream CommandId="{found[1].decode()}">stdout stderr</r:DesiredStream>'
    with target.open("r+b") as file:
        file.seek(offset)
        while True:
            reply = call(f"{_SHELL}/Receive", f"<r:Receive>{wanted}</r:Receive>")
            for text in _STREAM.findall(reply):
                file.write(base64.b64decode(text))
            if b"CommandState/Done" in reply:
                break
    call(f"{_TRANSFER}/Delete", "")
    link.close()


def winrm_minimal(server: Server, target: Path) -> None:
    target.touch()
    minimal_range(server, target, 0, server["size"])


def winrm_minimal_four(server: Server, target: Path) -> None:
    target.touch()
    quarter = server["size"] // 4
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: minimal_range(server, target, n * quarter, quarter), range(4)))


def ssh_sftp(server: Server, target: Path) -> None:
    """OpenSSH's program, which speaks C."""
    options = f"-q -F none -P {server['port']} -i {server['key_file']}"
    options += f" -o UserKnownHostsFile={server['known_hosts']}"
    place = f"{server['user']}@127.0.0.1:{server['pack']}"
    subprocess.run(["sftp", *shlex.split(options), place, str(target)], check=True, stdout=subprocess.DEVNULL)


def ssh_paramiko(server: Server, target: Path) -> None:
    import paramiko

    client = paramiko.SSHClient()
    client.load_host_keys(server["known_hosts"])
    client.connect(
        "127.0.0.1",
        server["port"],
        server["user"],
        key_filename=server["key_file"],
        allow_agent=False,
        look_for_keys=False,
    )
    with client, client.open_sftp() as sftp:
        sftp.get(server["pack"], str(target))


CLIENTS: dict[str, Callable[[Server, Path], None]] = {
    "winrm fleet": winrm_fleet,
    "winrm minimal": winrm_minimal,
    "winrm minimal, four ranges": winrm_minimal_four,
    "ssh fleet": ssh_fleet,
    "ssh paramiko sftp": ssh_paramiko,
    "ssh sftp": ssh_sftp,
}


# Measuring


def run_client(name: str, server: Server) -> None:
    """What the process of ``measure`` does."""
    with tempfile.TemporaryDirectory() as folder:
        CLIENTS[name]({**server, **server["small"]}, Path(folder) / "small")  # what is loaded once
        target = Path(folder) / "pack"
        began = time.perf_counter()
        CLIENTS[name](server, target)
        wall = time.perf_counter() - began
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        times = os.times()
        with target.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != server["sha256"]:
                raise SystemExit(f"{name}: what came is not what is there")
    cpu = times.user + times.system + times.children_user + times.children_system
    print(json.dumps({"wall": wall, "cpu": cpu, "megabytes": peak}))


def measure(name: str, server: Server) -> dict[str, float]:
    """Run one client in a process of its own."""
    command = [sys.executable, __file__, "--client", name, "--server", json.dumps(server)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=TIMEOUT)
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


def serve() -> None:
    """The lab's WinRM service, until stdin ends; says on stdout how it is reached."""
    from fleet.lab.winrm_server import WinrmServer
    from fleet.render import powershell_command
    from tests.transport.winrm_world import ChildProcess, LineGuest

    class Guest(LineGuest):
        """Runs any other command line as the minimal client needs it."""

        def spawn(self, command: str) -> ChildProcess:
            return (
                super().spawn(command)
                if command == powershell_command()
                else ChildProcess(["sh", "-c", command])
            )

    guest = Guest()
    guest.accounts = {USER: PASSWORD}
    with WinrmServer([guest]) as server:
        print(json.dumps({"port": server["win1"].port, "authority": str(server.authority.file)}), flush=True)
        sys.stdin.read()


def compare(names: list[str], server: Server, rounds: int, title: str) -> dict[str, dict[str, float]]:
    """Measure these clients in turn, print, and give the best of each by name."""
    seen: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for _ in range(rounds):
        for name, measured in seen.items():
            measured.append(measure(name, server))
    print(f"\n{title}")
    best = {}
    for name, measured in seen.items():
        best[name] = values = min(measured, key=lambda one: one["wall"])
        cpu, megabytes = values["cpu"], values["megabytes"]
        print(f"  {name:<28} {values['wall']:6.2f} s  {cpu:5.2f} s of CPU  {megabytes:5.0f} MB")
    return best


def ratio(best: dict[str, dict[str, float]], ours: str, theirs: str) -> float:
    return best[ours]["wall"] / best[theirs]["wall"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds without a delay")
    parser.add_argument("--megabytes", type=int, default=MEGABYTES)
    parser.add_argument("--client", choices=CLIENTS, help=argparse.SUPPRESS)
    parser.add_argument("--server", type=json.loads, help=argparse.SUPPRESS)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve()
        return 0
    if arguments.client:
        run_client(arguments.client, arguments.server)
        return 0
    print(f"Python {platform.python_version()}, {arguments.megabytes} MB")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        small, pack = (stage(folder / str(number), number) for number in (1, arguments.megabytes))
        staged = {**pack, "small": small}
        checks = [*over_winrm(stack, staged, arguments.rounds), *over_ssh(folder, staged, arguments.rounds)]
    print()
    for text, value, limit in checks:
        print(f"{'ok  ' if value <= limit else 'MISS'} {text}: {value:.2f} (at most {limit:g})")
    return 0 if all(value <= limit for _, value, limit in checks) else 1


def stage(pack: Path, megabytes: int) -> Server:
    """Make a file of noise in the guest, which is this machine; say what a client has to know of it."""
    digest = hashlib.sha256()
    with pack.open("wb") as file:
        for _ in range(megabytes):
            noise = os.urandom(1_000_000)
            digest.update(noise)
            file.write(noise)
    return {"pack": str(pack), "size": pack.stat().st_size, "sha256": digest.hexdigest()}


def over_winrm(stack: ExitStack, staged: Server, rounds: int) -> list[tuple[str, float, float]]:
    from bench._line import delayed

    names = [name for name in CLIENTS if name.startswith("winrm")]
    pipe = subprocess.PIPE
    command = [sys.executable, __file__, "--serve"]
    service = stack.enter_context(subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True))
    assert service.stdin is not None
    assert service.stdout is not None
    stack.callback(service.stdin.close)
    server = {**staged, **json.loads(service.stdout.readline())}
    near = compare(names, server, rounds, "WinRM, no delay")
    with delayed(server["port"], ONE_WAY) as port:
        far = compare(names, {**server, "port": port}, 1, f"WinRM, {2000 * ONE_WAY:.0f} ms of round trip")
    return [
        ("WinRM, times the minimal client", ratio(near, *names[:2]), MAX_RATIO),
        ("WinRM with a delay, times the minimal client", ratio(far, *names[:2]), MAX_RATIO),
        ("WinRM, memory in MB", max(near[names[0]]["megabytes"], far[names[0]]["megabytes"]), MAX_MEGABYTES),
    ]


def over_ssh(folder: Path, staged: Server, rounds: int) -> list[tuple[str, float, float]]:
    from tests.sshd import REASON, SSHD, running_sshd

    if SSHD is None:
        print(f"SSH skipped: {REASON}")
        return []
    names = [name for name in CLIENTS if name.startswith("ssh")]
    options = {"LogLevel": "ERROR", "Subsystem": "sftp internal-sftp"}
    with running_sshd(folder, options=options) as running:
        running.known_hosts.write_text(running.line())
        server = {
            **staged,
            "port": running.port,
            "user": running.user,
            "key_file": str(running.key_file),
            "known_hosts": str(running.known_hosts),
        }
        best = compare(names, server, rounds, "SSH")
    return [("SSH, memory in MB", best["ssh fleet"]["megabytes"], MAX_MEGABYTES)]


if __name__ == "__main__":
    sys.exit(main())
