"""What word2vec's two formats share: the first line, and the words they cannot hold.

Rows of text: a word and its numbers on a line, read and written a block of lines at a time.

Design
------
A. A block of whole lines (``BLOCK`` bytes) goes to Polars' CSV reader, which parses numbers in
   all threads and rounds them correctly to float32.  No more than a block of text is held.
B. Polars is asked only for what it cannot get wrong: a block that holds a carriage return, begins
   with a byte-order mark, or does not have exactly D + 1 fields a line, is split by
   :meth:`bytes.rsplit` instead, and Polars sees its numbers alone.  So a word may contain anything
   but a line end.
C. If the numbers fail, too, halves of the block are tried, and halves of these, to name the line
   at fault.

Word vectors as word2vec writes them with ``-binary 0``; gensim and fastText (``.vec``), too.

Layout
------
UTF-8 text.  The first line holds two numbers in decimal digits, parted by a space: V, the number of
words, and D, the number of values of each.  V lines follow: the word, a space, D numbers parted by
single spaces, a line feed.  There may be a space before the line feed (word2vec.c, fastText) and a
carriage return (Windows)::

    2 3
    the 0.1 -0.25 1e-05
    café 1.5 2.0 0.0

A word holds neither a space nor a line feed; a no-break space (U+00A0) is a character like any
other.  wordgrad refuses to write such a word.  It reads one with spaces, if the piece before the
numbers is not a number itself.  Counts and metadata have no place here.

Word vectors as Stanford's GloVe publishes them: text without a header.

Layout
------
UTF-8 text.  Each line is a word, a space, D numbers parted by single spaces, a line feed.  Nothing
tells V and D: D is the fewest values of any of the first ``LINES_SEEN`` lines (``glove.840B.300d``
has some words with spaces in them), V the number of lines::

    the 0.1 -0.25 1e-05
    café 1.5 2.0 0.0

wordgrad writes no word with a space or a line feed, and every number with a point or an exponent,
so that no first line looks like a word2vec header.  Counts and metadata have no place here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wordgrad.errors import FormatError
from wordgrad.io.common import Opening, assembled, check_room, check_words
from wordgrad.word_vectors import WordVectors

if TYPE_CHECKING:
    import polars as pl

FORBIDDEN = " \n"
HOLDERS = "safetensors, npz or Parquet"
HEADER = re.compile(rb"(?:\xef\xbb\xbf)?(\d{1,18}) (\d{1,18}) *\r?\n")
HEADER_BYTES = 64  # more than any header has


def read_header(path: Path, line: bytes) -> tuple[int, int]:
    """V and D from the first line.

    Raises
    ------
    FormatError
        If it does not hold two numbers.
    """
    found = HEADER.fullmatch(line)
    if found is None:
        raise FormatError(
            f"{path} does not begin with the number of words and of values, but with "
            f"{line[:40]!r}; name its format (--from), or fetch an undamaged copy."
        )
    return int(found[1]), int(found[2])


BLOCK = 8 << 20  # bytes of text held at a time
VALUES_AT_ONCE = 1 << 20  # numbers written at a time
_MARK = b"\xef\xbb\xbf"  # which Polars would take from the first word


class RowReader:
    """Reader of lines of ``size`` numbers, each line after a word if ``worded``.

    Parameters
    ----------
    path : Path
        For messages.
    size : int
        D, numbers a line.
    first_line : int
        Number of the first line that will be read, counted from 1, for messages.
    separator : bytes
        One byte between fields.
    worded : bool
        Whether a word comes first.
    promise : str
        What tells that there are ``size`` numbers, for messages.
    """

    def __init__(
        self,
        path: Path,
        size: int,
        *,
        first_line: int = 1,
        separator: bytes = b" ",
        worded: bool = True,
        promise: str = "the header",
    ) -> None:
        self._path, self._size, self._line = path, size, first_line
        self._separator, self._worded, self._promise = separator, worded, promise

    def read(self, file: IO[bytes], rows: int) -> tuple[list[str], NDArray[np.float32]]:
        """Words (none if not worded) and matrix of the ``rows`` lines that are left in ``file``.

        Raises
        ------
        FormatError
            If there are more or fewer lines, or one is not a word and D numbers.
        """
        words: list[str] = []
        matrix = np.empty((rows, self._size), dtype=np.float32)
        done = 0
        for block in self._blocks(file):
            lines = block.count(b"\n")
            if done + lines > rows:
                raise FormatError(
                    f"{self._path} has more than the {rows} rows that {self._promise} promises, "
                    f"from line {self._line + rows - done} on; correct the number of rows."
                )
            found, matrix[done : done + lines] = self._parse(block, lines)
            words += found
            done += lines
            self._line += lines
        if done < rows:
            raise FormatError(
                f"{self._path} ends after {done} of the {rows} rows that {self._promise} "
                "promises; fetch a whole copy, or correct the number of rows."
            )
        return words, matrix

    def _blocks(self, file: IO[bytes]) -> Iterator[bytes]:
        """Blocks of whole lines."""
        parts: list[bytes] = []
        while chunk := file.read(BLOCK):
            cut = chunk.rfind(b"\n") + 1
            if cut:
                yield b"".join([*parts, chunk[:cut]])
                parts = []
            parts.append(chunk[cut:])
            if sum(map(len, parts)) > 16 * BLOCK:
                raise FormatError(
                    f"{self._path} is not text of one word a line: a line is longer than "
                    f"{16 * BLOCK} bytes; name its format (--from)."
                )
        if any(parts):
            raise FormatError(
                f"{self._path} may be cut short: its last line does not end with a line end; "
                "fetch a whole copy, or add one if the last number is whole."
            )

    def _parse(self, block: bytes, lines: int) -> tuple[list[str], NDArray[np.float32]]:
        first = block[: block.index(b"\n") + 1]
        if first.endswith(b"\r\n"):
            block, first = block.replace(b"\r\n", b"\n"), first[:-2] + b"\n"
        if first.endswith(self._separator + b"\n"):  # word2vec.c and fastText end lines so
            block = block.replace(self._separator + b"\n", b"\n")
        simple = b"\r" not in block and not block.startswith(_MARK)
        frame = self._frame(block, lines, worded=self._worded) if simple else None
        if frame is not None:
            words = frame["word"].fill_null("").to_list() if self._worded else []
            return words, frame[:, 1 if self._worded else 0 :].to_numpy()
        split = [self._split(line, place) for place, line in enumerate(block.split(b"\n")[:-1])]
        numbers = b"".join(self._separator.join(fields[-self._size :]) + b"\n" for fields in split)
        frame = self._frame(numbers, lines, worded=False)
        if frame is None:
            raise self._fault(split)
        return self._decoded(split) if self._worded else [], frame.to_numpy()

    def _frame(self, block: bytes, lines: int, *, worded: bool) -> pl.DataFrame | None:
        """The block's columns, or ``None`` if it is not ``lines`` rows of the right fields."""
        import polars as pl
        from polars.exceptions import PolarsError

        names = [str(column) for column in range(self._size)]
        schema: dict[str, pl.DataType | type[pl.DataType]] = {"word": pl.String} if worded else {}
        schema |= dict.fromkeys(names, pl.Float32)
        try:
            frame = pl.read_csv(
                block,
                has_header=False,
                separator=self._separator.decode(),
                quote_char=None,
                schema=schema,
            )
        except PolarsError:
            return None
        missing = frame.select(pl.sum_horizontal(pl.col(names).null_count())).item()
        return frame if frame.height == lines and missing == 0 else None

    def _split(self, line: bytes, place: int) -> list[bytes]:
        """The word, where there is one, and D fields."""
        number, size = self._line + place, self._size
        line = line.removesuffix(b"\r").rstrip(self._separator)
        fields = line.rsplit(self._separator, size) if self._worded else line.split(b"\t")
        if len(fields) != size + self._worded:
            values = len(fields) - self._worded
            raise FormatError(
                f"{self._path} has {max(values, 0)} values in line {number}, not the {size} of "
                f"{self._promise}; repair or remove that line."
            )
        if self._worded and self._separator in fields[0]:
            self._check_spaced(fields[0], number)
        return fields

    def _check_spaced(self, word: bytes, number: int) -> None:
        """Tell a word with spaces (GloVe's 840B has some) from a line with too many numbers."""
        pieces = word.split(self._separator)
        if b"" in pieces:
            raise FormatError(
                f"{self._path} has two separators in a row in line {number}; leave one of them."
            )
        if _number(pieces[-1]):
            raise FormatError(
                f"{self._path} has more than {self._size} values in line {number}, against "
                f"{self._promise}; repair that line, or correct the number of values."
            )

    def _decoded(self, split: Sequence[Sequence[bytes]]) -> list[str]:
        words = []
        for place, fields in enumerate(split):
            try:
                words.append(fields[0].decode())
            except UnicodeDecodeError as error:
                raise FormatError(
                    f"{self._path} has a word that is not UTF-8 in line {self._line + place} "
                    f"({fields[0][:40]!r}); convert the file to UTF-8, or remove that line."
                ) from error
        return words

    def _fault(self, split: Sequence[Sequence[bytes]]) -> FormatError:
        """What is wrong with a line of a block whose numbers Polars does not read."""
        first, last = 0, len(split)
        while last - first > 1:
            middle = (first + last) // 2
            half = split[first:middle]
            numbers = b"".join(
                self._separator.join(fields[-self._size :]) + b"\n" for fields in half
            )
            good = self._frame(numbers, len(half), worded=False) is not None
            first, last = (middle, last) if good else (first, middle)
        fields = split[first][-self._size :]
        column = next((place for place, field in enumerate(fields) if not _number(field)), 0)
        return FormatError(
            f"{self._path} has {fields[column][:40].decode(errors='replace')!r} as value "
            f"{column + 1} in line {self._line + first}, which is not a number; repair or remove "
            "that line."
        )


