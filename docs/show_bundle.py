"""The guests that docs/bundles.md was written with: runs its commands, and takes the picture of an index.

python docs/show_bundle.py          prints what the commands print
python docs/show_bundle.py PNG      takes the picture too, with Debian's chromium
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from fleet import catalog
from fleet.lab.fake_root import FakeRoot
from fleet.lab.ssh_server import SshServer
from fleet.lab.windows_model import WindowsModel
from fleet.lab.winrm_server import WinrmServer
from fleet.lab.world import windows_server

DOCUMENT = Path(__file__).with_name("bundles.md")
PASSWORD = "Correct-Horse-42"  # noqa: S105 (of guests that are simulated)

AGENT = """\
2026-11-20T22:58:41.020311Z INFO ExtHandler ProcessExtensionsGoalState started [incarnation_2]
2026-11-20T22:58:41.551902Z INFO Daemon Wire server endpoint:168.63.129.16
2026-11-20T23:00:02.118240Z INFO ExtHandler GET https://md-xkq3.z32.blob.storage.azure.net/$system/{0}.status\
?sv=2018-03-28&sr=b&sk=system-1&sig=bm90IGEgcmVhbCBzaWduYXR1cmUgYXQgYWxs%3D&se=9999-01-01T00%3A00%3A00Z&sp=rw
"""
FREEZE = """\
2026-11-20 23:04:12.310022 [VMSnapshotLinux-1.0.9225.0]T:S freeze, timeout value 60
2026-11-20 23:04:12.813306 [VMSnapshotLinux-1.0.9225.0]proceeded for accepting signals
"""
PROGRAMS = {
    "apt-cache": "walinuxagent:\\n  Installed: 2.2.53.1-3",
    "dmesg": "[Fri Nov 20 23:04:12 2026] EXT4-fs (sda1): frozen",
    "findmnt": "TARGET SOURCE    FSTYPE OPTIONS\\n/      /dev/sda1 ext4   rw,relatime",
    "free": "Mem:  7812  1911  3320",
    "ip": "2: eth0    inet 10.1.0.7/24 brd 10.1.0.255 scope global eth0",
    "journalctl": "Nov 20 23:00:02 web9 python3[812]: INFO ExtHandler agent started",
    "lsblk": "sda1 ext4 1.0 cloudimg-rootfs / 61%",
    "mount": "/dev/sda1 on / type ext4 (rw,relatime)",
    "ps": "  812 ?  00:01:07 python3",
    "python3": "Python 3.11.2",
    "uptime": "23:10:02 up 41 days,  1 user,  load average: 0.08, 0.03, 0.01",
    "vmstat": "0  0      0 3320044 102344 1841200",
}


def _linux(folder: Path, name: str, *, frozen: bool) -> FakeRoot:
    guest = FakeRoot(folder / name, name, accounts={"ops": PASSWORD})
    guest.path("/var/log/waagent.log").write_text(AGENT.format(name))
    guest.write("/usr/lib/os-release", 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n')
    guest.write("/etc/resolv.conf", "search corp.example\nnameserver 10.1.0.2\n")
    for program, text in PROGRAMS.items():
        path = guest.path(f"/.lab/bin/{program}")
        path.unlink(missing_ok=True)
        path.write_text(f"#!/bin/sh\nprintf '{text.replace('%', '%%')}\\n'\n")
        path.chmod(0o755)
    if frozen:
        log = "/var/log/azure/Microsoft.Azure.RecoveryServices.VMSnapshotLinux/extension.log"
        guest.write(log, FREEZE)
    return guest


@contextmanager
def lab(folder: Path) -> Iterator[None]:
    """Two Linux guests and a Windows one, and ``prod.yaml`` in the folder that reaches them."""
    linux = [_linux(folder, "web3", frozen=False), _linux(folder, "web9", frozen=True)]
    state = windows_server(strong_crypto=True)
    state.texts[r"C:\WindowsAzure\Logs\WaAppAgent.log"] = (
        "[00000011] [11/20/2026 23:00] SQL01: heartbeat sent\r\n"
    )
    windows = WindowsModel("sql01", {"ops": PASSWORD}, state, catalog.load())
    with SshServer(linux) as ssh, WinrmServer([windows]) as winrm:
        (folder / "known_hosts").write_text(ssh.known_hosts_text())
        (folder / "ca.pem").write_bytes(winrm.authority.file.read_bytes())
        (folder / "secret").touch(mode=0o600)
        (folder / "secret").write_text(PASSWORD + "\n")
        common = {"ansible_host": "127.0.0.1", "ansible_user": "ops", "fleet_password": {"file": "secret"}}
        of_winrm = {"ansible_connection": "winrm", "ansible_winrm_ca_trust_path": "ca.pem"}
        hosts: dict[str, object] = {
            name: {**common, "fleet_known_hosts": "known_hosts", "ansible_port": port}
            for name, (_, port) in ssh.addresses.items()
        }
        hosts["sql01"] = {**common, **of_winrm, "ansible_port": winrm["sql01"].port}
        (folder / "prod.yaml").write_text(yaml.safe_dump({"all": {"hosts": hosts}}))
        yield


def shown() -> Iterator[tuple[str, str]]:
    """Every command of the document with what it says that it prints."""
    for block in re.findall(r"```console\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL):
        for part in re.split(r"(?m)^\$ ", block)[1:]:
            command, _, output = part.partition("\n")
            yield command, output


def carry_out(command: str, folder: Path) -> str:
    """Run a command in the folder and give what it prints."""
    words = [sys.executable, "-m", *shlex.split(command)]
    environment = {**os.environ, "FLEET_STATE": str(folder / "state"), "COLUMNS": "80"}
    done = subprocess.run(  # noqa: S603 (a command of our own document)
        words, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def _picture(archive: Path, target: Path) -> None:
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(archive) as file:
        page = Path(folder) / "index.html"
        page.write_bytes(file.read("index.html"))
        flags = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--window-size=1100,1080",
        ]
        words = ["chromium", *flags, f"--screenshot={target.resolve()}", page.as_uri()]
        subprocess.run(words, check=True, capture_output=True)  # noqa: S603 (nothing of a guest is in it)


def main() -> None:
    """Run everything that the document shows."""
    with tempfile.TemporaryDirectory() as name, lab(Path(name)):
        for command, _ in shown():
            sys.stdout.write(f"$ {command}\n{carry_out(command, Path(name))}\n")
        if len(sys.argv) > 1:
            carry_out("fleet collect -i prod.yaml -l web9 --redact full -o picture.zip", Path(name))
            _picture(Path(name) / "picture.zip", Path(sys.argv[1]))


if __name__ == "__main__":
    main()
