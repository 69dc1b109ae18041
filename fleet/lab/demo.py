"""The demo: a fleet with planted faults is looked at, mended, looked at again, and its ledgers are read.

Everything is done through the same functions that the command line uses; each act carries the command that
a person would type for it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from fleet import api
from fleet.catalog import Catalog
from fleet.engine.prepare import Mode, Settings, execution
from fleet.engine.verdict import verdicts
from fleet.inventory import Inventory
from fleet.journal import History, Run
from fleet.lab.lab import Lab
from fleet.model import Outcome, Risk


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong that the demo plants, the check that sees it and the runbook that mends it."""

    host: str
    group: str
    check: str
    runbook: str
    allow: Risk
    traces: str
    """Pattern of the lines that mending it leaves in the guest's ledger."""
    params: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """Waiting times that suit a guest which is simulated."""


FAULTS = (
    Fault(
        "win-sql",
        "windows",
        "vss-writers",
        "azvm-vss-writer-bad-state",
        Risk.SERVICE_INTERRUPTION,
        r"(stop|start) SQLWriter",
    ),
    Fault(
        "win-app",
        "windows",
        "strong-crypto",
        "azvm-no-secure-network-strong-crypto",
        Risk.SAFE,
        r"set (64|32):HKLM\\SOFTWARE\\Microsoft\\\.NETFramework\\v[0-9.]+\\SchUseStrongCrypto = 1",
    ),
    Fault(
        "lin-web1",
        "linux",
        "waagent-running",
        "agent-linux-not-running",
        Risk.SERVICE_INTERRUPTION,
        r"agent started as pid [0-9]+|walinuxagent(\.service)? enabled",
        MappingProxyType({"settle_seconds": 1}),
    ),
)


@dataclass(frozen=True, slots=True)
class Act:
    """One run of the demo."""

    step: str
    command: str
    run: Run

    @property
    def words(self) -> Mapping[str, Outcome]:
        """What is said of each host."""
        return verdicts(self.run.targets, self.run.results)


class Demo:
    """Plays the demo in a lab: iterate over ``acts`` once, then read ``surprises``."""

    def __init__(self, lab: Lab, catalog: Catalog) -> None:
        self._lab = lab
        self._catalog = catalog
        self._inventory = api.load_inventory(lab.inventory)
        self.state = lab.folder / "state"

    def acts(self) -> Iterator[Act]:
        """Ping, check, plan, apply, check again; each is carried out when it is asked for."""
        yield self._act("ping", "fleet ping", "ping", self._inventory, "look")
        yield from self._checks("check")
        for fault in FAULTS:
            command = f"fleet fix {fault.runbook} -l {fault.host}"
            yield self._act("plan", command, fault.runbook, self._hosts(fault.host), "plan", fault)
        for fault in FAULTS:
            grant = "" if fault.allow is Risk.SAFE else f" --allow {fault.allow}"
            command = f"fleet fix {fault.runbook} -l {fault.host} --apply{grant}"
            yield self._act("apply", command, fault.runbook, self._hosts(fault.host), "apply", fault)
        yield from self._checks("check again")

    def touched(self) -> dict[str, Sequence[str]]:
        """What the guests' ledgers say was done, by host."""
        return {name: tuple(guest.ledger) for name, guest in self._lab.guests.items() if guest.ledger}

    def surprises(self, acts: Sequence[Act]) -> list[str]:
        """What did not go as planned; has to be empty."""
        wanted = {"check": Outcome.FAILED, "plan": Outcome.CHANGED, "apply": Outcome.CHANGED}
        wanted["check again"] = Outcome.OK
        found = [
            f"{fault.host}: {act.step} says {act.words[fault.host]}, not {wanted[act.step]}"
            for act in acts
            for fault in FAULTS
            if act.step in wanted and act.run.header["name"] in {fault.check, fault.runbook}
            if act.words[fault.host] is not wanted[act.step]
        ]
        for name, lines in self.touched().items():
            patterns = [fault.traces for fault in FAULTS if fault.host == name]
            found += [
                f"{name}: nobody wanted this: {line}" for line in lines if not _explained(line, patterns)
            ]
        return found

    def _checks(self, step: str) -> Iterator[Act]:
        for fault in FAULTS:
            command = f"fleet check {fault.check} -l {fault.group}"
            yield self._act(step, command, fault.check, self._hosts(fault.group), "look")

    def _hosts(self, pattern: str) -> Inventory:
        return self._inventory.select(pattern)

    def _act(
        self, step: str, command: str, name: str, hosts: Inventory, mode: Mode, fault: Fault | None = None
    ) -> Act:
        params = dict(fault.params) if fault else {}
        plan = api.plan(name, hosts, params=params, catalog=self._catalog)
        settings = Settings(allow=fault.allow if fault else Risk.SAFE)
        run = execution(plan, mode, settings, state=self.state, command=command)
        for _ in run:
            pass
        return Act(step, command, History(self.state).run(run.header.id))


def _explained(line: str, patterns: Sequence[str]) -> bool:
    return any(re.fullmatch(pattern, line) for pattern in patterns)


def summary(acts: Sequence[Act]) -> str:
    """One line about the acts of one step."""
    step = acts[0].step
    words = [word for act in acts for word in act.words.values()]
    if step == "ping":
        names = {Outcome.OK: "reachable"}
        return ", ".join(f"{number} {names.get(word, word)}" for word, number in Counter(words).items())
    if step == "plan":
        results = [result for act in acts for result in act.run.results]
        risks = [result.risk for result in results if result.risk is not None]
        worst = max(risks, key=lambda risk: risk.rank, default=Risk.SAFE)
        return f"{words.count(Outcome.CHANGED)} hosts to do, highest risk {worst}"
    if step == "apply":
        return f"{words.count(Outcome.CHANGED)} of {len(words)} changed"
    return _readiness(acts)


def _readiness(acts: Sequence[Act]) -> str:
    """A host is ready when all that was asked of it is fine, not known when any answer is missing."""
    by_host: dict[str, list[Outcome]] = {}
    for act in acts:
        for host, word in act.words.items():
            by_host.setdefault(host, []).append(word)
    ready = sum(all(word.fine for word in words) for words in by_host.values())
    unknown = sum(any(word.truth_missing for word in words) for words in by_host.values())
    return f"{ready} ready, {len(by_host) - ready - unknown} not ready, {unknown} not known"
