"""What a shell offers while a command is typed. Whatever is wrong, it is no time for an error."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

import click

from fleet.errors import FleetError

Completer = Callable[[click.Context, click.Parameter, str], list[str]]


def _quietly(names: Callable[[click.Context], Iterable[str]]) -> Completer:
    def complete(context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
        try:
            return sorted(name for name in names(context) if name.startswith(begun))
        except (FleetError, OSError):
            return []

    return complete


def _given(context: click.Context, name: str) -> list[Path]:
    """What an option for paths says, on the line or by its environment variable."""
    for parameter in context.command.params:
        if parameter.name == name:
            value = context.params.get(name) or parameter.value_from_envvar(context) or ()
            return [Path(value)] if isinstance(value, str | Path) else [Path(each) for each in value]
    return []


def names_of(*kinds: str) -> Completer:
    """Names of these kinds of ``fleet list``: check, remedy, collect, runbook, profile, bundle, code."""

    def names(context: click.Context) -> Iterable[str]:
        from fleet import api

        catalog = api.load_catalog(*_given(context, "scripts"))
        found = [name for name, snippet in catalog.snippets.items() if snippet.kind in kinds]
        if "runbook" in kinds:
            found += catalog.runbooks
        if "profile" in kinds:
            found += catalog.profiles
        if "bundle" in kinds:
            found += catalog.bundles
        if "code" in kinds:
            found += [code for runbook in catalog.runbooks.values() for code in runbook.codes]
        return found

    return _quietly(names)


def _runs(context: click.Context) -> Iterable[str]:
    from fleet.journal import History, default_state

    return ["last", *History(*_given(context, "state") or [default_state()]).ids()]


runs = _quietly(_runs)


def pattern(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
    """Hosts and groups of the inventory, for the part of a pattern that is being typed."""

    def names(context: click.Context) -> Iterable[str]:
        from fleet import api

        inventory = api.load_inventory(*_given(context, "inventories"))
        return {*inventory.hosts, *inventory.groups, "all"}

    before, part = re.fullmatch(r"(.*[,:&!])?(.*)", begun, re.DOTALL).groups("")  # type: ignore[union-attr]
    return [before + name for name in _quietly(names)(context, parameter, part)]
