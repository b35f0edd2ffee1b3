"""Word vectors as word2vec writes them with ``-binary 0``; gensim and fastText (``.vec``), too.

Layout
------
UTF-8 text.  The first line holds two numbers in decimal digits, separated by a space: V, the number
of words, and D, the number of values of each.  V lines follow: the word, a space, D numbers
separated by single spaces, a line feed.  There may be a space before the line feed (word2vec.c,
fastText) and a carriage return (Windows)::

    2 3
    the 0.1 -0.25 1e-05
    café 1.5 2.0 0.0

A word holds neither a space nor a line feed; a no-break space (U+00A0) is a character like any
other.  wordgrad refuses to write such a word.  It reads one with spaces, if the piece before the
numbers is not a number itself; and what other programs write: a byte-order mark, tabs or several
spaces between fields, a last line without its line feed (with a remark, for the file may be cut
short), blank lines after the last one.  Counts and metadata have no place here.
"""

from __future__ import annotations

import re
from pathlib import Path

from wordgrad.errors import FormatError
from wordgrad.io import compression
from wordgrad.io.common import LoadOptions, VectorParts, assembled, check_room, check_words
from wordgrad.io.compression import PEEKED
from wordgrad.io.text import (
    HOLDERS,
    RowReader,
    is_number,
    looks_like_numbers,
    not_a_number,
    write_rows,
)

FORBIDDEN = " \n"
HEADER = re.compile(rb"(?:\xef\xbb\xbf)?[ \t]*(\d{1,18})[ \t]+(\d{1,18})[ \t]*\r?\n")
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


def write(parts: VectorParts, path: Path) -> None:
    """Write ``parts`` to a new file at ``path``."""
    words = check_words(parts, "word2vec text", FORBIDDEN, holders=HOLDERS)
    with path.open("wb") as file:
        file.write(f"{len(parts)} {parts.vector_size}\n".encode())
        write_rows(file, words, parts.matrix)


def read(path: Path, options: LoadOptions) -> VectorParts:
    """Read a file of this format; see :func:`wordgrad.load`."""
    with compression.opened(path) as file:
        header = file.readline(HEADER_BYTES)
        rows, size = read_header(path, header)
        left = None
        if compression.compression_of_file(path) is None:
            left = path.stat().st_size - len(header)
        fields = file.peek()[:PEEKED].partition(b"\n")[0].split()[1:]
        wrong = next((place for place, one in enumerate(fields) if not is_number(one)), None)
        if wrong is not None and looks_like_numbers(fields):
            raise not_a_number(path, fields[wrong], wrong, 2)
        check_room(path, rows, size, bytes_a_row=2 * size + 1, available=left, place="its header")
        reader = RowReader(path, size, options, first_line=2)
        words, matrix = reader.read(file, rows, total=left)
    return assembled(
        path,
        words,
        matrix,
        options,
        place=lambda row: f"line {row + 2}",
        remarks=reader.remarks,
    )
