"""What the files of the catalogue may look like; also published as JSON Schemas for editors.

Importing pydantic takes longer (about 75 ms) than loading the whole catalogue, so this module is imported
only to check files of users, to say what is wrong with a file, and to write the published schemas.

The shapes of all kinds of files stand together, because they share their parts, and because ruff knows a
model only in the file that has its base.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fleet.catalog.files import suggestion

Problem = tuple[tuple[str | int, ...], str]
"""Where in a document, and what is wrong there."""

Name = Annotated[str, Field(pattern=r"^[a-z0-9]+(?:-[a-z0-9]+)*$", max_length=80)]
Text = Annotated[str, Field(min_length=1)]
Variable = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Type = Literal["str", "int", "bool", "float", "list", "dict"]
Value = str | int | bool | float | list[Any] | dict[str, Any]


class _Document(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class ParamSchema(_Document):
    """A parameter of a snippet. It is required or has a default; secrets can't be parameters."""

    type: Type
    about: Text
    required: bool = False
    default: Value | None = None
    choices: Annotated[list[Value], Field(min_length=1)] | None = None
    pattern: (
        Annotated[str, Field(description="Regular expression for the whole text, or for each item")] | None
    ) = None
    minimum: float | None = None
    maximum: float | None = None


class ReturnSchema(_Document):
    """An entry of a snippet's data."""

    type: Type
    about: Text


def _only_if(kind: str, required: list[str]) -> dict[str, Any]:
    return {"if": {"properties": {"kind": {"const": kind}}}, "then": {"required": required}}


class HeaderSchema(_Document):
    """The header of a fleet snippet: the TOML between ``# /// fleet`` and ``# ///``."""

    model_config = ConfigDict(
        title="fleet snippet header",
        json_schema_extra={"allOf": [_only_if("remedy", ["risk"]), _only_if("check", ["severity"])]},
    )

    kind: Literal["check", "remedy", "collect"]
    title: Annotated[str, Field(min_length=1, max_length=100, description="What it does, in one line")]
    timeout: Annotated[int, Field(ge=1, le=3600, description="Seconds the body may take")]
    about: str = ""
    risk: (
        Annotated[
            Literal["safe", "service-interruption", "reboot", "destructive"],
            Field(description="What a remedy may cost; remedies only"),
        ]
        | None
    ) = None
    severity: (
        Annotated[
            Literal["error", "warning", "info"],
            Field(description="How bad it is when the check fails; checks only"),
        ]
        | None
    ) = None
    idempotent: Annotated[
        Literal["yes", "no", "check"], Field(description="May it be repeated after an unknown outcome")
    ] = "no"
    needs: list[Literal["root", "admin"]] = []
    undo: Annotated[Name, Field(description="Snippet that takes data.undo back; remedies only")] | None = None
    undo_note: Annotated[Text, Field(description="Why a remedy can't be taken back")] | None = None
    params: dict[Variable, ParamSchema] = {}
    returns: dict[Variable, ReturnSchema] = {}


class RungSchema(_Document):
    """One step of the ladder."""

    remedy: Name
    params: dict[Variable, Value] = {}
    only_after: Annotated[Text, Field(description="What a person has to have done first")] | None = None
    order_note: Annotated[Text, Field(description="Why it stands after a rung of a higher risk")] | None = (
        None
    )


class SourceSchema(_Document):
    """Where a fact comes from."""

    document: Text
    edition: Annotated[str | int, Field(description="Year and month, 2020-10")]
    section: str = ""


_PLACES = ("rung", "runbook", "outside", "reason")


