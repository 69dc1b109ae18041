"""Writes tests/data/catalogue-index.json: what the completeness test has to know of the catalogue of faults.

The catalogue itself (``catalogue.yaml``) is kept beside the checkout, not in it. Run this module with its
path after the catalogue has changed; a test says when.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import yaml

INDEX = Path(__file__).resolve().parents[1] / "data/catalogue-index.json"
CATALOGUE = Path(__file__).resolve().parents[3] / "shared/catalogue.yaml"


def digest(text: str) -> str:
    """Enough of a SHA-256 to see that a text has changed."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def build(catalogue: Path) -> dict[str, Any]:
    """Give the index of a catalogue."""
    source = yaml.load(catalogue.read_text("utf-8"), yaml.CSafeLoader)
    disputed = {each["entry"] for each in source["seed_differences"]}
    entries = {
        entry["id"]: {
            "platform": entry["platform"],
            "in_guest": entry["in_guest"],
            "codes": entry["codes"],
            "steps": [digest(step["do"]) for step in entry["fix"]],
            "disputed": entry["id"] in disputed or "seed_differences" in entry,
        }
        for entry in source["entries"]
    }
    return {"entries": entries, "ambiguities": ambiguities(source)}


def ambiguities(source: dict[str, Any]) -> list[dict[str, Any]]:
    """Where the documents leave something open, and the entries one of which has to decide it."""
    found = []
    for item in source["ambiguities"]["items"]:
        places = {
            entry["id"]
            for entry in source["entries"]
            for seed in entry["seeds"]
            if item["where"] in seed["anchors"] and (seed["file"] in item["seed"] or "all" in item["seed"])
        }
        found.append({"issue": digest(item["issue"]), "entries": sorted(places)})
    return found


def text(index: dict[str, Any]) -> str:
    """One line an entry, so that a change can be read."""
    entries = ",\n".join(f"  {json.dumps(id)}: {json.dumps(entry)}" for id, entry in index["entries"].items())
    items = ",\n".join(f"  {json.dumps(item)}" for item in index["ambiguities"])
    return f'{{"entries": {{\n{entries}\n}},\n"ambiguities": [\n{items}\n]}}\n'


if __name__ == "__main__":
    INDEX.write_text(text(build(Path(sys.argv[1]))), "utf-8")
