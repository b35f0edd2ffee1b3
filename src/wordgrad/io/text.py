"""Rows of text: a word and its numbers on a line, read and written a block of lines at a time.

word2vec's text, GloVe's and the Embedding Projector's go through here; where each format begins and
what tells V and D is in its own module.

Design
------
A. A block of whole lines (``BLOCK`` bytes) goes to Polars' CSV reader, which parses numbers in
   all threads and rounds them correctly to float32.  No more than a block of text is held.
B. Polars is given only what it cannot get wrong: a block that holds a carriage return, begins
   with a byte-order mark, or does not have exactly D + 1 fields a line, is split line by line
   instead, and Polars sees its numbers alone.  So a word may contain anything but a line end.
C. If the numbers fail, too, halves of the block are tried, and halves of these, to name the line
   at fault.
D. A process that was forked after Polars had been used lacks the threads of Polars' pool and would
   wait for them for ever.  There, Python parses and prints the numbers, bit for bit and byte for
   byte the same, some ten times as slowly.
E. The numbers are the last D fields of a line; fields are separated by spaces, tabs or several of
   them.  What stands before is the word: it may hold separators, for published files have such
   words.  Spaces around it are alignment, unless the word is nothing but spaces.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wordgrad.errors import CutShortError, FormatError
from wordgrad.io.common import LONGEST_ROW, LoadOptions, MatrixBuilder, WordDecoder, is_utf8
from wordgrad.processes import forked_after_polars

if TYPE_CHECKING:
    import polars as pl

HOLDERS = "safetensors, npz or Parquet"
BLOCK = 8 << 20  # bytes of text held at a time
VALUES_AT_ONCE = 1 << 20  # numbers written at a time
MARK = b"\xef\xbb\xbf"  # the byte-order mark, which Polars would take from the first word
LINES_SEEN = 100  # lines that tell how many values there are, where no header does
_FIELD = re.compile(rb"[^ \t]+")
_NEARLY_A_NUMBER = re.compile(rb"(?=\D*\d)[-+]?[\d.,:eE/+-]+")  # 0,5 or 12:0.5 or 1/2

Rows = tuple[list[str], NDArray[np.float32]]


class RowReader:
    """Reader of lines of ``size`` numbers, each line after a word if ``worded``.

    Parameters
    ----------
    path : Path
        For messages.
    size : int
        D, numbers a line.
    options : LoadOptions
    first_line : int
        Number of the first line that will be read, counted from 1, for messages.
    separator : bytes
        One byte between fields; where a word comes first, rows with the other one are read, too.
    worded : bool
        Whether a word comes first.
    promise : str
        What tells that there are ``size`` numbers, for messages.
    """

    def __init__(
        self,
        path: Path,
        size: int,
        options: LoadOptions,
        *,
        first_line: int = 1,
        separator: bytes = b" ",
        worded: bool = True,
        promise: str = "the header",
    ) -> None:
        self._path, self._size, self._line = path, size, first_line
        self._separator, self._worded, self._promise = separator, worded, promise
        self._limit = options.limit
        self._decoder = WordDecoder(
            path, options.errors, lambda row: f"line {row + first_line}", options.encoding
        )
        self._utf8 = is_utf8(options.encoding)
        self._first_line = first_line
        self._unended = False

    @property
    def remarks(self) -> tuple[str, ...]:
        """Sentences on what was odd, after reading."""
        found = self._decoder.remarks
        if self._unended:
            found += (
                f"{self._path} does not end with a line end: if it was cut short, its last number "
                "lacks digits.",
            )
        return found

    def read(self, file: IO[bytes], rows: int | None, *, total: int | None = None) -> Rows:
        """Words (none if not worded) and matrix of the lines that are left in ``file``.

        Parameters
        ----------
        file : binary file
        rows : int or None
            How many there must be; None if nobody knows.
        total : int or None
            Bytes that are left in ``file``; None if that is not known, for they are compressed.

        Raises
        ------
        FormatError
            If there are more or fewer lines, or one is not a word and D numbers.
        """
        words: list[str] = []
        wanted = rows if self._limit is None else min(rows or self._limit, self._limit)
        builder = MatrixBuilder(self._path, self._size, wanted if rows and total else None)
        seen = 0
        for block in self._blocks(file):
            lines = block.count(b"\n")
            if wanted is not None and builder.rows + lines > wanted:
                if self._limit is None or wanted < self._limit:
                    raise FormatError(
                        f"{self._path} has more than the {rows} rows that {self._promise} "
                        f"promises, from line {self._line + wanted - builder.rows} on; correct the "
                        "number of rows."
                    )
                lines = wanted - builder.rows
                block = b"\n".join(block.split(b"\n", lines)[:lines]) + b"\n"
            if lines:
                seen += len(block)
                found, values = self._parse(block, lines)
                words += found
                done = builder.rows + lines
                expected = int(done * total / seen * 1.01) + 1 if total else done + done // 4
                builder.add(values, expected if wanted is None else min(expected, wanted))
                self._line += lines
            if builder.rows == wanted == self._limit:
                break
        if rows is not None and builder.rows < (wanted or 0):
            raise CutShortError(
                f"{self._path} ends after {builder.rows} of the {rows} rows that {self._promise} "
                "promises; fetch a whole copy, or correct the number of rows."
            )
        return words, builder.finish()

    def _blocks(self, file: IO[bytes]) -> Iterator[bytes]:
        """Blocks of whole lines, without blank lines at the end of the file."""
        blank = 0
        for block in self._whole_lines(file):
            rows_end = len(block.rstrip(b" \t\r\n"))
            if rows_end and blank:
                raise FormatError(
                    f"{self._path} has nothing in line {self._line}, and rows after it; remove "
                    "that line."
                )
            end = block.index(b"\n", rows_end) + 1 if rows_end else 0
            blank += block.count(b"\n", end)
            if end:
                yield block[:end] if end < len(block) else block

    def _whole_lines(self, file: IO[bytes]) -> Iterator[bytes]:
        parts: list[bytes] = []
        while chunk := file.read(BLOCK):
            cut = chunk.rfind(b"\n") + 1
            if cut:
                yield b"".join([*parts, chunk[:cut]])
                parts = []
            parts.append(chunk[cut:])
            if sum(map(len, parts)) > LONGEST_ROW:
                raise FormatError(
                    f"{self._path} is not text of one word a line: a line is longer than "
                    f"{LONGEST_ROW} bytes; name its format (--from)."
                )
        rest = b"".join(parts)
        if rest:
            self._unended = bool(rest.strip(b" \t\r"))
            yield rest + b"\n"

    def _parse(self, block: bytes, lines: int) -> Rows:
        first = block[: block.index(b"\n") + 1]
        if first.endswith(b"\r\n"):
            block, first = block.replace(b"\r\n", b"\n"), first[:-2] + b"\n"
        if self._worded:
            self._separator = b"\t" if b"\t" in first and b" " not in first else b" "
        if first.endswith(self._separator + b"\n"):  # word2vec.c and fastText end lines so
            block = block.replace(self._separator + b"\n", b"\n")
        # A header may promise any number of values: a row that has them must be there first.
        filled = first.count(self._separator) >= self._size - (not self._worded)
        if filled and self._utf8 and b"\r" not in block and not block.startswith(MARK):
            found = self._fields(block, lines, worded=self._worded)
            if found is not None:
                return found
        split = [self._split(line, place) for place, line in enumerate(block.split(b"\n")[:-1])]
        found = self._fields(self._joined(split), lines, worded=False)
        if found is None:
            raise self._fault(split)
        if not self._worded:
            return found
        names = [fields[0] for fields in split]
        return self._decoder.decode(names, self._line - self._first_line), found[1]

    def _joined(self, split: Sequence[Sequence[bytes]]) -> bytes:
        """The numbers alone, one row a line."""
        return b"".join(self._separator.join(fields[-self._size :]) + b"\n" for fields in split)

    def _fields(self, block: bytes, lines: int, *, worded: bool) -> Rows | None:
        """Words and numbers, or ``None`` if ``block`` is not ``lines`` rows of the right fields."""
        if forked_after_polars():
            return _parsed_by_python(block, self._separator, self._size, worded=worded)
        frame = self._frame(block, lines, worded=worded)
        if frame is None:
            return None
        words = frame["word"].fill_null("").to_list() if worded else []
        return words, frame[:, 1 if worded else 0 :].to_numpy()

    def _frame(self, block: bytes, lines: int, *, worded: bool) -> pl.DataFrame | None:
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
        line = line.removesuffix(b"\r").rstrip(b" \t" if self._worded else b"\t")
        if not self._worded:
            fields = line.split(b"\t")
            if len(fields) != size:
                raise self._wrong_length(fields, number)
            return fields
        fields = line.rsplit(self._separator, size)
        numbers = line[len(fields[0]) + 1 :]
        doubled = 2 * self._separator in numbers or numbers.startswith(self._separator)
        other = b"\t" if self._separator == b" " else b" "
        if len(fields) <= size or doubled or other in numbers:
            found = list(_FIELD.finditer(line))
            if len(found) < size or (len(found) == size and found[0].start() == 0):
                raise self._wrong_length([match[0] for match in found], number)
            before = line[: found[-size].start()]
            word = before.rstrip(b" \t")  # a word of spaces alone is followed by one more
            fields = [word or before[:-1], *(match[0] for match in found[-size:])]
        if b" " in fields[0]:
            fields[0] = fields[0].strip(b" ") or fields[0]
            self._check_spaced(fields[0], number)
        return fields

    def _wrong_length(self, fields: list[bytes], number: int) -> FormatError:
        """What is wrong with a line that does not have D numbers."""
        values = fields[1:] if self._worded else fields
        column = next(
            (place for place, field in enumerate(values) if _NEARLY_A_NUMBER.fullmatch(field)
             and not is_number(field)), None,
        )  # fmt: skip
        if column is not None:
            return self._no_number(values[column], column, number)
        return FormatError(
            f"{self._path} has {len(values)} values in line {number}, not the {self._size} of "
            f"{self._promise}; repair or remove that line."
        )

    def _check_spaced(self, word: bytes, number: int) -> None:
        """Tell a word with spaces (GloVe's 840B has some) from a line with too many numbers."""
        pieces = word.split()
        if len(pieces) < 2:
            return
        if is_number(pieces[-1]):
            raise FormatError(
                f"{self._path} has more than {self._size} values in line {number}, against "
                f"{self._promise}; repair that line, or correct the number of values."
            )
        if b"," in pieces[-1] and _NEARLY_A_NUMBER.fullmatch(pieces[-1]):
            raise self._no_number(pieces[-1], len(pieces) - 2, number)

    def _fault(self, split: Sequence[Sequence[bytes]]) -> FormatError:
        """What is wrong with a line of a block whose numbers are not read."""
        first, last = 0, len(split)
        while last - first > 1:
            middle = (first + last) // 2
            half = split[first:middle]
            good = self._fields(self._joined(half), len(half), worded=False) is not None
            first, last = (middle, last) if good else (first, middle)
        fields = split[first][-self._size :]
        column = next((place for place, field in enumerate(fields) if not is_number(field)), 0)
        return self._no_number(fields[column], column, self._line + first)

    def _no_number(self, field: bytes, column: int, number: int) -> FormatError:
        return not_a_number(self._path, field, column, number)


def not_a_number(path: Path, field: bytes, column: int, line: int) -> FormatError:
    """Build the error for the field ``column`` (counted from 0) of the values of a line."""
    remedy = "repair or remove that line"
    if _NEARLY_A_NUMBER.fullmatch(field) and b":" in field:
        remedy = "rows of position:value are sparse, write out every value"
    elif _NEARLY_A_NUMBER.fullmatch(field) and b"," in field:
        remedy = "write numbers with a decimal point, and separate them by spaces"
    return FormatError(
        f"{path} has {field[:40].decode(errors='replace')!r} as value {column + 1} in line {line}, "
        f"which is not a number; {remedy}."
    )


def is_number(field: bytes) -> bool:
    """Whether ``field`` is a number, as Polars sees it; Python takes a little more for one."""
    try:
        float(field)
    except ValueError:
        return False
    return field.isascii() and b"_" not in field and field == field.strip()


def looks_like_numbers(fields: Sequence[bytes]) -> bool:
    """Whether each field is a number, or meant for one: a reader says what is wrong with it."""
    return bool(fields) and all(
        is_number(field) or _NEARLY_A_NUMBER.fullmatch(field) for field in fields
    )


def size_of_rows(path: Path, file: IO[bytes], lines: int = LINES_SEEN) -> int:
    """D, which no header tells: what most of the first lines have after their words.

    A word may hold a space and a piece that looks like a number, so a single line tells nothing.

    Raises
    ------
    FormatError
        If a line has no number.
    """
    sizes: Counter[int] = Counter()
    worded = False
    for number in range(1, lines + 1):
        line = file.readline(LONGEST_ROW)
        if not line:
            break
        if number == 1:
            line = line.removeprefix(MARK)
        fields = re.split(rb"[ \t]+", line.rstrip(b" \t\r\n"))
        numbers = 0
        for field in reversed(fields[1:]):
            if not is_number(field):
                break
            numbers += 1
        if numbers == 0 and looks_like_numbers(fields[1:]):
            raise not_a_number(path, fields[1], 0, number)
        if len(fields) < 2 and (fields[0] or file.read(BLOCK).strip(b" \t\r\n")):
            raise FormatError(
                f"{path} is not GloVe text, words with numbers after them: line {number} has no "
                "number; name its format (--from), or fetch an undamaged copy."
            )
        sizes[numbers] += len(fields) > 1
        worded |= b" " in line or not is_number(fields[0])
    if not worded:
        raise FormatError(
            f"{path} is not GloVe text, words with numbers after them: its lines are numbers "
            "separated by tabs; name its format (--from tsv), if a second file has the words."
        )
    del sizes[0]
    if not sizes:
        raise FormatError(
            f"{path} is not GloVe text, words with numbers after them: no line ends with a number; "
            "name its format (--from), or fetch an undamaged copy."
        )
    most = max(sizes.values())
    return min(size for size, lines in sizes.items() if lines == most)


def _parsed_by_python(block: bytes, separator: bytes, size: int, *, worded: bool) -> Rows | None:
    """What :meth:`RowReader._frame` reads, without Polars."""
    names: list[bytes] = []
    numbers: list[bytes] = []
    for line in block[:-1].split(b"\n"):
        fields = line.split(separator)
        if len(fields) != size + worded:
            return None
        if worded:
            names.append(fields[0])
        numbers += fields[1:] if worded else fields
    text = separator.join(numbers)
    odd = re.search(rb"[_\x0b\x0c\r]" + (rb"|\t" if separator == b" " else rb"| "), text)
    if odd or not text.isascii():
        return None
    try:
        values = np.fromiter(map(float, numbers), dtype=np.float64, count=len(numbers))
        words = [name.decode() for name in names]
    except ValueError:
        return None
    return words, _rounded_once(values, numbers).reshape(-1, size)


def _rounded_once(values: NDArray[np.float64], texts: Sequence[bytes]) -> NDArray[np.float32]:
    """The float32 nearest to each decimal number, of which ``values`` are the nearest float64.

    Rounding twice errs only where the float64 lies halfway between two float32.
    """
    with np.errstate(over="ignore"):
        found = values.astype(np.float32)
    halfway = (values.view(np.uint64) & np.uint64(0x1FFFFFFF)) == 0x10000000
    small = (np.abs(values) < 2.0**-126) & (values != 0)
    for place in np.flatnonzero((halfway | small) & np.isfinite(values)).tolist():
        exact = Fraction(texts[place].decode())
        near = np.float32(found[place])
        below, above = (np.nextafter(near, np.float32(end)) for end in (-np.inf, np.inf))
        distances = [(abs(_exact(one) - exact), _is_odd(one), one) for one in (below, near, above)]
        found[place] = min(distances)[2]
    return found


def _is_odd(value: np.float32) -> bool:
    return bool(value.view(np.uint32) & np.uint32(1))


def _exact(value: np.float32) -> Fraction:
    if np.isfinite(value):
        return Fraction(float(value))
    return Fraction(2) ** 128 * (1 if value > 0 else -1)  # where infinity begins


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
    step = max(1, VALUES_AT_ONCE // matrix.shape[1])
    for start in range(0, matrix.shape[0], step):
        rows = np.asarray(matrix[start : start + step])
        names = None if words is None else words[start : start + step]
        if forked_after_polars():
            file.write(_printed_by_python(names, rows, separator).encode())
        else:
            _print_by_polars(file, names, rows, separator)


def _print_by_polars(
    file: IO[bytes], words: Sequence[str] | None, rows: NDArray[np.float32], separator: str
) -> None:
    import polars as pl

    frame = pl.DataFrame(rows, schema=[str(column) for column in range(rows.shape[1])])
    if words is not None:
        frame = frame.insert_column(0, pl.Series("word", list(words), dtype=pl.String))
    frame.write_csv(file, separator=separator, include_header=False, quote_style="never")


def _printed_by_python(
    words: Sequence[str] | None, rows: NDArray[np.float32], separator: str
) -> str:
    lines = []
    for place, row in enumerate(rows):
        fields = [] if words is None else [words[place]]
        fields += map(_printed, row)
        lines.append(separator.join(fields) + "\n")
    return "".join(lines)


def _printed(value: np.float32) -> str:
    """The fewest digits that tell ``value`` from other float32, laid out as Polars does it."""
    if not np.isfinite(value):
        return str(value).replace("nan", "NaN")
    scientific = np.format_float_scientific(value, unique=True, trim="-", exp_digits=1)
    if value == 0 or -7 < int(scientific.partition("e")[2]) < 13:
        return np.format_float_positional(value, unique=True, trim="0")
    return scientific
