"""A Linux guest that is a folder: real shells run real scripts in it, stub commands model its services.

Everything a snippet touches hangs from ``FLEET_ROOT``; commands come from one folder, which holds the stubs
of ``fleet/lab/stubs`` and links to harmless tools of this machine, so nothing outside the folder is changed.
The guest's state lies in files below ``.lab`` (see ``stubs/_agent.sh``); the ledger there is the record of
what was done to it.
"""

from __future__ import annotations

import functools
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import cast

from fleet.lab.guest import Process

_STUBS = Path(__file__).parent / "stubs"

TOOLS = (
    *(
        "awk",
        "base64",
        "basename",
        "cat",
        "chmod",
        "chown",
        "cksum",
        "cmp",
        "cp",
        "cut",
        "date",
        "dd",
        "df",
        "dirname",
        "env",
    ),
    *(
        "expr",
        "false",
        "find",
        "getconf",
        "grep",
        "gzip",
        "head",
        "hostname",
        "ln",
        "ls",
        "mkdir",
        "mktemp",
        "mv",
    ),
    *(
        "nproc",
        "od",
        "printf",
        "pwd",
        "readlink",
        "rm",
        "rmdir",
        "sed",
        "sh",
        "sha256sum",
        "sleep",
        "sort",
        "stat",
        "tail",
    ),
    *("tee", "test", "touch", "tr", "true", "uname", "uniq", "wc", "xargs"),
)
"""Commands of this machine that a guest has too: none of them reaches beyond what it is pointed at."""

_FIRST_PID = 5_000_001
"""Above the 4194304 that Linux gives at most (proc(5), pid_max): no signal can reach a real process."""

_EXTENSION = "Microsoft.Azure.RecoveryServices.VMSnapshotLinux"

_FREEZER = (f"/var/lib/waagent/{_EXTENSION}-1.0.9225.0/main/safefreeze/bin/safefreeze", "60", "/")

_FROZEN = f"""\
2026-01-14 22:16:48.811102 [{_EXTENSION}-1.0]arg : {list(_FREEZER)}
2026-01-14 22:16:48.813306 [{_EXTENSION}-1.0]proceeded for accepting signals
2026-01-14 23:16:48.000000 [{_EXTENSION}-1.0]starting enable
"""
"""The extension's log of a freeze that was not ended in an hour."""

_UPTIME = 86_400
"""Seconds the guest has been up when it is built; its agent was started with it."""

_CONF = """\
# Azure Linux agent of a simulated guest

# Handle extensions; without them there is no backup
Extensions.Enabled=y

# Which provisioning agent to use: auto, waagent, cloud-init or disabled
Provisioning.Agent=auto

# Verbose logging (y|n)
Logs.Verbose=n

# Updates of the agent by itself
AutoUpdate.Enabled=n
"""


class Init(StrEnum):
    """What manages the services of a guest."""

    SYSTEMD = "systemd"
    SYSV = "sysv"
    OPENRC = "openrc"
    NONE = "none"


class Fault(StrEnum):
    """What can be wrong with a guest, or will go wrong when somebody tries to mend it."""

    DEAD = "dead"
    """The agent does not run."""
    DISABLED = "disabled"
    """Its service does not start at boot."""
    MASKED = "masked"
    """Its unit is masked, so nothing can start it (systemd)."""
    HUNG = "hung"
    """It has logged nothing for a day."""
    VERBOSE = "verbose"
    """Verbose logging was left on."""
    CUT_OFF = "cut-off"
    """Nothing that it connects to answers."""
    BACKUP = "backup"
    """A backup holds the file systems right now."""
    DISABLE_FILE = "disable-file"
    """``/var/lib/waagent/disable_agent`` makes the agent sleep for ever."""
    ABSENT = "absent"
    """It is not installed."""
    CONDITION = "condition"
    """A start succeeds and nothing runs, as with ConditionVirtualization off Azure."""
    START_FAILS = "start-fails"
    """A start fails."""
    STOP_KEEPS = "stop-keeps"
    """Stop and restart succeed and leave the old process, as SysV scripts do."""
    DEAF = "deaf"
    """The agent does not end on a signal."""
    DIES = "dies"
    """It ends a moment after its start."""
    FLAPS = "flaps"
    """It ends a moment after its start and is started again."""
    SILENT = "silent"
    """It runs and writes nothing to its log."""
    NO_RESTART = "no-restart"
    """Its unit does not start it again after a crash (systemd)."""
    OUTDATED = "outdated"
    """Its package is old, and the repository has a newer one (apt)."""
    WRONG_LABELS = "wrong-labels"
    """SELinux is on, and files of the agent have another label than the policy wants."""
    OLD_EXTENSION = "old-extension"
    """The VMSnapshot extension is one of long ago."""
    LOOP_MOUNT = "loop-mount"
    """A file system lies on a loop device, whose file lies on another one."""
    FREEZE_HANGS = "freeze-hangs"
    """A backup froze the file systems and never thawed them."""
    HANGS = "hangs"
    """systemctl does not come back."""
    SUDO_ASKS = "sudo-asks"
    """sudo wants a password."""


