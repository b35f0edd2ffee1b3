r"""Word vectors as word2vec writes them with ``-binary 1`` (GoogleNews, for one).

Layout
------
====================== ==========================================================================
header                 ``V D\n`` in decimal ASCII digits: words, values of each
then V times: word     UTF-8 bytes, at least none, without space and line feed
one byte               space (0x20)
4 D bytes              the values, IEEE 754 float32, little-endian
one byte or none       line feed (0x0A): word2vec.c writes it, gensim does not; wordgrad does
====================== ==========================================================================

Nothing tells where a row begins but the end of the row before, so one wrong byte in the header
shifts all that follows; what is read then is mostly refused as no UTF-8, or as values that are not
finite.  The format has no checksum: prefer safetensors for keeping.

Design
------
The file is mapped.  The end of each word is found by the C search for a space; its values are cut
out as bytes, and blocks of rows become an array at once.
"""

from __future__ import annotations

import mmap
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wordgrad.errors import FormatError
from wordgrad.io.common import ROWS_AT_ONCE, Opening, assembled, check_room, check_words
from wordgrad.io.text import FORBIDDEN, HEADER_BYTES, HOLDERS, read_header
from wordgrad.word_vectors import WordVectors


def write(vectors: WordVectors, path: Path) -> None:
    """Write ``vectors`` to a new file at ``path``."""
    words = check_words(vectors, "word2vec binary", FORBIDDEN, holders=HOLDERS)
    width = 4 * vectors.vector_size
    with path.open("wb") as file:
        file.write(f"{len(vectors)} {vectors.vector_size}\n".encode())
        for start in range(0, len(words), ROWS_AT_ONCE):
            rows = vectors.matrix[start : start + ROWS_AT_ONCE].astype("<f4").tobytes()
            names = words[start : start + ROWS_AT_ONCE]
            file.write(
                b"".join(
                    b"%b %b\n" % (word.encode(), rows[width * row : width * (row + 1)])
                    for row, word in enumerate(names)
                )
            )


def read(path: Path, opening: Opening) -> WordVectors:
    """Read a file of this format; see :func:`wordgrad.load`."""
    with path.open("rb") as file:
        header = file.readline(HEADER_BYTES)
        rows, size = read_header(path, header)
        available = path.stat().st_size - len(header)
        check_room(
            path, rows, size, bytes_a_row=4 * size + 1, available=available, place="its header"
        )
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            words, matrix = _rows(path, mapped, len(header), rows, size)
    return assembled(path, words, matrix, opening)


def _rows(
    path: Path, mapped: mmap.mmap, place: int, rows: int, size: int
) -> tuple[list[str], NDArray[np.float32]]:
    matrix = np.empty((rows, size), dtype=np.float32)
    words: list[str] = []
    for start in range(0, rows, ROWS_AT_ONCE):
        stop = min(start + ROWS_AT_ONCE, rows)
        names, values, place = _cut(path, mapped, place, (start, stop), 4 * size)
        words += _decoded(path, names, start)
        matrix[start:stop] = np.frombuffer(b"".join(values), dtype="<f4").reshape(-1, size)
    left = len(mapped) - place
    if left:
        raise FormatError(
            f"{path} holds {left} bytes more than the {rows} words with {size} values that its "
            f"header promises (from byte {place} on); correct the header, or name its format "
            "(--from)."
        )
    return words, matrix


def _cut(
    path: Path, mapped: mmap.mmap, place: int, rows: tuple[int, int], width: int
) -> tuple[list[bytes], list[bytes], int]:
    """Words and values of a block of rows as bytes, and where the next row begins."""
    names, values = [], []
    total, find, line_feed = len(mapped), mapped.find, 10
    for row in range(*rows):
        end = find(b" ", place)
        after = end + 1 + width
        if end < 0 or after > total:
            raise FormatError(
                f"{path} is cut short in row {row} (from byte {place} on), or its header "
                "promises too many words or values; fetch a whole copy."
            )
        names.append(mapped[place:end])
        values.append(mapped[end + 1 : after])
        place = after + (after < total and mapped[after] == line_feed)
    return names, values, place


def _decoded(path: Path, names: list[bytes], start: int) -> list[str]:
    try:
        return [name.decode() for name in names]
    except UnicodeDecodeError:
        for row, name in enumerate(names, start):
            try:
                name.decode()
            except UnicodeDecodeError as error:
                raise FormatError(
                    f"{path} has a word that is not UTF-8 in row {row} ({name[:40]!r}); the file "
                    "is damaged, or its header promises another number of values than it holds: "
                    "fetch an undamaged copy."
                ) from error
        raise
