"""Every mistake: file, line, what is wrong, what to do; and never a value that may be secret."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fleet.errors import UsageErrors
from fleet.inventory import load
from tests.inventory.support import Write, refused

SECRET = "hunter2-correct-horse"
HELP = "docs/inventory.md#secrets"
MOVE = (
    "a password stands in the file. Put it into an environment variable and write fleet_password: "
    "{env: NAME} "
    f"(INI and CSV: fleet_password=env:NAME); or see {HELP}"
)


class TestFiles:
    def test_missing(self, tmp_path: Path) -> None:
        assert refused(tmp_path / "prod.yaml") == [
            "prod.yaml: there is no such file; give the inventory with -i FILE"
        ]

    @pytest.mark.parametrize("text", ["", "\n\n", "# nothing yet\n", "---\n# nothing\n"])
    def test_empty(self, write: Write, text: str) -> None:
        (sentence,) = refused(write("prod.yaml", text))
        assert sentence.startswith(
            ("prod.yaml: the file is empty; docs/", "prod.yaml:1: the file is no inventory")
        )

    def test_a_folder(self, tmp_path: Path) -> None:
        (tmp_path / "inventory").mkdir()
        assert refused(tmp_path / "inventory") == [
            "inventory: this is a folder; name the inventory files in it, each with -i"
        ]

    def test_a_pipe_does_not_hang(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        assert refused(tmp_path / "pipe") == ["pipe: this is no regular file; save its content to one first"]

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    def test_unreadable(self, write: Write) -> None:
        path = write("prod.yaml", "all:\n")
        path.chmod(0)
        assert refused(path) == ["prod.yaml: the file may not be read by you; check its owner and mode"]

    def test_unreadable_for_any_user(self, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
        def denied(*_: object) -> int:
            raise PermissionError(13, "Permission denied")

        path = write("prod.yaml", "all:\n")
        monkeypatch.setattr("fleet.inventory.files.os.open", denied)
        assert refused(path) == ["prod.yaml: the file may not be read by you; check its owner and mode"]

    def test_writable_by_everybody(self, write: Write) -> None:
        path = write("prod.yaml", "all: {hosts: {web01: }}\n")
        path.chmod(0o666)
        assert refused(path) == [
            "prod.yaml: everybody on this machine may change the file, so it is not believed; run: chmod o-w"
        ]

    def test_in_a_folder_writable_by_everybody(self, write: Write) -> None:
        path = write("prod.yaml", "all: {hosts: {web01: }}\n")
        path.parent.chmod(0o777)
        (sentence,) = refused(path)
        assert sentence.startswith("prod.yaml: everybody on this machine may replace files of its folder")
        path.parent.chmod(0o1777)  # sticky, as /tmp: only the owner may replace
        assert len(load([path])) == 1

    @pytest.mark.parametrize(
        ("data", "sentence"),
        [
            (b"all:\n\x00\n", "prod.yaml: the file is binary, no inventory"),
            (b"all:\n  # \xe4\n", "prod.yaml:2: this line is not UTF-8; save the file as UTF-8"),
            ("all:\n".encode("utf-16"), "prod.yaml: the file is UTF-16; save it as UTF-8"),
            (b"all: \x07\n", "prod.yaml: a character in it is not allowed in YAML"),
        ],
    )
    def test_not_text(self, tmp_path: Path, data: bytes, sentence: str) -> None:
        path = tmp_path / "prod.yaml"
        path.write_bytes(data)
        assert refused(path) == [sentence]

    def test_no_file_at_all(self) -> None:
        with pytest.raises(
            Exception, match="no inventory was given; name one with -i FILE or in FLEET_INVENTORY"
        ):
            load([])


YAML = "all:\n  hosts:\n    web01:\n"

YAML_MISTAKES = [
    (
        "all:\n  hosts: [web01]\n",
        ['2: "hosts" of group all has to be a mapping; write names with a colon behind them, not a list'],
    ),
    ("[web01]\n", ['1: the file is no inventory; begin with "all:" and "hosts:" below it']),
    ("web01\n", ['1: the file is no inventory; begin with "all:" and "hosts:" below it']),
    ("all:\n  host:\n    web01:\n", ['2: group all: "host" has no meaning here; did you mean "hosts"?']),
    (
        "all:\n  zzz: 1\n",
        ['2: group all: "zzz" has no meaning here; a group has "hosts", "children" and "vars"'],
    ),
    ("all:\n hosts:\n  a: 1\n", ['3: host "a" has to be a mapping']),
    (YAML + "    web01:\n", ['4: "web01" stands twice, first in line 3; keep one']),
    (
        YAML + "      ansible_port: 1\n      ansible_port: 1\n",
        ['5: "ansible_port" stands twice, first in line 4; keep one'],
    ),
    (YAML + "all:\n", ['4: "all" stands twice, first in line 1; keep one']),
    ("all:\n  hosts: {web01: {x: *gone}}\n", ["2: this is not valid YAML: found undefined alias"]),
    ("all:\n\thosts:\n", ["2: this is not valid YAML: found character that cannot start any token"]),
    (YAML + "---\nall:\n", ["4: this is not valid YAML: but found another document"]),
    (
        "all: &a\n  children:\n    web: *a\n",
        ["1: groups are nested deeper than 40 levels", '3: groups are inside each other: "web" > "web"'],
    ),
    ("all:\n  vars: &a {x: *a}\n  hosts: {web01: }\n", ["2: it is nested deeper than 40 levels"]),
    ("all:\n  hosts: {web01: &a {<<: *a}}\n", None),
    (
        "all:\n  hosts: {web01: {x: " + "[" * 100_000 + "}}}\n",
        ["0: this is not valid YAML: it is nested deeper than 40 levels"],
    ),
    (
        "all:\n  hosts: {web01: {x: !!python/name:os.system ''}}\n",
        ['2: the tag "tag:yaml.org,2002:python/name:os.system" is not supported'],
    ),
    (
        "plugin: azure_rm\n",
        [
            "1: this configures an Ansible plugin, which fleet does not run; save the plugin's "
            "result: ansible-inventory --list --yaml, or az vm list -d -o json"
        ],
    ),
    (
        "all:\n  hosts:\n    -oProxy:\n",
        ['3: "-oProxy" is not a host name: it begins with a dash, like an option'],
    ),
    (
        'all:\n  hosts:\n    "web\\e[2J":\n',
        ['3: "web\\x1b[2J" is not a host name: it has a blank, control or invisible character'],
    ),
    (
        "all:\n  hosts:\n    root@web01:\n",
        ['3: "root@web01" is not a host name: the user goes into ansible_user'],
    ),
    (
        "all:\n  hosts:\n    fe80::1%eth0:\n",
        [
            '3: "fe80::1%eth0" is not a host name: zone ids (like %eth0) are not supported, because SSH and '
            "WinRM would "
            "not dial the same; use an address that is valid on every interface"
        ],
    ),
    (
        "all:\n  hosts:\n    '{{ h }}':\n",
        ["3: a host name has a Jinja template in it; fleet evaluates none, write the name itself"],
    ),
    ("all:\n  hosts:\n    web[01:3]:\n", ['3: both ends of "[01:3]" need the same number of digits']),
    ("all:\n  hosts:\n    all:\n", ['3: "all" is a group that always exists; give the host another name']),
    (
        "all:\n  hosts:\n    10:\n",
        [
            '3: 10: "10" is not an IPv4 address; write four decimal numbers from 0 to 255 without leading '
            "zeros; "
            "or give its address in ansible_host"
        ],
    ),
    (
        "a b:\n  hosts: {web01: }\n",
        ['1: "a b" is not a group name; use letters, digits, dots, dashes and underscores'],
    ),
    ("web:\n  hosts: {web: }\n", None),
    (
        "a:\n  children:\n    b:\n      children:\n        a:\n",
        ['1: groups are inside each other: "a" > "b" > "a"'],
    ),
    (
        "a:\n  children:\n    all:\n  hosts: {web01: }\n",
        ['3: "all" holds every group already and can\'t be a child'],
    ),
]


@pytest.mark.parametrize(("text", "sentences"), YAML_MISTAKES)
def test_yaml(write: Write, text: str, sentences: list[str] | None) -> None:
    found = refused(write("prod.yaml", text))
    if sentences is not None:
        assert found == [f"prod.yaml:{sentence}".replace("yaml:0:", "yaml:") for sentence in sentences]


SETTING_MISTAKES = [
    ("fleet_pasword: {env: OPS_PW}", '"fleet_pasword" is not a setting; did you mean "fleet_password"?'),
    ("fleet-password: {env: OPS_PW}", '"fleet-password" is not a setting; did you mean "fleet_password"?'),
    (
        "fleet_colour: blue",
        '"fleet_colour" is not a setting; docs/inventory.md lists those that begin with fleet_',
    ),
    ("ansible_prot: 22", '"ansible_prot" is not a setting; did you mean "ansible_port"?'),
    ("Ansible_Host: h", '"Ansible_Host" is not a setting; did you mean "ansible_host"?'),
    ("anisble_user: h", '"anisble_user" is not a setting; did you mean "ansible_user"?'),
    (
        "ansible_host: -oProxyCommand=id",
        'ansible_host can\'t be dialled: "-oProxyCommand=id" is not a host name: it begins with a dash, '
        "like an option",
    ),
    ("ansible_host: ", "ansible_host is empty; give it a value or take it out"),
    ("ansible_host: [a]", "ansible_host has to be text; put it in quotes"),
    (
        "ansible_host: '{{ ip }}'",
        "ansible_host is a Jinja template, and fleet evaluates none; write the value itself",
    ),
    (
        "ansible_user: '{% x %}'",
        "ansible_user is a Jinja template, and fleet evaluates none; write the value itself",
    ),
    ("ansible_user: true", "ansible_user has to be text; put it in quotes"),
    ('ansible_user: "a\\nb"', "ansible_user has a control or invisible character in it"),
    ("ansible_user: -l", 'ansible_user is not a user name: "-l" begins with a dash or has blanks around it'),
    ("ansible_port: ssh", 'ansible_port has to be a number from 1 to 65535, not "ssh"'),
    ("ansible_port: 0", 'ansible_port has to be a number from 1 to 65535, not "0"'),
    ("ansible_port: 65536", 'ansible_port has to be a number from 1 to 65535, not "65536"'),
    ("ansible_become: maybe", 'ansible_become has to be true or false, not "maybe"'),
    (
        "ansible_connection: telnet",
        'ansible_connection has to be one of ssh, winrm, local, fake, not "telnet"',
    ),
    (
        "ansible_connection: psrp",
        "ansible_connection can't be psrp; write winrm: fleet speaks to the same port through WinRM",
    ),
    ("ansible_connection: smart", "ansible_connection can't be smart; write ssh"),
    (
        "ansible_winrm_transport: plaintext",
        "ansible_winrm_transport can't be plaintext; fleet never sends a password over HTTP. Write ntlm "
        "or kerberos",
    ),
    ("ansible_become_method: su", 'ansible_become_method has to be one of sudo, runas, not "su"'),
    (
        "ansible_become_user: postgres",
        "ansible_become_user has to be root: fleet's scripts run as the login user or as root",
    ),
    (
        "ansible_ssh_common_args: -o StrictHostKeyChecking=no",
        "ansible_ssh_common_args holds options of the ssh program, which fleet does not run; only -o "
        "ProxyJump=HOST is "
        "understood. For the rest name an ssh_config in fleet_ssh_config",
    ),
    (
        "ansible_ssh_common_args: -J -oProxyCommand=id",
        'ansible_ssh_common_args has a jump host that can\'t be dialled: "-oProxyCommand=id" is not a '
        "host name: it "
        "begins with a dash, like an option",
    ),
    (
        "ansible_ssh_host: a, ansible_host: b",
        "ansible_host means the same as ansible_ssh_host; keep one of the two",
    ),
    ("fleet_os: beos", 'fleet_os has to be one of linux, windows, not "beos"'),
    (
        "fleet_password: {environment: X}",
        "fleet_password has to be exactly one of {env: NAME}, {file: PATH}, {keyring: SERVICE/USER} or "
        "{command: "
        f"[PROGRAM, ARGUMENT]}}; see {HELP}",
    ),
    (
        "fleet_password: {env: '1 2'}",
        "{env: ...} has to name an environment variable (letters, digits, underscores)",
    ),
    ("fleet_password: {keyring: service}", "{keyring: ...} has to be SERVICE/USER"),
    (
        "fleet_password: {command: 'pass show x'}",
        "{command: ...} has to be a list, [PROGRAM, ARGUMENT, ...]; no shell reads it",
    ),
    (
        "fleet_password: {command: [./get]}",
        "the program of {command: ...} has to be a name found on PATH, or an absolute path",
    ),
    (
        "fleet_password: {env: '{{ x }}'}",
        "the secret's env is a Jinja template, and fleet evaluates none; write it out",
    ),
    (
        "ansible_ssh_private_key_file: ~nobody-here/key",
        "ansible_ssh_private_key_file begins with ~ and a user who has no home here; write the path out",
    ),
    (
        "fleet_os: linux, ansible_connection: winrm",
        "fleet_os is linux, but winrm reaches Windows only; use ansible_connection: ssh",
    ),
    (
        "fleet_os: windows, fleet_shell: sh",
        "fleet_shell is sh, which Windows does not have; write powershell",
    ),
    (
        "fleet_os: linux, fleet_shell: powershell",
        "fleet_shell is powershell, which fleet uses on Windows only; write sh",
    ),
    (
        "fleet_os: windows, ansible_become: true",
        "ansible_become works through sudo, which Windows does not have; log in as an administrator and "
        "set it to "
        "false there",
    ),
    (
        "ansible_connection: winrm, ansible_winrm_scheme: http, ansible_winrm_transport: basic",
        "basic needs https; over http fleet accepts ntlm and kerberos only",
    ),
    (
        "ansible_connection: winrm, ansible_winrm_transport: certificate",
        "certificate needs ansible_winrm_cert_pem and ansible_winrm_cert_key_pem",
    ),
]


@pytest.mark.parametrize(("settings", "sentence"), SETTING_MISTAKES)
def test_settings(write: Write, settings: str, sentence: str) -> None:
    path = write("prod.yaml", f"all:\n  hosts:\n    web01:\n      {{{settings}}}\n")
    assert refused(path) == [f"prod.yaml:4: web01: {sentence}"]


INI_MISTAKES = [
    ("web01 x=" + "y" * 65_536, "1: the line has more than 65536 characters"),
    (
        "web01 ansible_user=CORP\\ops",
        "1: a backslash outside quotes would be lost; put the value in single quotes: "
        "ansible_user='DOMAIN\\user'",
    ),
    (
        "web01 ansible_user='ops",
        "1: a quote is not closed; put a value that has a quote in it in the other kind",
    ),
    ("web01 a=b oops", "1: word 3 of the line is not key=value; put values with blanks in quotes"),
    ("web01 a=b a=c", '1: "a" stands twice in the line; keep one'),
    ("[web\nweb01", '1: "[web" is neither a host name nor an IPv6 address'),
    ("[we b]\nweb01", "1: this section is not valid; write [group], [group:vars] or [group:children]"),
    (
        "[web:hots]\nweb01",
        '1: "hots" is not a kind of section; write [group], [group:vars] or [group:children]',
    ),
    ("web01\n[web:vars]\nx=1", '2: the group "web" has no hosts or children in any file'),
    ("web01\n[web:children]\ndb", '3: the group "db" has no hosts or children in any file'),
    ("[web]\nweb01\n[web:vars]\nx", "4: this line is not key=value, which a :vars section needs"),
    ("[web]\nweb01\n[web:vars]\nx=1\nx=1", '5: "x" stands twice, first in line 4; keep one'),
    (
        "[web]\nweb01\n[web:vars]\nx=1 # c",
        '4: "x": a comment behind a value would become part of it; give it a line of its own',
    ),
    (
        "[web]\nweb01\n[web:vars]\nx='CORP\\new'",
        '4: "x": its quotes or backslashes mean different things to Ansible; leave the quotes out',
    ),
    (
        "[web]\nweb01\n[p:children]\nweb x=1",
        "4: a :children section holds one group name a line, without settings",
    ),
]


@pytest.mark.parametrize(("text", "sentence"), INI_MISTAKES)
def test_ini(write: Write, text: str, sentence: str) -> None:
    assert refused(write("hosts.ini", text + "\n")) == [f"hosts.ini:{sentence}"]


CSV_MISTAKES = [
    ("ansible_host\n10.1.0.4\n", '1: the first column has to be "name" (or "host")'),
    ("name,user\nweb01,ops\n", '1: the column "user" is not a setting; did you mean "ansible_user"?'),
    ("name,a,a\nweb01,1,2\n", '1: the column "a" stands twice; keep one'),
    ("name,\nweb01,x\n", "1: column 2 has no name"),
    (
        "name,a\nweb01,1,2\n",
        "2: this row has 3 cells for 2 columns; put quotes around a cell that has a separator in it",
    ),
    ("name,a\n,1\nweb01,2\n", "2: the name of the host is missing in this row"),
    ('name,a\nweb01,"x"y\n', "2: the quotes of this row do not match; double a quote inside a quoted cell"),
    (
        "name,fleet_pasword\nweb01,env:X\n",
        '2: web01: "fleet_pasword" is not a setting; did you mean "fleet_password"?',
    ),
    ("name,ansible_host\nweb01,10.1.0.4\nweb01,10.1.0.5\n", None),
]


@pytest.mark.parametrize(("text", "sentence"), CSV_MISTAKES)
def test_csv(write: Write, text: str, sentence: str | None) -> None:
    found = refused(write("hosts.csv", text))
    if sentence is not None:
        assert found == [f"hosts.csv:{sentence}"]


class TestPasswordsInFiles:
    @pytest.mark.parametrize(
        "key",
        [
            "ansible_password",
            "ansible_ssh_pass",
            "ansible_ssh_password",
            "ansible_winrm_password",
            "fleet_password",
            "password",
        ],
    )
    @pytest.mark.parametrize("where", ["host", "group"])
    def test_are_refused_with_the_way_out(self, write: Write, key: str, where: str) -> None:
        line = f"{{{key}: {SECRET}}}"
        hosts, variables = (line, "{}") if where == "host" else ("", line)
        path = write("broken.yaml", f"all:\n  vars: {variables}\n  hosts:\n    web01: {hosts}\n")
        title, number = ("web01", 4) if where == "host" else ("group all", 2)
        assert refused(path) == [f"broken.yaml:{number}: {title}: {MOVE}"]

    @pytest.mark.parametrize("key", ["ansible_become_pass", "ansible_become_password", "ansible_sudo_pass"])
    def test_of_sudo_are_not_needed(self, write: Write, key: str) -> None:
        path = write("broken.yaml", f"all:\n  hosts:\n    web01: {{{key}: {SECRET}}}\n")
        assert refused(path) == [
            "broken.yaml:3: web01: a password for sudo stands in the file. fleet runs sudo -n, which asks "
            "for none: "
            f"take it out and allow it in sudoers; see {HELP}"
        ]

    def test_in_vaults_and_templates(self, write: Write) -> None:
        path = write(
            "broken.yaml",
            "all:\n  hosts:\n    web01:\n      ansible_password: !vault |\n        "
            "$ANSIBLE_VAULT;1.1;AES256\n"
            "    web02:\n      ansible_password: \"{{ lookup('env', 'X') }}\"\n    web03:\n      cert: "
            "!vault x\n"
            "    web04:\n      fleet_password: !vault x\n",
        )
        way_out = f"write fleet_password: {{env: NAME}} (INI and CSV: fleet_password=env:NAME); or see {HELP}"
        vault = "an encrypted password (!vault) stands in the file. Put it into an environment variable and"
        assert refused(path) == [
            f"broken.yaml:4: web01: {vault} {way_out}",
            "broken.yaml:7: web02: ansible_password is a Jinja template, and fleet evaluates none. "
            + way_out[0].upper()
            + way_out[1:],
            'broken.yaml:9: web03: "cert" is encrypted (!vault), which fleet does not open; move it to a '
            "file that "
            f"only Ansible reads, or see {HELP}",
            f"broken.yaml:11: web04: {vault} {way_out}",
        ]

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("a.ini", f"web01 ansible_password={SECRET}\n"),
            ("a.ini", f"web01 ansible_password=correct {SECRET}\n"),
            ("a.ini", f"web01 ansible_password='{SECRET}\n"),
            ("a.ini", f"web01 fleet_password={SECRET}\n"),
            ("a.ini", f"web01 fleet_password=env:{SECRET}\n"),
            ("a.ini", f"[web]\nweb01\n[web:vars]\nansible_password={SECRET}\n"),
            ("a.ini", f"[web]\nweb01\n[web:vars]\nansible_password='{SECRET}\\x'\n"),
            ("a.csv", f"name,ansible_password\nweb01,{SECRET}\n"),
            ("a.csv", f'name,fleet_password\nweb01,"{SECRET}"x\n'),
            ("a.yaml", f"all: {{hosts: {{web01: {{fleet_password: {{env: {SECRET}}}}}}}}}\n"),
            ("a.yaml", f"all: {{hosts: {{web01: {{fleet_password: {{{SECRET}: }}}}}}}}\n"),
            ("a.yaml", f"all: {{hosts: {{web01: {{fleet_password: [{SECRET}]}}}}}}\n"),
            (
                "a.yaml",
                f"all: {{hosts: {{web01: {{fleet_password: {SECRET}}}}}, vars: {{fleet_password: 1}}}}\n",
            ),
            ("a.yaml", f"all: {{hosts: {{web01: {{ansible_password: @{SECRET}}}}}}}\n"),
            ("a.yaml", f"all: {{hosts: {{web01: {{ansible_password: *{SECRET}}}}}}}\n"),
            ("a.yaml", f"all: {{hosts: {{web01: ansible_password: {SECRET}}}}}\n"),
        ],
    )
    def test_are_never_repeated(self, write: Write, name: str, text: str) -> None:
        assert SECRET not in "\n".join(refused(write(name, text)))

    def test_of_other_programs_are_not_taken_over(self, write: Write) -> None:
        path = write(
            "prod.yaml",
            f"all: {{hosts: {{web01: {{db_password: {SECRET}, app: {{api_token: {SECRET}, port: 80}}}}}}}}\n",
        )
        inventory = load([path])
        assert inventory.hosts["web01"].variables == {
            "db_password": "***",
            "app": {"api_token": "***", "port": 80},
        }
        assert SECRET not in repr(list(inventory))


class TestManyMistakes:
    def test_are_told_at_once_in_the_order_of_the_lines(self, write: Write) -> None:
        path = write(
            "broken.yaml",
            "all:\n  hosts:\n    sql01: {fleet_pasword: {env: X}}\n    web01: {ansible_port: x}\n  vars: "
            "{fleet_x: 1}\n",
        )
        assert [sentence.split(" ")[0] for sentence in refused(path)] == [
            "broken.yaml:3:",
            "broken.yaml:4:",
            "broken.yaml:5:",
        ]

    def test_a_line_for_many_hosts_is_told_once(self, write: Write) -> None:
        path = write("broken.yaml", "all: {hosts: {'web[001:900]': {ansible_port: x}}}\n")
        assert refused(path) == [
            'broken.yaml:1: web001: ansible_port has to be a number from 1 to 65535, not "x"'
        ]

    def test_more_than_fifty_are_cut(self, write: Write) -> None:
        lines = "".join(f"    web{number}: {{ansible_port: x}}\n" for number in range(70))
        with pytest.raises(UsageErrors) as caught:
            load([write("broken.yaml", f"all:\n  hosts:\n{lines}")])
        assert len(caught.value.errors) == 51
        assert str(caught.value.errors[-1]) == "... and 20 more; mend these first"
