"""What the inventory files say, before it is understood: hosts, groups, settings, each with its place.

All readers write into one ``Draft``; nothing here depends on the order of the files, because a
setting that two places give differently is a mistake and not an override.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from fleet.errors import InventoryError, Place, UsageError, UsageErrors
from fleet.inventory import names
from fleet.model import JsonValue, printable

SHOWN_MISTAKES = 50
"""How many mistakes are listed at once; more would scroll the first ones away."""


class Withheld:
    """Stands for a value that was not taken over because it is encrypted (``!vault``)."""


class Setting(NamedTuple):
    """A value as it stands in a file."""

    value: JsonValue
    """JSON, or ``Withheld``."""
    place: Place


@dataclass(slots=True)
class Owner:
    """A host or a group, and what is said of it."""

    kind: Literal["host", "group"]
    name: str
    place: Place
    settings: dict[str, Setting] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """How mistakes name it."""
        return self.name if self.kind == "host" else f"group {self.name}"


@dataclass(slots=True)
class Group(Owner):
    """A group: its own hosts, its child groups."""

    hosts: dict[str, None] = field(default_factory=dict)
    children: dict[str, Place] = field(default_factory=dict)
    declared: bool = False
    """Whether some file lists its hosts or children; settings alone do not make a group."""


class Mistakes:
    """Gathers what is wrong, so that it can be mended in one go."""

    def __init__(self) -> None:
        self._found: dict[tuple[Place, str], UsageError] = {}

    def add(self, message: str, place: Place, title: str = "") -> None:
        """Note a mistake of the host or group ``title``; a line's mistake counts once, not once a host."""
        if (place, message) not in self._found:
            text = f"{title}: {message}" if title else message
            self._found[place, message] = InventoryError(text, place)

    def __len__(self) -> int:
        return len(self._found)

    def raise_if_any(self) -> None:
        """Raise the only mistake as ``InventoryError``, several as ``UsageErrors``."""
        found = sorted(self._found.values(), key=_position)
        if not found:
            return
        if len(found) == 1:
            raise found[0]
        left = len(found) - SHOWN_MISTAKES
        if left > 0:
            found[SHOWN_MISTAKES:] = [InventoryError(f"... and {left} more; mend these first")]
        raise UsageErrors(found)


def _position(error: UsageError) -> tuple[str, int]:
    return (str(error.place.path), error.place.line) if error.place else ("", 0)


class Draft:
    """All that the files say."""

    def __init__(self) -> None:
        self.hosts: dict[str, Owner] = {}
        self.groups: dict[str, Group] = {}
        self.mistakes = Mistakes()

    def group(self, name: str, place: Place, *, declared: bool = True) -> Group | None:
        """Find or begin a group; None where its name is refused."""
        group = self.groups.get(name)
        if group is None:
            try:
                names.check_group(name)
            except ValueError as error:
                self.mistakes.add(str(error), place)
                return None
            group = self.groups[name] = Group("group", name, place)
        group.declared = group.declared or declared
        return group

    def child(self, parent: Group, name: str, place: Place, *, declared: bool = True) -> Group | None:
        """Put a group below another."""
        child = self.group(name, place, declared=declared)
        if child is not None:
            parent.children.setdefault(name, place)
        return child

    def members(self, group: Group, pattern: str, place: Place) -> list[Owner]:
        """Put the hosts that a name, range or ``name:port`` stands for into a group."""
        try:
            text, port = names.split_port(pattern)
            expanded = names.expand(text)
            for name in expanded:
                names.check_host(name)
        except ValueError as error:
            self.mistakes.add(str(error), place)
            return []
        hosts = []
        for name in expanded:
            host = self.hosts.get(name)
            if host is None:
                host = self.hosts[name] = Owner("host", name, place)
            group.hosts[name] = None
            if port is not None:
                self.put(host, "ansible_port", Setting(port, place))
            hosts.append(host)
        return hosts

    def put(self, owner: Owner, key: str, setting: Setting) -> None:
        """Say something of a host or group; what was said otherwise before is a mistake."""
        before = owner.settings.setdefault(key, setting)
        if before is not setting and before.value != setting.value:
            self.mistakes.add(
                f"{shown(key)} is something else at {before.place}; keep one of the two",
                setting.place,
                owner.title,
            )

    def put_all(self, owners: Iterable[Owner], settings: Iterable[tuple[str, Setting]]) -> None:
        """Say the same of several."""
        pairs = list(settings)
        for owner in owners:
            for key, setting in pairs:
                self.put(owner, key, setting)

    def owners(self) -> Iterator[Owner]:
        """Groups, then hosts."""
        yield from self.groups.values()
        yield from self.hosts.values()


def shown(text: str) -> str:
    """A name out of a file, safe and short enough for a sentence."""
    text = printable(text).replace("\n", "\\n")
    return f'"{text}"' if len(text) <= 60 else f'"{text[:57]}..."'
