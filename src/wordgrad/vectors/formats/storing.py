"""Reading and writing vectors: which format a file has, and who deals with it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from wordgrad.errors import InputError, OutputError
from wordgrad.files import atomic_write, check_output
from wordgrad.vectors.formats import safetensors_format
from wordgrad.vectors.word_vectors import WordVectors


@dataclass(frozen=True)
class Format:
    """One file format: its name, the endings that mean it, a reader and a writer.

    The writer fills a new file at the path it gets; putting it in place is not its business.
    """

    name: str
    endings: tuple[str, ...]
    read: Callable[[Path, bool | None], WordVectors]
    write: Callable[[WordVectors, Path], None]


FORMATS = (
    Format(
        "safetensors",
        (".safetensors",),
        safetensors_format.read,
        safetensors_format.write,
    ),
)


def load(path: str | os.PathLike[str], *, check: bool | None = None) -> WordVectors:
    """Open a file of word vectors.

    The matrix is mapped from the file, not read: a file of a gigabyte opens in milliseconds, and
    processes that open the same file share its memory.  Do not alter the file while it is in use.

    Parameters
    ----------
    path : path
        A file that :meth:`WordVectors.save` wrote.
    check : bool, optional
        Whether to read all of the matrix now and compare its checksum.  By default only matrices
        of up to 64 MiB are; in a larger one, a value that is not finite is found by the first
        query.  The structure, the words and the counts are checked in any case.

    Raises
    ------
    InputError
        If the file cannot be opened.
    FormatError
        If it is cut short, damaged, or of another format.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "tiny.safetensors"
    >>> WordVectors(["to", "be"], [[1, 2], [3, 4]]).save(path)
    >>> load(path)["be"]
    array([3., 4.], dtype=float32)
    """
    file = Path(path)
    if file.is_dir():
        raise InputError(f"{file} is a directory; name a file of word vectors in it.")
    try:
        with file.open("rb"):
            pass
    except OSError as error:
        raise InputError(
            f"{file} cannot be opened ({error.strerror or error}); check the name and its "
            "permissions."
        ) from error
    return FORMATS[0].read(file, check)


def save(vectors: WordVectors, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Write vectors to a file in the format that the name's ending tells.

    The file is whole or absent at any moment (see :func:`wordgrad.files.atomic_write`).

    Raises
    ------
    OutputError
        If the ending is not known, the file exists and ``overwrite`` is false, or it cannot be
        written.
    """
    chosen = format_of_name(path)
    check_output(path, overwrite=overwrite)
    with atomic_write(path) as temporary:
        chosen.write(vectors, temporary)


def format_of_name(path: str | os.PathLike[str]) -> Format:
    """The format that the ending of ``path`` tells.

    Raises
    ------
    OutputError
        If no format has that ending.
    """
    name = Path(path).name.lower()
    for known in FORMATS:
        if name.endswith(known.endings):
            return known
    endings = ", ".join(ending for known in FORMATS for ending in known.endings)
    raise OutputError(
        f"The output {path} does not end like a file of word vectors; end it in {endings}."
    )
