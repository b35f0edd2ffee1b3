"""``wordgrad cluster``: classes of words, as word2vec's ``-classes`` has them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wordgrad.cli.console import errors_console, say
from wordgrad.cli.options import OVERWRITE
from wordgrad.cli.query import VECTORS
from wordgrad.errors import OutputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ENDINGS = (".txt", ".tsv", ".parquet")


def cluster(
    file: Annotated[Path, VECTORS],
    k: Annotated[int, typer.Option("-k", "--classes", metavar="N", help="Number of classes.")],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="The file to write: .txt (word and class with a space between, as word2vec has "
            "it), .tsv, or .parquet (columns 'word' and 'class').",
        ),
    ],
    seed: Annotated[int, typer.Option(help="Seed of the first centres.")] = 1,
    overwrite: Annotated[bool, OVERWRITE] = False,
) -> None:
    """Put words into classes by k-means on their vectors, scaled to length 1.

    Words stay in their order, the most frequent first.
    """
    import numpy as np

    from wordgrad.files import check_output
    from wordgrad.word_vectors import load

    if output.suffix.lower() not in ENDINGS:
        raise typer.BadParameter(
            f"{output} must end with {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}.",
            param_hint="--output",
        )
    check_output(output, overwrite=overwrite)
    vectors = load(file)
    with errors_console().status("Finding the classes ..."):
        classes = vectors.clusters(k, seed)
    _write(output, vectors.words, classes, overwrite=overwrite)
    sizes = np.bincount(classes)
    say(
        f"Wrote {output}: {len(vectors):,} words in {len(sizes):,} classes of {sizes.min():,} to "
        f"{sizes.max():,} words."
    )


def _write(
    path: Path, words: tuple[str, ...], classes: NDArray[np.int32], *, overwrite: bool
) -> None:
    from wordgrad.files import atomic_write

    kind = path.suffix.lower()
    separator = " " if kind == ".txt" else "\t"
    if kind != ".parquet":
        odd = next((word for word in words if word.split() != [word]), None)
        if odd is not None:
            raise OutputError(
                f"The word {odd!r} holds white space or nothing, which lines of text cannot hold; "
                "write .parquet."
            )
    with atomic_write(path, overwrite=overwrite) as temporary:
        if kind == ".parquet":
            import polars as pl

            pl.DataFrame({"word": words, "class": classes}).write_parquet(temporary)
            return
        lines = [f"{word}{separator}{c}\n" for word, c in zip(words, classes.tolist(), strict=True)]
        temporary.write_text("".join(lines), encoding="utf-8", newline="\n")
