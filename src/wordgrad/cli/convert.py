"""``wordgrad convert``: the same vectors in another format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wordgrad.cli import wording
from wordgrad.cli.console import say

if TYPE_CHECKING:
    from wordgrad.io.formats import Format
    from wordgrad.word_vectors import WordVectors


FORMATS = (
    "safetensors, word2vec-text, word2vec-binary, glove, npz, tsv, parquet or fasttext (which is "
    "only read)"
)


def convert(
    source: Annotated[Path, typer.Argument(metavar="FROM", help="A file of word vectors.")],
    target: Annotated[
        Path,
        typer.Argument(
            metavar="TO",
            help="The file to write; its ending tells the format: .safetensors, .txt, .vec, .bin, "
            ".glove, .npz, .tsv or .parquet.",
        ),
    ],
    read_as: Annotated[
        str | None,
        typer.Option("--from", metavar="FORMAT", help=f"What FROM is, if not clear: {FORMATS}."),
    ] = None,
    write_as: Annotated[
        str | None,
        typer.Option("--to", metavar="FORMAT", help="What TO is to be, whatever its ending."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the output if it exists.")
    ] = False,
    allow_nonfinite: Annotated[
        bool, typer.Option("--allow-nonfinite", help="Let NaN and infinite values pass.")
    ] = False,
    errors: Annotated[
        str,
        typer.Option(
            "--errors",
            metavar="strict|replace|ignore",
            help="What becomes of bytes in words that are not UTF-8: an error, U+FFFD, or nothing.",
        ),
    ] = "strict",
    limit: Annotated[
        int | None,
        typer.Option("--limit", metavar="N", help="Read the first N words of FROM alone."),
    ] = None,
) -> None:
    """Read word vectors in one format and write them in another.

    The first bytes of FROM tell its format, and whether it is compressed; the ending of TO tells
    that of the output. What the output's format cannot hold is said, and a word that it cannot hold
    is an error.
    """
    from wordgrad.files import check_output
    from wordgrad.io.formats import format_of_file, format_of_name, named
    from wordgrad.word_vectors import load

    to = format_of_name(target) if write_as is None else named(write_as)
    check_output(target, overwrite=overwrite)
    vectors = load(
        source, format=read_as, allow_nonfinite=allow_nonfinite, errors=errors, limit=limit
    )
    was = format_of_file(source) if read_as is None else named(read_as)
    vectors.save(target, overwrite=overwrite, format=to.name)
    _summarise(vectors, was, to, target)


def _summarise(vectors: WordVectors, was: Format, to: Format, target: Path) -> None:
    files = " and ".join(map(str, filter(None, (target, to.companion(target)))))
    say(
        f"Wrote {files}: {len(vectors):,} words, {vectors.vector_size} dimensions, from "
        f"{was.title} to {to.title}, {wording.size(target.stat().st_size)}."
    )
    held = {"counts": vectors.counts is not None, "metadata": bool(vectors.metadata)}
    lost = [name for name, there in held.items() if there and name not in to.keeps]
    if lost:
        say(f"{to.title} does not keep {' and '.join(lost)}: keep {was.title}, too.")
