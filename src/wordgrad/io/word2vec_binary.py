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
The file is read in blocks.  The end of each word is found by the C search for a space; its values
are cut out as bytes, and blocks of rows become an array at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from wordgrad.errors import CutShortError, FormatError
from wordgrad.io import compression
from wordgrad.io.common import (
    LONGEST_ROW,
    ROWS_AT_ONCE,
    LoadOptions,
    MatrixBuilder,
    VectorParts,
    WordDecoder,
    assembled,
    check_room,
    check_words,
)
from wordgrad.io.text import HOLDERS
from wordgrad.io.word2vec_text import FORBIDDEN, HEADER_BYTES, read_header

BLOCK = 8 << 20  # bytes held at a time


def write(parts: VectorParts, path: Path) -> None:
    """Write ``parts`` to a new file at ``path``."""
    words = check_words(parts, "word2vec binary", FORBIDDEN, holders=HOLDERS)
    with path.open("wb") as file:
        file.write(f"{len(parts)} {parts.vector_size}\n".encode())
        write_rows(file, words, parts.matrix)


def write_rows(file: IO[bytes], words: Sequence[str], matrix: NDArray[np.float32]) -> None:
    """Write rows, each a word and its values; what a header says is the caller's business."""
    width = 4 * matrix.shape[1]
    for start in range(0, len(words), ROWS_AT_ONCE):
        rows = matrix[start : start + ROWS_AT_ONCE].astype("<f4").tobytes()
        names = words[start : start + ROWS_AT_ONCE]
        file.write(
            b"".join(
                b"%b %b\n" % (word.encode(), rows[width * row : width * (row + 1)])
                for row, word in enumerate(names)
            )
        )


def read(path: Path, options: LoadOptions) -> VectorParts:
    """Read a file of this format; see :func:`wordgrad.load`."""
    compressed = compression.compression_of_file(path) is not None
    with compression.opened(path) as file:
        header = file.readline(HEADER_BYTES)
        rows, size = read_header(path, header)
        available = None if compressed else path.stat().st_size - len(header)
        check_room(
            path, rows, size, bytes_a_row=4 * size + 1, available=available, place="its header"
        )
        wanted = options.rows(rows)
        source = _Rows(path, file, size, len(header))
        decoder = WordDecoder(path, options.errors, encoding=options.encoding)
        builder = MatrixBuilder(path, size, None if compressed else wanted)
        words: list[str] = []
        while builder.rows < wanted:
            names, values = source.take(builder.rows, min(ROWS_AT_ONCE, wanted - builder.rows))
            words += decoder.decode(names, builder.rows)
            builder.add(np.frombuffer(b"".join(values), dtype="<f4").reshape(-1, size))
        if options.limit is None or rows < options.limit:
            source.check_end(f"the {rows} words with {size} values that its header promises")
    return assembled(path, words, builder.finish(), options, remarks=decoder.remarks)


class _Rows:
    """Rows cut out of a file, a block of its bytes at a time."""

    def __init__(self, path: Path, file: IO[bytes], size: int, start: int) -> None:
        self._path, self._file, self._width = path, file, 4 * size
        self._held = b""
        self._begin = start  # where in the file the held bytes begin
        self._place = 0  # where in the held bytes the next row begins

    def take(self, first: int, rows: int) -> tuple[list[bytes], list[bytes]]:
        """Words and values, as bytes, of ``rows`` rows, the first of which is row ``first``.

        Fewer rows than that are returned where a row takes much.

        Raises
        ------
        FormatError
            If the file ends before, or a row is too long.
        """
        names: list[bytes] = []
        values: list[bytes] = []
        held, place, width = self._held, self._place, self._width
        find = held.find
        while len(names) < rows:
            end = find(b" ", place)
            after = end + 1 + width
            if end < 0 or after > len(held):
                self._place = place
                if names:
                    break
                self._refill(first)
                held, place = self._held, self._place
                find = held.find
                continue
            names.append(held[place:end].lstrip(b"\n"))  # the line feed that ended the row before
            values.append(held[end + 1 : after])
            place = after
        self._place = place
        return names, values

    def _refill(self, row: int) -> None:
        rest = self._held[self._place :]
        more = self._file.read(max(BLOCK, self._width))
        if not more:
            raise CutShortError(
                f"{self._path} is cut short in row {row} (from byte {self._begin + self._place} "
                "on), or its header promises too many words or values; fetch a whole copy."
            )
        if len(rest) > LONGEST_ROW + self._width:
            raise FormatError(
                f"{self._path} has a word of more than {LONGEST_ROW} bytes in row {row}; fetch an "
                "undamaged copy, or name its format (--from)."
            )
        self._begin += self._place
        self._held, self._place = rest + more, 0

    def check_end(self, promise: str) -> None:
        """Refuse anything but line ends after the last row.

        Raises
        ------
        FormatError
            Which names the place.
        """
        at = self._begin + self._place
        rest = self._held[self._place :] + self._file.read(BLOCK)
        if rest.strip(b"\r\n"):
            skipped = int(rest[:1] == b"\n")  # it ends the last row
            more = " or more" if len(rest) >= BLOCK else ""
            raise FormatError(
                f"{self._path} holds {len(rest) - skipped} bytes{more} more than {promise} (from "
                f"byte {at + skipped} on); correct the header, or name its format (--from)."
            )
