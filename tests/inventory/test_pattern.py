"""``-l/--limit``: who is selected. What Ansible 2.19 selects was recorded from ansible-core itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fleet.errors import SelectionError, UsageError
from fleet.inventory.pattern import MAX_REGEX, select
from tests.inventory.support import attempt

HOSTS = ["web01", "web02", "web03", "db-a.corp", "db-b.corp", "lone", "fd00::5", "web3", "web9"]
GROUPS = {
    "all": tuple(HOSTS),
    "web": ("web01", "web02", "web03"),
    "db": ("db-a.corp", "db-b.corp"),
    "prod": ("web01", "web02", "web03", "db-a.corp", "db-b.corp"),
    "tonight": ("web02", "lone"),
    "empty": (),
    "ungrouped": ("fd00::5", "web3", "web9"),
}


def selected(pattern: str) -> list[str]:
    return select(pattern, HOSTS, GROUPS)


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("all", HOSTS),
        ("*", HOSTS),
        ("web", ["web01", "web02", "web03"]),
        ("web,lone", ["web01", "web02", "web03", "lone"]),
        ("web:lone", ["web01", "web02", "web03", "lone"]),
        (" web , lone ,", ["web01", "web02", "web03", "lone"]),
        ("web:&prod:!web01", ["web02", "web03"]),
        ("!web01:web", ["web02", "web03"]),
        ("all:!prod", ["lone", "fd00::5", "web3", "web9"]),
        ("!prod", ["lone", "fd00::5", "web3", "web9"]),
        ("&tonight", ["web02", "lone"]),
        ("prod:&tonight", ["web02"]),
        ("lone,&tonight,!web02", ["lone"]),
        ("w?b01", ["web01"]),
        ("*.corp", ["db-a.corp", "db-b.corp"]),
        ("d*", ["db-a.corp", "db-b.corp"]),
        ("[dw]*", ["web01", "web02", "web03", "db-a.corp", "db-b.corp", "web3", "web9"]),
        ("~web0[12]", ["web01", "web02"]),
        ("~(web|db-a)", ["web01", "web02", "web03", "db-a.corp", "web3", "web9"]),
        (r"~.*\.corp$", ["db-a.corp", "db-b.corp"]),
        (r"~eb", None),  # anchored at the beginning, as Ansible's
        (r"~(?:web\d{1,2}):&prod", ["web01", "web02", "web03"]),
        ("ungrouped", ["fd00::5", "web3", "web9"]),
    ],
)
def test_selects_as_ansible_does(pattern: str, names: list[str] | None) -> None:
    if names is None:
        with pytest.raises(SelectionError):
            selected(pattern)
    else:
        assert selected(pattern) == names


class TestPositions:
    @pytest.mark.parametrize(
        ("pattern", "names"),
        [
            ("prod[0]", ["web01"]),
            ("prod[-1]", ["db-b.corp"]),
            ("prod[-2]", ["db-a.corp"]),
            ("prod[2:3]", ["web03", "db-a.corp"]),
            ("prod[3:]", ["db-a.corp", "db-b.corp"]),
            ("prod[:1]", ["web01", "web02"]),
            ("web*[0:1]", ["web01", "web02"]),
            ("prod[0:1]:!web01", ["web02"]),
        ],
    )
    def test_count_from_zero_in_the_order_of_the_inventory(self, pattern: str, names: list[str]) -> None:
        assert selected(pattern) == names

    def test_beyond_the_end_are_an_error(self) -> None:
        with pytest.raises(SelectionError, match=r'"web\[7\]" is beyond the 3 hosts of "web"'):
            selected("web[7]")


class TestRanges:
    @pytest.mark.parametrize(
        ("pattern", "names"),
        [
            ("web[01:03]", ["web01", "web02", "web03"]),
            ("web0[1:2]", ["web01", "web02"]),
            ("db-[a:b].corp", ["db-a.corp", "db-b.corp"]),
            ("web[3,9]", ["web3", "web9"]),
            ("web[01:02,3]", ["web01", "web02", "web3"]),
        ],
    )
    def test_stand_for_the_hosts_they_name(self, pattern: str, names: list[str]) -> None:
        assert selected(pattern) == names

    def test_a_host_of_a_range_that_is_missing_is_an_error(self) -> None:
        with pytest.raises(SelectionError, match=r'"web04" \(in "web\[01:04\]"\) is no host and no group'):
            selected("web[01:04]")

    def test_what_could_mean_positions_and_hosts_is_refused(self) -> None:
        """web[0:2] is web01..web03 by position; with a host web0 it could be web0..web2."""
        hosts = ["web0", "web1", "web2", "web3"]
        groups = {"all": tuple(hosts), "web": ("web1", "web2", "web3")}
        with pytest.raises(SelectionError, match="could mean positions in a group"):
            select("web[0:2]", hosts, groups)

    def test_not_refused_where_both_are_the_same_hosts(self) -> None:
        hosts = ["web0", "web1", "web2"]
        groups = {"all": tuple(hosts), "web": tuple(hosts)}
        assert select("web[0:1]", hosts, groups) == ["web0", "web1"]


class TestIpv6:
    @pytest.mark.parametrize(
        "pattern", ["fd00::5", "[fd00::5]", "FD00:0::5", "fd00::5,fd00::5", "all:&[fd00::5]"]
    )
    def test_an_address_is_one_name(self, pattern: str) -> None:
        assert selected(pattern) == ["fd00::5"]

    def test_beside_others(self) -> None:
        assert selected("lone,fd00::5,web01") == ["web01", "lone", "fd00::5"]
        assert selected("all,!fd00::5,!prod") == ["lone", "web3", "web9"]
        assert selected("[fd00::5]:lone") == ["lone", "fd00::5"]


class TestFiles:
    def test_each_line_is_a_pattern(self, tmp_path: Path) -> None:
        (tmp_path / "failed.txt").write_text("# from last night\nweb01\n\ndb:!db-a.corp\n")
        assert selected(f"@{tmp_path}/failed.txt") == ["web01", "db-b.corp"]
        assert selected(f"@{tmp_path}/failed.txt,lone") == ["web01", "db-b.corp", "lone"]

    def test_a_mistake_has_its_line(self, tmp_path: Path) -> None:
        path = tmp_path / "failed.txt"
        path.write_text("web01\nw(\x07\n")
        with pytest.raises(SelectionError, match=r"failed\.txt:2: the selection has a control"):
            selected(f"@{path}")

    def test_a_file_that_is_missing_or_empty_is_an_error(self, tmp_path: Path) -> None:
        (tmp_path / "empty").write_text("# nobody\n")
        with pytest.raises(SelectionError, match="names no host"):
            selected(f"@{tmp_path}/empty")
        with pytest.raises(SelectionError, match="can't be read: No such file or directory"):
            selected(f"@{tmp_path}/missing")
        with pytest.raises(SelectionError, match="can only be added"):
            selected(f"all,!@{tmp_path}/empty")


@pytest.mark.parametrize(
    ("pattern", "sentence"),
    [
        ("", "the selection is empty; name hosts or groups, or write: -l all"),
        (" , ", "the selection is empty; name hosts or groups, or write: -l all"),
        ("web02x", '"web02x" is no host and no group of the inventory; did you mean "web02"?'),
        ("zzzzzz", '"zzzzzz" is no host and no group of the inventory; fleet hosts lists what there is'),
        ("all:!wbe", '"wbe" is no host and no group of the inventory; did you mean "web"?'),
        ("web:&lone", '"web:&lone" selects no host; each part matches, but not together'),
        ("empty", 'the group "empty" has no hosts'),
        ("q*", '"q*" matches no host and no group'),
        ("~q", '"~q" matches no host and no group'),
        ("~(", '"~(": a bracket is not closed'),
        ("~*a", '"~*a" is not a regular expression: nothing to repeat at position 0'),
        ("~" + "a" * MAX_REGEX, f"the regular expression is longer than {MAX_REGEX} characters"),
        ("web[", '"web[": a bracket is not closed'),
        ("lone[0:x]", '"lone[0:x]" is not a range; write web[01:12] or web[3,9]'),
        ("web:&", '"web:&": nothing stands behind &'),
        ("web\x1b[2J", "the selection has a control or invisible character in it"),
    ],
)
def test_a_pattern_that_is_not_sure_is_refused(pattern: str, sentence: str) -> None:
    with pytest.raises(SelectionError) as caught:
        selected(pattern)
    assert str(caught.value) == sentence


TERM = st.sampled_from(
    ["web", "db", "prod", "tonight", "web01", "lone", "fd00::5", "w*", "~web", "prod[0:1]"]
)


@given(st.lists(TERM, min_size=1, max_size=4), st.lists(TERM, max_size=3), st.lists(TERM, max_size=3))
def test_union_intersection_and_exclusion_are_those_of_sets(
    plain: list[str], both: list[str], without: list[str]
) -> None:
    wanted: set[str] = set().union(*(selected(term) for term in plain))
    for term in both:
        wanted &= set(selected(term))
    for term in without:
        wanted -= set(selected(term))
    expression = ",".join([*(f"!{term}" for term in without), *plain, *(f"&{term}" for term in both)])
    if wanted:
        assert selected(expression) == [name for name in HOSTS if name in wanted]
    else:
        with pytest.raises(SelectionError):
            selected(expression)


@given(st.text(max_size=30) | st.text("web0:&!,[]~*?(){}|3-.df@ \\", max_size=25))
@example("~[[")
@example("~a{99999}")
@example("web[0,:]")
def test_any_text_selects_known_hosts_or_is_refused_in_one_line(pattern: str) -> None:
    names = attempt(lambda: selected(pattern))
    if isinstance(names, UsageError):
        assert str(names).isprintable()
    else:
        assert names
        assert set(names) <= set(HOSTS)
