"""``wordgrad convert``: the same vectors in another format."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from wordgrad.cli.console import format_size, say
from wordgrad.cli.options import OVERWRITE, path_given

FORMATS = (
    "safetensors, safetensors-shards, word2vec-text, word2vec-binary, glove, npz, tsv, parquet or "
    "fasttext"
)


def convert(
    source: Annotated[
        Path,
        typer.Argument(metavar="FROM", help="A file of word vectors.", parser=path_given),
    ],
    target: Annotated[
        Path,
        typer.Argument(
            metavar="TO",
            help="The file to write; its ending says the format: .safetensors, "
            ".safetensors.index.json (shards), .txt, .vec, .bin, .glove, .npz, .tsv or .parquet.",
            parser=path_given,
        ),
    ],
    read_as: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="FORMAT", help=f"Format of FROM, if it cannot be detected: {FORMATS}."
        ),
    ] = None,
    write_as: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="FORMAT",
            help="Format of TO, whatever its ending; fasttext writes a .bin that fastText opens.",
        ),
    ] = None,
    overwrite: Annotated[bool, OVERWRITE] = False,
    allow_nonfinite: Annotated[
        bool, typer.Option("--allow-nonfinite", help="Accept NaN and infinite values.")
    ] = False,
    errors: Annotated[
        str,
        typer.Option(
            "--errors",
            metavar="strict|replace|ignore",
            help="What becomes of bytes in words that are not UTF-8: an error, U+FFFD, or nothing.",
        ),
    ] = "strict",
    drop_ngrams: Annotated[
        bool,
        typer.Option(
            "--drop-ngrams",
            help="Leave out the character n-grams of a model: its file is smaller, and unseen "
            "words have no vectors.",
        ),
    ] = False,
    limit: Annotated[
        int | None,
        typer.Option("--limit", metavar="N", help="Read the first N words of FROM alone."),
    ] = None,
) -> None:
    """Read word vectors in one format and write them in another.

    The format of FROM, and whether it is compressed, is detected from its first bytes; that of TO
    from its ending. What the output's format cannot store is reported; a word that it cannot store
    is an error.
    """
    from wordgrad.files import check_output
    from wordgrad.io.formats import (
        NGRAMS,
        SHARDED,
        format_of_file,
        format_of_name,
        named,
        names_shards,
        size_of,
    )
    from wordgrad.storage import local
    from wordgrad.word_vectors import load

    to = format_of_name(target) if write_as is None else named(write_as)
    check_output(target, overwrite=overwrite)
    options: dict[str, Any] = {"allow_nonfinite": allow_nonfinite, "errors": errors, "limit": limit}
    if names_shards(source):  # which are where it is
        vectors, was = load(source, format=read_as, **options), SHARDED
    else:
        with local(source) as file:
            vectors = load(file, format=read_as, **options)
            was = format_of_file(file) if read_as is None else named(read_as)
    vectors.save(target, overwrite=overwrite, format=to.name, ngrams=not drop_ngrams)
    files = " and ".join(map(str, filter(None, (target, to.companion(target)))))
    say(
        f"Wrote {files}: {len(vectors):,} words, {vectors.vector_size} dimensions, from "
        f"{was.title} to {to.title}, {format_size(size_of(target))}."
    )
    held = {
        "counts": vectors.counts is not None,
        "metadata": bool(vectors.metadata),
        NGRAMS: vectors.subwords is not None and not drop_ngrams,
    }
    lost = [name for name, there in held.items() if there and name not in to.keeps]
    if lost:
        say(f"{to.title} does not store {' and '.join(lost)}: keep the {was.title} file, too.")
