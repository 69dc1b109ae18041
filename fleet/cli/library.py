"""``fleet hosts``, ``list`` and ``show``: what is there, without contacting anybody."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fleet import api
from fleet.cli import complete, options
from fleet.model import Host, Os, ParamValue, Runbook, Shell, Snippet, printable

if TYPE_CHECKING:
    from fleet.catalog import Bundle, Catalog, Profile

_LISTED = ("check", "remedy", "collect", "runbook", "profile", "bundle")


@click.command()
@options.inventory
@options.limit
@options.list_format
def hosts(inventories: tuple[Path, ...], limit: str | None, format_: str) -> None:
    """Who is in the inventory and how each is reached. Contacts nobody."""
    selected = options.load_hosts(inventories).select("all" if limit is None else limit)
    if format_ == "json":
        click.echo(
            json.dumps({"schema": "fleet.hosts/1", "hosts": [_host(host) for host in selected]}, indent=2)
        )
    elif format_ == "ndjson":
        for host in selected:
            click.echo(json.dumps(_host(host)))
    else:
        width = max(len(host.name) for host in selected)
        for host in selected:
            groups = " ".join(sorted(host.groups - {"all", "ungrouped"}))
            click.echo(printable(f"{host.name:<{width}}  {host.os:<8}{_reach(host)}  {groups}").rstrip())
        click.echo(f"\n{len(selected)} {'host' if len(selected) == 1 else 'hosts'}")


def _reach(host: Host) -> str:
    if host.connection == "local":
        return "this machine"
    how = f"winrm {host.winrm.scheme} {host.winrm.auth}" if host.connection == "winrm" else "ssh"
    user = f"{host.user}@" if host.user else ""
    notes = ["sudo"] if host.become else []
    notes += ["CERTIFICATE NOT VERIFIED"] if host.connection == "winrm" and not host.winrm.verify else []
    return f"{how} {user}{host.endpoint}" + (f" ({', '.join(notes)})" if notes else "")


def _host(host: Host) -> dict[str, object]:
    return {
        "name": host.name,
        "address": host.address.text,
        "port": host.port,
        "connection": host.connection,
        "os": host.os.value,
        "user": host.user,
        "password": None if host.password is None else str(host.password),
        "become": host.become,
        "groups": sorted(host.groups),
        "zone": host.zone,
        "realm": host.realm,
        "variables": dict(host.variables),
    }


@click.command("list")
@click.option("--kind", type=click.Choice(_LISTED), help="Only these.")
@options.scripts
@options.list_format
def list_(kind: str | None, scripts: tuple[Path, ...], format_: str) -> None:
    """Snippets, runbooks, profiles and bundles. Contacts nobody."""
    catalog = api.load_catalog(*scripts)
    entries = [entry for entry in _entries(catalog) if kind in (None, entry["kind"])]
    if format_ == "json":
        click.echo(json.dumps({"schema": "fleet.list/1", "entries": entries}, indent=2))
    elif format_ == "ndjson":
        for entry in entries:
            click.echo(json.dumps(entry))
    else:
        width = max((len(str(entry["name"])) for entry in entries), default=0)
        for group in _LISTED:
            own = [entry for entry in entries if entry["kind"] == group]
            if own:
                click.echo(click.style(_PLURAL[group], bold=True))
            for entry in own:
                note = f" [{entry['risk']}]" if entry.get("risk") else ""
                title = f"{entry['title']}{note}"
                first, *more = textwrap.wrap(title, max(30, 78 - width)) or [""]
                click.echo(f"  {entry['name']:<{width}}  {first}")
                for line in more:
                    click.echo(f"  {'':<{width}}  {line}")


_PLURAL = {
    "check": "Checks",
    "remedy": "Remedies",
    "collect": "Collectors",
    "runbook": "Runbooks",
    "profile": "Profiles",
    "bundle": "Bundles",
}


def _entries(catalog: Catalog) -> Iterator[dict[str, object]]:
    for snippet in catalog.snippets.values():
        entry: dict[str, object] = {
            "kind": snippet.kind.value,
            "name": snippet.name,
            "title": snippet.title,
            "systems": _systems(snippet),
        }
        if snippet.risk is not None:
            entry["risk"] = snippet.risk.value
        if snippet.severity is not None:
            entry["severity"] = snippet.severity.value
        yield entry
    for runbook in catalog.runbooks.values():
        systems = [runbook.os.value] if runbook.os else [each.value for each in Os]
        yield {
            "kind": "runbook",
            "name": runbook.id,
            "title": runbook.title,
            "systems": systems,
            "codes": list(runbook.codes),
        }
    for profile in catalog.profiles.values():
        checks = [each.check for each in profile.checks]
        systems = sorted({os for name in checks for os in _systems(catalog.snippet(name))})
        yield {
            "kind": "profile",
            "name": profile.id,
            "title": profile.title,
            "systems": systems,
            "checks": checks,
        }
    for bundle in catalog.bundles.values():
        yield {"kind": "bundle", "name": bundle.id, "title": bundle.title, "systems": [bundle.os.value]}


def _systems(snippet: Snippet) -> list[str]:
    names = {Shell.SH: "linux", Shell.POWERSHELL: "windows"}
    return sorted(names[shell] for shell in snippet.texts)


@click.command()
@click.argument("name", shell_complete=complete.names_of(*_LISTED))
@click.option("--rendered", type=click.Choice([os.value for os in Os]), help="Print what would be sent.")
@options.params
@options.scripts
def show(name: str, rendered: str | None, params: tuple[str, ...], scripts: tuple[Path, ...]) -> None:
    """A snippet, runbook, profile or bundle: what it does, with which parameters and at which risk.

    Contacts nobody.
    """
    catalog = api.load_catalog(*scripts)
    if rendered is not None:
        click.echo(_rendered(catalog.snippet(name), Os(rendered), options.parse_params(params)), nl=False)
    elif name in catalog.runbooks:
        click.echo("\n".join(_runbook(catalog, catalog.runbook(name))))
    elif name in catalog.profiles or name in catalog.bundles:
        parts = []
        if name in catalog.profiles:
            parts.append("\n".join(_profile(catalog, catalog.profile(name))))
        if name in catalog.bundles:
            parts.append("\n".join(_bundle(catalog.bundle(name))))
        click.echo("\n\n".join(parts))
    else:
        click.echo("\n".join(_snippet(catalog.snippet(name))))


def _rendered(snippet: Snippet, os: Os, params: dict[str, str]) -> str:
    from fleet.catalog import bind_text
    from fleet.ports import SystemEntropy
    from fleet.render import render, rendered_text

    shell = Shell.SH if os is Os.LINUX else Shell.POWERSHELL
    arguments = bind_text(snippet, params)
    script = render(snippet, arguments, shell=shell, check=False, nonce=SystemEntropy().token(32))
    return rendered_text(script)


def _snippet(snippet: Snippet) -> Iterator[str]:
    cost = (
        f", risk {snippet.risk}"
        if snippet.risk
        else f", severity {snippet.severity}"
        if snippet.severity
        else ""
    )
    yield f"{snippet.name} · {snippet.title}"
    yield f"{snippet.kind}{cost}, for {' and '.join(_systems(snippet))}, at most {snippet.timeout} s"
    if snippet.needs:
        yield f"needs {', '.join(sorted(snippet.needs))}"
    if snippet.about:
        yield from ["", *textwrap.wrap(snippet.about, 78)]
    if snippet.undo:
        yield f"\nundo: {snippet.undo}"
    if snippet.undo_note:
        yield from textwrap.wrap(f"can't be undone: {snippet.undo_note}", 78)
    for title, items in (("Parameters", snippet.params), ("Returns", snippet.returns)):
        if items:
            yield f"\n{title}"
        for item in items.values():
            default = getattr(item, "default", None)
            note = "" if default is None else f" (default {default})"
            note = " (required)" if getattr(item, "required", False) else note
            yield from textwrap.wrap(
                f"  {item.name}: {item.type}{note}. {item.about}", 78, subsequent_indent="      "
            )
    use = {"check": "check", "remedy": "fix"}.get(snippet.kind.value)
    if use:
        yield f"\nNext: fleet {use} {snippet.name} -l HOSTS"


def _runbook(catalog: Catalog, runbook: Runbook) -> Iterator[str]:
    yield f"{runbook.id} · {runbook.title}"
    if runbook.codes:
        yield f"answers {', '.join(runbook.codes)}"
    yield from textwrap.wrap(runbook.about, 78)
    if runbook.detect:
        yield f"\ndetects with     {runbook.detect}"
    for rung in runbook.ladder:
        remedy = catalog.snippet(rung.remedy)
        yield f"then             {rung.remedy}  [{remedy.risk}]"
        if rung.only_after:
            yield f"                 only after: {rung.only_after}"
    yield from _listed("left alone", runbook.left_alone)
    yield from _listed("outside", runbook.outside)
    for source in runbook.sources:
        yield f"source           {source.document}, {source.edition}, {source.section}".rstrip(", ")
    if runbook.ladder:
        yield f"\nNext: fleet fix {runbook.id} -l HOSTS"


def _profile(catalog: Catalog, profile: Profile) -> Iterator[str]:
    yield f"{profile.id} · {profile.title}"
    if profile.extends:
        yield f"extends {', '.join(profile.extends)}"
    yield from textwrap.wrap(profile.about, 78)
    yield ""
    for each in profile.checks:
        snippet = catalog.snippet(each.check)
        severity = each.severity or snippet.severity
        yield f"{severity:<9}{each.check}  for {' and '.join(_systems(snippet))}"
        yield f"         {snippet.title}"
        for name, value in each.params.items():
            yield f"         -p {name}={_as_text(value)}"
    for missing in profile.to_come:
        yield from _listed("not built yet", (f"{missing.id}: {missing.reason}",))
    yield f"\nNext: fleet sweep {profile.id}"


def _bundle(bundle: Bundle) -> Iterator[str]:
    yield f"{bundle.id} · {bundle.title}"
    yield f"for {bundle.os}, at most {bundle.megabytes} MB of a host"
    yield from ["", *textwrap.wrap(bundle.about, 78), ""]
    for files in bundle.files:
        how = "names only" if files.listing else f"the newest {files.files}, of each {files.megabytes} MB"
        yield f"files    {files.name}: {how}"
        yield from (f"         {path}" for path in files.paths)
    for command in bundle.commands:
        yield from textwrap.wrap(
            f"command  {command.name}: {' '.join(command.run)}", 78, subsequent_indent=" " * 9
        )
    for events in bundle.events:
        yield f"events   {events.name}: {events.log}"
        for each in events.providers:
            ids = f" {', '.join(map(str, each.ids))}" if each.ids else ""
            yield f"         {each.provider}{ids}"
    yield f"\nNext: fleet collect {bundle.id} -l HOSTS"


def _as_text(value: ParamValue) -> str:
    """As -p takes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _listed(title: str, items: tuple[str, ...]) -> Iterator[str]:
    for item in items:
        yield from textwrap.wrap(item, 78, initial_indent=f"{title:<17}", subsequent_indent=" " * 17)
