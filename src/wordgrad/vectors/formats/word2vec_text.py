"""Word vectors as word2vec writes them with ``-binary 0``; gensim and fastText (``.vec``), too.

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
"""

from __future__ import annotations

from pathlib import Path

from wordgrad.vectors.formats.reading import Opening, assembled, check_room, check_words
from wordgrad.vectors.formats.text_rows import RowReader, write_rows
from wordgrad.vectors.formats.word2vec_header import (
    FORBIDDEN,
    HEADER_BYTES,
    HOLDERS,
    read_header,
)
from wordgrad.vectors.word_vectors import WordVectors


def write(vectors: WordVectors, path: Path) -> None:
    """Write ``vectors`` to a new file at ``path``."""
    words = check_words(vectors, "word2vec text", FORBIDDEN, holders=HOLDERS)
    with path.open("wb") as file:
        file.write(f"{len(vectors)} {vectors.vector_size}\n".encode())
        write_rows(file, words, vectors.matrix)


def read(path: Path, opening: Opening) -> WordVectors:
    """Read a file of this format; see :func:`wordgrad.vectors.formats.load`."""
    with path.open("rb") as file:
        rows, size = read_header(path, file.readline(HEADER_BYTES))
        available = path.stat().st_size - file.tell()
        check_room(
            path, rows, size, bytes_a_row=2 * size + 1, available=available, place="its header"
        )
        words, matrix = RowReader(path, size, first_line=2).read(file, rows)
    return assembled(path, words, matrix, opening, place=lambda row: f"line {row + 2}")
