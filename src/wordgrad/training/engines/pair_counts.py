"""Counts of pairs on disk: expected pairs of a whole corpus, row by row, in bounded memory."""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordgrad.corpus.corpus import CorpusFolder
from wordgrad.errors import InputError, OutputError
from wordgrad.training.engine import CountingProgress
from wordgrad.training.kernels.draw import Reach
from wordgrad.training.kernels.softmax import add_expected_pairs

BLOCK_BYTES = 1 << 28
"""Memory of the dense blocks of counts that are being added to, all threads together: 256 MiB."""

SHARES_OF_TOKENS = 16
"""A block has about this share of all tokens at most, so that no thread waits long for another."""

TOLERANCE = 1e-9
"""Share of a token's pairs that may be left out where a sentence goes on and on: below rounding."""

ROUNDING = 1.5 * 2.0**20
"""Of a probability to a multiple of 2^-32, so that up to 2^21 pairs of the same two words add up
exactly, in whatever order."""

BYTES_A_COUNT = 4 + 8
_COLUMNS, _VALUES = "columns.int32", "counts.float64"


@dataclass(frozen=True)
class PairCounts:
    """The matrix X of expected pairs, in compressed rows.

    Attributes
    ----------
    starts : int64 (V + 1,)
        Row c is ``columns[starts[c]:starts[c + 1]]`` with the values ``values[...]``.
    columns : int32 (N,), read-only
        Rising within a row.
    values : float64 (N,), read-only
        X[c, o] > 0.
    totals : float64 (V,)
        n_c, the sums of the rows.
    left_out : float
        The most that all pairs left out add up to.

    Notes
    -----
    ``columns`` and ``values`` are files in a temporary folder, mapped into memory, which go away
    with the object.
    """

    starts: NDArray[np.int64]
    columns: NDArray[np.int32]
    values: NDArray[np.float64]
    totals: NDArray[np.float64]
    left_out: float
    folder: CorpusFolder | None = None

    @property
    def n_words(self) -> int:
        """V."""
        return len(self.totals)

    @property
    def pairs(self) -> float:
        """Sum of all counts: the expected number of pairs in the corpus."""
        return float(self.totals.sum())

    def rows(
        self, words: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64]]:
        """Return copies of some rows: where each begins, columns and values."""
        sizes = self.starts[words + 1] - self.starts[words]
        begin = np.concatenate([[0], np.cumsum(sizes)])
        columns = np.empty(begin[-1], np.int32)
        values = np.empty(begin[-1], np.float64)
        for k, word in enumerate(words):
            row = slice(self.starts[word], self.starts[word + 1])
            columns[begin[k] : begin[k + 1]] = self.columns[row]
            values[begin[k] : begin[k + 1]] = self.values[row]
        return begin, columns, values

    def close(self) -> None:
        """Remove the files."""
        if self.folder is not None:
            self.folder.remove()


def count_pairs(
    ids: NDArray[np.int32],
    offsets: NDArray[np.int64],
    keep: NDArray[np.float64],
    window: int | Reach,
    *,
    workers: int = 1,
    block_bytes: int = BLOCK_BYTES,
    tolerance: float = TOLERANCE,
    progress: Callable[[CountingProgress], object] | None = None,
) -> PairCounts:
    """Count the expected pairs of a corpus.

    ``X[c, o] = sum k_i k_j E[w(L)]`` over the places i of c and j of o in one sentence, with L kept
    tokens between them and ``w(L) = P(reach > L)``; see :mod:`wordgrad.training.kernels.softmax`.

    Parameters
    ----------
    ids, offsets : the corpus, see :class:`~wordgrad.corpus.corpus.EncodedCorpus`
    keep : float64 (V,)
        Probability that an occurrence of each word is kept.
    window : int or Reach
        m, or how far windows reach on either side.
    workers : int
        Threads; they change no byte of the result.
    block_bytes : int
        Memory for the rows at work, but one row a thread at least.  Neither does it.
    tolerance : float
        Share of a token's pairs that may be left out.
    progress : callable, optional

    Returns
    -------
    PairCounts

    Raises
    ------
    InputError
        If no sentence holds two tokens.
    OutputError
        If the temporary folder cannot be written, or has less free space than the counts need.
    """
    reach = Reach.of(window) if isinstance(window, int) else window
    counter = Counter([(ids, offsets)], keep, weights_of(reach), tolerance)
    blocks = blocks_of(np.bincount(ids, minlength=len(keep)), workers, block_bytes)
    counts = write_counts(counter, blocks, workers, progress)
    if not counts.pairs:
        counts.close()
        raise no_pairs()
    return counts


