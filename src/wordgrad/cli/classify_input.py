"""Options that several of the commands share.

Reading labelled text for a command, and telling what was met.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from wordgrad.cli.console import say

if TYPE_CHECKING:
    from wordgrad.corpus.labelled import LabelledText


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


def read_data(
    data: Sequence[str],
    form: Form | None,
    label_column: str | None,
    text_column: str | None,
    errors: Errors,
) -> LabelledText:
    """Labelled text of all inputs; odd things in it are counted on standard error.

    Raises
    ------
    InputError
        With file, line and remedy.
    """
    let_ctrl_c_end_reads()
    from wordgrad.corpus.labelled import read_labelled

    read = read_labelled(
        # A glob stays a string; of several inputs each is a path, however they look.
        data[0] if len(data) == 1 else [one if one == "-" else Path(one) for one in data],
        form=None if form is None else form.value,
        label_column=label_column,
        text_column=text_column,
        errors=errors.value,
    )
    _tell(read.blank_lines, "blank line was passed over", "blank lines were passed over")
    _tell(
        read.empty_texts,
        "text is empty but for its label",
        "texts are empty but for their labels",
    )
    tell_replaced(read.bytes_replaced)
    return read


def tell_replaced(count: int) -> None:
    """Say how many bytes were not UTF-8, if any."""
    _tell(
        count,
        "byte was not UTF-8 and was replaced",
        "bytes were not UTF-8 and were replaced",
    )


def _tell(count: int, one: str, more: str) -> None:
    if count:
        say(f"{count:,} {one if count == 1 else more}.")


def let_ctrl_c_end_reads() -> None:
    """Make Ctrl-C interrupt a read that waits for more text, on standard input above all.

    Polars, when it is imported, puts its own handler before Python's, and with it (SA_RESTART) the
    system goes on with an interrupted read as if nothing had happened.
    """
    if hasattr(signal, "siginterrupt"):  # not on Windows
        import polars  # noqa: F401  # now, so that its handler is there to be changed

        signal.siginterrupt(signal.SIGINT, True)
