"""The only two places where a value becomes program text: one function for each shell's parser.

Sources: POSIX.1-2017 XCU 2.2.2 (single quotes) through ``shlex.quote``; PowerShell's
``CharTraits.cs`` (``IsSingleQuote``: five characters) and ``tokenizer.cs`` (``ScanStringLiteral``: a
doubled quote stands for itself, nothing else is special between single quotes).

Refused, with one sentence that says why: what a shell can't hold (NUL), what UTF-8 can't carry
(lone surrogates), and what would arrive as something else.
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Mapping

from fleet.errors import ParameterError
from fleet.model import JsonValue, ParamValue

MAX_NESTING = 16
"""How deep lists and dicts of one value may be nested."""

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_PS_SINGLE_QUOTE = re.compile("['\u2018\u2019\u201a\u201b]")
_SURROGATE = re.compile("[\ud800-\udfff]")

_SH_WORDS = "case do done elif else esac fi for if in then until while function select time"
_OUR_WORDS = "check root"
_OUR_PREFIXES = ("fleet_", "service_", "waagent_")
"""What the frame and the library of sh set before a snippet begins, and families of names of the library.
What a function sets only for a snippet that calls it (``copy``, ``service``) is left to the snippet."""
_PS_VARIABLES = (
    "args error event false foreach home host input matches null ofs pid profile pscmdlet pshome psitem "
    "pwd sender switch this true"
)
"""Automatic variables, about_Automatic_Variables: assigning to them fails or is undone."""
_PS_PARAMETERS = (
    "cf confirm db debug ea ev infa iv ob ov proga pv vb verbose wa whatif wi wv "
    "erroraction errorvariable informationaction informationvariable outbuffer outvariable pipelinevariable "
    "progressaction warningaction warningvariable"
)
"""What every advanced function already has, about_CommonParameters, with the aliases."""

RESERVED_NAMES = frozenset(f"{_SH_WORDS} {_OUR_WORDS} {_PS_VARIABLES} {_PS_PARAMETERS}".split())
"""Names no parameter may have. One set for both shells, since twins share their header."""


def check_name(name: str) -> None:
    """Refuse a parameter name that is no variable in both shells, or that something else already has."""
    if not _NAME.fullmatch(name):
        raise ParameterError(f"{name!r} can't be a parameter's name: use a-z, then a-z, 0-9 and _")
    if name in RESERVED_NAMES or name.startswith(_OUR_PREFIXES):
        raise ParameterError(f'"{name}" already means something to a shell or to fleet; take another name')


def sh_literal(text: str) -> str:
    """Quote text as one word for every POSIX shell."""
    _check_text(text)
    return shlex.quote(text)


def sh_assignments(values: Mapping[str, ParamValue]) -> str:
    """Write one assignment a line. Lists hold one item a line, dicts ``key=value`` lines, bool is 1 or 0."""
    lines = []
    for name, value in values.items():
        check_name(name)
        try:
            lines.append(f"{name}={sh_literal(_sh_text(value))}\n")
        except ParameterError as error:
            raise ParameterError(f"{name}: {error.message}") from None
    return "".join(lines)


def check_sh_value(value: ParamValue) -> None:
    """Refuse a value that sh can't hold."""
    _check_text(_sh_text(value))


def _sh_text(value: ParamValue) -> str:
    if isinstance(value, list):
        return "\n".join(_sh_item(item) for item in value)
    if isinstance(value, dict):
        return "\n".join(f"{_sh_key(key)}={_sh_item(item, or_empty=True)}" for key, item in value.items())
    return _sh_scalar(value)


def _sh_scalar(value: JsonValue) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, int):
        return _int_digits(value)
    if isinstance(value, float):
        return _float_digits(value)
    raise ParameterError("sh has no values inside lists and dicts but text and numbers")


def _sh_item(item: JsonValue, *, or_empty: bool = False) -> str:
    text = _sh_scalar(item)
    if "\n" in text:
        raise ParameterError("an item with a newline would be two items in sh")
    if not text and not or_empty:
        raise ParameterError("an empty item can't be told from no item in sh")
    return text


def _sh_key(key: str) -> str:
    if not key or "=" in key or "\n" in key:
        raise ParameterError(f"the key {key!r} can't stand before a = in sh")
    return key


def ps_literal(value: ParamValue | None) -> str:
    """Write a value as a PowerShell expression that is right in every place and for every culture."""
    return _ps_literal(value, MAX_NESTING)


def _ps_literal(value: JsonValue, depth: int) -> str:
    if depth < 0:
        raise ParameterError(f"a value is nested deeper than {MAX_NESTING} levels")
    if value is None:
        return "$null"
    if isinstance(value, str):
        _check_text(value)
        return "'" + _PS_SINGLE_QUOTE.sub(r"\g<0>\g<0>", value) + "'"
    if isinstance(value, bool):
        return "$true" if value else "$false"
    if isinstance(value, int):
        return _ps_int(value)
    if isinstance(value, float):
        return f"[double]'{_float_digits(value)}'"
    if isinstance(value, list):
        items = [_ps_literal(item, depth - 1) for item in value]
        # the comma before a single item keeps a list within a list from being unrolled
        return f"@(,{items[0]})" if len(items) == 1 else f"@({','.join(items)})"
    if isinstance(value, dict):
        return _ps_dict(value, depth - 1)
    raise ParameterError(f"a {type(value).__name__} can't be a PowerShell value")


def _ps_int(value: int) -> str:
    digits = _int_digits(value)
    if 0 <= value < 2**31:
        return digits
    # with a bare minus the comma of a list would bind first
    return f"[int]'{digits}'" if -(2**31) <= value < 0 else f"[int64]'{digits}'"


def _ps_dict(value: dict[str, JsonValue], depth: int) -> str:
    if len({str(key).casefold() for key in value}) < len(value):
        raise ParameterError("two keys differ only in case, which PowerShell does not tell apart")
    pairs = (f"{_ps_key(key, depth)}={_ps_literal(item, depth)}" for key, item in value.items())
    return "@{" + ";".join(pairs) + "}"


def _ps_key(key: JsonValue, depth: int) -> str:
    if not isinstance(key, str):
        raise ParameterError(f"the key {key!r} is no text")
    return _ps_literal(key, depth)


def _check_text(text: str) -> None:
    if "\0" in text:
        raise ParameterError("a NUL character can't be sent")
    if _SURROGATE.search(text):
        raise ParameterError(
            "half a surrogate pair can't be sent; the text was not valid UTF-8 where it came from"
        )


def _int_digits(value: int) -> str:
    if not -(2**63) <= value < 2**63:
        raise ParameterError("a whole number beyond 64 bits can't be sent")
    return str(value)


def _float_digits(value: float) -> str:
    if not math.isfinite(value):
        raise ParameterError(f"{value} is no number that can be sent")
    return repr(value)
