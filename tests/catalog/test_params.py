"""Parameters: what fits is bound, and everything else is said before any guest is contacted."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.catalog import bind, bind_text
from fleet.errors import ParameterError
from fleet.model import Kind, Param, ParamType, Severity, Shell, Snippet, SnippetText

TEXT = SnippetText("", Path("x"), "")


def snippet(*params: Param, shells: tuple[Shell, ...] = (Shell.SH, Shell.POWERSHELL)) -> Snippet:
    return Snippet(
        "x", Kind.CHECK, "X", 10, dict.fromkeys(shells, TEXT), severity=Severity.INFO,
        params={param.name: param for param in params},
    )  # fmt: skip


def one(type: ParamType, **rules: Any) -> Snippet:
    return snippet(Param("p", type, "What it is for", required=True, **rules))


class TestBind:
    def test_defaults_stand_in_for_what_is_not_given(self) -> None:
        both = snippet(Param("a", "int", "A", default=3), Param("b", "str", "B", default=""))
        assert bind(both, {"b": "x"}).values == {"a": 3, "b": "x"}

    @pytest.mark.parametrize(
        ("type", "value"),
        [
            ("str", "it's \u2019 $(x)\n"), ("str", ""), ("int", -5), ("bool", False), ("float", 0.5),
            ("list", ["a", "b"]), ("list", []), ("dict", {"a": "b"}), ("dict", {}),
        ],
    )  # fmt: skip
    def test_values_of_the_declared_type_pass_unchanged(self, type: ParamType, value: Any) -> None:
        assert bind(one(type), {"p": value}).values == {"p": value}

    def test_a_whole_number_is_a_number(self) -> None:
        bound = bind(one("float"), {"p": 3}).values["p"]
        assert bound == 3.0
        assert isinstance(bound, float)

    @pytest.mark.parametrize(
        ("type", "value", "sentence"),
        [
            ("str", 5, "must be text, not 5"),
            ("str", None, "must be text, not None"),
            ("int", "5", "must be a whole number, not '5'"),
            ("int", True, "must be a whole number, not True"),
            ("int", 5.0, "must be a whole number, not 5.0"),
            ("float", True, "must be a number, not True"),
            ("bool", 1, "must be true or false, not 1"),
            ("list", "a", "must be a list, not 'a'"),
            ("list", ("a",), "must be a list"),
            ("dict", [], "must be a table of keys and values"),
            ("str", "a\0b", "a NUL character can't be sent"),
            ("str", "\ud800", "half a surrogate pair"),
            ("list", ["a\0"], "a NUL character can't be sent"),
            ("int", 2**63, "beyond 64 bits"),
            ("float", float("nan"), "no number that can be sent"),
            ("list", ["a\nb"], "newline"),
            ("dict", {"A": 1, "a": 2}, "differ only in case"),
        ],
    )
    def test_other_values_are_refused(self, type: ParamType, value: Any, sentence: str) -> None:
        with pytest.raises(ParameterError, match=r"^x: p: ") as caught:
            bind(one(type), {"p": value})
        assert sentence in str(caught.value)

    @pytest.mark.parametrize(
        ("rules", "good", "bad", "sentence"),
        [
            ({"type": "str", "pattern": "[a-z]+"}, "abc", "abc\n", "does not match [a-z]+"),
            ({"type": "str", "pattern": "a|b"}, "b", "ab", "does not match a|b"),
            ({"type": "list", "pattern": "[a-z]+"}, ["a", "b"], ["a", "B"], "'B' does not match"),
            ({"type": "list", "pattern": "[0-9]+"}, ["1"], [1], "1 does not match"),
            ({"type": "str", "choices": ("a", "b")}, "a", "c", "must be one of a, b"),
            ({"type": "int", "minimum": 1}, 1, 0, "must be at least 1"),
            ({"type": "int", "maximum": 9}, 9, 10, "must be at most 9"),
            ({"type": "float", "maximum": 0.5}, 0.5, 0.6, "must be at most 0.5"),
        ],
    )
    def test_rules_of_the_header_hold(self, rules: Any, good: Any, bad: Any, sentence: str) -> None:
        target = one(**rules)
        assert bind(target, {"p": good}).values == {"p": good}
        with pytest.raises(ParameterError) as caught:
            bind(target, {"p": bad})
        assert sentence in str(caught.value)

    @pytest.mark.parametrize(
        ("raw", "sentence"),
        [
            ({}, 'x needs the parameter "settle_seconds": How long'),
            ({"setle_seconds": 1}, 'x has no parameter "setle_seconds"; did you mean "settle_seconds"?'),
            ({"foo": 1}, 'x has no parameter "foo"; it has settle_seconds'),
        ],
    )
    def test_unknown_and_missing_ones_are_named(self, raw: Any, sentence: str) -> None:
        target = snippet(Param("settle_seconds", "int", "How long", required=True))
        with pytest.raises(ParameterError) as caught:
            bind(target, raw)
        assert str(caught.value) == sentence

    def test_a_snippet_without_parameters_says_so(self) -> None:
        with pytest.raises(ParameterError, match=r'^x has no parameters, but was given "a"$'):
            bind(snippet(), {"a": 1})

    def test_only_the_shells_a_snippet_has_set_limits(self) -> None:
        only_ps = snippet(Param("p", "list", "P", required=True), shells=(Shell.POWERSHELL,))
        assert bind(only_ps, {"p": ["a\nb", {"k": [1]}]}).values == {"p": ["a\nb", {"k": [1]}]}

    def test_values_can_not_be_changed_afterwards(self) -> None:
        values = bind(one("str"), {"p": "a"}).values
        with pytest.raises(TypeError):
            values["p"] = "b"  # type: ignore[index]

    def test_a_long_value_is_not_repeated_in_an_error(self) -> None:
        with pytest.raises(ParameterError) as caught:
            bind(one("int"), {"p": "x" * 10_000})
        assert len(str(caught.value)) < 120


class TestBindText:
    @pytest.mark.parametrize(
        ("type", "text", "value"),
        [
            ("str", " as it is ", " as it is "), ("str", "5", "5"), ("int", "5", 5), ("int", " -5 ", -5),
            ("int", "007", 7), ("bool", "true", True), ("bool", "No", False), ("bool", "1", True),
            ("float", "0.5", 0.5), ("float", "1e3", 1000.0),
            ("list", "a, b,c", ["a", "b", "c"]), ("list", "", []), ("list", '["a,b", "c"]', ["a,b", "c"]),
            ("dict", '{"a": "b"}', {"a": "b"}),
        ],
    )  # fmt: skip
    def test_text_becomes_the_declared_type(self, type: ParamType, text: str, value: Any) -> None:
        assert bind_text(one(type), {"p": text}).values == {"p": value}

    @pytest.mark.parametrize(
        ("type", "text"),
        [
            ("int", ""), ("int", "5.0"), ("int", "0x10"), ("int", "1_000"), ("int", "\u0665"),
            ("int", "1" * 5000), ("bool", "on"), ("bool", ""), ("float", "nan"), ("float", "inf"),
            ("float", "1_0"), ("float", "1..2"),
            ("list", "[1,"), ("list", "[NaN]"), ("dict", "a=b"), ("dict", '{"a": 1, "a": 2}'), ("dict", "[]"),
            ("dict", '{"a": ' * 100_000),
        ],
    )  # fmt: skip
    def test_other_text_is_refused(self, type: ParamType, text: str) -> None:
        with pytest.raises(ParameterError, match=r"^x: p: "):
            bind_text(one(type), {"p": text})

    @given(st.sampled_from(["int", "bool", "float", "list", "dict"]), st.text(max_size=30))
    def test_any_text_is_bound_or_refused(self, type: ParamType, text: str) -> None:
        with contextlib.suppress(ParameterError):
            bind_text(one(type), {"p": text})
