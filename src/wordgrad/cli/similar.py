"""``wordgrad similar``: the neighbours of words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wordgrad.cli import wording
from wordgrad.cli.answers import AS_JSON, RESTRICT, TOPN, VECTORS, Answers, show_answers
from wordgrad.cli.console import errors_console, say

if TYPE_CHECKING:
    from wordgrad.vectors.word_vectors import WordVectors


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
    approximate: Annotated[
        bool,
        typer.Option(
            "--approximate",
            help="Search through an index, which may miss a word; it is made at the first use and "
            "kept in FILE.index. For very many words.",
        ),
    ] = False,
    as_json: Annotated[bool, AS_JSON] = False,
) -> None:
    """Show the words nearest to each word, by the cosine of their vectors.

    Through a pipe: one line a neighbour, with word, neighbour and cosine, parted by tabs.
    """
    if text and together:
        raise typer.BadParameter("Use either --text or --together.")
    if approximate and restrict_vocab is not None:
        raise typer.BadParameter("Use either --approximate or --restrict-vocab.")
    from wordgrad.vectors.formats import load

    vectors = load(file)
    if approximate:
        _index(vectors, file.with_name(f"{file.name}.index"))
    if text:
        found = vectors.closest_to_text(
            " ".join(words), topn, restrict_vocab, approximate=approximate
        )
        _tell_skipped(found.skipped)
        answers = [Answers(" ".join(words), found)]
    else:
        questions: list[list[str]] = [words] if together else [[word] for word in words]
        rankings = vectors.most_similar_batch(
            questions, topn, restrict_vocab, approximate=approximate
        )
        answers = [
            Answers(" + ".join(asked), found)
            for asked, found in zip(questions, rankings, strict=True)
        ]
    show_answers(answers, as_json=as_json)


def _index(vectors: WordVectors, path: Path) -> None:
    """Take the index at ``path``, or make it."""
    if path.exists():
        vectors.load_index(path)
        return
    from wordgrad.files import check_output

    check_output(path)  # building takes long: not only to find that it cannot be kept
    with errors_console().status("Building the index ..."):
        vectors.build_index()
    vectors.save_index(path)
    say(f"Wrote {path}: {wording.size(path.stat().st_size)}.")


def _tell_skipped(skipped: Sequence[str]) -> None:
    if skipped:
        listed = ", ".join(dict.fromkeys(skipped))
        say(f"{len(skipped)} of the text's words left out, not in the vocabulary: {listed}")
