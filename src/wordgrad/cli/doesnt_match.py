"""``wordgrad doesnt-match``: the odd one out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wordgrad.cli.answers import VECTORS
from wordgrad.cli.console import write_lines


def doesnt_match(
    file: Annotated[Path, VECTORS],
    words: Annotated[
        list[str], typer.Argument(metavar="WORD", help="Two words or more, one of them odd.")
    ],
) -> None:
    """Print the word that fits the others least: the farthest from the mean of all."""
    from wordgrad.vectors.formats import load

    write_lines([(load(file).doesnt_match(words),)])
