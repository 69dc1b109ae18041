"""Groups hand settings down; several files become one inventory, in whatever order they are named."""

from __future__ import annotations

import gc
import itertools
from pathlib import Path

import pytest

from fleet.inventory import load
from tests.inventory.support import Write, only_host, refused


class TestInheritance:
    def test_the_nearer_wins(self, write: Write) -> None:
        """Seen with ansible-core 2.19: all < parent < child < host; then priority, then the later name."""
        path = write(
            "hosts.yaml",
            "all:\n"
            "  vars: {level: all}\n"
            "  hosts: {lone: }\n"
            "  children:\n"
            "    top:\n"
            "      vars: {level: top, ansible_user: topuser}\n"
            "      children:\n"
            "        mid: {vars: {level: mid}, children: {leaf: {hosts: {h1: , h2: {level: host}}}}}\n"
            "    zeta: {hosts: {h1: , h3: }, vars: {level: zeta, x: zeta}}\n"
            "    alpha: {hosts: {h1: , h3: }, vars: {x: alpha, ansible_group_priority: 10}}\n"
            "    ungrouped: {vars: {u: yes}}\n",
        )
        hosts = load([path]).hosts
        assert {name: host.variables["level"] for name, host in hosts.items()} == {
            "lone": "all",
            "h1": "mid",
            "h2": "host",
            "h3": "zeta",
        }
        assert hosts["h1"].user == "topuser"
        assert hosts["h3"].variables["x"] == "alpha"
        assert [name for name, host in hosts.items() if "u" in host.variables] == ["lone"]
        assert hosts["h1"].groups == {"top", "mid", "leaf", "zeta", "alpha"}

    def test_a_host_may_go_back_from_what_its_group_says(self, write: Write) -> None:
        path = write("h.ini", "[web]\na\nb ansible_become=no\n[web:vars]\nansible_become=yes\n")
        assert [host.become for host in load([path])] == [True, False]


class TestSeveralFiles:
    def test_are_one_inventory(self, write: Write) -> None:
        paths = [
            write("hosts.ini", "[web]\nweb01\nweb02\n"),
            write("more.yaml", "prod:\n  children: {web: }\nweb:\n  vars: {ansible_user: ops}\n"),
            write("table.csv", "name,fleet_zone\nweb01,rack-1\nweb03,rack-2\n"),
        ]
        digests = set()
        for order in itertools.permutations(paths):
            inventory = load(order)
            assert set(inventory.groups["prod"]) == {"web01", "web02"}
            assert inventory.hosts["web01"].user == "ops"
            assert inventory.hosts["web01"].zone == "rack-1"
            assert inventory.hosts["web03"].groups == frozenset()
            digests.add(inventory.digest)
        assert len(digests) == 1

    def test_that_say_different_things_of_a_host_are_refused(self, write: Write) -> None:
        one = write("one.yaml", "all:\n  hosts:\n    web01: {ansible_host: 10.1.0.7}\n")
        two = write("two.ini", "web01 ansible_host=10.1.0.8\n")
        assert [sentence.replace(f"{one.parent}/", "") for sentence in refused(one, two)] == [
            'two.ini:1: web01: "ansible_host" is something else at one.yaml:3; keep one of the two'
        ]
        two.write_text("web01 ansible_host=10.1.0.7\n")
        assert only_host(load([one, two])).address.text == "10.1.0.7"

    def test_secrets_that_differ_are_refused_without_showing_them(self, write: Write) -> None:
        path = write(
            "h.yaml", "a: {hosts: {h: {fleet_password: {env: ONE}}}}\nb: {hosts: {h: {fleet_password: x}}}\n"
        )
        text = "\n".join(refused(path))
        assert 'h.yaml:2: h: "fleet_password" is something else at' in text

    def test_a_host_may_not_be_called_as_a_group(self, write: Write) -> None:
        one = write("one.yaml", "web: {hosts: {web01: }}\n")
        two = write("two.ini", "web\n")
        assert refused(two, one) == [
            'two.ini:1: "web" is a host here and a group at one.yaml:1; rename one, so that -l means only '
            "one of them"
        ]

    def test_all_that_can_not_be_read_is_told(self, write: Write, tmp_path: Path) -> None:
        good = write("good.ini", "web01\n")
        assert refused(tmp_path / "a.yaml", good, tmp_path / "b.yaml") == [
            "a.yaml: there is no such file; give the inventory with -i FILE",
            "b.yaml: there is no such file; give the inventory with -i FILE",
        ]


class TestBesideTheFiles:
    @pytest.mark.parametrize("folder", ["group_vars", "host_vars"])
    def test_what_ansible_would_read_and_fleet_does_not_is_noted(self, write: Write, folder: str) -> None:
        path = write("h.ini", "web01\n")
        assert load([path]).notes == ()
        (path.parent / folder).mkdir()
        (note,) = load([path]).notes
        assert note.endswith(
            f"{folder}: fleet does not read this folder; put what it needs into the inventory file"
        )


def test_loading_leaves_the_garbage_collector_as_it_was(write: Write, tmp_path: Path) -> None:
    good = write("h.ini", "web01\n")
    assert gc.isenabled()
    load([good])
    refused(tmp_path / "missing.yaml")
    assert gc.isenabled()
    gc.disable()
    try:
        load([good])
        assert not gc.isenabled()
    finally:
        gc.enable()


class TestDigest:
    TEXT = "all: {hosts: {web01: {ansible_port: 22, owner: me}, web02: {fleet_password: {env: A}}}}\n"

    def test_is_of_the_hosts_and_not_of_the_layout(self, write: Write) -> None:
        one = load([write("one.yaml", self.TEXT)])
        two = load([write("two.ini", "# other file\nweb02 fleet_password=env:A\nweb01 owner=me\n")])
        assert one.digest == two.digest
        assert len(one.digest) == 64

    @pytest.mark.parametrize(
        ("old", "new"),
        [("22", "23"), ("owner: me", "owner: you"), ("env: A", "env: B"), ("web02", "web03"), ("all", "web")],
    )
    def test_changes_with_what_they_are(self, write: Write, old: str, new: str) -> None:
        before = load([write("one.yaml", self.TEXT)]).digest
        assert load([write("one.yaml", self.TEXT.replace(old, new))]).digest != before

    def test_does_not_depend_on_the_secret(self, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
        digests = set()
        for value in ("first", "second"):
            monkeypatch.setenv("A", value)
            digests.add(load([write("one.yaml", self.TEXT)]).digest)
        assert len(digests) == 1


class TestSelection:
    def test_is_an_inventory_again(self, write: Write) -> None:
        path = write("h.yaml", "web: {hosts: {'web[1:3]': }}\ndb: {hosts: {db1: }}\n")
        inventory = load([path])
        chosen = inventory.select("all:!web2")
        assert list(chosen.hosts) == ["web1", "web3", "db1"]
        assert chosen.groups["web"] == ("web1", "web3")
        assert list(chosen.select("web").hosts) == ["web1", "web3"]
        assert (len(chosen), "web2" in chosen, "web2" in inventory) == (3, False, True)
        assert chosen.digest != inventory.digest
