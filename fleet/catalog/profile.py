"""Profiles: one YAML file each, the checks of a readiness sweep with their severities and thresholds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from fleet.catalog import documents
from fleet.catalog.files import refuse, suggestion
from fleet.catalog.params import bind
from fleet.errors import CatalogError, ParameterError, Place
from fleet.model import Kind, ParamValue, Severity, Snippet, SnippetText, Source


@dataclass(frozen=True, slots=True)
class ProfileCheck:
    """A check of a profile."""

    check: str
    severity: Severity | None = None
    """None: the check's own."""
    params: Mapping[str, ParamValue] = field(default_factory=lambda: MappingProxyType({}))
    covers: tuple[str, ...] = ()
    """What the documents want to be looked at, by its id there."""
    runbooks: tuple[str, ...] = ()
    """What answers it besides the runbooks that detect their fault with it."""
    place: Place | None = None

    def over(self, inherited: ProfileCheck) -> ProfileCheck:
        """The same check of another profile, changed by what this one says."""
        return ProfileCheck(
            check=self.check,
            severity=self.severity or inherited.severity,
            params=MappingProxyType({**inherited.params, **self.params}),
            covers=tuple(dict.fromkeys([*inherited.covers, *self.covers])),
            runbooks=tuple(dict.fromkeys([*inherited.runbooks, *self.runbooks])),
            place=self.place,
        )


@dataclass(frozen=True, slots=True)
class ToCome:
    """What the documents want to be looked at and no check of fleet looks at yet."""

    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Profile:
    """The checks of a sweep, those of the profiles it extends among them."""

    id: str
    title: str
    about: str
    checks: tuple[ProfileCheck, ...]
    extends: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
    """Checks of the profiles it extends that it does without."""
    to_come: tuple[ToCome, ...] = ()
    sources: tuple[Source, ...] = ()
    document: documents.Document | None = field(default=None, compare=False, repr=False)

    def place(self, *keys: str | int) -> Place | None:
        """Where in its file something stands."""
        return self.document.place(*keys) if self.document else None


Find = Callable[[str], Profile]
"""Gives the profile of a name as its file has it, without those it extends; raises CatalogError."""


def parse(name: str, source: SnippetText, *, checked: bool) -> Profile:
    """Make a profile of the file of that name, as the file has it.

    ``checked`` as in ``fleet.catalog.header.parse``.
    """
    document = documents.load(source)
    if not checked:
        _refuse_shape(document)
    try:
        profile = _build(document)
    except (TypeError, ValueError, AttributeError, KeyError):
        _refuse_shape(document)
        raise
    if profile.id != name:
        raise CatalogError(f'the id must be the name of the file, "{name}"', document.place("id"))
    return profile


def _refuse_shape(document: documents.Document) -> None:
    from fleet.catalog.schemas import profile_problems

    refuse([CatalogError(text, document.place(*keys)) for keys, text in profile_problems(document.fields)])


def _build(document: documents.Document) -> Profile:
    rest = dict(document.fields)
    checks = tuple(_check(document, at, **each) for at, each in enumerate(rest.pop("checks", [])))
    to_come = tuple(ToCome(**each) for each in rest.pop("to_come", []))
    sources = tuple(Source(**{**each, "edition": str(each["edition"])}) for each in rest.pop("sources", []))
    lists: dict[str, Any] = {key: tuple(rest.pop(key, ())) for key in ("extends", "leave_out")}
    return Profile(checks=checks, to_come=to_come, sources=sources, document=document, **lists, **rest)


def _check(
    document: documents.Document,
    at: int,
    check: str,
    severity: str | None = None,
    params: Mapping[str, ParamValue] | None = None,
    covers: Sequence[str] = (),
    runbooks: Sequence[str] = (),
) -> ProfileCheck:
    return ProfileCheck(
        check=check,
        severity=None if severity is None else Severity(severity),
        params=MappingProxyType(dict(params or {})),
        covers=tuple(covers),
        runbooks=tuple(runbooks),
        place=document.place("checks", at),
    )


def resolve(profile: Profile, find: Find, below: tuple[str, ...] = ()) -> Profile:
    """Add the checks of the profiles that it extends, in their order, its own changes upon them.

    Raises CatalogError where they go in a circle, or where it leaves out what is not there.
    """
    if profile.id in below:
        circle = " extends ".join((*below[below.index(profile.id) :], profile.id))
        raise CatalogError(f"goes in a circle: {circle}", profile.place("extends"))
    checks: dict[str, ProfileCheck] = {}
    to_come: dict[str, ToCome] = {}
    for at, name in enumerate(profile.extends):
        try:
            base = find(name)
        except CatalogError as error:
            if error.place:
                raise
            raise CatalogError(error.message, profile.place("extends", at)) from None
        base = resolve(base, find, (*below, profile.id))
        checks |= {each.check: each.over(checks.get(each.check, each)) for each in base.checks}
        to_come |= {each.id: each for each in base.to_come}
    for at, name in enumerate(profile.leave_out):
        if name not in checks:
            raise CatalogError(
                f'no extended profile has the check "{name}"{suggestion(name, checks)}',
                profile.place("leave_out", at),
            )
        del checks[name]
    for each in profile.checks:
        checks[each.check] = each.over(checks.get(each.check, each))
    to_come |= {each.id: each for each in profile.to_come}
    for check in checks.values():
        for covered in check.covers:
            to_come.pop(covered, None)
    return replace(profile, checks=tuple(checks.values()), to_come=tuple(to_come.values()))


def verify(profile: Profile, find: Callable[[str], Snippet], runbooks: Mapping[str, object]) -> None:
    """Hold a resolved profile against the rest of the catalogue; raises everything that is wrong."""
    problems = [
        CatalogError(text, each.place) for each in profile.checks for text in _problems(each, find, runbooks)
    ]
    own = profile.document.fields.get("checks", []) if profile.document else []
    names = [each["check"] for each in own]
    problems += [
        CatalogError(f'the check "{name}" stands twice', profile.place("checks", at))
        for at, name in enumerate(names)
        if name in names[:at]
    ]
    refuse(problems)


def _problems(
    each: ProfileCheck, find: Callable[[str], Snippet], runbooks: Mapping[str, object]
) -> Iterator[str]:
    try:
        snippet = find(each.check)
    except CatalogError as error:
        if error.place:
            raise
        yield error.message
        return
    if snippet.kind is not Kind.CHECK:
        yield f'"{each.check}" is a {snippet.kind}, not a check'
    try:
        bind(snippet, each.params)
    except ParameterError as error:
        yield error.message
    for name in each.runbooks:
        if name not in runbooks:
            yield f'no runbook is called "{name}"{suggestion(name, runbooks)}'
