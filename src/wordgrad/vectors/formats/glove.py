"""Word vectors as Stanford's GloVe publishes them: text without a header.

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

from pathlib import Path

from wordgrad.errors import FormatError
from wordgrad.vectors.formats.reading import Opening, assembled, check_words
from wordgrad.vectors.formats.text_rows import BLOCK, RowReader, count_lines, write_rows
from wordgrad.vectors.formats.word2vec_header import FORBIDDEN, HOLDERS
from wordgrad.vectors.word_vectors import WordVectors

LINES_SEEN = 100
LONGEST_LINE = 16 * BLOCK  # as long as rows may be: a word of megabytes is a word


def write(vectors: WordVectors, path: Path) -> None:
    """Write ``vectors`` to a new file at ``path``."""
    words = check_words(vectors, "GloVe text", FORBIDDEN, holders=HOLDERS)
    with path.open("wb") as file:
        write_rows(file, words, vectors.matrix)


def read(path: Path, opening: Opening) -> WordVectors:
    """Read a file of this format; see :func:`wordgrad.vectors.formats.load`."""
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
