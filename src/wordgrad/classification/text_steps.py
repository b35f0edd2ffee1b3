"""How gradients become steps of the text network, compiled by Numba.

Vectors step by Adagrad with one sum of squares a row (Duchi, Hazan and Singer, *Adaptive
subgradient methods*, 2011): a rare feature learns much from each text it is in, a step is never
longer than the rate times the root of D, and a row that is not in the batch is not touched.  The
layers step by Adam.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

FAST = {"contract", "reassoc", "nsz"}  # sums in any order; NaN and infinity keep their meaning
jit = njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)

_ZERO, _ONE = np.float32(0), np.float32(1)
_TINY = np.float32(1e-12)


@jit
def step_rows(met: Any, vectors: Any, state: Any, rate: Any, l2: Any) -> None:
    """Adagrad's step of the rows met: the mean square of a row's gradients is added up."""
    size = vectors.shape[1]
    slot, rows, owners, shares = state.slot, state.rows, state.owners, state.shares
    d_x, d_rows, norms, squares = state.d_x, state.d_rows, state.norms, state.squares
    for place in range(met):
        row = rows[place]
        slot[row] = -1
        owner = owners[place]
        share = shares[place]
        if owner >= 0 and l2 == 0:
            squares[row] += share * share * norms[owner] / np.float32(size)
            step = rate * share / (np.sqrt(squares[row]) + _TINY)
            for d in range(size):
                vectors[row, d] -= step * d_x[owner, d]
            continue
        square = _ZERO
        for d in range(size):
            slope = share * d_x[owner, d] if owner >= 0 else d_rows[place, d]
            slope += l2 * vectors[row, d]
            d_rows[place, d] = slope
            square += slope * slope
        squares[row] += square / np.float32(size)
        step = rate / (np.sqrt(squares[row]) + _TINY)
        for d in range(size):
            vectors[row, d] -= step * d_rows[place, d]


@jit
def step_layer(p: Any, d_p: Any, mean: Any, square: Any, rate: Any, steps: Any, l2: Any) -> None:
    """Adam's step (Kingma and Ba 2015, algorithm 1) of one flat array; its gradient becomes 0."""
    keep, keep_square = np.float32(0.9), np.float32(0.999)
    mean_scale = np.float32(1.0 / (1.0 - 0.9**steps))
    square_scale = np.float32(1.0 / (1.0 - 0.999**steps))
    for i in range(p.size):
        g = d_p[i] + l2 * p[i]
        mean[i] = keep * mean[i] + (_ONE - keep) * g
        square[i] = keep_square * square[i] + (_ONE - keep_square) * g * g
        root = np.sqrt(square[i] * square_scale) + np.float32(1e-8)
        p[i] -= rate * mean_scale * mean[i] / root
        d_p[i] = _ZERO
