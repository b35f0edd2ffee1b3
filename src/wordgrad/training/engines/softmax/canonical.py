"""Word vectors from the scores of a softmax, whatever the factors that training ended with.

The softmax sees its parameters only through the scores W_in W_out^T, which W_in A and W_out A^-T
give as well, for any invertible A.  The loss cannot tell these apart; the cosines of W_in can.
Where training ends among them depends on the steps it took, not on the text.  So the vectors are
made from what the scores alone determine, their singular value decomposition: with p(w) the words'
shares of the pairs and R = diag(p),

    R W_in W_out^T R = P S Q^T,     vectors = R^-1 (P + Q) S^a .

Weighted by R, a direction counts for what it does to the pairs of the corpus, not for how many
rare words it tells apart.  P and Q are the two roles of each word, as the input and as the word to
predict; the pairs of skip-gram come in both orders, so that they differ by noise, and the sum has
less of it.  See ``docs/derivations/softmax-offset.md``; a is chosen by measurement.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wordgrad.training.parameters import Parameters

POWER = 0.2


def canonical_vectors(
    parameters: Parameters, shares: NDArray[np.float64], power: float = POWER
) -> NDArray[np.float32]:
    """Return vectors that depend on the scores alone, float32 (V, D); see above.

    Parameters
    ----------
    parameters : Parameters
        Not changed.
    shares : float64 (V,)
        In proportion to p(w); a word without pairs (0) is weighted as the rarest that has some.
    power : float
        a: 0 gives every direction the same weight, 1/2 splits the singular values evenly.

    Notes
    -----
    In float64, by two QR factorisations of (V, D) and a decomposition of (D, D): ``O(V D^2)``, a
    small part of a pass.  With V < D the columns from V on are 0.  Columns have the sign that
    makes their largest entry of P positive.

    Examples
    --------
    >>> parameters = Parameters.zeros(2, 2)
    >>> parameters.W_in[:] = [[0, 1], [4, 0]]
    >>> parameters.W_out[:] = [[0, 1], [4, 0]]
    >>> canonical_vectors(parameters, np.ones(2), power=0.5).round(6) + 0.0
    array([[0., 2.],
           [8., 0.]], dtype=float32)
    """
    positive = shares > 0
    least = shares[positive].min() if positive.any() else 1.0
    weights = np.where(positive, shares, least)
    R = (weights / weights.mean())[:, np.newaxis]
    Q_in, R_in = np.linalg.qr(parameters.W_in * R)
    Q_out, R_out = np.linalg.qr(parameters.W_out * R)
    left, singular, right = np.linalg.svd(R_in @ R_out.T)
    P, Q = Q_in @ left, Q_out @ right.T
    columns = np.arange(P.shape[1])
    signs = np.where(P[np.abs(P).argmax(axis=0), columns] < 0, -1.0, 1.0)
    vectors = np.zeros((parameters.n_words, parameters.vector_size), np.float32)
    vectors[:, columns] = (P + Q) / R * (signs * singular**power)
    return vectors
