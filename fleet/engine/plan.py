"""What a run is going to do: frozen, and tied by digests to what it was made from.

A plan names hosts, one fault or snippet, values and the risk it was made for. Saved, it can be carried
out later only while catalogue and inventory still say the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from fleet.catalog import Catalog, bind
from fleet.catalog.files import suggestion
from fleet.catalog.params import typed
from fleet.engine.steps import Task
from fleet.errors import CatalogError, ParameterError, Place, PlanError
from fleet.model import Arguments, Host, JsonValue, Kind, ParamValue, Risk, Runbook, Snippet

SCHEMA = "fleet.plan/1"


@dataclass(frozen=True, slots=True)
class Procedure:
    """What is done on each host: checks to look with, then rungs to climb."""

    name: str
    """Runbook or snippet."""
    title: str
    checks: tuple[Task, ...] = ()
    rungs: tuple[tuple[Task, str | None], ...] = ()
    """Each with what has to be granted first, or None."""
    outside: tuple[str, ...] = ()

    @property
    def highest_risk(self) -> Risk | None:
        """The worst that its rungs may cost."""
        risks = [task.snippet.risk for task, _ in self.rungs if task.snippet.risk is not None]
        return max(risks, key=lambda risk: risk.rank, default=None)


@dataclass(frozen=True, slots=True)
class Plan:
    """A procedure, the hosts it is for, and the digests of what both came from."""

    procedure: Procedure
    hosts: tuple[Host, ...]
    catalogue: str
    inventory: str
    params: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    details: Mapping[str, JsonValue] = field(default_factory=lambda: MappingProxyType({}))
    """What the journal shall hold beside it; not part of the digest."""

    @property
    def digest(self) -> str:
        """SHA-256 over everything the plan says, hex."""
        text = json.dumps(self._body(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def id(self) -> str:
        """The beginning of the digest, for people."""
        return self.digest[:8]

    def only(self, hosts: Iterable[Host]) -> Plan:
        """The same for fewer hosts."""
        return replace(self, hosts=tuple(hosts))

    def _body(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "name": self.procedure.name,
            "params": dict(self.params),
            "hosts": [host.name for host in self.hosts],
            "steps": [
                {
                    "snippet": task.snippet.name,
                    "risk": str(task.snippet.risk),
                    "digests": _digests(task.snippet),
                }
                for task, _ in self.procedure.rungs
            ],
            "catalogue": self.catalogue,
            "inventory": self.inventory,
        }

    def dumps(self, allow: Risk) -> str:
        """The plan as a document to save; ``allow`` is the highest risk that may be carried out."""
        body = self._body() | {"allow": allow.value}
        return json.dumps(body | {"digest": _seal(body)}, indent=2, sort_keys=True) + "\n"


def _digests(snippet: Snippet) -> dict[str, str]:
    return {shell.value: text.digest for shell, text in sorted(snippet.texts.items())}


def _seal(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """What a plan file says, before it is compared with the present."""

    name: str
    params: Mapping[str, ParamValue]
    hosts: tuple[str, ...]
    allow: Risk
    body: Mapping[str, Any]

    def require_same(self, plan: Plan) -> None:
        """Raise ``PlanError`` where the plan made anew differs from the saved one, saying in what."""
        now = plan._body()
        for key, what in _CHANGES.items():
            if now[key] != self.body.get(key):
                raise PlanError(
                    f"{what} since this plan was made. Nothing was contacted; make the plan again"
                )


_CHANGES = {
    "steps": "a snippet of the plan has changed",
    "catalogue": "the catalogue has changed",
    "hosts": "the hosts have changed",
    "inventory": "the inventory has changed",
    "params": "the parameters have changed",
    "name": "the name has changed",
    "schema": "the form of plans has changed",
}


def loads(text: str, path: Path) -> SavedPlan:
    """Read a saved plan. Raises ``PlanError`` for anything but what ``dumps`` wrote."""
    try:
        document = json.loads(text)
        digest = document.pop("digest")
        if document["schema"] != SCHEMA:
            raise PlanError(f"its schema is {document['schema']!r}, not {SCHEMA!r}", Place(path))
        if digest != _seal(document):
            raise PlanError("it was changed after it was made; make the plan again", Place(path))
        return SavedPlan(
            name=document["name"],
            params=document["params"],
            hosts=tuple(document["hosts"]),
            allow=Risk(document["allow"]),
            body=document,
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise PlanError("this is not a plan that fleet saved (fix --plan-out FILE)", Place(path)) from error


Values = Mapping[str, object]
"""What the user set, by parameter name: typed from Python, text from the command line."""


def procedure_for(catalog: Catalog, name: str, params: Values, *, text: bool = False) -> Procedure:
    """What a name stands for: a check, a remedy, a runbook's id or an error code.

    ``text`` says that the values of ``params`` are text to be converted. A value goes to every snippet
    of a ladder that declares it; one that none declares is a ``ParameterError``.
    """
    runbook = _runbook_for(catalog, name)
    if runbook is not None:
        return _ladder(catalog, runbook, params, text)
    snippet = catalog.snippet(name)
    if snippet.kind is Kind.COLLECT:
        raise CatalogError(f"{name} collects; it neither checks nor mends")
    require_known(name, params, [snippet])
    phase: Literal["look", "act"] = "act" if snippet.kind is Kind.REMEDY else "look"
    task = Task(snippet, bind_own(snippet, {}, params, text), phase)
    if phase == "look":
        return Procedure(name, snippet.title, checks=(task,))
    return Procedure(name, snippet.title, rungs=((task, None),))


def _runbook_for(catalog: Catalog, name: str) -> Runbook | None:
    if name in catalog.runbooks:
        return catalog.runbook(name)
    if name in catalog.snippets:
        return None
    try:
        return catalog.by_code(name)
    except CatalogError:
        codes = [code for book in catalog.runbooks.values() for code in book.codes]
        close = suggestion(name, [*catalog.runbooks, *catalog.snippets, *codes])
        raise CatalogError(
            f'no runbook, error code or snippet is called "{name}"{close or "; see them with: fleet list"}'
        ) from None


def _ladder(catalog: Catalog, runbook: Runbook, params: Values, text: bool) -> Procedure:
    if runbook.detect is None:
        outside = "\n  ".join(runbook.outside)
        raise CatalogError(f"{runbook.id} has nothing to change in the guest. Outside it:\n  {outside}")
    check = catalog.snippet(runbook.detect)
    remedies = [catalog.snippet(rung.remedy) for rung in runbook.ladder]
    require_known(runbook.id, params, [check, *remedies])
    looking = Task(check, bind_own(check, runbook.detect_params, params, text), "look")
    rungs = tuple(
        (Task(remedy, bind_own(remedy, rung.params, params, text), "act"), rung.only_after)
        for rung, remedy in zip(runbook.ladder, remedies, strict=True)
    )
    return Procedure(runbook.id, runbook.title, (looking,), rungs, runbook.outside)


def bind_own(snippet: Snippet, given: Values, params: Values, text: bool) -> Arguments:
    """Check ``given`` values of a snippet and those of ``params`` that it declares, which come first."""
    own = {name: value for name, value in params.items() if name in snippet.params}
    return bind(snippet, {**given, **(typed(snippet, own) if text else own)})


def require_known(name: str, params: Values, snippets: Sequence[Snippet]) -> None:
    """Raise ``ParameterError`` for a parameter that none of the snippets declares."""
    known = sorted({param for snippet in snippets for param in snippet.params})
    for param in params:
        if param not in known:
            what = ", ".join(known) or "none"
            close = suggestion(param, known)
            raise ParameterError(
                f'no step of {name} has a parameter "{param}"{close or f"; there are: {what}"}'
            )
