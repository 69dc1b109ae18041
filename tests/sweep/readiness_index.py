"""Writes tests/data/readiness-index.json: the readiness checks that the profiles have to cover.

The catalogue itself (``catalogue.yaml``) is kept beside the checkout, not in it. Run this module with its
path after the catalogue has changed; a test says when.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import yaml

INDEX = Path(__file__).resolve().parents[1] / "data/readiness-index.json"
CATALOGUE = Path(__file__).resolve().parents[3] / "shared/catalogue.yaml"

SEVERITIES = {"fail": "error", "warn": "warning", "info": "info"}


def build(catalogue: Path) -> dict[str, Any]:
    """Give the index of a catalogue: id -> workloads, platform, severity, the faults that it shows."""
    source = yaml.load(catalogue.read_text("utf-8"), yaml.CSafeLoader)
    return {
        each["id"]: {
            "workload": each["workload"],
            "platform": each["platform"],
            "severity": SEVERITIES[each["severity"]],
            "entries": each["entries"],
        }
        for each in source["readiness_checks"]
    }


def text(index: dict[str, Any]) -> str:
    """One line an entry, so that a change can be read."""
    return "{\n" + ",\n".join(f"{json.dumps(id)}: {json.dumps(each)}" for id, each in index.items()) + "\n}\n"


if __name__ == "__main__":
    INDEX.write_text(text(build(Path(sys.argv[1]))), "utf-8")
