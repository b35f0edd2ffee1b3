"""What every reader is told, and what every reader checks before it hands vectors over.

Reading a file in a process of its own first, where a damaged one could end the process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordgrad.errors import FormatError, OutputError, ParameterError
from wordgrad.vocabulary import Vocabulary
from wordgrad.word_vectors import WordVectors

ROWS_AT_ONCE = 1 << 14
REMEDY = "fetch an undamaged copy, or write it again."


@dataclass(frozen=True)
class Opening:
    """How a file is to be opened; see :func:`wordgrad.load`.

    Attributes
    ----------
    check : bool or None
        Whether a mapped matrix is read and compared with its checksum now; ``None`` leaves it to
        its size.
    allow_nonfinite : bool
        Whether NaN and infinite values may be in the file.
    """

    check: bool | None = None
    allow_nonfinite: bool = False


def assembled(
    path: Path,
    words: Sequence[str],
    matrix: NDArray[np.float32],
    opening: Opening,
    *,
    counts: NDArray[np.int64] | None = None,
    metadata: Mapping[str, Any] | None = None,
    place: Callable[[int], str] = "row {}".format,
) -> WordVectors:
    """Vectors made of what a reader found in ``path``.

    Parameters
    ----------
    path : Path
    words : sequence of str, length V
    matrix : ndarray of float32, shape (V, D)
        Becomes read-only.
    opening : Opening
    counts : ndarray of int64, shape (V,), optional
    metadata : mapping, optional
    place : callable
        From a row to where it is in the file, for messages.

    Raises
    ------
    FormatError
        If a word comes twice, a value is not finite and that is not allowed, or a count is
        negative.
    """
    try:
        table = Vocabulary.from_words(words)
    except ParameterError as error:
        raise _repeated(path, words, place) from error
    if not opening.allow_nonfinite:
        _check_finite(path, words, matrix, place)
    if counts is not None and int(counts.min()) < 0:
        row = int(np.argmin(counts))
        raise FormatError(
            f"{path} says that {words[row]!r} ({place(row)}) was seen {int(counts[row])} times; "
            "repair that count."
        )
    return WordVectors.from_checked(table, matrix, counts, dict(metadata or {}), str(path))


def decoded_metadata(path: Path, text: str) -> dict[str, Any]:
    """Metadata that a file keeps as one JSON object.

    Raises
    ------
    FormatError
        If it is none.
    """
    try:
        entries = json.loads(text)
        if not isinstance(entries, dict):
            raise ValueError("not an object")
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path} is damaged: its metadata is not JSON; {REMEDY}") from error
    return entries


def check_room(
    path: Path, rows: int, size: int, *, bytes_a_row: int, available: int, place: str
) -> None:
    """Refuse a header whose promise cannot be in the file, before any memory is asked for.

    Raises
    ------
    FormatError
        If there are no rows, or ``rows`` of at least ``bytes_a_row`` bytes exceed ``available``.
    """
    if rows == 0 or size == 0:
        raise FormatError(
            f"{path} promises {rows} words with {size} values in {place}; both must be at least "
            "1: write the file again."
        )
    if rows * bytes_a_row > available:
        raise FormatError(
            f"{path} promises {rows} words with {size} values in {place}, which take at least "
            f"{rows * bytes_a_row} bytes, but it holds {available}; fetch a whole copy, or "
            "correct the header."
        )


def check_memory(path: Path, needed: int) -> None:
    """Refuse a promise of more than all the memory of this machine, before any is asked for.

    Only formats that compress need this: what others promise is compared with the file's size.

    Raises
    ------
    FormatError
        If ``needed`` bytes can never be there.
    """
    if not hasattr(os, "sysconf"):  # Windows refuses by itself what it does not have
        return
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > total:
        raise FormatError(
            f"{path} promises {needed} bytes, and this machine has {total} bytes of memory; fetch "
            "an undamaged copy, or open it on a larger machine."
        )


def check_words(
    vectors: WordVectors, name: str, forbidden: str, *, holders: str, empty: bool = True
) -> tuple[str, ...]:
    """The words of ``vectors``, if a format can hold each of them.

    Parameters
    ----------
    vectors : WordVectors
    name : str
        The format, for messages.
    forbidden : str
        Characters that part words or lines in the format, and so cannot be in a word.
    holders : str
        Formats that can hold any word, for messages.
    empty : bool
        Whether the format can hold a word without any visible character.

    Raises
    ------
    OutputError
        If it cannot, naming word, row and ``holders``; or if a word has no UTF-8 form.
    """
    vectors.vocabulary.packed()  # half a surrogate pair is an error that names its word
    for row, word in enumerate(vectors.words):
        if any(character in word for character in forbidden):
            has = next(character for character in forbidden if character in word)
            problem = f"contains {has!r}, which parts words or lines there"
        elif not empty and not word.strip().strip("\ufeff"):
            problem = "has no visible character, and its line would be skipped there"
        else:
            continue
        raise OutputError(
            f"The word {word!r} in row {row} cannot be written as {name}: it {problem}; rename "
            f"the word, or choose {holders}, which can hold any word."
        )
    return vectors.words


def _repeated(path: Path, words: Sequence[str], place: Callable[[int], str]) -> FormatError:
    first: dict[str, int] = {}
    for row, word in enumerate(words):
        if word in first:
            return FormatError(
                f"{path} holds the word {word!r} twice, in {place(first[word])} and {place(row)}; "
                "remove one of them."
            )
        first[word] = row
    raise AssertionError("no word comes twice")


def _check_finite(
    path: Path, words: Sequence[str], matrix: NDArray[np.float32], place: Callable[[int], str]
) -> None:
    for start in range(0, matrix.shape[0], ROWS_AT_ONCE):
        bad = ~np.isfinite(matrix[start : start + ROWS_AT_ONCE])
        if bad.any():
            offset, column = (int(axis) for axis in np.argwhere(bad)[0])
            row = start + offset
            raise FormatError(
                f"{path} holds {matrix[row, column]} in {place(row)} ({words[row]!r}), value "
                f"{column + 1}; remove that word, or allow such values with allow_nonfinite "
                "(--allow-nonfinite)."
            )


REFUSED = 3  # exit status: the file is at fault, and why is on standard output


def try_alone(path: Path, module: str) -> None:
    """Let another process call ``parts(path)`` of ``module``, and throw away what it reads.

    Raises
    ------
    FormatError
        If ``parts`` raises one there, or the process ends in any other way than by returning.
    """
    code = f"from {__name__} import _child; _child({module!r}, {os.fspath(path)!r})"
    # The child finds what this process finds, however that came to be on its path.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, check=False)  # noqa: S603
    if done.returncode == REFUSED:
        raise FormatError(done.stdout.decode())
    if done.returncode:
        raise FormatError(
            f"{path} is damaged so that the process that tried to read it ended (exit status "
            f"{done.returncode}); {REMEDY}"
        )


def _child(module: str, path: str) -> None:
    try:
        import_module(module).parts(Path(path))
    except FormatError as error:
        sys.stdout.buffer.write(str(error).encode())
        sys.exit(REFUSED)
