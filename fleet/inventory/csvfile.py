"""Inventories as a table: one host a row, the settings as columns."""

from __future__ import annotations

import csv
import re
from pathlib import Path

from fleet.errors import InventoryError, Place
from fleet.inventory.draft import Draft, Group, Setting, shown
from fleet.inventory.settings import KNOWN

NAME_COLUMNS = ("name", "host")
GROUPS_COLUMN = "groups"
"""Groups of the host, with blanks or semicolons between them."""


def read_csv(text: str, path: Path, draft: Draft) -> None:
    """Add what a table says; its mistakes are gathered in the draft."""
    header_line = text.lstrip().split("\n", 1)[0]
    delimiter = ";" if header_line.count(";") > header_line.count(",") else ","
    rows = csv.reader(text.splitlines(keepends=True), delimiter=delimiter, strict=True)
    try:
        header = next((row for row in rows if any(row)), [""])
        columns = [column.strip() for column in header]
        _check_columns(columns, Place(path, rows.line_num), draft)
        everyone = draft.group("ungrouped", Place(path))
        assert everyone is not None, "its name is valid"
        for row in rows:
            if any(cell.strip() for cell in row):
                _row(columns, row, Place(path, rows.line_num), draft, everyone)
    except csv.Error:
        raise InventoryError(
            "the quotes of this row do not match; double a quote inside a quoted cell",
            Place(path, rows.line_num),
        ) from None


def _check_columns(columns: list[str], place: Place, draft: Draft) -> None:
    if columns[0] not in NAME_COLUMNS:
        raise InventoryError('the first column has to be "name" (or "host")', place)
    for number, column in enumerate(columns):
        if not column:
            draft.mistakes.add(f"column {number + 1} has no name", place)
        elif column in columns[:number]:
            draft.mistakes.add(f"the column {shown(column)} stands twice; keep one", place)
        for prefix in ("ansible_", "fleet_"):
            if number and prefix + column in KNOWN:
                draft.mistakes.add(
                    f'the column {shown(column)} is not a setting; did you mean "{prefix}{column}"?', place
                )


def _row(columns: list[str], row: list[str], place: Place, draft: Draft, everyone: Group) -> None:
    if len(row) > len(columns):
        draft.mistakes.add(
            f"this row has {len(row)} cells for {len(columns)} columns; put quotes around a cell "
            "that has a separator in it",
            place,
        )
        return
    cells = {column: cell.strip() for column, cell in zip(columns, row, strict=False)}
    name = cells.pop(columns[0])
    if not name:
        draft.mistakes.add("the name of the host is missing in this row", place)
        return
    groups = [
        draft.group(group, place) for group in re.split(r"[\s;]+", cells.pop(GROUPS_COLUMN, "")) if group
    ]
    settings = [(key, Setting(value, place)) for key, value in cells.items() if value]
    for group in groups or [everyone]:
        if group is not None:
            draft.put_all(draft.members(group, name, place), settings)