def count_lines(path: Path) -> int:
    """Line feeds in the file, counted in blocks."""
    lines = 0
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            lines += block.count(b"\n")
    return max(lines, 1)  # a lone line without an end is for the reader to refuse


def _number(field: bytes) -> bool:
    """Whether ``field`` is a number, as Polars sees it; Python takes a little more for one."""
    try:
        float(field)
    except ValueError:
        return False
    return field.isascii() and b"_" not in field and field == field.strip()


def write_rows(
    file: IO[bytes],
    words: Sequence[str] | None,
    matrix: NDArray[np.float32],
    separator: str = " ",
) -> None:
    """Write one line a row: the word, if there are words, then the numbers.

    Each number has as few digits as tell its float32 from all others, so that reading gives back
    the same bits.
    """
    import polars as pl

    step = max(1, VALUES_AT_ONCE // matrix.shape[1])
    for start in range(0, matrix.shape[0], step):
        rows = matrix[start : start + step]
        frame = pl.DataFrame(np.asarray(rows), schema=[str(i) for i in range(rows.shape[1])])
        if words is not None:
            word = pl.Series("word", list(words[start : start + step]), dtype=pl.String)
            frame = frame.insert_column(0, word)
        frame.write_csv(file, separator=separator, include_header=False, quote_style="never")


def write_word2vec(vectors: WordVectors, path: Path) -> None:
    """Write ``vectors`` to a new file at ``path``."""
    words = check_words(vectors, "word2vec text", FORBIDDEN, holders=HOLDERS)
    with path.open("wb") as file:
        file.write(f"{len(vectors)} {vectors.vector_size}\n".encode())
        write_rows(file, words, vectors.matrix)


def read_word2vec(path: Path, opening: Opening) -> WordVectors:
    """Read a file of this format; see :func:`wordgrad.load`."""
    with path.open("rb") as file:
        rows, size = read_header(path, file.readline(HEADER_BYTES))
        available = path.stat().st_size - file.tell()
        check_room(
            path, rows, size, bytes_a_row=2 * size + 1, available=available, place="its header"
        )
        words, matrix = RowReader(path, size, first_line=2).read(file, rows)
    return assembled(path, words, matrix, opening, place=lambda row: f"line {row + 2}")


LINES_SEEN = 100
LONGEST_LINE = 16 * BLOCK  # as long as rows may be: a word of megabytes is a word


def write_glove(vectors: WordVectors, path: Path) -> None:
    """Write ``vectors`` to a new file at ``path``."""
    words = check_words(vectors, "GloVe text", FORBIDDEN, holders=HOLDERS)
    with path.open("wb") as file:
        write_rows(file, words, vectors.matrix)


def read_glove(path: Path, opening: Opening) -> WordVectors:
    """Read a file of this format; see :func:`wordgrad.load`."""
    size = _size(path)
    with path.open("rb") as file:
        rows = count_lines(path)
        reader = RowReader(path, size, promise="its first lines")
        words, matrix = reader.read(file, rows)
    return assembled(path, words, matrix, opening, place=lambda row: f"line {row + 1}")


def _size(path: Path) -> int:
    sizes = []
    with path.open("rb") as file:
        for _ in range(LINES_SEEN):
            line = file.readline(LONGEST_LINE)
            if not line:
                break
            sizes.append(line.rstrip(b" \r\n").count(b" "))
    if not sizes or min(sizes) == 0:
        what = f"line {sizes.index(0) + 1} has no number" if sizes else "it is empty"
        raise FormatError(
            f"{path} is not GloVe text, words with numbers after them: {what}; name its format "
            "(--from), or fetch an undamaged copy."
        )
    return min(sizes)