def no_pairs() -> InputError:
    """What is to be said of a text without a pair."""
    return InputError(
        "No sentence holds two words, so there is nothing to learn from; give longer "
        "sentences, or lower min_count."
    )


def write_counts(
    counter: Counter,
    blocks: Sequence[tuple[int, int]],
    workers: int,
    progress: Callable[[CountingProgress], object] | None = None,
    exchange: Callable[[CountsBlock], CountsBlock] | None = None,
    parent: Path | None = None,
) -> PairCounts:
    """Count blocks of rows one after another, and write them to a temporary folder.

    Parameters
    ----------
    counter : Counter
    blocks : sequence of (int, int)
        As of :func:`blocks_of`.
    workers : int
    progress : callable, optional
    exchange : callable, optional
        Returns what is to be kept of a block: on a cluster some columns of it, with what others
        have counted there.
    parent : path, optional
        Of the folder; by default where the system keeps temporary files.

    Raises
    ------
    OutputError
        As :func:`count_pairs`.
    """
    n_words = len(counter.keep)
    folder = CorpusFolder(parent, what="The counts of pairs")
    try:
        starts = np.zeros(n_words + 1, np.int64)
        totals = np.zeros(n_words)
        left_out = 0.0
        with (
            folder.new_file(_COLUMNS) as write_columns,
            folder.new_file(_VALUES) as write_values,
        ):
            for counted in _in_order(counter, list(blocks), workers):
                block = counted if exchange is None else exchange(counted)
                _check_capacity(folder, len(block.columns))
                write_columns(block.columns)
                write_values(block.values)
                starts[block.first + 1 : block.first + 1 + len(block.sizes)] = block.sizes
                totals[block.first : block.first + len(block.sizes)] = block.totals
                left_out += block.left_out
                if progress is not None:
                    progress(
                        CountingProgress(
                            block.first + len(block.sizes), n_words, float(totals.sum())
                        )
                    )
        np.cumsum(starts, out=starts)
        columns, values = np.empty(0, np.int32), np.empty(0, np.float64)
        if starts[-1]:
            # As plain arrays, whose slices cost half as much.
            columns = np.asarray(np.memmap(folder.path / _COLUMNS, np.int32, "r"))
            values = np.asarray(np.memmap(folder.path / _VALUES, np.float64, "r"))
        return PairCounts(starts, columns, values, totals, left_out, folder)
    except BaseException:
        folder.remove()
        raise


def weights_of(reach: Reach) -> NDArray[np.float64]:
    """The probabilities that a window reaches past L kept tokens, and their sums from L on."""
    last = reach.least + reach.choices - 1
    past = (last - np.arange(reach.most, dtype=np.float64)) / reach.choices
    past = past.clip(0.0, 1.0)
    return np.stack([past, past[::-1].cumsum()[::-1]])


@dataclass(frozen=True)
class CountsBlock:
    """Counts of the words from ``first`` on: of each row how many, their columns and values.

    Attributes
    ----------
    first : int
    sizes : int64 (rows,)
    columns, values : int32 (N,), float64 (N,)
    totals : float64 (rows,)
        Sums of the rows.
    left_out : float
    """

    first: int
    sizes: NDArray[np.int64]
    columns: NDArray[np.int32]
    values: NDArray[np.float64]
    totals: NDArray[np.float64]
    left_out: float

    @classmethod
    def of(cls, first: int, dense: NDArray[np.float64], left_out: float) -> CountsBlock:
        """Compress rows of counts."""
        sizes, columns, values = [], [], []
        for row in dense:
            found = np.flatnonzero(row)
            sizes.append(len(found))
            columns.append(found.astype(np.int32))
            values.append(row[found])
        return cls(
            first,
            np.array(sizes, np.int64),
            np.concatenate(columns),
            np.concatenate(values),
            dense.sum(axis=1),
            left_out,
        )


