"""Word vectors as Stanford's GloVe publishes them: text without a header.

Layout
------
UTF-8 text.  Each line is a word, a space, D numbers separated by single spaces, a line feed.
Nothing tells V and D: V is the number of lines, D the number of values that most of the first
``LINES_SEEN`` lines have (``glove.840B.300d`` has some words with spaces in them)::

    the 0.1 -0.25 1e-05
    café 1.5 2.0 0.0

wordgrad writes no word with a space, a tab or a line feed, and every number with a point or an
exponent, so that no first line looks like a word2vec header.  A byte-order mark at the beginning is
skipped; before a first word that begins with that very character, one is written.  What other
programs write is read as in :mod:`wordgrad.io.word2vec_text`.  Counts and metadata have no place
here.
"""

from __future__ import annotations

from pathlib import Path

from wordgrad.io import compression
from wordgrad.io.common import LoadOptions, VectorParts, assembled, check_words
from wordgrad.io.text import HOLDERS, LINES_SEEN, MARK, RowReader, size_of_rows, write_rows

FORBIDDEN = " \t\n"


def write(parts: VectorParts, path: Path) -> None:
    """Write ``parts`` to a new file at ``path``."""
    words = check_words(parts, "GloVe text", FORBIDDEN, holders=HOLDERS)
    with path.open("wb") as file:
        if words[0].startswith(MARK.decode()):
            file.write(MARK)
        write_rows(file, words, parts.matrix)


def read(path: Path, options: LoadOptions) -> VectorParts:
    """Read a file of this format; see :func:`wordgrad.load`."""
    with compression.opened(path) as file:
        size = size_of_rows(path, file, options.rows(LINES_SEEN))
    compressed = compression.compression_of_file(path) is not None
    with compression.opened(path) as file:
        if file.peek(len(MARK)).startswith(MARK):
            file.read(len(MARK))
        reader = RowReader(path, size, options, promise="its first lines")
        words, matrix = reader.read(file, None, total=None if compressed else path.stat().st_size)
    return assembled(
        path,
        words,
        matrix,
        options,
        place=lambda row: f"line {row + 1}",
        remarks=reader.remarks,
    )
