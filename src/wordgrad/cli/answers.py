"""Showing words with their cosines, and the options that asking commands share."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from wordgrad.cli.console import results_console, write_lines

if TYPE_CHECKING:
    from rich.console import RenderableType

VECTORS = typer.Argument(
    metavar="FILE", help="A file of word vectors, in any format that wordgrad reads."
)
TOPN = typer.Option("--topn", "-n", help="How many answers to show.")
RESTRICT = typer.Option(
    "--restrict-vocab", help="Only the most frequent so many words may be answers."
)
METHOD = typer.Option("--method", help="3cosadd sums cosines, 3cosmul multiplies them.")
AS_JSON = typer.Option("--json", help="Print JSON instead.")


@dataclass(frozen=True)
class Answers:
    """The answers to one question: words and what they score, best first."""

    question: str
    found: list[tuple[str, float]]
    score: str = "cosine"


def show_answers(answers: list[Answers], *, as_json: bool) -> None:
    """Print answers: as tables to a terminal, as tab-separated lines to anything else."""
    if as_json:
        entries = [
            {
                "question": answer.question,
                "answers": [{"word": word, answer.score: score} for word, score in answer.found],
            }
            for answer in answers
        ]
        sys.stdout.write(json.dumps(entries, ensure_ascii=False, indent=2) + "\n")
        return
    console = results_console()
    if not console.is_terminal:
        write_lines(
            (answer.question, word, score) for answer in answers for word, score in answer.found
        )
        return
    from rich.columns import Columns

    console.print(Columns([_table(answer) for answer in answers], padding=(0, 3)))


def _table(answers: Answers) -> RenderableType:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column(Text(answers.question, style="bold cyan"), overflow="fold")
    table.add_column(answers.score, justify="right", no_wrap=True)
    for word, score in answers.found:
        table.add_row(Text(word), f"{score:.4f}")
    return table
