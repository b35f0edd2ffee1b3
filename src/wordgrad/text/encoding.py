"""First pass: text to provisional ids on disk, counted on the way."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from wordgrad.errors import InputError
from wordgrad.text.reading import Piece
from wordgrad.text.seams import Seams
from wordgrad.text.tokens import EMPTY, END, TextBlock, TokenBlock, Tokenizer
from wordgrad.text.utf8 import not_utf8, replace_invalid


@dataclass(frozen=True)
class ReadingProgress:
    """How far the reading is.

    Attributes
    ----------
    bytes_done : int
        Bytes read, as they lie on disk (compressed ones where they are).
    bytes_total : int or None
        Size of all files; None for standard input and for sentences in memory.
    tokens : int
        Tokens read so far.
    file : str
        Name of the file being read; empty for sentences in memory.
    """

    bytes_done: int
    bytes_total: int | None
    tokens: int
    file: str


ProgressCallback = Callable[[ReadingProgress], object]
_Encoded: TypeAlias = tuple[NDArray[np.uint32], int]  # ids, bytes replaced


class FirstPass:
    """Encodes pieces with some threads and writes the ids in the order of the text.

    Attributes
    ----------
    counts : int64 array
        How often each provisional id was written; ``counts[END]`` is the number of sentences.
    bytes_done, replaced : int
        Bytes read, and how many of them were not UTF-8 and replaced.
    """

    def __init__(self, *, errors: str, bytes_total: int | None) -> None:
        self.counts = np.zeros(EMPTY + 1, dtype=np.int64)
        self.bytes_done = 0
        self.replaced = 0
        self._errors = errors
        self._bytes_total = bytes_total
        self._ids = 0
        self._file = ""
        self._file_line = 0  # lines of all files before that one

    def run(
        self,
        pieces: Iterator[Piece],
        tokenizer: Tokenizer,
        write: Callable[[NDArray[np.uint32]], object],
        *,
        workers: int,
        progress: ProgressCallback | None,
    ) -> None:
        """Encode all ``pieces`` and hand the ids to ``write``, in the order of the text.

        At most ``workers + 1`` pieces are held at a time, whatever the length of the text.
        """
        waiting: deque[tuple[Piece, Future[_Encoded]]] = deque()
        seams = Seams(tokenizer)
        pool = ThreadPoolExecutor(workers, thread_name_prefix="wordgrad-text")
        try:
            for piece in pieces:
                seams.check(piece)
                if len(waiting) > workers:
                    self._finish(*waiting.popleft(), write, progress)
                waiting.append((piece, pool.submit(self._encode, tokenizer, piece)))
            while waiting:
                self._finish(*waiting.popleft(), write, progress)
        finally:
            pool.shutdown(cancel_futures=True)

    def _encode(self, tokenizer: Tokenizer, piece: Piece) -> _Encoded:
        """Runs in a thread: Polars and NumPy let the others go on meanwhile."""
        try:
            return tokenizer.encode(piece.block), piece.replaced
        except UnicodeDecodeError:
            if self._errors == "strict" or isinstance(piece.block, TokenBlock):
                raise
        data, replaced = replace_invalid(piece.block.data)
        return tokenizer.encode(TextBlock(data)), replaced

    def _finish(
        self,
        piece: Piece,
        future: Future[_Encoded],
        write: Callable[[NDArray[np.uint32]], object],
        progress: ProgressCallback | None,
    ) -> None:
        lines = int(self.counts[END])
        try:
            ids, replaced = future.result()
        except UnicodeDecodeError as error:
            raise self._not_utf8(piece, lines, error) from None
        write(ids)
        self._count(ids)
        self.replaced += replaced
        self.bytes_done = piece.bytes_done
        if piece.starts and isinstance(piece.block, TextBlock):
            last = piece.starts[-1]
            self._file = last.name
            self._file_line = lines + piece.block.data.count(b"\n", 0, last.offset)
        if progress is not None:
            tokens = self._ids - int(self.counts[END] + self.counts[EMPTY])
            progress(ReadingProgress(piece.bytes_done, self._bytes_total, tokens, self._file))

    def _not_utf8(self, piece: Piece, lines: int, error: UnicodeDecodeError) -> InputError:
        """Name file and line; ``lines`` is the number of lines before the piece."""
        inside = [start for start in piece.starts if start.offset <= error.start]
        if inside:
            name, begin, before = inside[-1].name, inside[-1].offset, 0
        else:
            name, begin, before = self._file, 0, lines - self._file_line
        line = before + error.object.count(b"\n", begin, error.start) + 1
        return not_utf8(name, line, error)

    def _count(self, ids: NDArray[np.uint32]) -> None:
        size = int(ids.max(initial=0)) + 1
        if size > len(self.counts):  # doubling keeps the copying linear
            grown = np.zeros(max(size, 2 * len(self.counts)), dtype=np.int64)
            grown[: len(self.counts)] = self.counts
            self.counts = grown
        # Unlike bincount, its cost does not depend on the number of types.
        np.add.at(self.counts, ids.astype(np.intp), 1)
        self._ids += len(ids)
