"""What all readers and writers share: the parts of a set of vectors, options, and checks.

A reader turns a file into :class:`VectorParts`, a writer turns them into a file; neither knows the
class that users see.  Whatever a reader found odd but could read (a word that comes twice, bytes
that are no UTF-8) is a remark of the parts, which ``load`` shows as a warning.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordgrad.errors import CutShortError, FormatError, OutputError
from wordgrad.subwords import Subwords
from wordgrad.vocabulary import Vocabulary

ROWS_AT_ONCE = 1 << 14
REMEDY = "fetch an undamaged copy, or write it again."
ERRORS = ("strict", "replace", "ignore")
LONGEST_ROW = 128 << 20  # bytes of a row, word and all: a word of megabytes is a word


@dataclass(frozen=True)
class LoadOptions:
    """How a file is to be read; see :func:`wordgrad.load`.

    Attributes
    ----------
    check : bool or None
        Whether a mapped matrix is read and compared with its checksum now; ``None`` leaves it to
        its size.
    allow_nonfinite : bool
        Whether NaN and infinite values may be in the file.
    errors : {"strict", "replace", "ignore"}
        What becomes of bytes in words that are not UTF-8.
    limit : int or None
        Most rows to read: the first ones of the file.
    encoding : str
        Of the words in text and word2vec binary; one that contains ASCII.
    compose : bool
        Whether vectors that are composed of n-grams are composed now.  If not, the matrix of a
        large model has no rows, and whoever asked composes them.
    """

    check: bool | None = None
    allow_nonfinite: bool = False
    errors: str = "strict"
    limit: int | None = None
    encoding: str = "utf-8"
    compose: bool = True

    def rows(self, promised: int) -> int:
        """How many of ``promised`` rows to read."""
        return promised if self.limit is None else min(promised, self.limit)


@dataclass(frozen=True)
class VectorParts:
    """What a file of word vectors holds.

    Attributes
    ----------
    table : Vocabulary
        The words by row, V of them.
    matrix : ndarray of float32, shape (V, D)
        Or (0, D): see ``compose`` of :class:`LoadOptions`.
    counts : ndarray of int64, shape (V,), or None
    metadata : dict
    remarks : tuple of str
        Sentences on what was odd in a file and read all the same.
    subwords : Subwords or None
        From which vectors of unseen words are composed.  Only safetensors and models of fastText
        keep them.
    outputs : ndarray of float32, shape (n, D), or None
        Output vectors, which training goes on from.  Only safetensors keeps them.
    """

    table: Vocabulary
    matrix: NDArray[np.float32]
    counts: NDArray[np.int64] | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    subwords: Subwords | None = None
    outputs: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.table)

    @property
    def words(self) -> Sequence[str]:
        """The words, by row."""
        return self.table.words

    @property
    def vector_size(self) -> int:
        """D, the length of a vector."""
        return int(self.matrix.shape[1])


def is_utf8(encoding: str) -> bool:
    """Whether an encoding is UTF-8, by whatever name."""
    return encoding.lower().replace("_", "-") in ("utf-8", "utf8")


class WordDecoder:
    r"""From the bytes of words to strings, with what is to become of bytes that are not UTF-8.

    word2vec.c cuts words after so many bytes, often inside a character, so such files are common.

    Parameters
    ----------
    path : Path
        For messages.
    errors : {"strict", "replace", "ignore"}
        As :meth:`bytes.decode` has them.
    place : callable
        From a row to where it is in the file, for messages.

    encoding : str
        One that contains ASCII.

    >>> decoder = WordDecoder(Path("v.bin"), "replace")
    >>> decoder.decode([b"the", b"caf\xc3"], 0) == ["the", "caf\ufffd"]
    True
    >>> len(decoder.remarks)
    1
    """

    def __init__(
        self,
        path: Path,
        errors: str,
        place: Callable[[int], str] = "row {}".format,
        encoding: str = "utf-8",
    ) -> None:
        self._path, self._errors, self._place = path, errors, place
        self._encoding = encoding
        self._called = "UTF-8" if is_utf8(encoding) else encoding
        self._broken = 0
        self._first = ""

    def decode(self, names: Sequence[bytes], first: int) -> list[str]:
        """Words of the rows from ``first`` on.

        Raises
        ------
        FormatError
            If one is not UTF-8, and that is an error.
        """
        try:
            return [name.decode(self._encoding) for name in names]
        except UnicodeDecodeError:
            return [self._decode_one(name, row) for row, name in enumerate(names, first)]

    def _decode_one(self, name: bytes, row: int) -> str:
        try:
            return name.decode(self._encoding)
        except UnicodeDecodeError as error:
            if self._errors == "strict":
                raise FormatError(
                    f"{self._path} has a word that is not {self._called} in {self._place(row)} "
                    f"({name[:40]!r}); if its program cut the word inside a character, go on with "
                    'errors="replace" (--errors replace), which puts U+FFFD there, else convert '
                    "the file to UTF-8 or fetch an undamaged copy."
                ) from error
        self._broken += 1
        word = name.decode(self._encoding, self._errors)
        self._first = self._first or f"the first, {word[:40]!r}, in {self._place(row)}"
        return word

    @property
    def remarks(self) -> tuple[str, ...]:
        """A sentence that counts the words that were not UTF-8, if there were any."""
        if not self._broken:
            return ()
        noun = "1 word that is" if self._broken == 1 else f"{self._broken:,} words that are"
        done = "replaced by U+FFFD" if self._errors == "replace" else "left out"
        return (
            f"{self._path} has {noun} not {self._called} ({self._first}); such bytes are {done}.",
        )


class MatrixBuilder:
    """A matrix that is filled block by block, and grows where nobody knows how many rows come.

    Parameters
    ----------
    path : Path
        For messages.
    size : int
        D, values of a row.
    rows : int or None
        How many rows there will be at most.  Memory for them is taken at once.
    """

    def __init__(self, path: Path, size: int, rows: int | None) -> None:
        self._path = path
        self._matrix = np.empty((rows or 0, size), dtype=np.float32)
        self.rows = 0

    def add(self, values: NDArray[np.float32], expected: int = 0) -> None:
        """Append rows; ``expected`` is a guess at how many there will be in all, if there is one.

        Raises
        ------
        FormatError
            If the rows can never fit into the memory of this machine.
        """
        done, size = self.rows + len(values), self._matrix.shape[1]
        if done > len(self._matrix):
            capacity = max(done, expected or done + done // 4)
            check_memory(self._path, 4 * size * done)
            self._matrix.resize((capacity, size), refcheck=False)
        self._matrix[self.rows : done] = values
        self.rows = done

    def finish(self) -> NDArray[np.float32]:
        """The rows that were added."""
        if self.rows < len(self._matrix):
            self._matrix.resize((self.rows, self._matrix.shape[1]), refcheck=False)
        return self._matrix


def assembled(
    path: Path,
    words: Sequence[str],
    matrix: NDArray[np.float32],
    options: LoadOptions,
    *,
    counts: NDArray[np.int64] | None = None,
    metadata: Mapping[str, Any] | None = None,
    place: Callable[[int], str] = "row {}".format,
    remarks: tuple[str, ...] = (),
) -> VectorParts:
    """Parts made of what a reader found in ``path``; of a word that repeats, the first row stays.

    Parameters
    ----------
    path : Path
    words : sequence of str, length V
    matrix : ndarray of float32, shape (V, D)
        The reader's own: rows move up in it where a word repeats.
    options : LoadOptions
    counts : ndarray of int64, shape (V,), optional
    metadata : mapping, optional
    place : callable
        From a row to where it is in the file, for messages.
    remarks : tuple of str
        What the reader found odd.

    Raises
    ------
    FormatError
        If a value is not finite and that is not allowed, or a count is negative.
    """
    if not options.allow_nonfinite:
        check_finite(path, words, matrix, place)
    if counts is not None and int(counts.min()) < 0:
        row = int(np.argmin(counts))
        raise FormatError(
            f"{path} says that {words[row]!r} ({place(row)}) was seen {int(counts[row])} times; "
            "repair that count."
        )
    if len(set(words)) < len(words):
        kept, remark = _first_rows(path, words, place)
        words = [words[row] for row in kept.tolist()]
        counts = None if counts is None else counts[kept]
        matrix = _moved_up(matrix, kept)
        remarks = (*remarks, remark)
    return VectorParts(Vocabulary.from_words(words), matrix, counts, dict(metadata or {}), remarks)


def _first_rows(
    path: Path, words: Sequence[str], place: Callable[[int], str]
) -> tuple[NDArray[np.int64], str]:
    """Rows of the first occurrence of each word, and a sentence on the others."""
    first: dict[str, int] = {}
    example = ""
    for row, word in enumerate(words):
        before = first.setdefault(word, row)
        if before != row and not example:
            example = f"{word[:40]!r} in {place(before)} and {place(row)}"
    others = len(words) - len(first)
    noun = "1 row repeats a word" if others == 1 else f"{others:,} rows repeat words"
    return np.fromiter(first.values(), dtype=np.int64, count=len(first)), (
        f"{path} holds words more than once: {noun} of earlier rows ({example}); the first vector "
        "of each word is kept."
    )


def _moved_up(matrix: NDArray[np.float32], kept: NDArray[np.int64]) -> NDArray[np.float32]:
    """The rows ``kept``, which rise, moved to the top in place: a copy may not fit into memory."""
    for start in range(0, len(kept), ROWS_AT_ONCE):
        rows = kept[start : start + ROWS_AT_ONCE]
        if rows[-1] != start + len(rows) - 1:  # some row before this block's end is left out
            matrix[start : start + len(rows)] = matrix[rows]
    return matrix[: len(kept)]


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
    path: Path, rows: int, size: int, *, bytes_a_row: int, available: int | None, place: str
) -> None:
    """Refuse a header whose promise cannot be in the file, before any memory is allocated.

    Parameters
    ----------
    path : Path
    rows, size : int
        V and D as promised.
    bytes_a_row : int
        How many a row takes at least.
    available : int or None
        Bytes that are left in the file; None if they are compressed, and nothing is known.
    place : str
        Where the promise stands, for messages.

    Raises
    ------
    FormatError
        If there are no rows, or ``rows`` of at least ``bytes_a_row`` bytes exceed ``available``
        (then it is a CutShortError).
    """
    if rows == 0 or size == 0:
        raise FormatError(
            f"{path} promises {rows} words with {size} values in {place}; both must be at least "
            "1: write the file again."
        )
    if available is not None and rows * bytes_a_row - 1 > available:  # a last line end apart
        raise CutShortError(
            f"{path} promises {rows} words with {size} values in {place}, which take at least "
            f"{rows * bytes_a_row} bytes, but it holds {available}; fetch a whole copy, or "
            "correct the header."
        )
    if bytes_a_row > LONGEST_ROW:
        raise FormatError(
            f"{path} promises {size} values a word in {place}, and a row may take {LONGEST_ROW} "
            "bytes; correct the header."
        )


def check_memory(path: Path, needed: int) -> None:
    """Refuse a promise of more than all the memory of this machine, before any is allocated.

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
    parts: VectorParts, name: str, forbidden: str, *, holders: str, empty: bool = True
) -> Sequence[str]:
    """The words of ``parts``, if a format can hold each of them.

    Parameters
    ----------
    parts : VectorParts
    name : str
        The format, for messages.
    forbidden : str
        Characters that separate words or lines in the format, and so cannot be in a word.
    holders : str
        Formats that can hold any word, for messages.
    empty : bool
        Whether the format can hold a word without any visible character.

    Raises
    ------
    OutputError
        If it cannot, naming word, row and ``holders``; or if a word has no UTF-8 form.
    """
    parts.table.packed()  # half a surrogate pair is an error that names its word
    for row, word in enumerate(parts.words):
        if any(character in word for character in forbidden):
            has = next(character for character in forbidden if character in word)
            problem = f"contains {has!r}, which separates words or lines there"
        elif not empty and not word.strip().strip("\ufeff"):
            problem = "has no visible character, and its line would be skipped there"
        else:
            continue
        raise OutputError(
            f"The word {word!r} in row {row} cannot be written as {name}: it {problem}; rename "
            f"the word, or choose {holders}, which can hold any word."
        )
    return parts.words


def check_finite(
    path: Path,
    words: Sequence[str],
    matrix: NDArray[np.float32],
    place: Callable[[int], str] = "row {}".format,
) -> None:
    """Refuse values that are NaN or infinite.

    Raises
    ------
    FormatError
        Which names the first one's file, place and word.
    """
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


def read_in_subprocess(path: Path, module: str) -> None:
    """Let another process call ``parts(path)`` of ``module``, and throw away what it reads.

    A damaged file may end a process where nothing is left to catch: then it is not this one.

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
