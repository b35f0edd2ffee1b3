"""``wordgrad similar``: the neighbours of words."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wordgrad.cli.answers import AS_JSON, RESTRICT, TOPN, VECTORS, Answers, show_answers


def similar(
    file: Annotated[Path, VECTORS],
    words: Annotated[
        list[str], typer.Argument(metavar="WORD", help="Words to find neighbours of.")
    ],
    topn: Annotated[int, TOPN] = 10,
    together: Annotated[
        bool,
        typer.Option("--together", help="Look for what all the words have in common instead."),
    ] = False,
    restrict_vocab: Annotated[int | None, RESTRICT] = None,
    as_json: Annotated[bool, AS_JSON] = False,
) -> None:
    """Show the words nearest to each word, by the cosine of their vectors.

    Through a pipe: one line a neighbour, with word, neighbour and cosine, parted by tabs.
    """
    from wordgrad.vectors.formats import load

    vectors = load(file)
    questions: list[list[str]] = [words] if together else [[word] for word in words]
    show_answers(
        [
            Answers(" + ".join(asked), vectors.most_similar(asked, topn, None, restrict_vocab))
            for asked in questions
        ],
        as_json=as_json,
    )
