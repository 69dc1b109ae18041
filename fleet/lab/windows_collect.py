"""What the model of a Windows guest answers when a bundle is collected from it.

Files and events are those of its state; it has no programs, so every command is missing.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import time
from collections.abc import Callable
from html import unescape
from urllib.parse import quote_from_bytes, unquote

from fleet.lab.windows_call import Call

_FREE = 80_000_000_000
"""Bytes that are free on its disk."""

_PLAIN = "".join(map(chr, range(0x21, 0x7F))).replace("%", "")


def _list(call: Call) -> None:
    lines = []
    now = int(time.time())
    count = 0
    for item in _texts(call, "items"):
        number, most, escaped = item.split("\t")
        pattern = re.compile(_regex(unquote(escaped)), re.IGNORECASE | re.DOTALL)
        found = sorted(path for path in call.state.texts if pattern.fullmatch(path))
        for path in found[: int(most)]:
            size = len(call.state.texts[path].encode())
            lines.append(f"F\t{number}\t{size}\t{now}\t{quote_from_bytes(path.encode(), safe=_PLAIN)}\n")
            count += 1
        if len(found) > int(most):
            lines.append(f"M\t{number}\tmore:{len(found) - int(most)}\t{escaped}\n")
        if not found:
            lines.append(f"M\t{number}\tnothing\t{escaped}\n")
    call.raw = "".join(lines).encode()
    call.data |= {"files": count, "free": _FREE}
    call.ok(f"{count} files")


def _regex(pattern: str) -> str:
    """``**`` stands for all below, ``*`` for a part of a name."""
    words = {"**": ".*", "*": r"[^\\]*", "?": r"[^\\]"}
    return "".join(words.get(part) or re.escape(part) for part in re.split(r"(\*\*|\*|\?)", pattern))


def _stage(call: Call) -> None:
    stage = str(call.parameters["stage"])
    if stage in call.state.stages:
        call.fail(f"nothing was staged: {stage} is there already")
    pack = b""
    items = 0
    for item in _texts(call, "commands"):
        pack += f"M\t{item.split(chr(9))[0]}\tnotfound\n".encode()
    for item in _texts(call, "events"):
        number, most, log, providers = item.split("\t")
        pack += _record(number, "json", _events(call, unquote(log), unquote(providers)), int(most))
        items += 1
    for item in _texts(call, "files"):
        number, most, path = item.split("\t")
        text = call.state.texts.get(unquote(path))
        if text is None:
            pack += f"M\t{number}\tgone\n".encode()
            continue
        pack += _record(number, "txt", text.encode(), int(most))
        items += 1
    call.state.stages[stage] = pack + b"E\n"
    call.data["size"] = len(pack) + 2
    call.ok(f"{items} items")


def _record(number: str, kind: str, data: bytes, most: int) -> bytes:
    code = "whole" if len(data) <= most else f"tail:{len(data)}"
    data = data[max(0, len(data) - most) :]
    packed = gzip.compress(data, mtime=0)
    return f"F\t{number}\t{kind}\t{len(packed)}\t{len(data)}\t{int(time.time())}\t{code}\n".encode() + packed


def _events(call: Call, log: str, providers: str) -> bytes:
    """Events of a log as lines of JSON."""
    wanted = [part.partition(":") for part in providers.split(";") if part]
    lines = []
    for xml in call.state.events:
        provider, number = _one(xml, r"Provider Name='([^']*)"), _one(xml, r"<EventID[^>]*>(\d+)")
        named = [ids for name, _, ids in wanted if name == provider]
        if _one(xml, "<Channel>([^<]*)") != log or (wanted and not named):
            continue
        if wanted and not any(not ids or number in ids.split(",") for ids in named):
            continue
        event = {
            "time": _one(xml, "SystemTime='([^']*)"),
            "id": int(number),
            "provider": provider,
            "level": int(_one(xml, r"<Level>(\d+)")),
            "record": int(_one(xml, r"<EventRecordID>(\d+)")),
            "message": _one(xml, "<Message>([^<]*)"),
            "properties": [unescape(value) for value in re.findall("<Data>([^<]*)", xml)],
        }
        lines.append(json.dumps(event, ensure_ascii=False, separators=(",", ":")) + "\n")
    return "".join(lines).encode()


def _one(xml: str, pattern: str) -> str:
    found = re.search(pattern, xml)
    return unescape(found[1]) if found else ""


def _send(call: Call) -> None:
    pack = call.state.stages.get(str(call.parameters["stage"]))
    if pack is None:
        call.fail(f"what was staged as {call.parameters['stage']} can't be read: gone")
        return
    offset = int(str(call.parameters["offset"]))
    data = pack[offset : offset + int(str(call.parameters["length"]))]
    call.raw = data if call.parameters["encoding"] == "raw" else base64.encodebytes(data)
    call.data |= {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    call.ok(f"{len(data)} bytes")


def _clean(call: Call) -> None:
    there = call.state.stages.pop(str(call.parameters["stage"]), None) is not None
    call.data["removed"] = there
    call.ok("removed" if there else "nothing is there")


def _texts(call: Call, name: str) -> list[str]:
    items = call.parameters[name]
    return [str(item) for item in items] if isinstance(items, list) else []


KNOWN: dict[str, Callable[[Call], None]] = {
    "collect-list": _list,
    "collect-stage": _stage,
    "collect-send": _send,
    "collect-clean": _clean,
}
"""Answers by the name of the snippet."""
