"""What is never collected from a guest, whatever a bundle asks for, and what is never taken uncleaned.

A bundle that names such a thing is refused when it is read. What only turns out in the guest, behind a
pattern or a link, is held against the same rules by whoever takes the file, with the path that it has there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_KEYS = "private keys are never collected"
_SECRETS = "secrets of the system are never collected"
_BITLOCKER = "BitLocker's recovery keys are never collected"
_BACKUP_KEYS = "keys and credentials of the backup are never collected"
_DEVICES = "devices and memory are never collected"

_PATHS: tuple[tuple[str, str], ...] = (
    # the agent's certificates and keys: Azure/WALinuxAgent, azurelinuxagent/common/cryptutil.py and protocol
    (r".*\.(?:prv|pem|p7m|key|pfx|p12|pvk|ppk|jks|keystore|kdbx|keytab|snk)", _KEYS),
    (r".*/transportprivate[^/]*|.*/certificates(?:\.\d+)?\.xml(?:\.\w+)?", _KEYS),
    (r".*/ssh_host_\w+_key|.*/id_(?:rsa|dsa|ecdsa|ed25519)(?:_sk)?", _KEYS),
    (r".*/\.(?:ssh|gnupg|aws|azure|kube)/.*|.*/microsoft/protect/.+", _KEYS),
    (r".*/crypto/(?:(?:rsa|dss)/[^/]+|keys|systemkeys|pcpksp)/.+|.*/machinekeys/.+", _KEYS),
    (r".*/authorized_keys2?", "the keys that may log in are never collected"),
    (r".*/etc/(?:g?shadow-?|security/opasswd|ppp/(?:pap|chap)-secrets)", _SECRETS),
    (r".*/(?:ovf-env\.xml|customdata|user-data\.txt(?:\.i)?)", "what a machine is made with holds passwords"),
    (r".*/system32/config/(?:sam|security|system)(?:\.\w+)?|.*/ntds\.dit|.*/unattend\.xml|.*/sysprep\.(?:inf|xml)",
     _SECRETS),
    (r".*/microsoft/(?:credentials|vault)/.*|.*/\.\w+_history", _SECRETS),
    (r".*/\.(?:netrc|pgpass|git-credentials|my\.cnf)", _SECRETS),
    (r".*\.(?:bek|fve)|.*/bitlocker recovery key[^/]*|.*/system volume information/fve.*", _BITLOCKER),
    (r".*\.kek|.*\.vaultcredentials|.*passphrase[^/]*", _BACKUP_KEYS),
    (r"/dev/.*|/proc/(?:kcore|kmem|\d+/(?:environ|mem|maps|fd/.*)|self/.*)|/sys/firmware/.*", _DEVICES),
    (r".*/(?:pagefile|hiberfil|swapfile)\.sys|.*\.(?:dmp|hdmp|mdmp|vmem|vhdx?)|.*/core(?:\.\d+)?", _DEVICES),
)  # fmt: skip
_FORBIDDEN = tuple((re.compile(pattern, re.IGNORECASE | re.DOTALL), reason) for pattern, reason in _PATHS)

_ALWAYS_CLEANED = re.compile(
    r".*/[^/]*(?:\.settings|\.status|handlerstatus|extensionsconfig|vmsettings|goalstate|waagent\.conf)[^/]*"
    r"|.*/etc/environment",
    re.IGNORECASE | re.DOTALL,
)
"""Protected settings, SAS addresses and proxy passwords lie in these."""

_COMMANDS: tuple[tuple[str, str], ...] = (
    (r"manage-bde\b.*-(?:protectors|on\b)", _BITLOCKER),
    (
        r"exportpfx|openssl\b.*\b(?:rsa|pkcs12|pkcs8|pkey|ec)\b",
        _KEYS,
    ),
    (r"\breg(?:\.exe)?\W.*\bhk(?:lm|ey_local_machine)\W+(?:sam|security)\b", _SECRETS),
    (r"key\s*=\s*clear|\bcmdkey\b|vaultcmd|lsadump|mimikatz|secretsdump|procdump|ntdsutil", _SECRETS),
    (r"^(?:\S*/)?(?:printenv|set)\b", "environments hold secrets"),
    (
        r"\bschtasks(?:\.exe)?\W.*/(?:create|change|run|delete|end)\b"
        r"|\breg(?:\.exe)?\W+(?:add|copy|delete|export|import|load|restore|save|unload)\b"
        r"|\bvssadmin(?:\.exe)?\W+(?:add|create|delete|resize|revert)\b|\bwevtutil(?:\.exe)?\W+(?:cl|clear-log|sl)\b",
        "a bundle changes nothing in a guest and writes no files there",
    ),
)
_FORBIDDEN_COMMANDS = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), reason) for pattern, reason in _COMMANDS
)

_READERS = frozenset({
    "base64", "busybox", "bzip2", "cat", "certutil", "comm", "comp", "copy", "cp", "curl", "cut", "dd",
    "diff", "ed", "esentutl", "expand", "fc", "find", "findstr", "grep", "gunzip", "gzip", "head",
    "hexdump", "join", "less", "makecab", "more", "nl", "od", "paste", "pr", "rev", "robocopy", "rsync",
    "scp", "sed", "sftp", "sort", "strings", "tac", "tail", "tar", "tee", "type", "uniq", "vi", "view",
    "vim", "wget", "xcopy", "xxd", "xz", "xzcat", "zcat", "zgrep", "zip",
})  # fmt: skip
_INTERPRETERS = frozenset({
    "ash", "awk", "bash", "chroot", "cmd", "conhost", "cscript", "dash", "env", "forfiles", "gawk",
    "installutil", "ksh", "mawk", "msbuild", "mshta", "nice", "nohup", "nsenter", "pcalua", "perl", "php",
    "powershell", "psexec", "pwsh", "python", "python3", "regsvr32", "ruby", "runas", "rundll32",
    "script", "setsid", "sh", "ssh", "su", "sudo", "systemd-run", "timeout", "watch", "wmic", "wscript",
    "wsl", "xargs", "zsh",
})  # fmt: skip
_CERTIFICATES = re.compile(r"-(?:silent\s+-)?store [A-Za-z]{1,32}", re.IGNORECASE)
"""Of certutil's verbs the one that shows the public parts of a store of the machine, and writes no file."""


