"""The exact softmax of skip-gram on several nodes: each has some of the columns.

A pass takes blocks of B centre words one after another, and every block ends with a step on all of
``W_out``; so what could be dealt out are the columns, the words to predict.  They are cut into
ranges (:func:`ranges_of`), as many for any number of nodes, and a node owns some that follow one
another: their rows of ``W_out`` with Adagrad's sums, and their columns of the counts X.  All of
``W_in`` is on every node.  Range r has the words r, r + K, r + 2K, ..., so that frequent words, of
many pairs, are in all of them.

A block
    1. The logits of the ranges here, their exponentials, and of every row the greatest logit and
       the sum; these are all that nodes must wait for (8 B bytes).
    2. With those of all, the errors; from these the gradient of ``W_out`` here, and the step on it;
       and what these columns add to the gradient of the B inputs.

When an episode of some blocks ends, each node takes the steps on some of its inputs, of whose
gradients the others send it their parts, and sends the rows to all.  A word is a centre once a
pass, so nobody waits for that within it.

The order of sums
    Sums over ranges are those of a binary tree over all of them (:func:`branches`).  A node sends
    the sums of its largest whole branches, and whoever adds them up gets the same bytes.  The
    counts are whole multiples of 2^-32, which add up exactly in any order.  So nothing that is
    learned depends on the number of nodes, or of their threads; on the kind of processor it does,
    for which BLAS chooses how it multiplies.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from wordgrad.cluster.node import Here, Position, Post, Share, Text
from wordgrad.training.config import TrainingConfig
from wordgrad.training.engine import CountingProgress
from wordgrad.training.engines.block_softmax import logit_offset
from wordgrad.training.engines.pair_counts import (
    BLOCK_BYTES,
    ROUNDING,
    Counter,
    CountsBlock,
    PairCounts,
    blocks_of,
    no_pairs,
    weights_of,
    write_counts,
)
from wordgrad.training.engines.softmax import (
    OUTPUT_RATE,
    OVER_THE_PRODUCTS,
    Estimate,
    order_of_words,
    rows_of_block,
)
from wordgrad.training.kernels.softmax import (
    adagrad_rows,
    entries_of_ranges,
    errors_of_range,
    exponentials_in_place,
)
from wordgrad.training.parameters import all_finite
from wordgrad.training.sampling import keep_probabilities, reach_of

RANGE_WORDS = 512
"""Words of a range, or more: of fewer, what is done once a range takes its time."""

LEAST_RANGES = 16
"""If there are as many words."""

BLOCKS_AN_EPISODE = 16
"""After which their inputs take their steps, and the coordinator hears of it."""

COUNTING_BYTES = BLOCK_BYTES // 2
"""Of blocks of counts that are being added to on a node; as much may be on its way."""

_CHUNK = 1 << 20

T = TypeVar("T")
Key = tuple[int, int]
"""A branch of a tree: its height, and its place among those of that height."""


def ranges_of(n_words: int) -> int:
    """Return the number of ranges, a power of two.

    >>> ranges_of(70), ranges_of(20_000), ranges_of(5)
    (16, 32, 4)
    """
    wanted = max(n_words // RANGE_WORDS, min(n_words, LEAST_RANGES))
    return 1 << (wanted.bit_length() - 1)


def join(branches: dict[Key, T], add: Callable[[T, T], T]) -> dict[Key, T]:
    """Add up branches of a binary tree until none is left whose neighbour is here.

    The sum of a branch is that of its two halves, whoever adds them up.

    >>> join({(0, 1): "b", (0, 2): "c", (0, 3): "d"}, str.__add__)
    {(0, 1): 'b', (1, 1): 'cd'}
    """
    found: dict[Key, T] = {}
    level, here = 0, dict(branches)
    while here:
        above = {key: value for key, value in here.items() if key[0] > level}
        for (height, place), value in sorted(here.items(), key=lambda item: item[0]):
            if height != level or (place % 2 and (level, place - 1) in here):
                continue
            if place % 2 == 0 and (level, place + 1) in here:
                above[level + 1, place // 2] = add(value, here[level, place + 1])
            else:
                found[level, place] = value
        level, here = level + 1, above
    return found


def branches(
    first: int, rows: tuple[NDArray[Any], ...], add: Callable[..., tuple[NDArray[Any], ...]]
) -> dict[Key, tuple[Any, ...]]:
    """Add up leaves that follow one another: what :func:`join` does, a level at a time.

    >>> branches(3, (np.arange(3, 8),), lambda one, other: (one[0] + other[0],))
    {(0, 3): (np.int64(3),), (2, 1): (np.int64(22),)}
    """
    found: dict[Key, tuple[Any, ...]] = {}
    level = 0
    while len(rows[0]):
        if first % 2:
            found[level, first] = tuple(row[0] for row in rows)
            rows, first = tuple(row[1:] for row in rows), first + 1
        if len(rows[0]) % 2:
            found[level, first + len(rows[0]) - 1] = tuple(row[-1] for row in rows)
            rows = tuple(row[:-1] for row in rows)
        rows = add(tuple(row[::2] for row in rows), tuple(row[1::2] for row in rows))
        level, first = level + 1, first // 2
    return found


def branches_of(owners: range) -> list[Key]:
    """Return the largest whole branches of some ranges that follow one another.

    >>> branches_of(range(3, 8))
    [(0, 3), (2, 1)]
    """
    return sorted(branches(owners.start, (np.zeros(len(owners)),), lambda one, _: one))


def expected_on_node(config: TrainingConfig, n_words: int, n_nodes: int, speed: float) -> Estimate:
    """Estimate the memory of a node, and the time of a training.

    Parameters
    ----------
    config : TrainingConfig
    n_words, n_nodes : int
    speed : float
        Multiply-adds a second of the matrix products of all nodes together.
    """
    V, D, B = n_words, config.vector_size, rows_of_block(n_words)
    K = ranges_of(V)
    columns = -(-K // n_nodes) * -(-V // K)
    state = columns * (4 * D + 8) + V / n_nodes * (4 * D + 8)
    work = columns * 4 * B + (-(-K // n_nodes) + BLOCKS_AN_EPISODE) * 4 * B * D
    work += 4 * V * D + 24 * V
    # Copies of three states of this node, and of the one before it.
    memory = columns * (8 * D + 8) + 6 * state + max(work, 2 * COUNTING_BYTES)
    seconds = config.epochs * 3.0 * V * V * D / speed * OVER_THE_PRODUCTS
    return Estimate(memory, seconds, 2)


def store_bytes(config: TrainingConfig, n_words: int, n_nodes: int) -> int:
    """Return what a node's object store must hold: states, all that is learned, and counts."""
    V, D = n_words, config.vector_size
    rows = V * (4 * D + 8)
    counts = min(3 * COUNTING_BYTES // 2, 12 * V * V)
    return int(6 * 2 * rows / n_nodes + 2 * rows + counts)


class ColumnState(NamedTuple):
    """Rows of both matrices, and their sums of Adagrad, at the beginning of an episode.

    Attributes
    ----------
    words : range
    W_in, sums_in : float32 (words, D), float64 (words,)
    columns : range
        In the order of the ranges.
    W_out, sums_out : float32 (columns, D), float64 (columns,)
    """

    words: range
    W_in: NDArray[np.float32]
    sums_in: NDArray[np.float64]
    columns: range
    W_out: NDArray[np.float32]
    sums_out: NDArray[np.float64]


class Block(NamedTuple):
    """What the step of a block on the columns of a node needs.

    Attributes
    ----------
    inputs : float32 (B, D)
    totals : float64 (B,)
        Sums of the rows of X.
    edges : int64 (R + 1, B)
        Range r of row i of X has the entries ``edges[r, i]`` to ``edges[r + 1, i]``.
    columns, values : int32 (N,), float64 (N,)
    greatest, sums : float32 (R, B)
        Of every range, of the logits and of their exponentials.
    """

    inputs: NDArray[np.float32]
    totals: NDArray[np.float64]
    edges: NDArray[np.int64]
    columns: NDArray[np.int32]
    values: NDArray[np.float64]
    greatest: NDArray[np.float32]
    sums: NDArray[np.float32]


class ColumnOutcome(NamedTuple):
    """What an episode came to.

    Attributes
    ----------
    loss, pairs : float
        Of all columns; every node says the same.
    squares : float64 (words of the episode,)
        Of the gradient of each input that took its step here, else 0.
    bytes_sent : dict of str to int
        To other nodes: "sums" of exponentials, parts of the gradients of "inputs", and "rows" of
        ``W_in``.
    """

    loss: float
    pairs: float
    squares: NDArray[np.float64]
    bytes_sent: dict[str, int]


class Counted(NamedTuple):
    """What counting came to: the sums of the rows of X, by word, and what was sent for it."""

    totals: NDArray[np.float64]
    bytes_sent: dict[str, int]


def columns_in_order(n_words: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the words in the order of their columns, and where each range begins.

    >>> words, starts = columns_in_order(5)
    >>> words.tolist(), starts.tolist()
    ([0, 4, 1, 2, 3], [0, 2, 3, 4, 5])
    """
    K = ranges_of(n_words)
    ranges = [np.arange(r, n_words, K) for r in range(K)]
    return np.concatenate(ranges), np.cumsum([0, *map(len, ranges)])


class Columns(Share):
    """The share of a softmax: some columns; see the module."""

    def __init__(self, here: Here, config: TrainingConfig, text: Text) -> None:
        super().__init__(here, config, text)
        V = len(text.vocabulary)
        self._words, self._starts = columns_in_order(V)
        self._column = np.empty(V, np.int64)
        self._column[self._words] = np.arange(V)
        self._counts: PairCounts | None = None
        self._totals = np.ones(V)
        self._libraries = ThreadpoolController()
        self.prepared = CountingProgress(0, V, 0.0)
        _compile(config.vector_size)

    def load(
        self, number: int, bounds: Sequence[int], position: Position, *states: ColumnState
    ) -> None:
        """Take the columns of this node, and all inputs, at the beginning of an episode."""
        super().load(number, bounds, position)
        V, D, B = len(self._words), self._config.vector_size, rows_of_block(len(self._words))
        self._columns = range(*self._starts[list(bounds[number : number + 2])].tolist())
        self._W_in, self._sums_in = np.zeros((V, D), np.float32), np.zeros(V)
        self._W_out = np.zeros((len(self._columns), D), np.float32)
        self._sums_out = np.zeros(len(self._columns))
        self._d_W_out = np.empty_like(self._W_out)
        # Of each range here: its columns of all, and among those here.
        self._ranges = [range(*self._starts[r : r + 2].tolist()) for r in self._owners]
        first = self._columns.start
        self._slices = [slice(one.start - first, one.stop - first) for one in self._ranges]
        self._exponentials = [np.empty((B, len(one)), np.float32) for one in self._ranges]
        self._gradients = np.empty((len(self._ranges), B, D), np.float32)
        self._branches = [branches_of(range(*bounds[k : k + 2])) for k in range(self._n_nodes)]
        for state in states:
            self.fill(state)

    @property
    def _n_nodes(self) -> int:
        return len(self._bounds) - 1

    def fill(self, state: ColumnState) -> None:
        """Take what of a state belongs here."""
        words = slice(state.words.start, state.words.stop)
        self._W_in[words], self._sums_in[words] = state.W_in, state.sums_in
        first = max(state.columns.start, self._columns.start)
        last = min(state.columns.stop, self._columns.stop)
        if first < last:
            here = slice(first - self._columns.start, last - self._columns.start)
            there = slice(first - state.columns.start, last - state.columns.start)
            self._W_out[here], self._sums_out[here] = state.W_out[there], state.sums_out[there]

    def state(self) -> ColumnState:
        """Copies of the columns here, and of a share of the inputs.

        Raises
        ------
        AbandonedError
            If the episode before is not done.
        """
        self._check_is_whole()
        V, n, k = len(self._words), self._n_nodes, self._number
        words = range(V * k // n, V * (k + 1) // n)
        some = slice(words.start, words.stop)
        return ColumnState(
            words, self._W_in[some].copy(), self._sums_in[some].copy(),
            self._columns, self._W_out.copy(), self._sums_out.copy(),
        )  # fmt: skip

    def are_finite(self) -> bool:
        """Whether every number here is finite."""
        return all_finite(self._W_in, self._W_out)

    # ---------------------------------------------------------------- counts

    def prepare(self, run: str, post: Post) -> Counted:
        """Count the pairs of the text here, and add up those of all in the columns here.

        Raises
        ------
        InputError
            If no sentence of any node holds two tokens.
        OutputError
            If the disk has no room for the counts.
        """
        self._forget_counts()
        self._sent = {"counts": 0}
        vocabulary, config = self._text.vocabulary, self._config
        counts = vocabulary.counts[self._words]
        paths = []
        try:
            texts = []
            for k, shelf in enumerate(self._here.shelves):
                if len(shelf.ids):
                    paths.append(self._here.folder / f"columns-{k}.int32")
                    with open(paths[-1], "wb") as file:
                        for first in range(0, len(shelf.ids), _CHUNK):
                            columns = self._column[shelf.ids[first : first + _CHUNK]]
                            file.write(columns.astype(np.int32).data)
                    ids: NDArray[np.int32] = np.memmap(paths[-1], np.int32, "r")
                    texts.append((np.asarray(ids), np.asarray(shelf.offsets)))
            counter = Counter(
                texts,
                keep_probabilities(vocabulary.counts, config.sample)[self._words],
                weights_of(reach_of(config, self._text.stub())),
                rounding=ROUNDING,
            )
            self._counts = write_counts(
                counter,
                blocks_of(counts, self.threads, COUNTING_BYTES),
                self.threads,
                self._tell,
                partial(self._exchange_counts, run, post),
                self._here.folder,
            )
        finally:
            for path in paths:
                path.unlink()
        for node in range(self._n_nodes):
            self._post(post, run, node, ("counts", "totals", self._number), (self._counts.totals,))
        totals = np.zeros(len(counts))
        for node in range(self._n_nodes):
            totals += self._mail.take(run, ("counts", "totals", node))[0]
        if not totals.any():
            raise no_pairs()
        self._totals = totals[self._column]
        return Counted(self._totals, self._sent)

    def _tell(self, progress: CountingProgress) -> None:
        self.prepared = progress

    def _exchange_counts(self, run: str, post: Post, block: CountsBlock) -> CountsBlock:
        """Send every node its columns of a block, and add up those that come."""
        edges = self._starts[self._bounds]
        row = np.repeat(np.arange(len(block.sizes)), block.sizes)
        node_of = np.searchsorted(edges, block.columns, side="right") - 1
        for node in range(self._n_nodes):
            chosen = np.flatnonzero(node_of == node)
            sizes = np.bincount(row[chosen], minlength=len(block.sizes))
            letter = sizes, block.columns[chosen], block.values[chosen]
            self._post(post, run, node, ("counts", block.first, self._number), letter)
        dense = np.zeros((len(block.sizes), len(self._columns)))
        for node in range(self._n_nodes):
            sizes, columns, values = self._mail.take(run, ("counts", block.first, node))
            row = np.repeat(np.arange(len(sizes)), sizes)
            dense[row, columns - self._columns.start] += values
        return CountsBlock.of(block.first, dense, block.left_out)

    def _forget_counts(self) -> None:
        if self._counts is not None:
            self._counts.close()
            self._counts = None

    # ---------------------------------------------------------------- an episode

    def _train_episode(
        self, run: str, position: Position, stop: int, following: Position, post: Post
    ) -> ColumnOutcome:
        epoch, start = position
        config, V, B = self._config, len(self._words), rows_of_block(len(self._words))
        self._sent = {"sums": 0, "inputs": 0, "rows": 0}
        self._offset = logit_offset(config.softmax_offset, self._totals)[self._words]
        words = order_of_words(config, epoch, V)[start:stop]
        keys = self._branches[self._number]
        gradients = np.empty((len(keys), len(words), config.vector_size), np.float32)
        loss, block = 0.0, self._look_up(words[:B])
        with self._libraries.limit(limits=1, user_api="blas"):
            for first in range(0, len(words), B):
                at, end = (epoch, start + first), first + B
                sums = self._score(block)
                letter = tuple(map(np.array, zip(*(sums[key] for key in keys), strict=True)))
                for node in range(self._n_nodes):
                    self._post(post, run, node, ("sums", at, self._number), letter)
                now = block
                if end < len(words):  # while the others' are on their way
                    block = self._look_up(words[end : end + B])
                ((greatest, total, hits),) = self._whole(run, ("sums", at), _add_sums)
                logarithms = greatest + np.log(total.astype(np.float64))
                loss += float(now.totals @ logarithms) - float(hits)
                added = self._learn(now, greatest, total, self._rate(position, first))
                for k, key in enumerate(keys):
                    gradients[k, first:end] = added[key][0]
        squares = self._step_inputs(run, position, words, gradients, post)
        return ColumnOutcome(loss, float(self._totals[words].sum()), squares, self._sent)

    def _rate(self, position: Position, first: int) -> float:
        """The learning rate of a block of an episode."""
        epoch, start = position
        done = (epoch + (start + first) / len(self._words)) / self._config.epochs
        return self._config.learning_rate_at(done)

    def _each(self, call: Callable[[int], object]) -> None:
        """Call for each range here, on all threads."""
        if self.threads == 1:
            for k in range(len(self._ranges)):
                call(k)
        else:
            list(self._pool.map(call, range(len(self._ranges))))

    def _look_up(self, words: NDArray[np.int64]) -> Block:
        """What a step on some words begins with."""
        if self._counts is None:
            raise TypeError("prepare must be called before an episode.")
        begin, columns, values = self._counts.rows(self._column[words])
        edges = np.empty((len(self._ranges) + 1, len(words)), np.int64)
        starts = np.array([place.start for place in self._slices] + [len(self._columns)])
        entries_of_ranges(begin, columns, starts, edges)
        greatest, sums = np.empty((2, len(self._ranges), len(words)), np.float32)
        return Block(self._W_in[words], self._totals[words], edges, columns, values, greatest, sums)

    def _score(self, block: Block) -> dict[Key, tuple[Any, ...]]:
        """Turn logits into exponentials; return the sums of the branches here."""
        n, hits = len(block.inputs), np.empty(len(self._ranges))

        # What leaves the range of float32 makes the loss no finite number: the trainer tells.
        @np.errstate(over="ignore", invalid="ignore")
        def score(k: int) -> None:
            place, tile = self._slices[k], self._exponentials[k][:n]
            np.matmul(block.inputs, self._W_out[place].T, out=tile)
            offset = self._offset[self._ranges[k].start : self._ranges[k].stop]
            hits[k] = exponentials_in_place(
                tile, offset, block.edges[k], block.edges[k + 1], block.columns, block.values,
                place.start, block.greatest[k], block.sums[k],
            )  # fmt: skip

        self._each(score)
        return branches(self._owners.start, (block.greatest, block.sums, hits), _add_sums)

    def _learn(
        self, block: Block, greatest: NDArray[np.float32], sums: NDArray[np.float32], rate: float
    ) -> dict[Key, tuple[Any, ...]]:
        """Take the step on the columns here; return the branches of the inputs' gradient."""
        n, gradients = len(block.inputs), self._gradients[:, : len(block.inputs)]

        @np.errstate(over="ignore", invalid="ignore")
        def learn(k: int) -> None:
            place, tile, scale = self._slices[k], self._exponentials[k][:n], np.empty(n, np.float32)
            errors_of_range(
                tile, block.edges[k], block.edges[k + 1], block.columns, block.values,
                block.totals, place.start, block.greatest[k], greatest, sums, scale,
            )  # fmt: skip
            rows, d_rows = self._W_out[place], self._d_W_out[place]
            np.matmul(tile, rows, out=gradients[k])
            gradients[k] *= scale[:, np.newaxis]
            np.matmul(tile.T, block.inputs * scale[:, np.newaxis], out=d_rows)
            adagrad_rows(rows, d_rows, self._sums_out[place], OUTPUT_RATE * rate, 0, len(rows))

        self._each(learn)
        return branches(self._owners.start, (gradients,), _add_arrays)

    def _whole(self, run: str, key: tuple[Any, ...], add: Callable[[Any, Any], Any]) -> list[Any]:
        """Take the letters of all nodes, and add up their branches to the whole."""
        branches: dict[Key, Any] = {}
        for node, keys in enumerate(self._branches):
            letter = self._mail.take(run, (*key, node))
            branches |= zip(keys, zip(*letter, strict=True), strict=True)
        return list(join(branches, add).values())

    def _step_inputs(
        self, run: str, position: Position, words: NDArray[np.int64],
        gradients: NDArray[np.float32], post: Post,
    ) -> NDArray[np.float64]:  # fmt: skip
        """Take the steps of an episode on the inputs that are this node's; exchange all.

        Parameters
        ----------
        words : int64 (m,)
        gradients : float32 (branches, m, D)
            What the branches here add to the gradient of each.

        Returns
        -------
        float64 (m,)
            Squares of the gradients whose steps were taken here, else 0.
        """
        n, m, B = self._n_nodes, len(words), rows_of_block(len(self._words))
        shares = [slice(m * k // n, m * (k + 1) // n) for k in range(n)]
        for node, share in enumerate(shares):
            key = "inputs", position, self._number
            self._post(post, run, node, key, (gradients[:, share],))
        ((d_rows,),) = self._whole(run, ("inputs", position), _add_arrays)
        here = shares[self._number]
        squares = np.zeros(m)
        squares[here] = np.square(d_rows, dtype=np.float64).sum(axis=1)
        rows, sums = self._W_in[words[here]], self._sums_in[words[here]]
        for first in range(0, m, B):
            low, high = max(first, here.start), min(first + B, here.stop)
            if low < high:
                some, rate = (low - here.start, high - here.start), self._rate(position, first)
                adagrad_rows(rows, d_rows, sums, rate, *some)
        self._W_in[words[here]], self._sums_in[words[here]] = rows, sums
        for node in range(n):
            if node != self._number:
                self._post(post, run, node, ("rows", position, self._number), (rows, sums))
        for node, share in enumerate(shares):
            if node != self._number:
                letter = self._mail.take(run, ("rows", position, node))
                self._W_in[words[share]], self._sums_in[words[share]] = letter
        return squares


def _add_sums(one: Any, other: Any) -> Any:
    """Add up exponentials, each relative to the greatest of its logits, and the targets' logits."""
    greatest = np.maximum(one[0], other[0])
    with np.errstate(over="ignore", invalid="ignore"):
        base = np.where(np.isneginf(greatest), np.float32(0), greatest)
        sums = one[1] * np.exp(one[0] - base) + other[1] * np.exp(other[0] - base)
    return greatest, sums, one[2] + other[2]


def _add_arrays(one: Any, other: Any) -> Any:
    return (one[0] + other[0],)


def _compile(vector_size: int) -> None:
    """Compile the kernels on throw-away arrays."""
    tile, rows = np.zeros((1, 2), np.float32), np.zeros((2, vector_size), np.float32)
    one, entries = np.zeros(1, np.float32), np.zeros((2, 1), np.int64)
    columns, values = np.zeros(0, np.int32), np.zeros(0)
    entries_of_ranges(np.zeros(2, np.int64), columns, np.array([0, 2]), entries)
    sparse = *entries, columns, values
    exponentials_in_place(tile, tile[0].copy(), *sparse, 0, one, one.copy())
    errors_of_range(tile, *sparse, np.zeros(1), 0, one, one, one + 1, one.copy())
    adagrad_rows(rows, rows.copy(), np.zeros(2), 0.0, 0, 2)
