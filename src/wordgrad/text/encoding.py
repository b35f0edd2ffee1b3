"""First pass: text to provisional ids on disk, counted on the way."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from wordgrad.text.reading import Piece
from wordgrad.text.tokens import END, TextBlock, TokenBlock, Tokenizer
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


@dataclass(frozen=True)
class _Encoded:
    ids: NDArray[np.uint32]
    counts: NDArray[np.int64]  # of every provisional id up to the largest in ids
    replaced: int


class FirstPass:
    """Encodes pieces with some threads and writes the ids in the order of the text.

    Attributes
    ----------
    counts : int64 array
        How often each provisional id was written; ``counts[END]`` is the number of sentences.
    bytes_done, replaced : int
        Bytes read, and how many of them were not UTF-8 and replaced.
    """

    def __init__(self, tokenizer: Tokenizer, *, errors: str, bytes_total: int | None) -> None:
        self.counts = np.zeros(1, dtype=np.int64)
        self.bytes_done = 0
        self.replaced = 0
        self._tokenizer = tokenizer
        self._errors = errors
        self._bytes_total = bytes_total
        self._tokens = 0
        self._file: str | None = None
        self._lines = 0  # of that file, before the piece in hand

    def run(
        self,
        pieces: Iterator[Piece],
        out: BinaryIO,
        *,
        workers: int,
        progress: ProgressCallback | None,
    ) -> None:
        """Encode all ``pieces`` into ``out`` as uint32.

        At most ``workers + 1`` pieces are held at a time, whatever the length of the text.
        """
        waiting: deque[tuple[Piece, Future[_Encoded]]] = deque()
        pool = ThreadPoolExecutor(workers, thread_name_prefix="wordgrad-text")
        try:
            for piece in pieces:
                if len(waiting) > workers:
                    self._finish(*waiting.popleft(), out, progress)
                waiting.append((piece, pool.submit(self._encode, piece)))
            while waiting:
                self._finish(*waiting.popleft(), out, progress)
        finally:
            pool.shutdown(cancel_futures=True)

    def _encode(self, piece: Piece) -> _Encoded:
        """Runs in a thread: Polars and NumPy let the others go on meanwhile."""
        replaced = 0
        try:
            ids = self._tokenizer.encode(piece.block)
        except UnicodeDecodeError:
            if self._errors == "strict" or isinstance(piece.block, TokenBlock):
                raise
            data, replaced = replace_invalid(piece.block.data)
            ids = self._tokenizer.encode(TextBlock(data))
        return _Encoded(ids, np.bincount(ids), replaced + piece.replaced)

    def _finish(
        self,
        piece: Piece,
        future: Future[_Encoded],
        out: BinaryIO,
        progress: ProgressCallback | None,
    ) -> None:
        if piece.name != self._file:
            self._file, self._lines = piece.name, 0
        try:
            encoded = future.result()
        except UnicodeDecodeError as error:
            raise not_utf8(piece.name, self._lines, error) from None
        out.write(encoded.ids.data)
        self._count(encoded.counts)
        self.replaced += encoded.replaced
        self.bytes_done = piece.bytes_done
        if progress is not None:
            state = ReadingProgress(piece.bytes_done, self._bytes_total, self._tokens, piece.name)
            progress(state)

    def _count(self, counts: NDArray[np.int64]) -> None:
        if len(counts) == 0:
            return
        if len(counts) > len(self.counts):  # doubling keeps the copying linear
            grown = np.zeros(max(len(counts), 2 * len(self.counts)), dtype=np.int64)
            grown[: len(self.counts)] = self.counts
            self.counts = grown
        self.counts[: len(counts)] += counts
        self._lines += int(counts[END])
        self._tokens += int(counts.sum() - counts[END])
