"""The inventory: hosts by name, groups, selection, digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

from fleet.inventory.pattern import select
from fleet.model import Host, JsonValue, SecretRef


class Inventory:
    """Hosts and groups, in the order of the files. Not changed once made."""

    def __init__(
        self,
        hosts: Mapping[str, Host],
        groups: Mapping[str, tuple[str, ...]],
        paths: tuple[Path, ...] = (),
        notes: tuple[str, ...] = (),
    ) -> None:
        self.hosts: Mapping[str, Host] = MappingProxyType(dict(hosts))
        self.groups: Mapping[str, tuple[str, ...]] = MappingProxyType(dict(groups))
        """Names of the hosts in each group or below it; ``all`` and ``ungrouped`` are always there."""
        self.paths = paths
        """The files it came from."""
        self.notes = notes
        """Sentences worth showing an operator: what lies beside the files and was not read."""

    def __len__(self) -> int:
        return len(self.hosts)

    def __iter__(self) -> Iterator[Host]:
        return iter(self.hosts.values())

    def __contains__(self, name: object) -> bool:
        return name in self.hosts

    def __repr__(self) -> str:
        return f"Inventory({len(self)} hosts)"

    def select(self, pattern: str) -> Inventory:
        """The hosts a pattern stands for, in the order they have here; see ``fleet.inventory.pattern``.

        Raises ``SelectionError`` where a part of it names nobody, or nothing is left over.
        """
        chosen = dict.fromkeys(select(pattern, self.hosts, self.groups))
        groups = {
            name: tuple(member for member in members if member in chosen)
            for name, members in self.groups.items()
        }
        return Inventory({name: self.hosts[name] for name in chosen}, groups, self.paths, self.notes)

    @cached_property
    def digest(self) -> str:
        """SHA-256, hex, over what the hosts are, without values of secrets and the layout of files."""
        summary = {host.name: _summary(host) for host in self}
        text = json.dumps(summary, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(text.encode("ascii")).hexdigest()


def _summary(host: Host) -> JsonValue:
    return {field.name: _plain(getattr(host, field.name)) for field in fields(host) if field.name != "place"}


def _plain(value: object) -> JsonValue:
    if isinstance(value, SecretRef):
        return {value.source: list(value.locator)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "__dataclass_fields__"):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    return value
