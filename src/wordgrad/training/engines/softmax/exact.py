"""The softmax of a corpus in float64, plainly: what the fast blocks are compared with."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from wordgrad.maths import log_softmax
from wordgrad.training.engines.protocol import Loss
from wordgrad.training.engines.softmax.block import Targets
from wordgrad.training.engines.softmax.counts import PairCounts

ROWS = 256
Float64s = npt.NDArray[np.float64]


def exact_gradients(
    inputs: npt.ArrayLike, W_out: npt.ArrayLike, offset: npt.ArrayLike, targets: Targets
) -> tuple[float, Float64s, Float64s]:
    """Return loss, ``d_inputs`` (B, D) and ``d_W_out`` (V, D) of a block, in float64.

    The twin of :meth:`~wordgrad.training.engines.softmax.block.BlockSoftmax.gradients`: the same
    formulas without the kernel, the scaling and float32.
    """
    rows, words = np.asarray(inputs, np.float64), np.asarray(W_out, np.float64)
    logarithms = log_softmax(rows @ words.T + finite_offset(offset))
    X = np.zeros_like(logarithms)
    for i in range(len(rows)):
        part = slice(targets.begin[i], targets.begin[i + 1])
        X[i, targets.columns[part]] = targets.values[part]
    errors = targets.totals[:, np.newaxis] * np.exp(logarithms) - X
    return -float((X * logarithms).sum()), errors @ words, errors.T @ rows


def exact_loss(
    W_in: npt.ArrayLike, W_out: npt.ArrayLike, offset: npt.ArrayLike, counts: PairCounts
) -> Loss:
    """Return the loss of a whole corpus at fixed parameters, in float64, and its pairs.

    Parameters
    ----------
    W_in, W_out : arrays (V, D)
    offset : array (V,)
        Added to the logits; 0 for the plain softmax.
    counts : PairCounts

    Returns
    -------
    Loss
        ``total / pairs`` is the mean cross-entropy a pair, in nats.
    """
    rows, words = np.asarray(W_in, np.float64), np.asarray(W_out, np.float64)
    added = finite_offset(offset)
    total = 0.0
    with_pairs = np.flatnonzero(counts.totals)
    for first in range(0, len(with_pairs), ROWS):
        centres = with_pairs[first : first + ROWS]
        logarithms = log_softmax(rows[centres] @ words.T + added)
        begin, columns, values = counts.rows(centres)
        which = np.repeat(np.arange(len(centres)), np.diff(begin))
        total -= float(values @ logarithms[which, columns])
    return Loss(total, counts.pairs)


def finite_offset(offset: npt.ArrayLike) -> Any:
    """Return an offset whose -inf, of words in no pair at all, takes part in sums."""
    return np.maximum(np.asarray(offset, np.float64), -1e300)