class Command(subprocess.Popen[bytes]):
    """A command line in a guest, with its whole process group."""

    def kill(self) -> None:
        """End it and what it started, except what has left its process group."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return


class FakeRoot:
    """A Linux guest in a folder; implements ``fleet.lab.guest.Guest``.

    Args:
        folder: Where to build it: empty, or not there yet.
        name: Host name.
        accounts: Passwords by user name.
        init: What manages its services.
        service: Name of the agent's service: walinuxagent or waagent.
        faults: What is wrong from the start; ``plant`` adds more.
        uid: What its accounts are without sudo; 0 is root.
        conf: Content of /etc/waagent.conf.
        shell: Program behind ``sh``; None: that of this machine.
        without: Commands it lacks.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        *,
        accounts: Mapping[str, str],
        init: Init = Init.SYSTEMD,
        service: str = "walinuxagent",
        faults: Collection[Fault] = (),
        uid: int = 0,
        conf: str = _CONF,
        shell: Sequence[str] | None = None,
        without: Collection[str] = (),
    ) -> None:
        self._root = folder
        self._name = name
        self._accounts = dict(accounts)
        self._init = init
        self._service = service
        self._build_folders(uid)
        self._build_commands(shell, without)
        self._build_agent(conf)
        for fault in faults:
            self.plant(fault)

    @property
    def name(self) -> str:
        """Host name."""
        return self._name

    @property
    def accounts(self) -> Mapping[str, str]:
        """Passwords by user name."""
        return self._accounts

    @property
    def ledger(self) -> list[str]:
        """What was done to the guest, in order."""
        return self._lines("ledger")

    @property
    def calls(self) -> list[str]:
        """Every call of a stub command with its arguments, in order."""
        return self._lines("calls")

    @property
    def agent_pid(self) -> int | None:
        """Process id of the agent; None where it does not run."""
        text = (self._lab / "pid").read_text().strip()
        return int(text) if text else None

    def path(self, path: str) -> Path:
        """Where an absolute path of the guest lies on this machine."""
        return self._root / path.lstrip("/")

    def write(self, path: str, text: str) -> None:
        """Write a file of the guest, line ends as given."""
        target = self.path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text.encode())

    def stub(self, command: str, text: str) -> None:
        """Put a shell script in a command's place."""
        target = self._lab / "bin" / command
        target.unlink(missing_ok=True)
        target.write_text(text)
        target.chmod(0o755)

    def plant(self, fault: Fault) -> None:
        """Make something go wrong from now on."""
        (self._lab / "faults" / fault).touch()
        if fault in {Fault.DEAD, Fault.ABSENT}:
            self._end_agent()
        if fault is Fault.ABSENT:
            self._remove_agent()
        elif fault is Fault.DISABLED:
            self._set_autostart(enabled=False)
        elif fault is Fault.MASKED:
            self._put("enabled", "masked")
        elif fault is Fault.HUNG:
            old = time.time() - _UPTIME
            os.utime(self.path("/var/log/waagent.log"), (old, old))
        elif fault is Fault.VERBOSE:
            conf = self.path("/etc/waagent.conf")
            conf.write_text(conf.read_text().replace("Logs.Verbose=n", "Logs.Verbose=y"))
            self._age(conf)
        elif fault is Fault.BACKUP:
            self._add_process(_FIRST_PID - 1, _FREEZER, began=_UPTIME)
        elif fault is Fault.DISABLE_FILE:
            self.write("/var/lib/waagent/disable_agent", "")
        elif fault is Fault.OUTDATED:
            self._put("package", "2.2.45-4")
            self._add_commands("_apt")
        elif fault is Fault.WRONG_LABELS:
            self.write("/sys/fs/selinux/enforce", "1")
            self._add_commands("_selinux")
        elif fault is Fault.OLD_EXTENSION:
            self.write(f"/var/lib/waagent/{_EXTENSION}-1.0.9.0/HandlerManifest.json", "[]\n")
        elif fault is Fault.FREEZE_HANGS:
            self.write(f"/var/log/azure/{_EXTENSION}/extension.log", _FROZEN)
            self._add_process(_FIRST_PID - 1, _FREEZER)
        elif fault is Fault.LOOP_MOUNT:
            self.write("/proc/mounts", "/dev/sda1 / ext4 rw 0 0\n/dev/loop3 /srv/image ext4 rw 0 0\n")

    def spawn(self, command: str) -> Process:
        """Start a command line as the guest's SSH service would."""
        return cast(
            Process,
            Command(
                ["/bin/sh", "-c", command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=self._root,
                env={
                    "PATH": str(self._lab / "bin"),
                    "HOME": str(self._root),
                    "TMPDIR": str(self._root / "tmp"),
                    "FLEET_ROOT": str(self._root),
                },
                start_new_session=True,
            ),
        )

    @property
    def _lab(self) -> Path:
        return self._root / ".lab"

    def _lines(self, name: str) -> list[str]:
        return (self._lab / name).read_text().splitlines()

    def _put(self, name: str, value: str) -> None:
        (self._lab / name).write_text(value + "\n" if value else "")

    def _build_folders(self, uid: int) -> None:
        for folder in (
            ".lab/bin",
            ".lab/faults",
            "etc",
            "proc",
            "run",
            "tmp",
            "var/log",
            "var/lib/waagent",
            "var/tmp",
        ):
            (self._root / folder).mkdir(parents=True, exist_ok=True)
        boot = int(time.time()) - _UPTIME
        self.write("/proc/stat", f"cpu 0 0 0 0\nbtime {boot}\n")
        self.write("/proc/meminfo", "MemTotal: 8000000 kB\nMemAvailable: 6000000 kB\n")
        self.write("/run/systemd/netif/leases/2", "ADDRESS=10.0.0.4\nOPTION_245=a83f8110\n")
        for name, value in {
            "ledger": "",
            "calls": "",
            "uid": str(uid),
            "service": self._service,
            "enabled": "enabled",
            "active": "active",
            "condition": "yes",
            "pid": str(_FIRST_PID),
            "next_pid": str(_FIRST_PID + 1),
        }.items():
            self._put(name, value)

    def _build_commands(self, shell: Sequence[str] | None, without: Collection[str]) -> None:
        shutil.copytree(_STUBS, self._lab / "stubs")
        absent = {"systemctl"} if self._init is not Init.SYSTEMD else set()
        absent |= {"rc-service", "rc-update"} if self._init is not Init.OPENRC else set()
        absent |= set(without)
        busybox = shell[0] if shell and Path(shell[0]).name == "busybox" else None
        applets = _applets(busybox) if busybox else frozenset[str]()
        for tool in TOOLS:
            found = busybox if tool in applets else _which(tool)
            if found and tool not in absent:
                (self._lab / "bin" / tool).symlink_to(found)
        if shell and not busybox:
            self.stub("sh", f'#!/bin/sh\nexec {" ".join(shell)} "$@"\n')
        for source in sorted((self._lab / "stubs").glob("[a-z]*")):
            if source.name not in absent:
                self.stub(source.name, source.read_text())

    def _add_commands(self, folder: str) -> None:
        for source in sorted((self._lab / "stubs" / folder).iterdir()):
            self.stub(source.name, source.read_text())

    def _build_agent(self, conf: str) -> None:
        self.write("/etc/waagent.conf", conf)
        self._age(self.path("/etc/waagent.conf"))
        self.write("/var/log/waagent.log", "2026-01-01T00:00:00.000000Z INFO Daemon [HEARTBEAT]\n")
        self._add_process(_FIRST_PID, ["/usr/bin/python3", "-u", "/usr/sbin/waagent", "-daemon"])
        if self._init is Init.SYSTEMD:
            self.path("/run/systemd/system").mkdir(parents=True)
        if self._init is Init.OPENRC:
            self.path("/run/openrc").mkdir(parents=True)
        if self._init in {Init.SYSV, Init.OPENRC}:
            self.write(f"/etc/init.d/{self._service}", f'#!/bin/sh\nexec service {self._service} "$@"\n')
            self.path(f"/etc/init.d/{self._service}").chmod(0o755)
        self._set_autostart(enabled=True)

    def _set_autostart(self, *, enabled: bool) -> None:
        links = {
            Init.SYSV: f"/etc/rc2.d/S01{self._service}",
            Init.OPENRC: f"/etc/runlevels/default/{self._service}",
        }
        if self._init not in links:
            self._put("enabled", "enabled" if enabled else "disabled")
        elif enabled:
            self.write(links[self._init], "")
        else:
            self.path(links[self._init]).unlink()

    def _age(self, path: Path) -> None:
        """Date a file to before the guest's agent was started."""
        old = time.time() - 2 * _UPTIME
        os.utime(path, (old, old))

    def _add_process(self, pid: int, words: Sequence[str], *, began: int = 10) -> None:
        """Add a process that began so many seconds after the guest was booted."""
        self.write(f"/proc/{pid}/cmdline", "".join(f"{word}\0" for word in words))
        zeros = " ".join(["0"] * 9)
        fields = f"S 1 {pid} {pid} 0 -1 {zeros} 20 0 1 0 {100 * began} 0 0"
        self.write(f"/proc/{pid}/stat", f"{pid} (python3) {fields}\n")

    def _end_agent(self) -> None:
        pid = self.agent_pid
        if pid is not None:
            shutil.rmtree(self.path(f"/proc/{pid}"))
        self._put("pid", "")
        self._put("active", "inactive")

    def _remove_agent(self) -> None:
        self._put("service", "")
        for path in (self._lab / "bin/waagent", self.path("/etc/waagent.conf")):
            path.unlink()
        self.path(f"/etc/init.d/{self._service}").unlink(missing_ok=True)


_which = functools.cache(shutil.which)


@functools.cache
def _applets(busybox: str) -> frozenset[str]:
    listed = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True)  # noqa: S603
    return frozenset(listed.stdout.split())
