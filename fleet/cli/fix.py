"""``fleet fix`` and ``fleet apply``: a plan first, changes only when asked for."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from fleet import api
from fleet.cli import carry, complete, options
from fleet.engine import plan as plans
from fleet.engine.plan import Plan
from fleet.engine.prepare import Mode, Settings, execution
from fleet.engine.verdict import verdicts
from fleet.errors import PlanError, UsageError
from fleet.journal import Run, default_state
from fleet.model import Outcome, Risk
from fleet.report.fold import fold
from fleet.report.terminal import WIDTH

_acting = options.compose(
    options.inventory,
    options.limit,
    options.workers,
    options.timeout,
    options.format_,
    options.output,
    options.state,
    options.scripts,
)


@click.command()
@click.argument("name", shell_complete=complete.names_of("remedy", "runbook", "code"))
@click.option("--apply", "apply_", is_flag=True, help="Carry out; without it there is only a plan.")
@click.option("--check", is_flag=True, help="Ask every step what it would change; change nothing.")
@click.option(
    "--plan-out", type=click.Path(path_type=Path), help="Save the plan; carry it out with fleet apply."
)
@options.allow
@options.params
@_acting
def fix(
    name: str,
    apply_: bool,
    check: bool,
    plan_out: Path | None,
    allow: str,
    params: tuple[str, ...],
    *,
    inventories: tuple[Path, ...],
    limit: str | None,
    scripts: tuple[Path, ...],
    **chosen: Any,
) -> int:
    """Plan a fix, or carry it out with --apply. NAME is a runbook, an error code or a remedy."""
    if apply_ and (check or plan_out):
        raise click.UsageError("--apply carries out; --check and --plan-out do not. Choose one")
    catalog = api.load_catalog(*scripts)
    inventory = options.load_hosts(inventories)
    pattern = options.require_limit("fix", limit, len(inventory), inventories)
    hosts = inventory.select(pattern)
    plan = api.plan(name, hosts, params=options.parse_params(params), catalog=catalog, text=True)
    if not plan.procedure.rungs:
        outside = "".join(f"\n  {line}" for line in plan.procedure.outside)
        if outside:
            what = f"has nothing to change in the guest. Outside it:{outside}"
            raise UsageError(f"{name} {what}\nLook with: fleet check {name}")
        raise UsageError(f"{name} is a check; run it with: fleet check {name}")
    mode: Mode = "apply" if apply_ else "check" if check else "plan"
    return _carry_out(plan, mode, Risk(allow), plan_out, **chosen)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@_acting
def apply(
    file: Path,
    *,
    inventories: tuple[Path, ...],
    limit: str | None,
    scripts: tuple[Path, ...],
    **chosen: Any,
) -> int:
    """Carry out a plan saved by fix --plan-out; refused when anything in it has changed."""
    try:
        saved = plans.loads(file.read_text(encoding="utf-8"), file)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} can't be read: {getattr(error, 'strerror', None) or 'not text'}") from None
    catalog = api.load_catalog(*scripts)
    inventory = options.load_hosts(inventories)
    pattern = options.require_limit("apply", limit, len(saved.hosts), (file,))
    missing = [host for host in saved.hosts if host not in inventory.hosts]
    if missing:
        raise PlanError(f"the inventory no longer has {', '.join(missing[:5])}. Nothing was contacted")
    hosts = inventory.select(",".join(saved.hosts))
    plan = api.plan(saved.name, hosts, params=saved.params, catalog=catalog, text=True)
    saved.require_same(plan)
    wanted = set(inventory.select(pattern).hosts)
    plan = plan.only(host for host in plan.hosts if host.name in wanted)
    if not plan.hosts:
        raise PlanError(f"none of the {len(saved.hosts)} hosts of this plan matches -l {pattern}")
    return _carry_out(plan, "apply", saved.allow, None, **chosen)


def _carry_out(
    plan: Plan,
    mode: Mode,
    allow: Risk,
    plan_out: Path | None,
    *,
    workers: int,
    timeout: int | None,
    format_: str,
    outputs: tuple[Path, ...],
    state: Path | None,
) -> int:
    forms = options.output_forms(outputs)
    if plan_out is not None:
        _save(plan, allow, plan_out)
    folder = state or default_state()
    started = execution(
        plan,
        mode,
        Settings(allow=allow, workers=workers, timeout=timeout),
        state=folder,
        command=shlex.join(carry.command_line()),
    )

    def show(run: Run) -> str:
        if mode == "apply":
            return carry.show_table(run) + "".join(f"{line}\n" for line in _after(run, plan))
        return show_plan(run, plan, allow, plan_out)

    return carry.carry_out(started, folder, format_, forms, show)


def _save(plan: Plan, allow: Risk, path: Path) -> None:
    try:
        path.write_text(plan.dumps(allow), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--plan-out {path} can't be written: {error.strerror}") from None


def show_plan(run: Run, plan: Plan, allow: Risk, plan_out: Path | None = None) -> str:
    """What would be done where, and the command that does it."""
    words = verdicts(run.targets, run.results)
    return carry.show_table(run) + "".join(f"{line}\n" for line in _next(run, plan, allow, words, plan_out))


def _next(
    run: Run, plan: Plan, allow: Risk, words: dict[str, Outcome], plan_out: Path | None
) -> Iterator[str]:
    to_do = [host for host, word in words.items() if word is Outcome.CHANGED]
    yield "Nothing was changed."
    if not to_do:
        return
    risk = max(
        (result.risk for result in run.results if result.outcome is Outcome.CHANGED and result.risk),
        key=lambda each: each.rank,
        default=Risk.SAFE,
    )
    yield f"Plan {plan.id}: {len(to_do)} to do, highest risk of the next step {risk}. Carry out with:"
    if plan_out is not None:
        command = ["fleet", "apply", str(plan_out), *carry.reach(), "-l", "all"]
        yield f"  {shlex.join(command)}"
        if risk.rank > allow.rank:
            yield f"  (this plan allows {allow}; what is above it will be held. Make it with --allow {risk})"
        return
    words_ = [word for word in carry.command_line() if word != "--check"]
    grant = ["--allow", risk.value] if risk.rank > allow.rank else []
    yield f"  {shlex.join([*words_, '--apply', *grant])}"


def _after(run: Run, plan: Plan) -> Iterator[str]:
    words = verdicts(run.targets, run.results)
    unknown = [host for host, word in words.items() if word is Outcome.UNKNOWN]
    changed = [host for host, word in words.items() if word is Outcome.CHANGED]
    if unknown:
        colon = "; look first:" if plan.procedure.checks else ""
        yield f"Not known: {fold(unknown)}. Nothing will repeat it{colon}"
        for task in plan.procedure.checks:
            look = ["fleet", "check", task.snippet.name, *carry.reach(), "-l", ",".join(unknown)]
            yield f"  {shlex.join(look)}"
    for line in run.header.get("outside", []) if changed else ():
        yield textwrap.fill(f"Outside the guest ({fold(changed)}): {line}", WIDTH, subsequent_indent="  ")
    yield f"Every step: {shlex.join(['fleet', 'report', run.id, *carry.reach('--state')])} -l HOST"
