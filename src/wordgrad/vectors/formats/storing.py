"""Opening and saving files of word vectors, whatever their format."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

from wordgrad.errors import FormatError, InputError, OutputError
from wordgrad.files import atomic_write, check_output
from wordgrad.vectors.formats.guessing import format_of_file
from wordgrad.vectors.formats.known import format_of_name, named
from wordgrad.vectors.formats.reading import Opening
from wordgrad.vectors.word_vectors import WordVectors


def load(
    path: str | os.PathLike[str],
    *,
    check: bool | None = None,
    format: str | None = None,
    allow_nonfinite: bool = False,
) -> WordVectors:
    """Open a file of word vectors.

    The matrix of a safetensors file is mapped, not read: a file of a gigabyte opens in
    milliseconds, and processes that open the same file share its memory.  Do not alter the file
    while it is in use.  All other formats are read into memory, and checked while they are.
    Nothing is ever unpickled.

    Parameters
    ----------
    path : path
    check : bool, optional
        Whether to read all of a mapped matrix now and compare its checksum.  By default only
        matrices of up to 64 MiB are; in a larger one, a value that is not finite is found by the
        first query.  The structure, the words and the counts are checked in any case.
    format : str, optional
        One of "safetensors", "word2vec-text", "word2vec-binary", "glove", "npz", "tsv", "parquet"
        and "fasttext".  By default the file's first bytes tell, and its name must not contradict.
    allow_nonfinite : bool
        Whether NaN and infinite values may be in the file.  Such vectors can be looked at and
        saved; a query still refuses them, for they have no cosine.

    Raises
    ------
    InputError
        If the file cannot be opened, or does not fit into memory.
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
    if "\0" in str(file):
        raise InputError(f"{str(file)!r} holds a NUL, which no file name does; check the name.")
    if file.exists() and not file.is_file():
        raise InputError(
            f"{file} is a pipe or a device, and vectors are read more than once; copy them to a "
            "file first."
        )
    try:
        with file.open("rb") as opened:
            if not opened.read(1):
                raise FormatError(f"{file} is empty; fetch a whole copy, or write it again.")
        chosen = format_of_file(file) if format is None else named(format)
        return chosen.read(file, Opening(check, allow_nonfinite))
    except MemoryError as error:
        raise InputError(
            f"{file} does not fit into the memory that is left; convert it to safetensors on a "
            "larger machine, which is mapped and not read."
        ) from error
    except OSError as error:
        raise InputError(
            f"{file} cannot be opened ({error.strerror or error}); check the name and its "
            "permissions."
        ) from error


def save(
    vectors: WordVectors,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    format: str | None = None,
) -> None:
    """Write vectors to a file in the format that the name's ending tells, or that ``format`` names.

    ======================= ===================== =============================================
    ending                  format                not kept
    ======================= ===================== =============================================
    ``.safetensors``        ``safetensors``
    ``.parquet``            ``parquet``
    ``.npz``                ``npz``
    ``.tsv``                ``tsv``               metadata; a second file holds the words
    ``.txt``, ``.vec``      ``word2vec-text``     counts, metadata
    ``.bin``                ``word2vec-binary``   counts, metadata
    ``.glove``,             ``glove``             counts, metadata
    ``.glove.txt``
    ======================= ===================== =============================================

    The file is whole or absent at any moment (see :func:`wordgrad.files.atomic_write`).

    Raises
    ------
    OutputError
        If the ending is not known, the file exists and ``overwrite`` is false, the format cannot
        hold one of the words, or the file cannot be written.
    """
    chosen = format_of_name(path) if format is None else named(format)
    if not chosen.writable:
        raise OutputError(
            f"The output {path} cannot be {chosen.title}, which is only read; choose another "
            "format."
        )
    check_output(path, overwrite=overwrite)
    with ExitStack() as files:
        beside = chosen.companion(Path(path))
        if beside is not None:
            check_output(beside, overwrite=overwrite)
            chosen.write_companion(
                vectors, files.enter_context(atomic_write(beside, overwrite=overwrite))
            )
        with atomic_write(path, overwrite=overwrite) as temporary:
            chosen.write(vectors, temporary)
