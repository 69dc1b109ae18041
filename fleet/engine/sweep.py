"""A readiness sweep as a plan: the checks of a profile, one batch a host, and what its report has to know."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from fleet.catalog import Catalog, Profile, bind
from fleet.catalog.files import suggestion
from fleet.catalog.profile import ProfileCheck
from fleet.catalog.waivers import WaiverEntry
from fleet.engine.plan import Plan, Procedure, Values, bind_own, require_known
from fleet.engine.steps import Task
from fleet.errors import NobodyError, SelectionError, UsageError
from fleet.inventory import Inventory
from fleet.inventory.pattern import select
from fleet.model import JsonValue, ParamValue, Runbook, Snippet


def sweep_plan(
    catalog: Catalog,
    name: str,
    hosts: Inventory,
    *,
    params: Values,
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
    waivers: Sequence[WaiverEntry] = (),
    everyone: Inventory | None = None,
    reach: Sequence[str] = (),
    limit: str = "all",
    fail_on: str = "error",
    text: bool = False,
) -> Plan:
    """The checks of a profile on these hosts, without a fault to mend.

    A value of ``params`` goes to every check that declares it. ``everyone`` is the inventory that the
    patterns of the waivers are about (default: ``hosts``). ``reach``, ``limit`` and ``fail_on`` are words
    for the report. Raises ``CatalogError``, ``ParameterError``, ``UsageError`` or ``SelectionError``.
    """
    profile = catalog.profile(name)
    chosen = _choose(profile, only, skip)
    snippets = [_with_severity(catalog.snippet(each.check), each) for each in chosen]
    require_known(f"the profile {name}", params, snippets)
    tasks = tuple(
        Task(snippet, bind_own(snippet, each.params, params, text), "look")
        for snippet, each in zip(snippets, chosen, strict=True)
    )
    head: dict[str, JsonValue] = {
        "profile": profile.id,
        "title": profile.title,
        "checks": [_describe(task, each, catalog.runbooks) for task, each in zip(tasks, chosen, strict=True)],
        "waivers": [_covered(each, everyone or hosts) for each in waivers],
        "zones": {host.name: host.zone for host in hosts if host.zone},
        "reach": list(reach),
        "limit": limit,
        "fail_on": fail_on,
    }
    return Plan(
        procedure=Procedure(profile.id, profile.title, checks=tasks),
        hosts=tuple(hosts),
        catalogue=catalog.digest,
        inventory=hosts.digest,
        params=params,
        details={"sweep": head},
    )


def _choose(profile: Profile, only: Sequence[str], skip: Sequence[str]) -> list[ProfileCheck]:
    names = [each.check for each in profile.checks]
    for option, given in (("--only", only), ("--skip", skip)):
        for name in given:
            if name not in names:
                close = suggestion(name, names) or f"; it has {', '.join(names) or 'no check yet'}"
                raise UsageError(f'{option} {name}: the profile {profile.id} has no check "{name}"{close}')
    chosen = [each for each in profile.checks if (not only or each.check in only) and each.check not in skip]
    if not chosen:
        why = "after --only and --skip" if profile.checks else "of its own yet"
        raise UsageError(f"the profile {profile.id} has no check {why}")
    return chosen


def _with_severity(snippet: Snippet, each: ProfileCheck) -> Snippet:
    return replace(snippet, severity=each.severity) if each.severity else snippet


def _describe(task: Task, each: ProfileCheck, runbooks: Mapping[str, Runbook]) -> dict[str, JsonValue]:
    assert task.snippet.severity is not None
    return {
        "check": task.snippet.name,
        "title": task.snippet.title,
        "severity": task.snippet.severity.value,
        "params": dict(task.arguments.values),
        "answers": [
            {
                "runbook": book.id,
                "title": book.title,
                "os": None if book.os is None else book.os.value,
                "mends": _mends(task.snippet, book),
                "params": _to_hand_over(task, book),
            }
            for book in _answering(task.snippet.name, each.runbooks, runbooks)
        ],
    }


def _answering(check: str, named: Iterable[str], runbooks: Mapping[str, Runbook]) -> list[Runbook]:
    """Those that the profile names, in its order, then all that detect their fault with the check."""
    detecting = (book.id for book in runbooks.values() if book.detect == check)
    return [runbooks[id] for id in dict.fromkeys([*named, *detecting])]


def _mends(check: Snippet, book: Runbook) -> bool:
    """Whether a fix by it would see this finding: one that looks with another check may see nothing to do."""
    return bool(book.ladder) and book.detect == check.name


def _to_hand_over(task: Task, book: Runbook) -> dict[str, ParamValue]:
    """Thresholds of the sweep that the runbook, left to itself, would not look with."""
    if not _mends(task.snippet, book):
        return {}
    own = bind(task.snippet, book.detect_params).values
    return {name: value for name, value in task.arguments.values.items() if value != own[name]}


def _covered(entry: WaiverEntry, everyone: Inventory) -> dict[str, JsonValue]:
    hosts: dict[str, None] = {}
    for pattern in entry.patterns:
        try:
            hosts |= dict.fromkeys(select(pattern, everyone.hosts, everyone.groups))
        except NobodyError:
            continue  # a host that is gone must not stop the sweep; the report names such waivers
        except SelectionError as error:
            raise SelectionError(error.message, entry.place) from None
    return {
        "check": entry.check,
        "pattern": ",".join(entry.patterns),
        "hosts": list(hosts),
        "owner": entry.owner,
        "reason": entry.reason,
        "expires": entry.expires.isoformat(),
        "place": str(entry.place),
    }
