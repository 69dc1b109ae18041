"""The same hosts, whatever format the file has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fleet.errors import Place
from fleet.inventory import Inventory, load
from fleet.model import Address, Host, Os, SecretRef, Shell, SshSettings, WinrmSettings
from tests.inventory.support import Write, only_host, refused


def names(inventory: Inventory, group: str) -> tuple[str, ...]:
    return inventory.groups[group]


class TestYaml:
    def test_the_three_lines_of_the_readme(self, write: Write) -> None:
        path = write(
            "minimal.yaml",
            "all:\n  hosts:\n"
            "    sql01: {ansible_host: 10.1.0.4, ansible_connection: winrm, ansible_user: 'CORP\\backupops', "
            "fleet_password: {env: OPS_PW}}\n"
            "    web01: {ansible_host: 10.1.0.7, ansible_user: ops}\n",
        )
        sql01, web01 = load([path])
        assert sql01 == Host(
            name="sql01",
            address=Address("10.1.0.4", 4),
            connection="winrm",
            os=Os.WINDOWS,
            shell=Shell.POWERSHELL,
            port=5986,
            user="CORP\\backupops",
            password=SecretRef("env", ("OPS_PW",), Place(path, 3)),
            realm="CORP",
            place=Place(path, 3),
        )
        assert web01 == Host(
            name="web01",
            address=Address("10.1.0.7", 4),
            connection="ssh",
            os=Os.LINUX,
            shell=Shell.SH,
            port=22,
            user="ops",
            place=Place(path, 4),
        )

    def test_groups_children_ranges_and_ports(self, write: Write) -> None:
        path = write(
            "hosts.yml",
            "prod:\n  children:\n    web:\n      hosts:\n        web[01:02]:2222:\n    db:\n      hosts: "
            "db01\n",
        )
        inventory = load([path])
        assert names(inventory, "prod") == names(inventory, "all") == ("web01", "web02", "db01")
        assert [host.port for host in inventory] == [2222, 2222, 22]
        assert inventory.hosts["web01"].groups == {"prod", "web"}

    def test_strings_stay_strings(self, write: Write) -> None:
        """YAML 1.1 would make a boolean, an octal number, a date and a number in base 60 of these."""
        path = write(
            "hosts.yaml",
            "all:\n  hosts:\n    web01: {ansible_user: 007, answer: no, day: 2026-01-01, when: 22:30, "
            "version: 1.10, count: 12, on: true, empty: ~, quoted: 'true'}\n",
        )
        host = only_host(load([path]))
        assert host.user == "007"
        assert host.variables == {
            "answer": "no",
            "day": "2026-01-01",
            "when": "22:30",
            "version": "1.10",
            "count": 12,
            "on": True,
            "empty": None,
            "quoted": "true",
        }

    @pytest.mark.parametrize(("word", "value"), [("yes", True), ("No", False), ("on", True), ("'0'", False)])
    def test_yes_and_no_are_booleans_where_one_is_wanted(self, write: Write, word: str, value: bool) -> None:
        path = write("hosts.yaml", f"all: {{hosts: {{web01: {{ansible_become: {word}}}}}}}\n")
        assert only_host(load([path])).become is value

    def test_merge_keys_and_aliases(self, write: Write) -> None:
        path = write(
            "hosts.yaml",
            "all:\n  hosts:\n    web01: &login {ansible_user: ops, ansible_port: 2222}\n"
            "    web02: {<<: *login, ansible_port: 22}\n    web03: *login\n",
        )
        assert [(host.user, host.port) for host in load([path])] == [
            ("ops", 2222),
            ("ops", 22),
            ("ops", 2222),
        ]


class TestIni:
    def test_groups_children_ranges_and_vars(self, write: Write) -> None:
        path = write(
            "hosts.ini",
            "; comment\nlone ansible_user='CORP\\me' # comment\n\n[web]\nweb[01:02]:2222 owner=\"web team\"\n"
            "[web:vars]\nansible_user=CORP\\web\nansible_become=yes\n[prod:children] # comment\nweb\n",
        )
        inventory = load([path])
        assert names(inventory, "prod") == ("web01", "web02")
        assert names(inventory, "ungrouped") == ("lone",)
        web01 = inventory.hosts["web01"]
        assert (web01.user, web01.port, web01.become, web01.realm) == ("CORP\\web", 2222, True, "CORP")
        assert web01.variables == {"owner": "web team"}
        assert inventory.hosts["lone"].user == "CORP\\me"

    def test_secrets_have_a_short_form(self, write: Write) -> None:
        path = write(
            "hosts.ini", "web01 fleet_password=keyring:fleet/web01 fleet_key_passphrase=env:KEY_PW\n"
        )
        host = only_host(load([path]))
        assert host.password == SecretRef("keyring", ("fleet/web01",), Place(path, 1))
        assert host.ssh.key_passphrase == SecretRef("env", ("KEY_PW",), Place(path, 1))


class TestCsv:
    def test_columns_are_settings_and_groups(self, write: Write) -> None:
        path = write(
            "hosts.csv",
            "name,ansible_host,ansible_connection,fleet_password,groups,owner\n"
            'sql01,10.1.0.4,winrm,env:OPS_PW,sql prod,"dba, team"\n\nweb01,,,,,\n',
        )
        inventory = load([path])
        sql01, web01 = inventory
        assert (sql01.address.text, sql01.connection) == ("10.1.0.4", "winrm")
        assert sql01.groups == {"sql", "prod"}
        assert sql01.variables == {"owner": "dba, team"}
        assert (sql01.place, web01.place) == (Place(path, 2), Place(path, 4))
        assert (web01.address.text, web01.password, web01.variables) == ("web01", None, {})

    def test_blank_lines_before_the_columns_count_as_lines(self, write: Write) -> None:
        path = write("hosts.csv", "\n\nname;owner\nweb01;me\n")
        assert only_host(load([path])).place == Place(path, 4)

    def test_excel_writes_a_mark_and_semicolons(self, tmp_path: Path) -> None:
        path = tmp_path / "hosts.csv"
        path.write_bytes(b"\xef\xbb\xbfhost;ansible_host\r\nsql01;10.1.0.4\r\n")
        assert only_host(load([path])).address.text == "10.1.0.4"


def machine(**changes: Any) -> dict[str, Any]:
    """What az says of a virtual machine (the parts that are read)."""
    return {
        "name": "sql01",
        "resourceGroup": "PROD-RG",
        "location": "westeurope",
        "privateIps": "10.1.0.4",
        "publicIps": "",
        "powerState": "VM running",
        "storageProfile": {"osDisk": {"osType": "Windows"}},
        "tags": None,
        "zones": None,
        **changes,
    }


class TestAzure:
    def test_a_machine_becomes_a_host(self, write: Write) -> None:
        path = write(
            "vms.json", json.dumps([machine(zones=["1"], tags={"role": "sql server", "token": "t0k3n"})])
        )
        inventory = load([path])
        host = only_host(inventory)
        assert (host.name, host.address.text, host.connection, host.os) == (
            "sql01",
            "10.1.0.4",
            "winrm",
            Os.WINDOWS,
        )
        assert host.zone == "westeurope-1"
        assert host.groups == {
            "azure_windows",
            "windows",
            "rg_PROD-RG",
            "zone_westeurope_1",
            "tag_role_sql_server",
        }
        assert host.variables["azure_tags"] == {"role": "sql server", "token": "***"}
        assert host.variables["azure_power_state"] == "VM running"

    def test_the_first_private_address_comes_before_a_public_one(self, write: Write) -> None:
        linux = {"osDisk": {"osType": "Linux"}}
        machines = [
            machine(
                name="both", privateIps="10.1.0.4,10.1.0.5", publicIps="203.0.113.9", storageProfile=linux
            ),
            machine(name="public", privateIps="", publicIps="203.0.113.9", storageProfile=linux),
        ]
        inventory = load([write("vms.json", json.dumps(machines))])
        assert [str(host.address) for host in inventory] == ["10.1.0.4", "203.0.113.9"]

    def test_machines_of_the_same_name_carry_their_resource_group(self, write: Write) -> None:
        machines = [machine(), machine(resourceGroup="TEST-RG", privateIps="10.2.0.4"), machine(name="other")]
        inventory = load([write("vms.json", json.dumps(machines))])
        assert list(inventory.hosts) == ["sql01.PROD-RG", "sql01.TEST-RG", "other"]

    def test_a_second_file_says_who_logs_in(self, write: Write) -> None:
        vms = write("vms.json", json.dumps([machine()]))
        logins = write(
            "logins.yaml",
            "windows:\n  vars: {ansible_user: ops@corp.example, fleet_password: {env: OPS_PW}}\n",
        )
        for order in ([vms, logins], [logins, vms]):
            host = only_host(load(order))
            assert (host.user, host.realm, host.password is not None) == (
                "ops@corp.example",
                "CORP.EXAMPLE",
                True,
            )

    def test_a_second_file_may_say_that_windows_is_reached_over_ssh(self, write: Write) -> None:
        vms = write("vms.json", json.dumps([machine()]))
        logins = write("logins.yaml", "windows:\n  vars: {ansible_connection: ssh}\n")
        host = only_host(load([vms, logins]))
        assert (host.connection, host.os, host.shell) == ("ssh", Os.WINDOWS, Shell.POWERSHELL)

    @pytest.mark.parametrize(
        ("text", "sentence"),
        [
            (
                json.dumps([machine(privateIps="")]),
                'vms.json: "sql01": it has no address; give it a network interface, or leave it out with '
                "--query",
            ),
            (
                json.dumps([{key: value for key, value in machine().items() if not key.endswith("Ips")}]),
                'vms.json: "sql01": it has no address; the list was saved without -d: az vm list -d -o json',
            ),
            (
                json.dumps([machine(storageProfile=None)]),
                'vms.json: "sql01": storageProfile.osDisk.osType is neither Windows nor Linux',
            ),
            (
                json.dumps([{"privateIps": "10.1.0.4"}]),
                'vms.json: machine 1: it has no "name"; save the output of: az vm list -d -o json',
            ),
            ("[{]", "vms.json:1: this is not valid JSON: Expecting property name enclosed in double quotes"),
            ("[]", "vms.json: there is no host in it"),
            (
                "[1]",
                "vms.json: the file is no list of machines; save the output of: az vm list -d -o json",
            ),
            (
                '[{"name": "a", "name": "b"}]',
                "vms.json: this is not the JSON of az: a key stands twice, a number is none, "
                "or it is nested too deep",
            ),
        ],
    )
    def test_mistakes_name_the_machine(self, write: Write, text: str, sentence: str) -> None:
        assert refused(write("vms.json", text)) == [sentence]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("hosts", "[web]\nweb01\n"),
        ("hosts", "web01\n"),
        ("hosts", "# comment\n\nweb01 ansible_port=22\n"),
        ("hosts", "---\nall:\n  hosts:\n    web01:\n"),
        ("hosts", "all:\n  hosts:\n    web01:\n"),
        ("hosts.json", '{"all": {"hosts": {"web01": null}}}'),
        ("hosts.txt", "name,ansible_port\nweb01,22\n"),
        ("HOSTS.CSV", "name\nweb01\n"),
    ],
)
def test_the_format_is_told_by_suffix_and_content(write: Write, name: str, text: str) -> None:
    assert list(load([write(name, text)]).hosts) == ["web01"]


def test_every_setting_arrives(write: Write) -> None:
    path = write(
        "hosts.yaml",
        "all:\n"
        "  hosts:\n"
        "    lin:\n"
        "      ansible_host: fd00::5\n"
        "      ansible_port: '2222'\n"
        "      ansible_user: ops\n"
        "      ansible_ssh_private_key_file: ~/key\n"
        "      ansible_become: true\n"
        "      ansible_become_method: sudo\n"
        "      ansible_become_user: root\n"
        "      fleet_key_passphrase: {file: secrets/key}\n"
        "      fleet_known_hosts: known_hosts\n"
        "      fleet_ssh_config: /etc/fleet/ssh_config\n"
        "      fleet_proxy_jump: ops@jump:2200,[fd00::1]\n"
        "      fleet_zone: rack-1\n"
        "      fleet_realm: vault-7\n"
        "      fleet_window: sat 22:00-04:00\n"
        "    win:\n"
        "      ansible_connection: winrm\n"
        "      ansible_winrm_transport: certificate\n"
        "      ansible_winrm_scheme: https\n"
        "      ansible_winrm_ca_trust_path: ca.pem\n"
        "      ansible_winrm_server_cert_validation: ignore\n"
        "      ansible_winrm_server_name: Old-SQL01\n"
        "      ansible_winrm_cert_pem: me.pem\n"
        "      ansible_winrm_cert_key_pem: me.key\n"
        "      fleet_powershell: fresh\n",
    )
    lin, win = load([path])
    folder = path.parent
    assert lin.endpoint == "[fd00::5]:2222"
    assert (lin.user, lin.become, lin.zone, lin.realm, lin.window) == (
        "ops",
        True,
        "rack-1",
        "vault-7",
        "sat 22:00-04:00",
    )
    assert lin.ssh == SshSettings(
        key_file=Path("~/key").expanduser(),
        key_passphrase=SecretRef("file", (f"{folder}/secrets/key",), Place(path, 11)),
        config_file=Path("/etc/fleet/ssh_config"),
        known_hosts=folder / "known_hosts",
        proxy_jump="ops@jump:2200,[fd00::1]",
    )
    assert win.winrm == WinrmSettings(
        scheme="https",
        auth="certificate",
        ca_trust_path=folder / "ca.pem",
        verify=False,
        server_name="old-sql01",
        certificate=folder / "me.pem",
        certificate_key=folder / "me.key",
        fresh_process=True,
    )


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("", ("ssh", Os.LINUX, Shell.SH, 22)),
        ("ansible_connection: local", ("local", Os.LINUX, Shell.SH, 0)),
        ("ansible_connection: winrm", ("winrm", Os.WINDOWS, Shell.POWERSHELL, 5986)),
        (
            "ansible_connection: winrm, ansible_winrm_scheme: http",
            ("winrm", Os.WINDOWS, Shell.POWERSHELL, 5985),
        ),
        ("ansible_connection: winrm, ansible_port: 5985", ("winrm", Os.WINDOWS, Shell.POWERSHELL, 5985)),
        ("fleet_os: windows", ("ssh", Os.WINDOWS, Shell.POWERSHELL, 22)),
        ("fleet_shell: powershell", ("ssh", Os.WINDOWS, Shell.POWERSHELL, 22)),
    ],
)
def test_what_is_not_said_follows_from_what_is(
    write: Write, settings: str, expected: tuple[str, Os, Shell, int]
) -> None:
    host = only_host(load([write("hosts.yaml", f"all: {{hosts: {{h: {{{settings}}}}}}}\n")]))
    assert (host.connection, host.os, host.shell, host.port) == expected


def test_port_5985_means_http_as_in_ansible(write: Write) -> None:
    path = write("hosts.ini", "h ansible_connection=winrm ansible_port=5985\n")
    assert only_host(load([path])).winrm.scheme == "http"


@pytest.mark.parametrize(
    ("user", "realm"),
    [
        ("CORP\\ops", "CORP"),
        ("corp\\ops", "CORP"),
        ("ops@corp.example", "CORP.EXAMPLE"),
        ("ops", None),
        (".\\ops", None),
    ],
)
def test_the_realm_is_the_domain_of_the_user(write: Write, user: str, realm: str | None) -> None:
    path = write("hosts.yaml", f"all: {{hosts: {{h: {{ansible_user: '{user}'}}}}}}\n")
    assert only_host(load([path])).realm == realm


@pytest.mark.parametrize(
    "arguments", ["-o ProxyJump=ops@jump", "-oProxyJump=ops@jump", "-J ops@jump", "-o 'ProxyJump ops@jump'"]
)
def test_of_ssh_arguments_the_jump_host_is_understood(write: Write, arguments: str) -> None:
    path = write("hosts.yaml", f'all: {{hosts: {{h: {{ansible_ssh_common_args: "{arguments}"}}}}}}\n')
    assert only_host(load([path])).ssh.proxy_jump == "ops@jump"
