"""CBOW's inputs: windows combined to one row each, and their gradients handed back to the words."""

from __future__ import annotations

from typing import Any

from numba import njit

jit = njit(nogil=True, cache=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})


@jit
def combine_contexts(W_in: Any, contexts: Any, offsets: Any, mean: Any, v_hat: Any) -> None:
    """Write ``v_hat[b] = a sum_o v_o`` over the context of each window b.

    Parameters
    ----------
    W_in : float32 (V, D)
    contexts, offsets : int32 (N,), int64 (B + 1,); see
        :class:`~wordgrad.training.engines.protocol.Windows`.
    mean : bool
        a is 1 / M if true, else 1.
    v_hat : float32 (B, D)
    """
    for b in range(len(offsets) - 1):
        row = v_hat[b]
        row[:] = 0.0
        for j in range(offsets[b], offsets[b + 1]):
            vector = W_in[contexts[j]]
            for d in range(len(row)):
                row[d] += vector[d]
        if mean:
            size = row.dtype.type(offsets[b + 1] - offsets[b])
            for d in range(len(row)):
                row[d] /= size


@jit
def hand_back(d_v_hat: Any, places: Any, offsets: Any, mean: Any, d_words: Any) -> None:
    """Add ``a d_v_hat[b]`` to the gradient of every context word of window b.

    Parameters
    ----------
    d_v_hat : float32 (B, D)
    places : int64 (N,)
        The row of ``d_words`` that each context word has.
    offsets, mean : as in :func:`combine_contexts`
    d_words : float32 (words of the batch, D)
        Added to.
    """
    for b in range(len(offsets) - 1):
        row = d_v_hat[b]
        if mean:
            size = row.dtype.type(offsets[b + 1] - offsets[b])
            for d in range(len(row)):
                row[d] /= size
        for j in range(offsets[b], offsets[b + 1]):
            vector = d_words[places[j]]
            for d in range(len(row)):
                vector[d] += row[d]
