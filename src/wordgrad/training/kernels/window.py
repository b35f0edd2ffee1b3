"""One window's gradient step, and the private memory of the thread that takes it.

Design
(a) A window is a small matrix product.  Its negatives are shared by its context words, so that
    (context rows) x (1 + K) output rows are scored and updated in register tiles (tiles.py).
(b) The step is exactly ``-lr`` times the gradient of the window's loss at the parameters before the
    window (see docs/derivations/skip-gram.md and cbow.md).  A row that occurs twice in a window is
    worked on as a copy whose change is added afterwards.  So is a row of W_in whose step is
    multiplied by a factor: the change of its copy, times the factor, is added to it.
(c) What a window predicts is apart from what it reads: its output rows, each with a sign, are cut
    into tiles when they are drawn (:func:`cut_tiles`), and the step does not ask whether they are a
    target and its negatives, the path of a tree (hierarchical softmax), or both.

Skip-gram reads each context word's row of W_in against the target's and the negatives' rows of
W_out, the centre being the target, as word2vec.c does: the same pairs (i, j) as centre predicts
context, and a window shares one set of negatives.  CBOW reads the mean (or sum) of those rows,
and hands each of them its share of the change: that of the gradient, or a larger one (see
``input_share`` in maths/objectives.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wordgrad.compiling import inline_jit, jit
from wordgrad.maths import input_share
from wordgrad.training.kernels.draw import draw_negatives, repeats
from wordgrad.training.kernels.huffman import HuffmanTree
from wordgrad.training.kernels.intrinsics import (
    LANES,
    MOST_COMPARED,
    load_float32,
    load_float64,
    load_int32,
    load_int64,
    may_repeat,
    store_float32,
    store_float64,
    store_int32,
    store_int64,
)
from wordgrad.training.kernels.tiles import (
    FACTORS_PER_LOGARITHM,
    add_to_rows,
    combine_rows,
    merge_row,
    score_context,
    score_tile,
    update_context,
    update_tile,
)
from wordgrad.training.parameters import aligned_rows

MOST_TOGETHER = 3
"""Windows that :func:`train_together` takes.  With the usual five negatives their outputs are
eight, a tile."""

TILE_SIZES = (4, 6, 8) if LANES == 16 else (4, 6)
"""Output rows of a tile.  Six by two rows are 12 sums, as many as 16 registers hold beside their
factors; where there are 32 registers of 16 lanes, eight by two fill a vector with scores."""

DEPTH = 3
"""Windows in the ring: a window is drawn, and its rows prefetched, this many windows early."""


def tiles_of(n_outputs: int) -> list[int]:
    """Cut ``n_outputs`` output rows into tiles: the fewest tiles, at most one row spare.

    >>> tiles_of(6), sum(tiles_of(11)), sum(tiles_of(21))
    ([6], 12, 22)
    """
    even = max(4, n_outputs + n_outputs % 2)
    n_tiles = -(-even // max(TILE_SIZES))
    pairs = even // 2
    return [2 * ((pairs + n_tiles - 1 - tile) // n_tiles) for tile in range(n_tiles)]


PRIVATE_NODES = 63
"""Nodes of which each thread has rows of its own: some six levels of a tree, in nearly every path.
Rows that two threads change in turns move between their caches each time."""

MOST_STALE, LEAST_APART = 5.0, 16
"""Learning rate times pairs of other threads that a thread's own rows may miss (see
``engines/deterministic.py``), and how few windows apart merging them still pays."""

ZERO, SPARE, HIDDEN, CHANGE, FIRST_TOTAL = range(5)
"""Rows of the scratch memory; the running totals and then the copies follow."""


class Addresses(NamedTuple):
    """A workspace as the kernels see it: sizes, and where each table lies (all int64)."""

    n_outputs: int  # 1 + K; 0 where there are no negatives
    n_padded: int  # the most output rows of a window, with padding
    tiles: int  # int64 (DEPTH or 1, 4 + 3 tiles): see cut_tiles
    tiles_bytes: int  # from one window of the ring to the next; 0 where all are cut alike
    rate: int  # float32 (1,): the learning rate
    turns: int  # int32 (padded,): 1 where the sign of an output is -1
    paths: int  # int32: the paths' nodes, each times 2, and 1 for turn 1; 0 without a tree
    path_offsets: int  # int64 (V + 1,)
    n_nodes: int  # rows of W_out before those of words
    first_private: int  # nodes from here on, those near the root, have rows of this thread's own
    private: int  # float32 (2 P, n_floats): these rows, then what the shared ones were
    merge_every: int  # int64 (1,): windows after which they are merged with the shared ones
    tokens: int  # int32, see draw.collect
    bits: int  # uint64
    window_rows: int  # 2 m
    rows: int  # int64 (DEPTH, 2 m): row addresses of the context words of the windows in the ring
    row_counts: int  # int64 (DEPTH,)
    outputs: int  # int64 (DEPTH, padded + 1): of target, negatives, padding; one row to prefetch
    totals: int  # int64 (2 m,): rows for running totals of several tiles
    cbow: int  # int64 (3,): rows for h, for zeros, for the change of h
    one: int  # int64 (1,): a table of one row
    found: int  # int64: indices in a table whose row occurs earlier in it
    saved: int  # int64: the rows that copies stand for
    scales: int  # float32 (window_rows + 1,): what h is of the sum of n context rows
    shares: int  # float32 (window_rows + 1,): what each of n context rows gets of h's change
    spare: int  # a row of zeros that padding outputs stand for
    copies: int  # rows, two for each repeated row: working copy and original
    steps: int  # float32: G of every tile, one after another
    sums: int  # float32 (2, LANES): product of factors 1 + e, sum of max(z, 0)
    factors: int  # int64 (1,): factors in that product
    loss: int  # float64 (1,)
    input_steps: int  # float32 (n_inputs,): factors of the steps on rows of W_in; 0 if all are 1
    input_base: int  # int64 (1,): where W_in is
    slowed: int  # int64 (2 m,): the rows that copies of such rows stand for
    slowed_copies: int  # rows, two for each: working copy and original


class Together(NamedTuple):
    """What :func:`train_together` needs beside a workspace, as addresses."""

    own: int  # int64 (DEPTH, window_rows): of each context row of a lot, see _score_together
    bits: int  # int64 (MOST_TOGETHER,): 1, 2, 4 and so on
    tiles: int  # int64 (MOST_TOGETHER, n): the tiles of one window, of two and so on
    tiles_bytes: int  # of one of them
    hidden: int  # int64 (3, MOST_TOGETHER): rows for h, zeros and changes of h


class Workspace:
    """A thread's private memory.

    Parameters
    ----------
    window_rows : most context rows of a window (2 m).
    negative : K; 0 if a target is not predicted beside negatives.
    n_floats : padded row length.
    span_tokens : most tokens of a span.
    combine, cbow_step : how CBOW combines the rows of a context, and hands its change on to them.
    tree : the tree whose paths are predicted, if any.
    most_outputs : most outputs of a window, if more than those of negatives and tree.
    input_steps : float32 (n_inputs,), what the steps on each row of ``W_in`` are multiplied by.
    pairs_of_others : pairs that all other threads train on meanwhile, for each window of this one.
        If it is not 0, and not too much at this learning rate, the nodes near the root get rows of
        this thread's own (:func:`merge_nodes`).
    """

    def __init__(
        self,
        *,
        window_rows: int,
        negative: int,
        n_floats: int,
        span_tokens: int,
        combine: str = "mean",
        cbow_step: str = "exact",
        tree: HuffmanTree | None = None,
        most_outputs: int = 0,
        input_steps: NDArray[np.float32] | None = None,
        pairs_of_others: float = 0.0,
        learning_rate: float = 0.0,
    ) -> None:
        n_outputs = 1 + negative if negative or tree is None else 0
        self.most_outputs = max(most_outputs, n_outputs + (tree.longest if tree else 0))
        sizes = tiles_of(self.most_outputs)
        padded = sum(sizes)
        n_copies = window_rows + self.most_outputs
        capacity = 2 * span_tokens + 2 * window_rows + 4
        self.span_tokens = span_tokens
        self._pairs_of_others = pairs_of_others
        self._merge_every = np.zeros(1, np.int64)
        n_private = 0
        if tree is not None and self._windows_apart(learning_rate) >= LEAST_APART:
            n_private = min(PRIVATE_NODES, tree.n_nodes)
        private = aligned_rows(max(1, 2 * n_private), n_floats)
        self.loss = np.zeros(1)
        tiles = np.zeros((DEPTH, FIRST_TILE + TILE_NUMBERS * len(sizes)), np.int64)
        if tree is None and not most_outputs:
            tiles[0] = tiles_with([0] + [1] * negative)
        self._rate = np.zeros(1, np.float32)
        self._sums = aligned_rows(2, LANES)
        self.clear_loss()
        n_slowed = 0 if input_steps is None else window_rows
        first_slowed = FIRST_TOTAL + window_rows + 2 * n_copies
        self._input_base = np.zeros(1, np.int64)
        scratch = aligned_rows(first_slowed + 2 * n_slowed, n_floats)
        rows = scratch.ctypes.data + 4 * n_floats * np.arange(len(scratch), dtype=np.int64)
        self._kept: list[NDArray[Any]] = [scratch]
        self._spare = scratch[SPARE]
        self.addresses = Addresses(
            n_outputs=n_outputs,
            n_padded=padded,
            tiles=self._table(tiles),
            tiles_bytes=tiles.strides[0] if tree is not None or most_outputs else 0,
            rate=self._table(self._rate),
            turns=self._table(np.zeros(padded, np.int32)),
            paths=0 if tree is None else self._table(2 * tree.nodes + tree.turns.astype(np.int32)),
            path_offsets=0 if tree is None else self._table(tree.offsets),
            n_nodes=0 if tree is None else tree.n_nodes,
            first_private=0 if tree is None else tree.n_nodes - n_private,
            private=self._table(private),
            merge_every=self._table(self._merge_every),
            tokens=self._table(np.zeros(capacity, np.int32)),
            bits=self._table(np.zeros(capacity, np.uint64)),
            window_rows=window_rows,
            # may_repeat reads so many entries, wherever it starts.
            rows=self._table(np.zeros(DEPTH * window_rows + MOST_COMPARED, np.int64)),
            row_counts=self._table(np.zeros(DEPTH, np.int64)),
            outputs=self._table(np.full(DEPTH * (padded + 1) + MOST_COMPARED, rows[SPARE])),
            totals=self._table(rows[FIRST_TOTAL : FIRST_TOTAL + window_rows].copy()),
            cbow=self._table(rows[[HIDDEN, ZERO, CHANGE]]),
            one=self._table(np.zeros(1, np.int64)),
            found=self._table(np.zeros(n_copies, np.int64)),
            saved=self._table(np.zeros(n_copies, np.int64)),
            scales=self._table(_by_size(window_rows, combine, "exact")),
            shares=self._table(_by_size(window_rows, combine, cbow_step)),
            spare=int(rows[SPARE]),
            copies=int(rows[FIRST_TOTAL] + 4 * n_floats * window_rows),
            # Space for the whole vectors that score_tile writes past a tile's last score.
            steps=self._table(aligned_rows(1, (window_rows + 1) * padded + len(sizes) * LANES)),
            sums=self._table(self._sums),
            factors=self._table(np.zeros(1, np.int64)),
            loss=self._table(self.loss),
            input_steps=0 if input_steps is None else self._table(input_steps),
            input_base=self._table(self._input_base),
            slowed=self._table(np.zeros(n_slowed, np.int64)),
            slowed_copies=int(scratch.ctypes.data) + 4 * n_floats * first_slowed,
        )

    def together(self) -> Together:
        """Return memory for windows with the same negatives, of which it has space for all."""
        ws = self.addresses
        cuts = [tiles_with([0] * n + [1] * (ws.n_outputs - 1)) for n in range(1, MOST_TOGETHER + 1)]
        tiles = np.zeros((MOST_TOGETHER, max(len(cut) for cut in cuts)), np.int64)
        for row, cut in zip(tiles, cuts, strict=True):
            row[: len(cut)] = cut
        hidden = aligned_rows(3 * MOST_TOGETHER, self._spare.size)
        rows = hidden.ctypes.data + hidden.strides[0] * np.arange(len(hidden), dtype=np.int64)
        self._kept.append(hidden)
        return Together(
            own=self._table(np.zeros(DEPTH * ws.window_rows, np.int64)),
            bits=self._table(1 << np.arange(MOST_TOGETHER, dtype=np.int64)),
            tiles=self._table(tiles),
            tiles_bytes=tiles.strides[0],
            hidden=self._table(rows),
        )

    def _table(self, array: NDArray[Any]) -> int:
        self._kept.append(array)
        return int(array.ctypes.data)

    def _windows_apart(self, learning_rate: float) -> int:
        """How many windows may pass until a row near the root is merged; 0 for one thread."""
        if not self._pairs_of_others:
            return 0
        return int(min(MOST_STALE / max(learning_rate * self._pairs_of_others, 1e-9), 1e6))

    def clear_loss(self) -> None:
        """Forget the loss that is still in its product form."""
        self._sums[0], self._sums[1] = 1.0, 0.0

    def set_inputs(self, W_in_rows: NDArray[np.float32]) -> None:
        """Tell which matrix the factors of steps are those of."""
        self._input_base[0] = W_in_rows.ctypes.data

    def set_learning_rate(self, learning_rate: float) -> None:
        """Write the learning rate; clear the row of zeros.

        That row stays zero by itself unless a parameter was not finite.
        """
        self._spare[:] = 0.0
        self._rate[0] = learning_rate
        self._merge_every[0] = max(LEAST_APART, self._windows_apart(learning_rate))


def _by_size(window_rows: int, combine: str, step: str) -> NDArray[np.float32]:
    """Return the share of each size of a context, float32 (window_rows + 1,); 0 is not used."""
    sizes = np.maximum(np.arange(window_rows + 1), 1)
    return input_share(sizes, combine=combine, step=step).astype(np.float32)


N_OUTPUTS, N_PADDED, N_TILES, N_DISTINCT, FIRST_TILE = range(5)
"""Of a window's tiles: its outputs, those with padding, its tiles, how many outputs at the front
are sure to differ from all others; then the numbers of each tile."""

SIZE, TURNS, REAL, TILE_NUMBERS = range(4)
"""Of a tile: its size, and a bit for each output: its turn, and whether it is no padding."""


def tiles_with(turns: Sequence[int]) -> NDArray[np.int64]:
    """Cut outputs with these turns into tiles, as :func:`cut_tiles`: of windows all alike.

    >>> tiles_with([0, 1, 1, 1, 1]).tolist()
    [5, 6, 1, 0, 6, 30, 31]
    """
    sizes = tiles_of(len(turns))
    tiles = [len(turns), sum(sizes), len(sizes), 0]
    done = 0
    for size in sizes:
        some = turns[done : done + size]
        tiles += [size, sum(turn << k for k, turn in enumerate(some)), (1 << len(some)) - 1]
        done += size
    return np.array(tiles, np.int64)


FLOAT = 4
ADDRESS = 8

MOST_OF_A_TILE = max(TILE_SIZES)
EIGHT = MOST_OF_A_TILE == 8

CALLS_PER_LOGARITHM = FACTORS_PER_LOGARITHM // -(-2 * MOST_OF_A_TILE // LANES)
"""A call of score_tile multiplies one factor into a lane for each vector that its scores fill."""


@jit
def take_logarithm(ws: Any) -> None:
    """Add the loss held in ``ws.sums`` to ``ws.loss`` and start the sums afresh."""
    loss = load_float64(ws.loss, 0)
    for lane in range(LANES):
        loss += np.log(load_float32(ws.sums, lane)) + load_float32(ws.sums, LANES + lane)
        store_float32(ws.sums, lane, 1.0)
        store_float32(ws.sums, LANES + lane, 0.0)
    store_float64(ws.loss, 0, loss)
    store_int64(ws.factors, 0, 0)


@inline_jit
def _count_call(ws: Any) -> None:
    factors = load_int64(ws.factors, 0) + 1
    store_int64(ws.factors, 0, factors)
    if factors >= CALLS_PER_LOGARITHM:
        take_logarithm(ws)


@inline_jit
def _of_tile(tiles: Any, tile: Any, number: Any) -> Any:
    return load_int64(tiles, FIRST_TILE + TILE_NUMBERS * tile + number)


@inline_jit
def _score_rows(
    n_rows: Any, rows: Any, size: Any, outputs: Any, n_floats: Any, turns: Any, real: Any,
    steps: Any, ws: Any,
) -> None:  # fmt: skip
    """Score one or two rows (a literal) against a tile of any size."""
    rate = np.float32(load_float32(ws.rate, 0))
    if size == 6:
        score_tile(n_rows, 6, rows, outputs, n_floats, turns, real, rate, steps, ws.sums)
    elif EIGHT and size == 8:
        score_tile(n_rows, 8, rows, outputs, n_floats, turns, real, rate, steps, ws.sums)
    else:
        score_tile(n_rows, 4, rows, outputs, n_floats, turns, real, rate, steps, ws.sums)
    _count_call(ws)


@inline_jit
def _score_tiles(
    rows: Any, n_rows: Any, outputs: Any, tiles: Any, first: Any, steps: Any, n_floats: Any, ws: Any
) -> None:  # fmt: skip
    """Score rows, two at a time, against a window's tiles from ``first`` on; fill their steps.

    ``rows`` and ``outputs`` are tables of addresses, ``tiles`` is what :func:`cut_tiles` writes.
    """
    for tile in range(first, load_int64(tiles, N_TILES)):
        size = _of_tile(tiles, tile, SIZE)
        turns, real = _of_tile(tiles, tile, TURNS), _of_tile(tiles, tile, REAL)
        place, row = steps, rows
        for _ in range(n_rows // 2):
            _score_rows(2, row, size, outputs, n_floats, turns, real | real << size, place, ws)
            row += 2 * ADDRESS
            place += 2 * size * FLOAT
        if n_rows % 2:
            _score_rows(1, row, size, outputs, n_floats, turns, real, place, ws)
        steps += FLOAT * (n_rows * size + LANES)
        outputs += ADDRESS * size


@inline_jit
def _update_tile(
    size: Any, rows: Any, before: Any, after: Any, n_rows: Any, outputs: Any, n_floats: Any,
    steps: Any, soon: Any,
) -> None:  # fmt: skip
    """Apply the steps of a tile of any size."""
    if size == 6:
        update_tile(6, rows, before, after, n_rows, outputs, n_floats, steps, soon)
    elif EIGHT and size == 8:
        update_tile(8, rows, before, after, n_rows, outputs, n_floats, steps, soon)
    else:
        update_tile(4, rows, before, after, n_rows, outputs, n_floats, steps, soon)


@inline_jit
def _skipgram_update(
    rows: Any, n_rows: Any, outputs: Any, tiles: Any, n_floats: Any, soon: Any, ws: Any
) -> None:  # fmt: skip
    """Update context rows and output rows, from the old values of both.

    Several tiles pass a running total of the context rows along, so that each sees the old ones.
    """
    n_tiles = load_int64(tiles, N_TILES)
    steps = ws.steps
    source = rows
    for tile in range(n_tiles):
        size = _of_tile(tiles, tile, SIZE)
        target = rows if tile == n_tiles - 1 else ws.totals
        _update_tile(size, rows, source, target, n_rows, outputs, n_floats, steps, soon)
        steps += FLOAT * (n_rows * size + LANES)
        outputs += ADDRESS * size
        soon += ADDRESS * size
        source = ws.totals


@inline_jit
def _cbow_score(
    rows: Any, n_rows: Any, scale: Any, outputs: Any, tiles: Any, n_floats: Any, ws: Any
) -> None:  # fmt: skip
    """Score h = scale * sum of context rows against output rows; the first tile makes h."""
    rate = np.float32(load_float32(ws.rate, 0))
    h, steps = load_int64(ws.cbow, 0), ws.steps
    size = _of_tile(tiles, 0, SIZE)
    turns, real = _of_tile(tiles, 0, TURNS), _of_tile(tiles, 0, REAL)
    if size == 6:
        score_context(
            6, rows, n_rows, scale, h, outputs, n_floats, turns, real, rate, steps, ws.sums
        )
    elif EIGHT and size == 8:
        score_context(
            8, rows, n_rows, scale, h, outputs, n_floats, turns, real, rate, steps, ws.sums
        )
    else:
        score_context(
            4, rows, n_rows, scale, h, outputs, n_floats, turns, real, rate, steps, ws.sums
        )
    _count_call(ws)
    steps += FLOAT * (size + LANES)
    _score_tiles(ws.cbow, 1, outputs + ADDRESS * size, tiles, 1, steps, n_floats, ws)


@inline_jit
def _cbow_update(
    rows: Any, n_rows: Any, share: Any, outputs: Any, tiles: Any, n_floats: Any, soon: Any, ws: Any
) -> None:  # fmt: skip
    """Update output rows and h; the last tile hands h's change, times ``share``, to the context."""
    hidden, source, change = ws.cbow, ws.cbow + ADDRESS, ws.cbow + 2 * ADDRESS
    last = load_int64(tiles, N_TILES) - 1
    steps = ws.steps
    for tile in range(last):
        size = _of_tile(tiles, tile, SIZE)
        _update_tile(size, hidden, source, change, 1, outputs, n_floats, steps, soon)
        steps += FLOAT * (size + LANES)
        outputs += ADDRESS * size
        soon += ADDRESS * size
        source = change
    h, before = load_int64(hidden, 0), load_int64(source, 0)
    size = _of_tile(tiles, last, SIZE)
    if size == 6:
        update_context(6, rows, n_rows, share, h, before, outputs, n_floats, steps, soon)
    elif EIGHT and size == 8:
        update_context(8, rows, n_rows, share, h, before, outputs, n_floats, steps, soon)
    else:
        update_context(4, rows, n_rows, share, h, before, outputs, n_floats, steps, soon)