def never(path: str) -> str | None:
    """Why the file of this path in a guest is never collected; None when it may be.

    Paths of Windows and Linux; what a file system takes for the same is the same here: case, both slashes,
    ``..``, dots and blanks at the end, a stream behind a colon.
    """
    plain = _plain(path)
    return next((reason for pattern, reason in _FORBIDDEN if pattern.fullmatch(plain)), None)


def always_cleaned(path: str) -> bool:
    """Whether secrets in this file are masked whatever level was asked for."""
    return _ALWAYS_CLEANED.fullmatch(_plain(path)) is not None


def never_run(words: Sequence[str]) -> str | None:
    """Why a command is never run to collect what it prints; None when it may be."""
    program = re.sub(r"\.(?:exe|com|bat)$", "", re.split(r"[/\\]", words[0])[-1].casefold())
    if program == "certutil" and _CERTIFICATES.fullmatch(" ".join(words[1:])):
        return None
    if program in _READERS:
        return "what reads files is held to no list; ask for the file under files"
    if program in _INTERPRETERS and list(words[1:]) not in (["--version"], ["-V"]):
        return "a program that runs others can run anything; name the other program itself"
    line = " ".join(words)
    for pattern, reason in _FORBIDDEN_COMMANDS:
        if pattern.search(line):
            return reason
    for part in re.split(r"[\s'\"`;|&()<>=,{}]+", line):
        if "/" in part or "\\" in part or "." in part:
            forbidden = never(part)
            if forbidden:
                return forbidden
    return None


def _plain(path: str) -> str:
    """One spelling for all spellings of a path, with slashes and beginning with one."""
    path = re.sub(r"^[/\\]{2}[?.][/\\]", "", path.replace("\0", "")).replace("\\", "/")
    path = re.sub(r"^[A-Za-z]:", "", path)
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part.partition(":")[0].rstrip(". ") or part)
    return "/" + "/".join(parts).casefold()
