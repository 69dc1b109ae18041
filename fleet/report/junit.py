"""A run as JUnit XML, for continuous integration: a suite a host, a test a step.

The suite stands for the host because the form has a place for it (``hostname``), and an operator asks which
machines are not ready. The class of a test is the check, so viewers that group by class show which machines
fail it. The document fits both the schema of Ant's JUnit task and that of Jenkins; tests/data/junit.xsd
holds it to what they have in common.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from io import StringIO
from itertools import groupby
from xml.sax.saxutils import escape, quoteattr  # it writes only; nothing is parsed

from fleet.journal import Run
from fleet.model import Outcome, Severity, printable
from fleet.report.terminal import flat
from fleet.report.view import HostView, Row, View, view


def to_junit(run: Run) -> str:
    """The document as text.

    A failure is what makes the exit code 1: findings of severity ``error`` without a waiver, those of
    severity ``warning`` too where the sweep was told to fail on them, failed remedies. An error is an
    answer that is missing. What is milder passes, and is said in the suite's ``system-out``.
    """
    shown = view(run)
    text = StringIO()
    text.write('<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n')
    rows = {name: list(own) for name, own in groupby(shown.rows, key=lambda row: row.result.host)}
    for number, host in enumerate(shown.hosts):
        text.writelines(_suite(shown, number, host, rows[host.name]))
    text.write("</testsuites>\n")
    return text.getvalue()


def _suite(shown: View, number: int, host: HostView, rows: list[Row]) -> Iterator[str]:
    cases = [_Case(shown, row) for row in rows]
    unasked = list(_unasked(shown, rows))
    tally = Counter(case.element for case in cases)
    yield _tag(
        " <testsuite",
        name=host.name,
        hostname=host.name,
        package=f"fleet.{shown.run.header.get('name', '')}",
        id=number,
        timestamp=f"{shown.run.started:%Y-%m-%dT%H:%M:%S}",
        tests=len(cases) + len(unasked),
        failures=tally["failure"],
        errors=tally["error"],
        skipped=tally["skipped"] + len(unasked),
        time=f"{sum(row.result.seconds for row in rows):.3f}",
    )
    yield "  <properties>\n"
    for name, value in _properties(shown, host):
        yield "  " + _tag(" <property", end="/>\n", name=name, value=value)
    yield "  </properties>\n"
    for case in cases:
        yield from case.lines()
    for check in unasked:
        yield from _skipped_case(check, host.name)
    said = "\n".join(case.said for case in cases if case.said)
    yield f"  <system-out>{escape(said)}</system-out>\n  <system-err/>\n </testsuite>\n"


def _properties(shown: View, host: HostView) -> Iterator[tuple[str, str]]:
    yield "run", shown.run.id
    yield "os", host.os.value
    yield "host_is", host.word
    if host.zone:
        yield "zone", host.zone
    if host.simulated:
        yield "simulated", "true"
    if host.name in shown.run.header.get("certificate_not_verified", ()):
        yield "certificate_not_verified", "true"


def _unasked(shown: View, rows: Iterable[Row]) -> Iterator[str]:
    """Checks of a sweep that have no row, because the host was lost before them."""
    if shown.ready:
        seen = {row.result.snippet for row in rows}
        yield from (name for name in shown.ready.checks if name not in seen)


def _skipped_case(check: str, host: str) -> Iterator[str]:
    yield _tag("  <testcase", classname=f"fleet.{check}", name=f"{check} on {host}", time="0.000")
    yield '   <skipped message="not looked at: the host gave no answer before"/>\n  </testcase>\n'


class _Case:
    """One row as a test."""

    def __init__(self, shown: View, row: Row) -> None:
        self._row = row
        self.element = _element(shown, row)
        message = str(row.result.message)
        self.said = ""
        if row.finding and row.finding.waiver:
            waiver = row.finding.waiver
            self._message = printable(f"waived until {waiver.expires} by {waiver.owner}: {waiver.reason}")
            self.said = f"{row.result.snippet} (waived): {message}"
        else:
            self._message = message or row.result.outcome.value
            if not self.element and row.result.outcome is Outcome.FAILED:
                self.said = f"{row.result.snippet} ({row.severity or 'found'}): {message}"

    def lines(self) -> Iterator[str]:
        """The element with its end."""
        result = self._row.result
        snippet = result.snippet or "fleet"
        step = f" (step {result.step}, {result.phase})" if result.phase != "look" else ""
        opening = _tag(
            "  <testcase",
            end=">\n" if self.element else "/>\n",
            classname=f"fleet.{snippet}",
            name=f"{snippet} on {result.host}{step}",
            time=f"{result.seconds:.3f}",
        )
        yield opening
        if self.element == "skipped":
            yield _tag("   <skipped", end="/>\n", message=self._message)
        elif self.element:
            kind = str(self._row.severity or "error") if self.element == "failure" else result.outcome.value
            yield _tag(f"   <{self.element}", end=">", type=kind, message=self._message)
            yield f"{escape(self._text())}</{self.element}>\n"
        if self.element:
            yield "  </testcase>\n"

    def _text(self) -> str:
        result = self._row.result
        facts = [f"{printable(key)}: {printable(flat(value))}" for key, value in sorted(result.data.items())]
        return "\n".join([self._message, *facts, str(result.log)]).rstrip()


def _element(shown: View, row: Row) -> str:
    """What stands in the test: ``failure``, ``error``, ``skipped``, or nothing where it passed."""
    outcome = row.result.outcome
    if outcome.truth_missing:
        return "error"
    if outcome in {Outcome.SKIPPED, Outcome.HELD} or (row.finding and row.finding.waiver):
        return "skipped"
    if outcome is not Outcome.FAILED or not row.left_to_do:
        return ""
    fails_on_warnings = shown.ready is None or shown.ready.fail_on == "warning"
    return "failure" if fails_on_warnings or row.severity in {Severity.ERROR, None} else ""


def _tag(element: str, /, *, end: str = ">\n", **attributes: object) -> str:
    """An opening tag; what XML can't hold is escaped as on a terminal."""
    words = (f" {key}={quoteattr(printable(str(value)))}" for key, value in attributes.items())
    return element + "".join(words) + end
