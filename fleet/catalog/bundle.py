"""Bundles: one YAML file each, what to collect from a guest for a support case and how much of it at most."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from fleet.catalog import documents
from fleet.catalog.files import refuse
from fleet.catalog.never import never, never_run
from fleet.errors import CatalogError
from fleet.model import Os, SnippetText, Source


@dataclass(frozen=True, slots=True)
class Files:
    """Files of a guest, by patterns; ``**`` at the end stands for all below a folder."""

    name: str
    paths: tuple[str, ...]
    megabytes: int = 20
    """Of each file at most; of a larger one the end is taken."""
    files: int = 100
    """At most, the newest."""
    listing: bool = False
    """Names, sizes and times only."""
    any_age: bool = False
    """Whether it is wanted however old it is: settings and state, unlike logs. A listing always is."""


@dataclass(frozen=True, slots=True)
class Command:
    """A program whose output is taken; no shell reads its words."""

    name: str
    run: tuple[str, ...]
    seconds: int = 60
    megabytes: int = 5


@dataclass(frozen=True, slots=True)
class Provider:
    """Who wrote the events, and which of them; none: all."""

    provider: str
    ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Events:
    """Events of a log: of Windows by provider and id, of systemd's journal (``journal``) by unit."""

    name: str
    log: str
    providers: tuple[Provider, ...] = ()
    megabytes: int = 20


@dataclass(frozen=True, slots=True)
class Bundle:
    """What to collect."""

    id: str
    title: str
    about: str
    os: Os
    megabytes: int = 500
    """Of one guest at most."""
    files: tuple[Files, ...] = ()
    commands: tuple[Command, ...] = ()
    events: tuple[Events, ...] = ()
    sources: tuple[Source, ...] = ()
    document: documents.Document | None = field(default=None, compare=False, repr=False)


def parse(name: str, source: SnippetText, *, checked: bool) -> Bundle:
    """Make a bundle of the file of that name.

    ``checked`` as in ``fleet.catalog.header.parse``. What is never collected is refused either way.
    """
    document = documents.load(source)
    if not checked:
        _refuse_shape(document)
    try:
        bundle = _build(document)
    except (TypeError, ValueError, AttributeError, KeyError):
        _refuse_shape(document)
        raise
    if bundle.id != name:
        raise CatalogError(f'the id must be the name of the file, "{name}"', document.place("id"))
    refuse([CatalogError(text, document.place(*keys)) for keys, text in _problems(bundle)])
    return bundle


def _refuse_shape(document: documents.Document) -> None:
    from fleet.catalog.schemas import bundle_problems

    refuse([CatalogError(text, document.place(*keys)) for keys, text in bundle_problems(document.fields)])


def _build(document: documents.Document) -> Bundle:
    rest = dict(document.fields)
    return Bundle(
        os=Os(rest.pop("os")),
        files=tuple(Files(**{**each, "paths": tuple(each["paths"])}) for each in rest.pop("files", [])),
        commands=tuple(Command(**{**each, "run": tuple(each["run"])}) for each in rest.pop("commands", [])),
        events=tuple(_events(**each) for each in rest.pop("events", [])),
        sources=tuple(
            Source(**{**each, "edition": str(each["edition"])}) for each in rest.pop("sources", [])
        ),
        document=document,
        **rest,
    )


def _events(providers: Any = (), **rest: Any) -> Events:
    made = tuple(Provider(each["provider"], tuple(each.get("ids", ()))) for each in providers)
    return Events(providers=made, **rest)


def _problems(bundle: Bundle) -> Iterator[tuple[tuple[str | int, ...], str]]:
    names: set[str] = set()
    parts: dict[str, Sequence[Files | Command | Events]] = {
        "files": bundle.files,
        "commands": bundle.commands,
        "events": bundle.events,
    }
    for part, items in parts.items():
        for at, item in enumerate(items):
            if item.name in names:
                yield (part, at, "name"), f'the name "{item.name}" stands twice'
            names.add(item.name)
    if not names:
        yield ("id",), "it collects nothing: give it files, commands or events"
    for at, files in enumerate(bundle.files):
        for number, path in enumerate(files.paths):
            why = None if files.listing else never(path)
            if why:
                yield ("files", at, "paths", number), f'"{path}": {why}'
            elif not _whole(path, bundle.os):
                yield ("files", at, "paths", number), f'"{path}": give the whole path, without ".."'
            elif "**" in re.sub(r"[\\/]\*\*$", "", path):
                yield (
                    ("files", at, "paths", number),
                    f'"{path}": ** stands at the end, for all below a folder',
                )
    for at, command in enumerate(bundle.commands):
        why = never_run(command.run)
        if why:
            yield ("commands", at, "run"), f'"{command.name}": {why}'


def _whole(path: str, os: Os) -> bool:
    parts = path.replace("\\", "/").split("/")
    drive = len(path) > 2 and path[0].isalpha() and path[1:3] == ":\\"
    return ".." not in parts and (drive if os is Os.WINDOWS else path.startswith("/"))
