"""Error codes as users see them, brought into one form so that they can be compared.

``ID: 34513``, ``id 34513`` and ``34513`` are one code; so are ``0x80070570``, ``80070570`` and, as event
logs and PowerShell print it, ``-2147023504``.
"""

from __future__ import annotations

import re

_LABELS = (
    "id|error|event|code|option|hresult|status"  # English
    "|errore|evento|codice|opzione"  # Italian
    "|fel|felkod|kod|handelse"  # Swedish
    "|erro|codigo|opcao"  # Portuguese
)
LABEL = re.compile(rf"^(?:(?:{_LABELS})\b[\s:#=]*)+(?=\S)", re.IGNORECASE)
"""Words that stand before a code."""

LABEL_BEFORE = re.compile(rf"\b(?:{_LABELS})[\s:#=]*$", re.IGNORECASE)
"""Such a word at the end of a text, the next word being the code."""

_HEX = re.compile(r"0x0*([0-9a-f]{1,8})", re.IGNORECASE)
_NEGATIVE = re.compile(r"-[0-9]{9,10}")


def key(code: str) -> str:
    """Give the form in which codes are compared."""
    text = code.strip().strip("\"'()[]<>").rstrip(".:,;!").strip()
    text = LABEL.sub("", text) or text
    if _NEGATIVE.fullmatch(text):
        return f"{int(text) & 0xFFFFFFFF:x}"
    number = _HEX.fullmatch(text)
    return number[1].lower() if number else text.casefold()
