"""The loss of windows at parameters that stay as they are, in float64.

Training's own kernels measure the loss of a window just before they change it; this one changes
nothing.  It serves as a measure, so it is exact rather than fast: rows are float32, products and
sums float64.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from wordgrad.training.kernels import compiled

# Only the order of a sum is left to the compiler: the dot product becomes vector instructions, and
# a NaN stays a NaN.
exact_jit = compiled(fastmath={"reassoc", "contract"})


@exact_jit
def sum_of_losses(
    contexts: Any, offsets: Any, targets: Any, W_in: Any, W_out: Any, size: Any, skipgram: Any,
    mean: Any,
) -> Any:  # fmt: skip
    """Return the loss of windows, summed over their pairs, in float64."""
    total = 0.0
    hidden = np.zeros(size, np.float64)
    for b in range(targets.shape[0]):
        first, end = offsets[b], offsets[b + 1]
        for c in range(first, end):
            row = W_in[contexts[c]]
            for d in range(size):
                hidden[d] = np.float64(row[d]) + (0.0 if skipgram or c == first else hidden[d])
            if skipgram or c == end - 1:
                scale = 1.0 / (end - first) if mean and not skipgram else 1.0
                total += _loss(hidden, scale, W_out, targets[b], size)
    return total


@exact_jit
def _loss(hidden: Any, scale: Any, W_out: Any, targets: Any, size: Any) -> Any:
    """Sum of softplus(-z) for the target and softplus(z) for the negatives."""
    total = 0.0
    for k in range(targets.size):
        row = W_out[targets[k]]
        dot = 0.0
        for d in range(size):
            dot += hidden[d] * np.float64(row[d])
        z = scale * dot if k else -scale * dot
        # Written so that a NaN passes through: softplus(z) = max(z, 0) + log(1 + exp(-|z|)).
        total += (0.0 if z < 0.0 else z) + math.log1p(math.exp(-abs(z)))
    return total
