"""``wordgrad similar``: the neighbours of words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from wordgrad.cli.answers import AS_JSON, RESTRICT, TOPN, VECTORS, Answers, show_answers
from wordgrad.cli.console import say


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
    text: Annotated[
        bool,
        typer.Option(
            "--text",
            help="Take the words as a text: look near its mean, leave out words that are unknown.",
        ),
    ] = False,
    restrict_vocab: Annotated[int | None, RESTRICT] = None,
    as_json: Annotated[bool, AS_JSON] = False,
) -> None:
    """Show the words nearest to each word, by the cosine of their vectors.

    Through a pipe: one line a neighbour, with word, neighbour and cosine, parted by tabs.
    """
    if text and together:
        raise typer.BadParameter("Use either --text or --together.")
    from wordgrad.vectors.formats import load

    vectors = load(file)
    if text:
        found = vectors.closest_to_text(" ".join(words), topn, restrict_vocab)
        _tell_skipped(found.skipped)
        answers = [Answers(" ".join(words), found)]
    else:
        questions: list[list[str]] = [words] if together else [[word] for word in words]
        rankings = vectors.most_similar_batch(questions, topn, restrict_vocab)
        answers = [
            Answers(" + ".join(asked), found)
            for asked, found in zip(questions, rankings, strict=True)
        ]
    show_answers(answers, as_json=as_json)


def _tell_skipped(skipped: Sequence[str]) -> None:
    if skipped:
        listed = ", ".join(dict.fromkeys(skipped))
        say(f"{len(skipped)} of the text's words left out, not in the vocabulary: {listed}")
