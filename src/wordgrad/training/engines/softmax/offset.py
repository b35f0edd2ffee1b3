"""What is added to the logits: nothing, or the logarithm of each word's share of the pairs."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def logit_offset(kind: str, shares: ArrayLike) -> NDArray[np.float32]:
    """Return the offset of the logits, float32 (V,).

    ``"none"`` gives 0, the softmax of the books.  ``"unigram"`` gives log p(w): the model is then
    ``p(o | c) ~ p(o) exp(u_o . v_c)``, and scores are what the context tells beyond frequency.
    Derived in ``docs/derivations/softmax-offset.md``.

    Parameters
    ----------
    kind : {"unigram", "none"}
    shares : array (V,)
        In proportion to p(w), how often each word is the one to predict.  A word that never is
        gets -inf: it is given no probability, as is right.

    Examples
    --------
    >>> logit_offset("none", [3, 1]).tolist()
    [0.0, 0.0]
    >>> np.exp(logit_offset("unigram", [3, 1])).tolist()
    [0.75, 0.25]
    """
    weights = np.asarray(shares, np.float64)
    if kind == "none":
        return np.zeros(len(weights), np.float32)
    with np.errstate(divide="ignore"):
        logarithms: NDArray[np.float64] = np.log(weights / weights.sum())
    return logarithms.astype(np.float32)
