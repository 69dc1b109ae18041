"""``fleet explain``: from an error code or a message to what is known about it. Contacts nobody."""

from __future__ import annotations

import json
import re
from pathlib import Path

import click

from fleet import api
from fleet.catalog.find import Answer, Finder
from fleet.cli import complete, options
from fleet.errors import CatalogError, ParameterError, UsageErrors
from fleet.model import printable
from fleet.report import explanation


class NegativeNumbers(click.Command):
    """A command whose arguments may be negative numbers, as PowerShell prints error codes."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """A blank before the sign keeps it from being read as an option."""
        return super().parse_args(ctx, [re.sub(r"^(?=-[0-9]+,?$)", " ", each) for each in args])


@click.command(cls=NegativeNumbers)
@click.argument(
    "words",
    metavar="CODE|TEXT...",
    nargs=-1,
    required=True,
    shell_complete=complete.names_of("runbook", "code"),
)
@options.scripts
@options.list_format
def explain(words: tuple[str, ...], scripts: tuple[Path, ...], format_: str) -> None:
    """What an error means, what is checked and done about it, and what is left to do outside the guest.

    Takes error codes in any form (several with commas or blanks between them), ids of runbooks, or the
    words of a message in English or the languages of Azure's documents. Contacts nobody.
    """
    if not any(word.strip(" ,") for word in words):
        raise ParameterError("explain needs an error code, the id of a runbook, or words of a message")
    catalog = api.load_catalog(*scripts)
    answers = Finder(catalog).ask(words)
    if format_ == "terminal":
        found = [answer for answer in answers if answer.matches]
        texts = ["\n".join(explanation.lines(answer, catalog)) for answer in found]
        if texts:
            click.echo(printable(f"\n\n{'-' * explanation.WIDTH}\n\n".join(texts)))
    else:
        document = explanation.document(answers, catalog)
        chosen = [document] if format_ == "json" else document["answers"]
        for each in chosen:
            click.echo(json.dumps(each, indent=2 if format_ == "json" else None))
    _refuse([CatalogError(_nothing(answer)) for answer in answers if not answer.matches])


def _refuse(errors: list[CatalogError]) -> None:
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise UsageErrors(list(errors))


def _nothing(answer: Answer) -> str:
    asked = answer.question if len(answer.question) <= 60 else answer.question[:57] + "..."
    if not answer.suggestions:
        return f'no runbook fits "{asked}"; fleet list --kind runbook names them all'
    *some, last = (f'"{each}"' for each in answer.suggestions)
    return f'no runbook answers "{asked}"; did you mean {", ".join(some) + " or " if some else ""}{last}?'
