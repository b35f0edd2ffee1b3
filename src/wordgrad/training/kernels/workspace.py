"""A thread's private memory: the rows, tables and buffers that the kernels work in."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wordgrad.training.kernels.simd import LANES
from wordgrad.training.parameters import aligned_rows

TILE_SIZES = (4, 6)
"""Output rows of a tile.  Six keep 12 accumulators, six rows and their copies in 16 registers."""

DEPTH = 3
"""Windows in the ring: a window is drawn, and its rows prefetched, this many windows early."""

_IMPOSSIBLE = -1e30
"""Bias of padding lanes: softplus and sigmoid of it are 0."""


def tiles_of(n_outputs: int) -> list[int]:
    """Cut ``n_outputs`` output rows into tiles of 6 and 4: the fewest tiles, at most one row spare.

    >>> tiles_of(6), tiles_of(11), tiles_of(21)
    ([6], [6, 6], [6, 6, 6, 4])
    """
    even = max(4, n_outputs + n_outputs % 2)
    n_tiles = -(-even // 6)
    fours = (6 * n_tiles - even) // 2
    return [6] * (n_tiles - fours) + [4] * fours


ZERO, SPARE, HIDDEN, CHANGE, FIRST_TOTAL = range(5)
"""Rows of the scratch memory; the running totals and then the copies follow."""

SIGN, BIAS, STEP = range(3)
"""Vectors of a pattern's group."""


class Addresses(NamedTuple):
    """A workspace as the kernels see it: sizes, and where each table lies (all int64)."""

    n_outputs: int  # 1 + K
    n_padded: int  # the same with padding
    n_tiles: int
    tile_sizes: int  # int64 (tiles,)
    pattern: int  # float32 (tiles, 2, pattern_bytes / 4): see score_tile
    pattern_bytes: int
    tokens: int  # int32, see draw.collect
    bits: int  # uint64
    window_rows: int  # 2 m
    rows: int  # int64 (DEPTH, 2 m): row addresses of the context words of the windows in the ring
    row_counts: int  # int64 (DEPTH,)
    outputs: int  # int64 (DEPTH, padded + 1): of target, negatives, padding; and a row to prefetch
    totals: int  # int64 (2 m,): rows for running totals of several tiles
    cbow: int  # int64 (3,): rows for h, for zeros, for the change of h
    one: int  # int64 (1,): a table of one row
    found: int  # int64: indices in a table whose row occurs earlier in it
    saved: int  # int64: the rows that copies stand for
    spare: int  # a row of zeros that padding outputs stand for
    copies: int  # rows, two for each repeated row: working copy and original
    steps: int  # float32: G of every tile, one after another
    sums: int  # float32 (2, LANES): product of factors 1 + e, sum of max(z, 0)
    factors: int  # int64 (1,): factors in that product
    loss: int  # float64 (1,)


class Workspace:
    """A thread's private memory.

    Parameters
    ----------
    window_rows : most context rows of a window (2 m).
    negative : K.
    n_floats : padded row length.
    span_tokens : most tokens of a span.
    """

    def __init__(self, *, window_rows: int, negative: int, n_floats: int, span_tokens: int) -> None:
        n_outputs = 1 + negative
        sizes = tiles_of(n_outputs)
        padded = sum(sizes)
        n_copies = window_rows + n_outputs
        groups = -(-2 * max(TILE_SIZES) // LANES)
        capacity = 2 * span_tokens + 2 * window_rows + 4
        self.span_tokens = span_tokens
        self.loss = np.zeros(1)
        self._pattern = aligned_rows(len(sizes) * 2 * groups * 3, LANES)
        self._pattern = self._pattern.reshape(len(sizes), 2, groups, 3, LANES)
        _fill_pattern(self._pattern, sizes, n_outputs)
        self._sums = aligned_rows(2, LANES)
        self.clear_loss()
        scratch = aligned_rows(FIRST_TOTAL + window_rows + 2 * n_copies, n_floats)
        rows = scratch.ctypes.data + 4 * n_floats * np.arange(len(scratch), dtype=np.int64)
        self._kept: list[NDArray[Any]] = [scratch]
        self._spare = scratch[SPARE]
        self.addresses = Addresses(
            n_outputs=n_outputs,
            n_padded=padded,
            n_tiles=len(sizes),
            tile_sizes=self._table(np.array(sizes, np.int64)),
            pattern=self._table(self._pattern),
            pattern_bytes=4 * groups * 3 * LANES,
            tokens=self._table(np.zeros(capacity, np.int32)),
            bits=self._table(np.zeros(capacity, np.uint64)),
            window_rows=window_rows,
            rows=self._table(np.zeros((DEPTH, window_rows), np.int64)),
            row_counts=self._table(np.zeros(DEPTH, np.int64)),
            outputs=self._table(np.full((DEPTH, padded + 1), rows[SPARE])),
            totals=self._table(rows[FIRST_TOTAL : FIRST_TOTAL + window_rows].copy()),
            cbow=self._table(rows[[HIDDEN, ZERO, CHANGE]]),
            one=self._table(np.zeros(1, np.int64)),
            found=self._table(np.zeros(n_copies, np.int64)),
            saved=self._table(np.zeros(n_copies, np.int64)),
            spare=int(rows[SPARE]),
            copies=int(rows[FIRST_TOTAL] + 4 * n_floats * window_rows),
            # Space for the whole vectors that score_tile writes past a tile's last score.
            steps=self._table(aligned_rows(1, (window_rows + 1) * padded + len(sizes) * LANES)),
            sums=self._table(self._sums),
            factors=self._table(np.zeros(1, np.int64)),
            loss=self._table(self.loss),
        )

    def _table(self, array: NDArray[Any]) -> int:
        self._kept.append(array)
        return int(array.ctypes.data)

    def clear_loss(self) -> None:
        """Forget the loss that is still in its product form."""
        self._sums[0], self._sums[1] = 1.0, 0.0

    def set_learning_rate(self, learning_rate: float) -> None:
        """Write the steps ``-learning_rate * sign`` of every lane; clear the row of zeros.

        That row stays zero by itself unless a parameter was not finite.
        """
        self._spare[:] = 0.0
        rate = np.float32(-learning_rate)
        self._pattern[:, :, :, STEP] = rate * self._pattern[:, :, :, SIGN]


def _fill_pattern(pattern: NDArray[np.float32], sizes: list[int], n_outputs: int) -> None:
    """Write sign and bias of every lane; padding lanes get sign 0 and an impossible score."""
    pattern[:, :, :, BIAS] = _IMPOSSIBLE
    done = 0
    for tile, size in enumerate(sizes):
        real = min(size, n_outputs - done)
        for n_rows in (1, 2):
            lanes = pattern[tile, n_rows - 1]
            for row in range(n_rows):
                for k in range(real):
                    group, lane = divmod(row * size + k, LANES)
                    lanes[group, SIGN, lane] = -1.0 if done + k == 0 else 1.0
                    lanes[group, BIAS, lane] = 0.0
        done += size
