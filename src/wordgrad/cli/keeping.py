"""What a training has learnt is kept, even if it cannot go where it was meant to go."""

from __future__ import annotations

from pathlib import Path

from wordgrad.errors import OutputError
from wordgrad.vectors.word_vectors import WordVectors


def save_or_keep(vectors: WordVectors, output: Path, *, overwrite: bool) -> None:
    """Write ``vectors`` to ``output``, or failing that, to a file of their own beside it.

    Raises
    ------
    OutputError
        If ``output`` cannot be written (another training was faster, say), naming the file that
        holds the vectors instead, if there is room for one.
    """
    try:
        vectors.save(output, overwrite=overwrite)
    except OutputError as error:
        try:
            kept = keep_partial(vectors, output)
        except OutputError:
            raise error from None
        raise OutputError(
            f"{str(error).removesuffix('.')}; what was trained is in {kept}."
        ) from error


def keep_partial(vectors: WordVectors, output: Path) -> Path:
    """Write ``vectors`` beside ``output`` under a name that is free; return it."""
    number = 1
    while True:
        ending = "" if number == 1 else f"-{number}"
        partial = output.with_name(f"{output.stem}.partial{ending}{output.suffix}")
        number += 1
        if partial.exists():
            continue
        try:
            vectors.save(partial)
        except OutputError:
            if partial.exists():  # another process took the name meanwhile
                continue
            raise
        return partial
