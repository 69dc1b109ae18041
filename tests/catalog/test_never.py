"""What is never collected is refused in every spelling, in bundle files and for paths that a guest has."""

from __future__ import annotations

import fnmatch
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet import catalog
from fleet.catalog.never import always_cleaned, never, never_run
from fleet.errors import UsageError

NEVER = [
    "/var/lib/waagent/TransportPrivate.pem", "/var/lib/waagent/TransportCert.pem",
    "/var/lib/waagent/0A1B2C.prv",
    "/var/lib/waagent/Certificates.xml", "/var/lib/waagent/Certificates.p7m", "/var/lib/waagent/ovf-env.xml",
    "/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/ssh/ssh_host_rsa_key", "/root/.ssh/authorized_keys",
    "/home/ops/.ssh/id_ed25519", "/home/ops/.azure/msal_token_cache.json",
    "/etc/krb5.keytab", "/root/.bash_history",
    "/dev/sda", "/proc/kcore", "/proc/1/environ", "/srv/disk.vhdx",
    r"C:\ProgramData\Microsoft\Crypto\RSA\MachineKeys\6de9cb26d2b98c01ec4e9e8b34824aa2_x",
    r"C:\ProgramData\Microsoft\Crypto\RSA\S-1-5-18\x", r"C:\ProgramData\Microsoft\Crypto\Keys\x",
    r"C:\Users\ops\Desktop\BitLocker Recovery Key 1234.TXT", r"E:\key.BEK", r"C:\Windows\System32\config\SAM",
    r"C:\Windows\NTDS\ntds.dit", r"C:\temp\vault1.vaultCredentials", r"C:\Windows\Panther\unattend.xml",
    r"C:\Program Files\Microsoft Azure Recovery Services Agent\Scratch\OnlineBackup.KEK",
    r"C:\temp\passphrase.txt",
    r"C:\certs\web.pfx", r"C:\pagefile.sys",
]  # fmt: skip

ALLOWED = [
    "/var/log/waagent.log", "/var/log/waagent.log.1", "/var/log/azure/x/extension.log",
    "/var/lib/waagent/GoalState.1.xml", "/etc/waagent.conf", "/etc/azure/vmbackup.conf", "/etc/os-release",
    "/etc/passwd", "/etc/ssh/ssh_host_rsa_key.pub",
    r"C:\WindowsAzure\Logs\WaAppAgent.log", r"C:\ProgramData\Microsoft\Crypto\RSA\MachineKeys",
    r"C:\Program Files\Microsoft Azure Recovery Services Agent\Temp\CBEngineCurr.errlog",
]  # fmt: skip


@pytest.mark.parametrize("path", NEVER)
def test_is_refused_in_every_spelling(path: str) -> None:
    slash = "\\" if "\\" in path else "/"
    folder, _, name = path.rpartition(slash)
    spellings = [
        path,
        path.upper(),
        f"{folder}{slash}.{slash}{slash}{name}",
        f"{folder}{slash}x{slash}..{slash}{name}",
    ]
    if slash == "\\":
        spellings += [f"{path}.", f"{path} ", f"{path}::$DATA", rf"\\?\{path}", path.replace("\\", "/")]
    for spelling in spellings:
        assert never(spelling), spelling


@pytest.mark.parametrize("path", ALLOWED)
def test_what_a_case_needs_is_not(path: str) -> None:
    assert never(path) is None


@given(st.sampled_from(NEVER), st.data())
def test_no_dots_and_slashes_hide_it(path: str, data: st.DataObject) -> None:
    slash = "\\" if "\\" in path else "/"
    parts = path.split(slash)
    noise = st.lists(st.sampled_from(["", ".", f"y{slash}.."]), max_size=2)
    shown = slash.join([parts[0], *(piece for part in parts[1:] for piece in [*data.draw(noise), part])])
    assert never(shown)


@given(st.text(max_size=60))
def test_no_path_breaks_it(path: str) -> None:
    assert never(path) is None or isinstance(never(path), str)
    assert isinstance(always_cleaned(path), bool)


@pytest.mark.parametrize(
    "words",
    [
        ["cat", "/etc/shadow"], ["sh", "-c", "cat </etc/shadow|base64"],
        ["tar", "c", "/etc"], ["lsattr", "--file=/var/lib/waagent/x.prv"], ["sudo", "id"], ["find", "/"],
        ["C:\\Windows\\System32\\cmd.exe", "/c", "type x"],
        ["manage-bde", "-protectors", "-get", "C:"], ["certutil", "-exportPFX", "my", "x"], ["/usr/bin/env"],
        ["certutil", "-encode", r"C:\x", "y"], ["certutil", "-store", "My", "0", r"C:\out.cer"],
        ["reg", "save", r"HKLM\SAM", "x"], ["netsh", "wlan", "show", "profile", "x", "key=clear"],
        ["powershell", "-Command", "(Get-BitLockerVolume).KeyProtector"], ["printenv"],
        ["openssl", "rsa", "-in", "x"], ["sort", "/etc/shadow"], ["fc", r"C:\a", "b"],
        ["forfiles", "/c", "x"], ["schtasks", "/create", "/tn", "x"], ["schtasks.exe", "/run", "/tn", "x"],
        ["reg", "export", r"HKLM\SOFTWARE", "x"], ["reg.exe", "add", r"HKLM\SOFTWARE\X"],
        ["vssadmin", "delete", "shadows"], ["wevtutil", "cl", "System"],
    ],
)  # fmt: skip
def test_nor_is_it_printed_by_a_command(words: list[str]) -> None:
    assert never_run(words)