class StepSchema(_Document):
    """Something the documents tell to do, and where fleet has it."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": [place]} for place in _PLACES]})

    do: Text
    rung: Annotated[Name, Field(description="Remedy on the ladder of this runbook")] | None = None
    runbook: Annotated[Name, Field(description="Another runbook that answers for it")] | None = None
    outside: Annotated[int, Field(ge=1, description="Which entry of outside says it, from 1")] | None = None
    reason: Annotated[Text, Field(description="Why fleet does not do it")] | None = None


class DecisionSchema(_Document):
    """What was decided where the documents disagree or leave something open."""

    question: Text
    decision: Text
    reason: Text
    newest: Annotated[
        str,
        Field(pattern=r"^([0-9]{4}-[0-9]{2}|undated)$", description="Year and month of the newest source"),
    ]


class RunbookSchema(_Document):
    """A fleet runbook: a check that detects one fault, then remedies from the mildest on."""

    model_config = ConfigDict(title="fleet runbook")

    id: Name
    title: Annotated[str, Field(min_length=1, max_length=100)]
    about: Text
    os: Literal["linux", "windows"] | None = None
    codes: list[Text] = []
    match_hints: Annotated[
        list[Text],
        Field(description="Words of its messages, in the languages of the documents, without accents"),
    ] = []
    detect: Name | None = None
    detect_params: dict[Variable, Value] = {}
    ladder: list[RungSchema] = []
    outside: list[Text] = []
    left_alone: list[Text] = []
    evidence: Annotated[list[Name], Field(description="Bundles to collect for a support case")] = []
    related: Annotated[list[Name], Field(description="Other runbooks, in the order to look at them")] = []
    steps: Annotated[
        list[StepSchema], Field(description="What the documents tell to do, in their order, and where it is")
    ] = []
    decisions: list[DecisionSchema] = []
    sources: list[SourceSchema] = []


class ProfileCheckSchema(_Document):
    """A check of the sweep. What it does not say comes from the extended profile or the check itself."""

    check: Name
    severity: Literal["error", "warning", "info"] | None = None
    params: Annotated[dict[Variable, Value], Field(description="Thresholds; -p overrides them")] = {}
    covers: Annotated[
        list[Name], Field(description="What the documents want looked at, by its id there")
    ] = []
    runbooks: Annotated[
        list[Name], Field(description="What answers it besides the runbooks that detect with it")
    ] = []


class ToComeSchema(_Document):
    """What the documents want looked at and no check of fleet looks at yet."""

    id: Name
    reason: Text


class ProfileSchema(_Document):
    """A fleet profile: the checks of a readiness sweep with their severities and thresholds."""

    model_config = ConfigDict(title="fleet profile")

    id: Name
    title: Annotated[str, Field(min_length=1, max_length=100)]
    about: Text
    extends: Annotated[list[Name], Field(description="Profiles whose checks come first")] = []
    leave_out: Annotated[list[Name], Field(description="Checks of the extended profiles to do without")] = []
    checks: list[ProfileCheckSchema] = []
    to_come: list[ToComeSchema] = []
    sources: list[SourceSchema] = []


Megabytes = Annotated[int, Field(ge=1, le=20_000)]


class BundleFilesSchema(_Document):
    """Files of a guest. What must never be collected (keys, credentials) is refused."""

    name: Name
    paths: Annotated[
        list[Text], Field(min_length=1, description="Whole paths; *, ? and ** for folders below each other")
    ]
    megabytes: Annotated[Megabytes, Field(description="Of each file; of a larger one the end is taken")] = 20
    files: Annotated[int, Field(ge=1, le=10_000, description="At most, the newest")] = 100
    listing: Annotated[bool, Field(description="Names, sizes and times only")] = False
    any_age: Annotated[bool, Field(description="Taken however old, as settings are; --since is for logs")] = (
        False
    )


class BundleCommandSchema(_Document):
    """A program whose output is taken."""

    name: Name
    run: Annotated[list[Text], Field(min_length=1, description="The program and its arguments; no shell")]
    seconds: Annotated[int, Field(ge=1, le=600)] = 60
    megabytes: Megabytes = 5


class BundleProviderSchema(_Document):
    """Who wrote the events."""

    provider: Annotated[Text, Field(description="A provider of Windows; a unit of systemd, or kernel")]
    ids: Annotated[list[int], Field(description="Only these events; Windows only")] = []


class BundleEventsSchema(_Document):
    """Events of a log."""

    name: Name
    log: Annotated[str, Field(pattern=r"^[A-Za-z0-9 /_-]+$", description="A log of Windows, or journal")]
    providers: list[BundleProviderSchema] = []
    megabytes: Megabytes = 20


class BundleSchema(_Document):
    """A fleet bundle: what to collect from a guest for a support case, and how much of it at most."""

    model_config = ConfigDict(title="fleet bundle")

    id: Name
    title: Annotated[str, Field(min_length=1, max_length=100)]
    about: Text
    os: Literal["linux", "windows"]
    megabytes: Annotated[Megabytes, Field(description="Of one guest at most")] = 500
    files: list[BundleFilesSchema] = []
    commands: list[BundleCommandSchema] = []
    events: list[BundleEventsSchema] = []
    sources: list[SourceSchema] = []


class WaiverSchema(_Document):
    """A finding that somebody answers for on some hosts, for a time."""

    check: Name
    hosts: Annotated[
        Text | Annotated[list[Text], Field(min_length=1)],
        Field(description="As -l takes it, or a list of such"),
    ]
    owner: Annotated[Text, Field(description="Who answers for it")]
    reason: Text
    expires: Annotated[
        str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", description="The last day on which it holds")
    ]


class WaiversSchema(_Document):
    """The file of fleet sweep --waivers."""

    model_config = ConfigDict(title="fleet waivers")

    waivers: list[WaiverSchema]


class ExplainedCheckSchema(_Document):
    """The check that detects the fault."""

    check: Name
    title: Text


class ExplainedRungSchema(_Document):
    """One step of the ladder, with what it may cost."""

    remedy: Name
    title: Text
    risk: Literal["safe", "service-interruption", "reboot", "destructive"]
    params: dict[Variable, Value]
    only_after: str | None


class ExplainedSchema(_Document):
    """A runbook that fits the question, and why."""

    by: Literal["code", "id", "text"]
    score: Annotated[float, Field(ge=0, le=1, description="1 is as good as it gets")]
    code: Annotated[str | None, Field(description="The code as the runbook writes it, if it was found by it")]
    id: Name
    title: Text
    os: Annotated[Literal["linux", "windows"] | None, Field(description="null: both")]
    codes: list[Text]
    about: Text
    detect: ExplainedCheckSchema | None
    ladder: list[ExplainedRungSchema]
    outside: list[Text]
    left_alone: list[Text]
    evidence: list[Name]
    related: list[Name]
    steps: list[StepSchema]
    decisions: list[DecisionSchema]
    sources: list[SourceSchema]


class AnswerSchema(_Document):
    """What was found for one question, the best first."""

    question: str
    matches: list[ExplainedSchema]
    suggestions: Annotated[list[Text], Field(description="What was perhaps meant, where nothing was found")]


class ExplainSchema(_Document):
    """The output of ``fleet explain --format json``; ``ndjson`` has one answer a line."""

    model_config = ConfigDict(title="fleet explain")

    schema_: Annotated[Literal["fleet.explain/1"], Field(alias="schema")]
    answers: list[AnswerSchema]


def header_problems(fields: dict[str, Any]) -> list[Problem]:
    """Say what is wrong with the shape of a header."""
    return _problems(HeaderSchema, fields)


def runbook_problems(fields: dict[str, Any]) -> list[Problem]:
    """Say what is wrong with the shape of a runbook."""
    return _problems(RunbookSchema, fields)


def profile_problems(fields: dict[str, Any]) -> list[Problem]:
    """Say what is wrong with the shape of a profile."""
    return _problems(ProfileSchema, fields)


def bundle_problems(fields: dict[str, Any]) -> list[Problem]:
    """Say what is wrong with the shape of a bundle."""
    return _problems(BundleSchema, fields)


def waivers_problems(fields: dict[str, Any]) -> list[Problem]:
    """Say what is wrong with the shape of a waivers file."""
    return _problems(WaiversSchema, fields)


def documents() -> dict[str, dict[str, Any]]:
    """Give the published JSON Schemas by file name."""
    published: dict[str, type[BaseModel]] = {
        "snippet-header.schema.json": HeaderSchema,
        "runbook.schema.json": RunbookSchema,
        "profile.schema.json": ProfileSchema,
        "bundle.schema.json": BundleSchema,
        "waivers.schema.json": WaiversSchema,
        "explain.schema.json": ExplainSchema,
    }
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return {name: dialect | schema.model_json_schema() for name, schema in published.items()}


def _problems(schema: type[_Document], fields: dict[str, Any]) -> list[Problem]:
    try:
        schema.model_validate(fields)
    except ValidationError as error:
        found: dict[tuple[str | int, ...], str] = {}
        for detail in error.errors(include_url=False, include_context=False):
            kind, message = detail["type"], detail["msg"]
            place = detail["loc"] if kind == "missing" else _part_of(fields, detail["loc"])
            found.setdefault(place, _say(schema, place, kind, message))
        return list(found.items())
    return []


def _part_of(fields: Any, location: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Keep of pydantic's location what leads to a part of the document, not into its type."""
    place: list[str | int] = []
    for key in location:
        try:
            fields = fields[key]
        except (KeyError, IndexError, TypeError):
            break
        place.append(key)
    return tuple(place)


def _say(schema: type[_Document], place: tuple[str | int, ...], kind: str, message: str) -> str:
    shown = ".".join(str(key) for key in place)
    if kind == "missing":
        return f'"{shown}" is missing'
    if kind == "extra_forbidden":
        beside = schema if len(place) == 1 else _PARTS.get(str(place[0]), schema)
        return f'"{shown}" is not a key here{suggestion(str(place[-1]), beside.model_fields)}'
    return f'"{shown}": {message[0].lower()}{message[1:]}'


_PARTS: dict[str, type[_Document]] = {
    "params": ParamSchema,
    "returns": ReturnSchema,
    "ladder": RungSchema,
    "checks": ProfileCheckSchema,
    "to_come": ToComeSchema,
    "waivers": WaiverSchema,
    "files": BundleFilesSchema,
    "commands": BundleCommandSchema,
    "events": BundleEventsSchema,
    "sources": SourceSchema,
    "steps": StepSchema,
    "decisions": DecisionSchema,
}
