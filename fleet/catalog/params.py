"""Checks values against the declared parameters of a snippet; nothing else makes ``Arguments``."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NoReturn

from fleet import quote
from fleet.catalog.files import suggestion
from fleet.errors import ParameterError
from fleet.model import Arguments, Param, ParamValue, Shell, Snippet

_EXPECTED = {
    "str": "text",
    "int": "a whole number",
    "bool": "true or false",
    "float": "a number",
    "list": "a list",
    "dict": "a table of keys and values",
}


def bind(snippet: Snippet, raw: Mapping[str, object]) -> Arguments:
    """Check typed values; parameters that are not given take their defaults."""
    return _bind(snippet, raw, lambda _, value: value)


def bind_text(snippet: Snippet, raw: Mapping[str, str]) -> Arguments:
    """Check values given as text: numbers, true/false, lists with commas or in JSON, dicts in JSON."""
    return _bind(snippet, raw, lambda param, value: _from_text(param, str(value)))


def typed(snippet: Snippet, raw: Mapping[str, object]) -> dict[str, object]:
    """Turn text into the types of those parameters that the snippet has; the rest is left out."""
    values: dict[str, object] = {}
    for name, param in snippet.params.items():
        if name in raw:
            try:
                value = raw[name]
                values[name] = _from_text(param, value) if isinstance(value, str) else value
            except ParameterError as error:
                raise ParameterError(f"{snippet.name}: {name}: {error.message}") from None
    return values


def _bind(
    snippet: Snippet, raw: Mapping[str, object], convert: Callable[[Param, object], object]
) -> Arguments:
    for name in raw:
        if name not in snippet.params:
            raise ParameterError(_unknown(snippet, name))
    values: dict[str, ParamValue] = {}
    for name, param in snippet.params.items():
        if name not in raw:
            values[name] = _default(snippet, param)
            continue
        try:
            values[name] = check_value(param, convert(param, raw[name]), snippet.texts)
        except ParameterError as error:
            raise ParameterError(f"{snippet.name}: {name}: {error.message}") from None
    return Arguments(MappingProxyType(values))


def _default(snippet: Snippet, param: Param) -> ParamValue:
    if param.default is None:
        raise ParameterError(f'{snippet.name} needs the parameter "{param.name}": {param.about}')
    return _of_type(param, param.default)


def _unknown(snippet: Snippet, name: str) -> str:
    close = suggestion(name, snippet.params)
    if not snippet.params:
        return f'{snippet.name} has no parameters, but was given "{name}"'
    return f'{snippet.name} has no parameter "{name}"{close or "; it has " + ", ".join(snippet.params)}'


def check_value(param: Param, value: object, shells: Mapping[Shell, object]) -> ParamValue:
    """Give the value if it fits the parameter and every shell can hold it, or raise ParameterError."""
    fitting = _of_type(param, value)
    if param.choices and fitting not in param.choices:
        raise ParameterError("must be one of " + ", ".join(str(choice) for choice in param.choices))
    if param.pattern is not None:
        _match(param.pattern, fitting)
    _compare(param, fitting)
    if Shell.SH in shells:
        quote.check_sh_value(fitting)
    if Shell.POWERSHELL in shells:
        quote.ps_literal(fitting)
    return fitting


def _of_type(param: Param, value: object) -> ParamValue:
    if param.type == "float" and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    kinds: dict[str, type] = {
        "str": str, "int": int, "bool": bool, "float": float, "list": list, "dict": dict,
    }  # fmt: skip
    wrong = not isinstance(value, kinds[param.type]) or (isinstance(value, bool) and param.type != "bool")
    if wrong:
        raise ParameterError(f"must be {_EXPECTED[param.type]}, not {_shown(value)}")
    assert isinstance(value, str | int | float | list | dict)
    return value


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _match(pattern: str, value: ParamValue) -> None:
    for item in value if isinstance(value, list) else [value]:
        if not isinstance(item, str) or not re.fullmatch(pattern, item):
            raise ParameterError(f"{_shown(item)} does not match {pattern}")


def _compare(param: Param, value: ParamValue) -> None:
    if not isinstance(value, int | float):
        return
    if param.minimum is not None and value < param.minimum:
        raise ParameterError(f"must be at least {param.minimum:g}")
    if param.maximum is not None and value > param.maximum:
        raise ParameterError(f"must be at most {param.maximum:g}")


def _from_text(param: Param, text: str) -> object:
    if param.type == "str":
        return text
    try:
        return _READERS[param.type](text.strip())
    except (ValueError, KeyError, RecursionError):
        raise ParameterError(f"must be {_EXPECTED[param.type]}, not {_shown(text)}") from None


def _whole(text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,30}", text):
        raise ValueError(text)
    return int(text)


def _decimal(text: str) -> float:
    if not re.fullmatch(r"[+-]?[0-9.]{1,40}([eE][+-]?[0-9]{1,4})?", text):
        raise ValueError(text)
    return float(text)


def _truth(text: str) -> bool:
    return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[text.lower()]


def _items(text: str) -> object:
    if text.startswith("["):
        return _json(text)
    return [item.strip() for item in text.split(",")] if text else []


def _json(text: str) -> object:
    return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise ValueError("a key stands twice")
    return table


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


_READERS: dict[str, Callable[[str], object]] = {
    "int": _whole,
    "bool": _truth,
    "float": _decimal,
    "list": _items,
    "dict": _json,
}
