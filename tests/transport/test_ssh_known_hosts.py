"""known_hosts is read as OpenSSH reads it; ssh-keygen -F is the second opinion."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleet.errors import DeniedError
from fleet.transport.ssh_files import SshFiles
from fleet.transport.ssh_known_hosts import KnownHosts, KnownHostsError, fingerprint

KEYGEN = shutil.which("ssh-keygen")
needs_keygen = pytest.mark.skipif(KEYGEN is None, reason="needs ssh-keygen: apt-get install openssh-client")


def key(seed: str) -> str:
    """An ed25519 public key that nobody has the private one of."""
    name = b"ssh-ed25519"
    blob = (
        len(name).to_bytes(4, "big") + name + (32).to_bytes(4, "big") + hashlib.sha256(seed.encode()).digest()
    )
    return f"ssh-ed25519 {base64.b64encode(blob).decode()}"


def blob(seed: str) -> bytes:
    return base64.b64decode(key(seed).split()[1])


def known(tmp_path: Path, text: str) -> KnownHosts:
    path = tmp_path / "known_hosts"
    path.write_text(text)
    return KnownHosts.load(path)


def keys(found: KnownHosts, host: str, port: int = 22) -> list[bytes]:
    return [entry.blob for entry in found.lookup(host, port).keys]


class TestLookup:
    @pytest.mark.parametrize(
        ("names", "host", "port", "matches"),
        [
            ("web1", "web1", 22, True),
            ("web1", "WEB1", 22, True),
            ("WEB1", "web1", 22, True),
            ("web1", "web12", 22, False),
            ("web1", "web1", 2222, False),
            ("[web1]:2222", "web1", 2222, True),
            ("[web1]:2222", "web1", 22, False),
            ("web1,10.0.0.7", "10.0.0.7", 22, True),
            ("*.example", "db.example", 22, True),
            ("*.example", "example", 22, False),
            ("web?", "web7", 22, True),
            ("web?", "web77", 22, False),
            ("*.example,!bad.example", "good.example", 22, True),
            ("*.example,!bad.example", "bad.example", 22, False),
            ("!bad.example,*.example", "bad.example", 22, False),
            ("[*.example]:2222", "db.example", 2222, True),
            ("web[12]", "web1", 22, False),
            ("2001:db8::5", "2001:DB8::5", 22, True),
            ("[2001:db8::5]:2222", "2001:db8::5", 2222, True),
            ("w.b", "web", 22, False),
        ],
    )
    def test_names(self, tmp_path: Path, names: str, host: str, port: int, matches: bool) -> None:
        found = known(tmp_path, f"{names} {key('a')} comment\n")
        assert keys(found, host, port) == ([blob("a")] if matches else [])

    @needs_keygen
    def test_hashed_names(self, tmp_path: Path) -> None:
        known(tmp_path, f"web1 {key('a')}\n[web1]:2222 {key('b')}\nweb2 {key('c')}\n")
        subprocess.run(
            ["ssh-keygen", "-q", "-H", "-f", tmp_path / "known_hosts"], check=True, capture_output=True
        )
        assert "web" not in (tmp_path / "known_hosts").read_text()
        found = KnownHosts.load(tmp_path / "known_hosts")
        assert keys(found, "web1") == [blob("a")]
        assert keys(found, "web1", 2222) == [blob("b")]
        assert keys(found, "web3") == []

    def test_several_keys_of_one_host(self, tmp_path: Path) -> None:
        found = known(tmp_path, f"web1 {key('a')}\n*1 {key('b')}\n")
        assert keys(found, "web1") == [blob("a"), blob("b")]

    def test_the_place_of_a_key(self, tmp_path: Path) -> None:
        found = known(tmp_path, f"# comment\n\nweb1 {key('a')}\n")
        assert str(found.lookup("web1", 22).keys[0].place) == f"{tmp_path / 'known_hosts'}:3"

    def test_revoked_keys_are_no_keys(self, tmp_path: Path) -> None:
        found = known(tmp_path, f"@revoked * {key('a')}\n").lookup("web1", 22)
        assert found.keys == ()
        assert found.revoked == {blob("a")}

    def test_authorities_are_no_keys(self, tmp_path: Path) -> None:
        found = known(tmp_path, f"@cert-authority *.example {key('a')}\n").lookup("web1.example", 22)
        assert found.keys == ()
        assert [entry.blob for entry in found.authorities] == [blob("a")]


class TestBadFiles:
    def test_none_at_all(self, tmp_path: Path) -> None:
        assert keys(KnownHosts.load(tmp_path / "none"), "web1") == []

    def test_no_home_to_look_for_it_in(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("os.path.expanduser", lambda path: path)  # as for a user without an entry
        with pytest.raises(DeniedError, match=r"set fleet_known_hosts\. Nothing was sent"):
            SshFiles().known_hosts(None)

    def test_one_that_is_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(KnownHostsError, match="can't be read"):
            KnownHosts.load(tmp_path)

    @pytest.mark.parametrize(
        "line",
        [
            "web1",
            "web1 ssh-ed25519",
            "web1 ssh-ed25519 !!!",
            "web1 ssh-rsa " + key("a").split()[1],
            "web1 1024 35 12345",
            "|1|broken|salt " + key("a"),
            "web1 \xff\xfe",
        ],
    )
    def test_a_malformed_line_vouches_for_nobody(self, tmp_path: Path, line: str) -> None:
        found = known(tmp_path, f"{line}\nweb2 {key('b')}\n")
        assert keys(found, "web1") == []
        assert keys(found, "web2") == [blob("b")]

    @pytest.mark.parametrize(
        "line", ["@revoked *", "@revoked * ssh-ed25519 ???", f"@unheard-of * {key('a')}"]
    )
    def test_a_malformed_line_that_may_forbid_something_is_an_error(self, tmp_path: Path, line: str) -> None:
        with pytest.raises(KnownHostsError, match="known_hosts:1"):
            known(tmp_path, line + "\n")


NAMES = st.text("ab.*?!-,[]:12", min_size=1, max_size=8).filter(lambda text: not text.startswith("#"))


@needs_keygen
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=NAMES, host=st.text("ab.-12", min_size=1, max_size=5).filter(lambda text: text[0] not in "-."))
def test_as_ssh_keygen_finds_it(tmp_path: Path, names: str, host: str) -> None:
    found = known(tmp_path, f"{names} {key('a')}\n")
    command = ["ssh-keygen", "-F", host, "-f", str(tmp_path / "known_hosts")]
    listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    assert bool(keys(found, host)) == ("ssh-ed25519" in listed)


@needs_keygen
def test_the_fingerprint_is_that_of_ssh_keygen(tmp_path: Path) -> None:
    (tmp_path / "key.pub").write_text(key("a") + "\n")
    shown = subprocess.run(
        ["ssh-keygen", "-lf", tmp_path / "key.pub"], capture_output=True, text=True, check=True
    )
    assert fingerprint(blob("a")) in shown.stdout
