"""Runs for the tests of reports: a small sweep, a fix, and a guest that wants to do harm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fleet.journal import Run
from fleet.model import Os, Outcome, Result, Risk, Untrusted
from tests.sweep.runs import STARTED, result, sweep_run, waiver

HARM = (
    "<script>window.harmed = 1</script>",
    "<img src=x onerror='window.harmed = 1'>",
    '"><svg onload=window.harmed=1>',
    "</script><script>window.harmed = 1</script>",
    "</title></style><h1>owned</h1>",
    "--><b>bold</b><!--",
    "]]><evil/>",
    "&lt;b&gt; & &amp; &#60;i&#62;",
    "{{ 7 * 7 }}{% raw %}",
    "javascript:window.harmed=1",
    '=HYPERLINK("http://example.org/?"&A1)',
    "+1+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(1)",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    " =1+1",
    "\uff1d1+1",
    "x;=1+1",
    "`code` ``two`` ```three",
    "| pipe \\| [link](http://example.org) @everyone #1 ![i](x)",
    "# heading\n- list\n> quote\n```\nfence",
    "\x1b[31mred\x1b[0m \x07 \x00 \x08 \x7f \x9b",
    "abc \u202e\u2066 cba \u200b\ufeff\u2028\u2029",
    "lone \ud800 surrogate \ufffe \uffff",
    "größer 漢字 😀",
)
"""What a guest may say: markup, formulas, controls, marks of direction, broken text."""

EVIL_HOST = "<b onclick=harm()>=evil|`host`\u202e"


def sample(**more: Any) -> Run:
    """A sweep of five hosts: not ready, ready with a warning, ready by waiver, unreachable, ready."""
    fine = {"disk-space": "40 % free", "clock": "right", "verbose": "off"}
    ok, failed = Outcome.OK, Outcome.FAILED

    def host(name: str, **found: str) -> list[Result]:
        names = {"disk": "disk-space", "clock": "clock", "verbose": "verbose"}
        return [
            result(
                name,
                check,
                failed if short in found else ok,
                found.get(short, fine[check]),
                step=number,
                seconds=0.3 if name == "db1" else 0.2,
            )
            for number, (short, check) in enumerate(names.items(), 1)
        ]

    hosts = {
        "web1": host("web1", disk="/var has 3 % free"),
        "web2": host("web2", clock="off by 90 s"),
        "db1": host("db1", disk="/var has 2 % free", verbose="on"),
        "old": [result("old", "disk-space", Outcome.UNREACHABLE, "connection refused")],
        "good": host("good"),
    }
    zones = {"web1": "zone-1", "web2": "zone-2", "db1": "zone-1"}
    return sweep_run(
        hosts,
        waivers=[waiver("disk-space", "db1"), waiver("clock", "web2", expires="2026-11-01")],
        zones=zones,
        **more,
    )


def fix(*results: Result, **header: Any) -> Run:
    """The run of ``fleet fix``."""
    head = {
        "command": "fleet fix disk-full -l all --apply",
        "started": "2026-11-21T20:00:00.000Z",
        "name": "disk-full",
        "title": "A disk is full",
        "catalogue": "c" * 64,
        "inventory": "d" * 64,
        "apply": True,
        "zones": {"web1": "zone-1"},
        **header,
    }
    targets = dict.fromkeys([each.host for each in results], Os.LINUX)
    return Run("20261121-2000-c3", head, targets, results, STARTED, interrupted=False)


def mended(host: str = "web1") -> list[Result]:
    """A fault that was found, mended, and gone."""
    return [
        result(host, "disk-space", Outcome.FAILED, "full", step=1),
        result(host, "clean-disk", Outcome.CHANGED, "cleaned", step=2, phase="act", risk=Risk.SAFE),
        result(host, "disk-space", Outcome.OK, "free", step=3, phase="verify"),
    ]


def hostile(texts: Sequence[str] = HARM, host: str = EVIL_HOST) -> Run:
    """A sweep in which a guest says one harmful text after another, in message, data and log."""
    checks = [
        {"check": f"check-{number}", "title": text, "severity": "error", "params": {}, "answers": []}
        for number, text in enumerate(texts)
    ]
    results = [
        result(
            host,
            f"check-{number}",
            Outcome.FAILED,
            text,
            step=number + 1,
            data={text: text, "list": [text], "map": {text: text}},
            log=Untrusted(text),
        )
        for number, text in enumerate(texts)
    ]
    return sweep_run(
        {host: results, "plain": []}, checks=checks, zones={host: host}, waivers=[waiver("check-0", "nobody")]
    )
