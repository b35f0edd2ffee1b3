"""Options that several of the commands share."""

from __future__ import annotations

from enum import Enum

import typer

MODEL = typer.Argument(metavar="MODEL", help="A classifier that 'wordgrad classify train' wrote.")
FORMAT = typer.Option(
    "--format",
    help="Form of the labelled text. Default: told from the file's name and first line.",
    rich_help_panel="The text",
    show_default=False,
)
LABEL_COLUMN = typer.Option(
    help="Column of labels in a table. Default: 'label', or the other one of two.",
    rich_help_panel="The text",
    show_default=False,
)
TEXT_COLUMN = typer.Option(
    help="Column of texts in a table. Default: 'text', or the other one of two.",
    rich_help_panel="The text",
    show_default=False,
)
ERRORS = typer.Option(
    help="Bytes that are not UTF-8: stop, or replace.", rich_help_panel="The text"
)
DATA_HELP = (
    "'label<TAB>text' or '__label__x text' a line, or a table (.csv, .tsv, .jsonl, .parquet) with "
    "a column of labels; plain, .gz or .zst; '-' for standard input."
)


class Form(Enum):
    """How labelled text is written."""

    tab = "tab"
    fasttext = "fasttext"
    csv = "csv"
    tsv = "tsv"
    jsonl = "jsonl"
    parquet = "parquet"


class Errors(Enum):
    """What to do with bytes that are not UTF-8."""

    strict = "strict"
    replace = "replace"
