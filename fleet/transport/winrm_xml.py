"""Reads XML that a guest sent: no document types, no entities, bounded in size, depth and number of elements.

``xml.etree`` alone lets 100 KB grow to 6 MB through entities; without a DTD there are none.
"""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

MAX_DEPTH = 64
"""Levels of nesting; a SOAP reply of WinRM has fewer than 12."""

MAX_ELEMENTS = 20_000
"""Elements of one document; a Receive reply has one for every piece of output."""

_FORBIDDEN = re.compile(
    rb"[\x00-\x08\x0b\x0c\x0e-\x1f]"
    rb"|&#(?:x0*(?:[0-8bcefBCEF]|1[0-9a-fA-F])|0*(?:[0-8]|1[124-9]|2[0-9]|3[01]));"
)
"""Control characters that XML 1.0 has no place for, raw or as a reference; Windows puts them into fault
texts when a program's output holds them."""


class XmlError(ValueError):
    """The document is not well formed, or has what is not taken from a guest."""


def parse(document: bytes) -> Element:
    """Read a document; control characters that XML forbids become question marks. Raises ``XmlError``."""
    try:
        return _parse(document)
    except expat.ExpatError:
        cleaned, found = _FORBIDDEN.subn(b"?", document)
    if found:
        try:
            return _parse(cleaned)
        except expat.ExpatError:
            pass
    raise XmlError("not well formed")


def _parse(document: bytes) -> Element:
    builder = TreeBuilder()
    parser = expat.ParserCreate(namespace_separator="}")
    depth = elements = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth, elements
        depth += 1
        elements += 1
        if depth > MAX_DEPTH or elements > MAX_ELEMENTS:
            raise XmlError("nested too deep or too many elements")
        builder.start(_clark(name), {_clark(key): value for key, value in attributes.items()})

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(_clark(name))

    def refuse(*_: object) -> None:
        raise XmlError("a document type declaration")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.buffer_text = True
    parser.Parse(document, True)
    return builder.close()


def _clark(name: str) -> str:
    """``{namespace}name``, the form in which ElementTree searches."""
    return "{" + name if "}" in name else name