@inline_jit
def _copy_repeats(table: Any, n: Any, n_copies: Any, n_floats: Any, ws: Any) -> Any:
    """Let every row that occurs earlier in the table be a copy; return the number of copies."""
    if n == 1 or (n <= MOST_COMPARED and not may_repeat(table, n)):
        return n_copies
    row_bytes = FLOAT * n_floats
    for k in range(repeats(table, n, ws.found)):
        place = load_int64(ws.found, k)
        original = load_int64(table, place)
        working = ws.copies + 2 * n_copies * row_bytes
        store_int64(ws.one, 0, original)
        combine_rows(ws.one, 1, working, n_floats, np.float32(1.0))
        combine_rows(ws.one, 1, working + row_bytes, n_floats, np.float32(1.0))
        store_int64(table, place, working)
        store_int64(ws.saved, n_copies, original)
        n_copies += 1
    return n_copies


@inline_jit
def _merge_copies(n_copies: Any, n_floats: Any, ws: Any) -> None:
    """Add the change of every copy to the row that it stands for."""
    row_bytes = FLOAT * n_floats
    for k in range(n_copies):
        working = ws.copies + 2 * k * row_bytes
        store_int64(ws.one, 0, working)
        add_to_rows(ws.one, 1, working + row_bytes, n_floats, np.float32(-1.0))
        store_int64(ws.one, 0, load_int64(ws.saved, k))
        add_to_rows(ws.one, 1, working, n_floats, np.float32(1.0))