@dataclass(frozen=True)
class Counter:
    """Counts one block of rows; several threads may call it at once.

    Attributes
    ----------
    texts : sequence of (int32 (T,), int64 (S + 1,))
        Ids and offsets of sentences.
    keep : float64 (V,)
        Probability that an occurrence of each word is kept.
    weights : float64 (2, R)
        As of :func:`weights_of`.
    tolerance, rounding : float
        See :mod:`wordgrad.training.kernels.softmax`.
    """

    texts: Sequence[tuple[NDArray[np.int32], NDArray[np.int64]]]
    keep: NDArray[np.float64]
    weights: NDArray[np.float64]
    tolerance: float = TOLERANCE
    rounding: float = 0.0

    def __call__(self, first: int, last: int) -> CountsBlock:
        """Count the pairs of the words ``first`` to ``last``."""
        dense = np.zeros((last - first, len(self.keep)))
        q = np.zeros(self.weights.shape[1] + 1)
        left_out = 0.0
        for ids, offsets in self.texts:
            left_out += add_expected_pairs(
                ids, offsets, self.keep, self.weights, self.tolerance, self.rounding, first, last,
                dense, q,
            )  # fmt: skip
        return CountsBlock.of(first, dense, left_out)


def blocks_of(
    counts: NDArray[np.int64], workers: int, block_bytes: int = BLOCK_BYTES
) -> list[tuple[int, int]]:
    """Cut the words into blocks that fit the memory and have no more than a share of the tokens.

    Parameters
    ----------
    counts : int64 (V,)
        Of the tokens of each word.
    workers : int
    block_bytes : int
        Of the blocks of all workers; but one row at least.
    """
    # Half of the memory for the dense rows, half for the compressed ones made of them.
    most_rows = max(1, block_bytes // (2 * 8 * len(counts) * workers))
    most_tokens = counts.sum() / SHARES_OF_TOKENS
    first, tokens = 0, 0
    blocks = []
    for word, count in enumerate(counts.tolist()):
        if word > first and (word - first >= most_rows or tokens + count > most_tokens):
            blocks.append((first, word))
            first, tokens = word, 0
        tokens += count
    return [*blocks, (first, len(counts))]


def _in_order(
    counter: Counter, blocks: list[tuple[int, int]], workers: int
) -> Iterator[CountsBlock]:
    """Count the blocks on some threads; give them in order, with few of them in memory."""
    waiting: deque[Future[CountsBlock]] = deque()
    remaining = iter(blocks)
    with ThreadPoolExecutor(workers, thread_name_prefix="wordgrad-count") as pool:
        try:
            for block in remaining:
                waiting.append(pool.submit(counter, *block))
                if len(waiting) > workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _check_capacity(folder: CorpusFolder, n_counts: int) -> None:
    """Raise before a block is written that would not fit the disk."""
    free = shutil.disk_usage(folder.path).free
    if n_counts * BYTES_A_COUNT > free:
        raise OutputError(
            f"The counts of pairs need {n_counts * BYTES_A_COUNT:,} more bytes in {folder.path}, "
            f"where {free:,} are free; set TMPDIR to a folder on a larger disk, or keep fewer "
            "words with max_vocab."
        )


def counts_of(pairs: Any, n_words: int) -> PairCounts:
    """Return the counts of pairs ``(c, o)`` in memory: for tests and gradient checks."""
    dense = np.zeros((n_words, n_words))
    for c, o in pairs:
        dense[c, o] += 1
    rows, columns = np.nonzero(dense)
    starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=n_words))])
    return PairCounts(
        starts.astype(np.int64),
        columns.astype(np.int32),
        dense[rows, columns],
        dense.sum(axis=1),
        0.0,
    )