@pytest.mark.parametrize(
    "words",
    [
        ["manage-bde", "-status"],
        ["ps", "-e"],
        ["ip", "addr"],
        ["reg", "query", r"HKLM\SOFTWARE\X", "/s"],
        ["python3", "--version"],
        ["schtasks", "/query", "/tn", r"\Microsoft\OnlineBackup\Microsoft-OnlineBackup", "/xml"],
        ["vssadmin", "list", "shadows"],
        ["certutil", "-store", "My"],
        [r"C:\Windows\System32\certutil.exe", "-silent", "-store", "Root"],
    ],
)
def test_a_harmless_command_may_be_run(words: list[str]) -> None:
    assert never_run(words) is None


@pytest.mark.parametrize(
    ("path", "cleaned"),
    [
        ("/var/lib/waagent/ExtensionsConfig.12.xml", True),
        ("/var/lib/waagent/x-1.0/config/0.settings", True),
        (r"C:\Packages\Plugins\x\1.0\RuntimeSettings\0.settings", True),
        (r"C:\Packages\Plugins\x\1.0\status\0.status", True),
        ("/var/lib/waagent/x-1.0/config/HandlerStatus", True),
        ("/etc/waagent.conf", True),
        ("/var/log/waagent.log", False),
    ],
)
def test_what_holds_protected_settings_and_proxies_is_always_cleaned(path: str, cleaned: bool) -> None:
    assert always_cleaned(path) is cleaned


class TestOwnBundles:
    def test_are_there_and_whole(self) -> None:
        bundles = catalog.load().bundles
        assert set(bundles) == {"azure-vm-linux", "azure-vm-windows", "mars"}
        catalog.load().verify()

    def test_reach_what_the_documents_want(self) -> None:
        paths = [path for files in catalog.load().bundle("azure-vm-linux").files for path in files.paths]
        for wanted in (
            "/var/log/waagent.log",
            "/var/log/waagent.log.1",
            "/var/log/azure/a/b.log",
            "/etc/waagent.conf",
            "/var/lib/waagent/GoalState.1.xml",
            "/etc/azure/vmbackup.conf",
        ):
            assert any(fnmatch.fnmatchcase(wanted, path) for path in paths), wanted

    def test_an_unknown_one_is_answered_with_the_nearest(self) -> None:
        with pytest.raises(UsageError, match='did you mean "azure-vm-linux"'):
            catalog.load().bundle("azure-vm-linu")


MINE = """\
id: mine
title: What I want
about: For me.
os: linux
files:
  - name: my-log
    paths: [/var/log/my.log]
commands:
  - {name: who, run: [who]}
"""


class TestABundleOfAUser:
    def loaded(self, tmp_path: Path, text: str) -> catalog.Catalog:
        (tmp_path / "bundles").mkdir(exist_ok=True)
        (tmp_path / "bundles" / "mine.yaml").write_text(text)
        return catalog.load([tmp_path])

    def test_stands_beside_those_of_fleet(self, tmp_path: Path) -> None:
        bundle = self.loaded(tmp_path, MINE).bundle("mine")
        assert bundle.files[0].megabytes == 20
        assert bundle.commands[0].run == ("who",)

    @pytest.mark.parametrize(
        ("old", "new", "line", "said"),
        [
            ("/var/log/my.log", "/etc/shadow", 7, "secrets of the system are never collected"),
            ("/var/log/my.log", "/var/lib/waagent/*.prv", 7, "private keys are never collected"),
            ("/var/log/my.log", "/var/log/../lib/x", 7, "whole path"),
            ("/var/log/my.log", "my.log", 7, "whole path"),
            ("/var/log/my.log", "/var/**/my.log", 7, "** stands at the end"),
            ("/var/log/my.log", "/var/log**", 7, "** stands at the end"),
            ("[who]", "[cat, /var/log/x]", 9, "ask for the file under files"),
            ("[who]", "[lsattr, /etc/shadow]", 9, "never collected"),
            ("name: who", "name: my-log", 9, "stands twice"),
            ("paths:", "path:", 6, "path"),
            ("[who]", "who", 9, "run"),
            ("os: linux", "os: beos", 4, "os"),
            ("id: mine", "id: other", 1, "name of the file"),
        ],
    )
    def test_is_refused_with_the_line(self, tmp_path: Path, old: str, new: str, line: int, said: str) -> None:
        with pytest.raises(UsageError) as caught:
            self.loaded(tmp_path, MINE.replace(old, new))
        assert said in str(caught.value)
        assert f"mine.yaml:{line}" in str(caught.value)

    def test_that_collects_nothing_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="collects nothing"):
            self.loaded(tmp_path, "id: mine\ntitle: a\nabout: b\nos: linux\n")


def test_a_newline_in_a_name_hides_nothing() -> None:
    assert never("/var/log/x\n/TransportPrivate.pem")
    assert never("/home/a\nb/.ssh/config")