@jit
def _copy_slowed(
    rows: Any, n: Any, n_floats: Any, steps: Any, W_in: Any, slowed: Any, copies: Any, one: Any
) -> None:
    """Let every row whose step is multiplied by a factor be a copy.

    Called with what it needs of a workspace, so that windows without factors are not the slower.
    """
    row_bytes = FLOAT * n_floats
    base = load_int64(W_in, 0)
    for k in range(n):
        original = load_int64(rows, k)
        store_int64(slowed, k, original)
        if load_float32(steps, (original - base) // row_bytes) != np.float32(1.0):
            working = copies + 2 * k * row_bytes
            store_int64(one, 0, original)
            combine_rows(one, 1, working, n_floats, np.float32(1.0))
            combine_rows(one, 1, working + row_bytes, n_floats, np.float32(1.0))
            store_int64(rows, k, working)


@jit
def _merge_slowed(
    n: Any, n_floats: Any, steps: Any, W_in: Any, slowed: Any, copies: Any, one: Any
) -> None:
    """Add the change of every such copy, times the factor, to the row that it stands for."""
    row_bytes = FLOAT * n_floats
    base = load_int64(W_in, 0)
    for k in range(n):
        original = load_int64(slowed, k)
        factor = np.float32(load_float32(steps, (original - base) // row_bytes))
        if factor != np.float32(1.0) and factor != np.float32(0.0):
            working = copies + 2 * k * row_bytes
            store_int64(one, 0, working)
            add_to_rows(one, 1, working + row_bytes, n_floats, np.float32(-1.0))
            store_int64(one, 0, original)
            add_to_rows(one, 1, working, n_floats, factor)


@inline_jit
def cut_tiles(n: Any, n_distinct: Any, outputs: Any, tiles: Any, ws: Any) -> None:
    """Cut a window's ``n`` outputs, whose signs ``ws.turns`` tells, into tiles.

    outputs : table of ``n`` row addresses; those of padding are written after them.
    tiles : where what the step reads goes: see :data:`FIRST_TILE`.
    n_distinct : so many outputs at the front differ from all others.
    """
    pairs = max(4, n + n % 2) // 2
    n_tiles = (2 * pairs + MOST_OF_A_TILE - 1) // MOST_OF_A_TILE
    done = 0
    for tile in range(n_tiles):
        size = 2 * ((pairs + n_tiles - 1 - tile) // n_tiles)
        real = min(size, n - done)
        bits = 0
        for k in range(real):
            bits |= load_int32(ws.turns, done + k) << k
        place = FIRST_TILE + TILE_NUMBERS * tile
        store_int64(tiles, place + SIZE, size)
        store_int64(tiles, place + TURNS, bits)
        store_int64(tiles, place + REAL, (1 << real) - 1)
        done += size
    for k in range(n, done):
        store_int64(outputs, k, ws.spare)
    store_int64(tiles, N_OUTPUTS, n)
    store_int64(tiles, N_PADDED, done)
    store_int64(tiles, N_TILES, n_tiles)
    store_int64(tiles, N_DISTINCT, n_distinct)


@inline_jit
def draw_outputs(
    centre: Any, bits: Any, W_out: Any, row_bytes: Any, n_words: Any, noise: Any, outputs: Any,
    tiles: Any, ws: Any,
) -> None:  # fmt: skip
    """Write the output rows of a centre to a table, and the tiles that they are cut into.

    They are the path to the centre, if there is a tree, then the centre itself and its negatives,
    drawn with 64 random ``bits``, if there are any.
    """
    n = 0
    if ws.paths != 0:
        first = load_int64(ws.path_offsets, centre)
        n = load_int64(ws.path_offsets, centre + 1) - first
        for k in range(n):
            # From the word up: of nodes near the root, which are prefetched last, caches know.
            node = load_int32(ws.paths, first + n - 1 - k)
            row = node >> 1
            near_root = ws.private + (row - ws.first_private) * row_bytes
            shared = W_out + row * row_bytes
            store_int64(outputs, k, near_root if row >= ws.first_private else shared)
            store_int32(ws.turns, k, node & 1)
        for k in range(ws.n_outputs):
            store_int32(ws.turns, n + k, k > 0)
    if ws.n_outputs:
        words = W_out + ws.n_nodes * row_bytes
        store_int64(outputs, n, words + centre * row_bytes)
        draw_negatives(
            bits, centre, n_words, noise, ws.n_outputs - 1, words, row_bytes,
            outputs + ADDRESS * (n + 1),
        )  # fmt: skip
    if ws.paths != 0:
        cut_tiles(n + ws.n_outputs, n, outputs, tiles, ws)


@jit
def load_nodes(W_out: Any, n_floats: Any, ws: Any) -> None:
    """Copy the shared rows of nodes near the root to those of this thread's own."""
    row_bytes = FLOAT * n_floats
    n = ws.n_nodes - ws.first_private
    for k in range(n):
        store_int64(ws.one, 0, W_out + (ws.first_private + k) * row_bytes)
        private = ws.private + k * row_bytes
        combine_rows(ws.one, 1, private, n_floats, np.float32(1.0))
        combine_rows(ws.one, 1, private + n * row_bytes, n_floats, np.float32(1.0))


@jit
def merge_nodes(W_out: Any, n_floats: Any, ws: Any) -> None:
    """Hand the changes of this thread's own rows of nodes on, and take those of others over."""
    row_bytes = FLOAT * n_floats
    n = ws.n_nodes - ws.first_private
    for k in range(n):
        shared = W_out + (ws.first_private + k) * row_bytes
        private = ws.private + k * row_bytes
        merge_row(shared, private, private + n * row_bytes, n_floats)


@inline_jit
def score_outputs(
    rows: Any, n_rows: Any, outputs: Any, tiles: Any, n_floats: Any, skipgram: Any, ws: Any
) -> Any:  # fmt: skip
    """Score one window, the first half of its step; return how many rows became copies.

    ``rows`` and ``outputs`` are tables of row addresses; repeated ones are overwritten by copies'.
    ``tiles`` is what :func:`cut_tiles` wrote of the outputs.  The loss goes to ``ws.loss``, by way
    of ``ws.sums``.
    """
    if ws.input_steps != 0:
        _copy_slowed(
            rows, n_rows, n_floats, ws.input_steps, ws.input_base, ws.slowed, ws.slowed_copies,
            ws.one,
        )  # fmt: skip
    distinct = load_int64(tiles, N_DISTINCT)
    n_copies = _copy_repeats(
        outputs + ADDRESS * distinct, load_int64(tiles, N_OUTPUTS) - distinct, 0, n_floats, ws
    )
    if skipgram and n_rows > 1:
        n_copies = _copy_repeats(rows, n_rows, n_copies, n_floats, ws)
        _score_tiles(rows, n_rows, outputs, tiles, 0, ws.steps, n_floats, ws)
    else:
        # One row by itself is its own sum, and CBOW's step has less to go round for it.
        scale = np.float32(1.0) if skipgram else load_float32(ws.scales, n_rows)
        _cbow_score(rows, n_rows, scale, outputs, tiles, n_floats, ws)
    return n_copies


@inline_jit
def update_outputs(
    rows: Any, n_rows: Any, outputs: Any, tiles: Any, n_floats: Any, skipgram: Any, soon: Any,
    n_copies: Any, ws: Any,
) -> None:  # fmt: skip
    """Change the rows of the window just scored, and prefetch those of the table ``soon``.

    A tile of S rows prefetches S rows and the one after them: of a window cut alike, all its
    outputs and one row more.  The first instructions wait for the last scores: what the caller does
    between the two halves costs less than by itself.
    """
    if skipgram and n_rows > 1:
        _skipgram_update(rows, n_rows, outputs, tiles, n_floats, soon, ws)
    else:
        share = np.float32(1.0) if skipgram else load_float32(ws.shares, n_rows)
        _cbow_update(rows, n_rows, share, outputs, tiles, n_floats, soon, ws)
    _merge_copies(n_copies, n_floats, ws)
    if ws.input_steps != 0:
        _merge_slowed(
            n_rows, n_floats, ws.input_steps, ws.input_base, ws.slowed, ws.slowed_copies, ws.one
        )


@inline_jit
def train_window(
    rows: Any, n_rows: Any, outputs: Any, n_floats: Any, skipgram: Any, soon: Any, ws: Any
) -> None:  # fmt: skip
    """Take the step of a window with a target and K negatives, and prefetch rows ``soon`` used."""
    train_outputs(rows, n_rows, outputs, ws.tiles, n_floats, skipgram, soon, ws)


@inline_jit
def train_outputs(
    rows: Any, n_rows: Any, outputs: Any, tiles: Any, n_floats: Any, skipgram: Any, soon: Any,
    ws: Any,
) -> None:  # fmt: skip
    """Take one window's gradient step: both halves of it."""
    n_copies = score_outputs(rows, n_rows, outputs, tiles, n_floats, skipgram, ws)
    update_outputs(rows, n_rows, outputs, tiles, n_floats, skipgram, soon, n_copies, ws)


@inline_jit
def _score_together(
    rows: Any, own: Any, n_rows: Any, outputs: Any, tiles: Any, n_targets: Any, n_floats: Any,
    ws: Any,
) -> None:  # fmt: skip
    """Score rows as :func:`_score_tiles` does, each against one of the targets alone.

    own : table of int64: bit k of a row's is set if its target is output k, of ``n_targets``.
    """
    steps = ws.steps
    for tile in range(load_int64(tiles, N_TILES)):
        size = _of_tile(tiles, tile, SIZE)
        turns, real = _of_tile(tiles, tile, TURNS), _of_tile(tiles, tile, REAL)
        mask = 0
        if tile == 0:  # where all targets are
            mask = -1
            real &= -1 << n_targets
        place, row, mine = steps, rows, own
        for _ in range(n_rows // 2):
            first = real | (load_int64(mine, 0) & mask)
            second = real | (load_int64(mine, 1) & mask)
            _score_rows(2, row, size, outputs, n_floats, turns, first | second << size, place, ws)
            row += 2 * ADDRESS
            mine += 2 * ADDRESS
            place += 2 * size * FLOAT
        if n_rows % 2:
            first = real | (load_int64(mine, 0) & mask)
            _score_rows(1, row, size, outputs, n_floats, turns, first, place, ws)
        steps += FLOAT * (n_rows * size + LANES)
        outputs += ADDRESS * size


@inline_jit
def train_together(
    rows: Any, n_rows: Any, sizes: Any, own: Any, n_windows: Any, outputs: Any, n_floats: Any,
    skipgram: Any, soon: Any, together: Any, ws: Any,
) -> None:  # fmt: skip
    """Take the step of a lot of windows at once: the sum of theirs, all at the parameters before.

    Their targets are the first outputs, and no negative; the negatives are those of them all.

    rows : table of the context rows of all, one window after another.
    sizes : 8 bits each, how many of them are a window's, the first in the lowest.
    own : table, for each row the bit of its window's place in the lot.
    together : :class:`Together`.
    """
    tiles = together.tiles + (n_windows - 1) * together.tiles_bytes
    n_copies = _copy_repeats(outputs, load_int64(tiles, N_OUTPUTS), 0, n_floats, ws)
    if skipgram:
        n_copies = _copy_repeats(rows, n_rows, n_copies, n_floats, ws)
        _score_together(rows, own, n_rows, outputs, tiles, n_windows, n_floats, ws)
        _skipgram_update(rows, n_rows, outputs, tiles, n_floats, soon, ws)
    else:
        hidden = together.hidden
        source = hidden + ADDRESS * MOST_TOGETHER
        change = source + ADDRESS * MOST_TOGETHER
        row = rows
        for k in range(n_windows):
            size = sizes >> 8 * k & 255
            scale = np.float32(load_float32(ws.scales, size))
            combine_rows(row, size, load_int64(hidden, k), n_floats, scale)
            row += ADDRESS * size
        _score_together(hidden, together.bits, n_windows, outputs, tiles, n_windows, n_floats, ws)
        steps = ws.steps
        for tile in range(load_int64(tiles, N_TILES)):
            size = _of_tile(tiles, tile, SIZE)
            _update_tile(size, hidden, source, change, n_windows, outputs, n_floats, steps, soon)
            steps += FLOAT * (n_windows * size + LANES)
            outputs += ADDRESS * size
            soon += ADDRESS * size
            source = change
        row = rows
        for k in range(n_windows):
            size = sizes >> 8 * k & 255
            share = np.float32(load_float32(ws.shares, size))
            add_to_rows(row, size, load_int64(change, k), n_floats, share)
            row += ADDRESS * size
    _merge_copies(n_copies, n_floats, ws)
