r"""Analogies by 3CosMul, the multiplicative combination of cosines.

.. math:: \frac{\prod_p s(w, p)}{\prod_n s(w, n) + \varepsilon}, \qquad
          s(w, x) = \frac{1 + \cos(w, x)}{2}, \quad \varepsilon = 10^{-6}

over the positive words p and the negative ones n: Levy and Goldberg 2014, "Linguistic regularities
in sparse and explicit word representations", equation (4), with cosines shifted to [0, 1] as its
footnote 7 says.  The paper has :math:`\varepsilon = 0.001`; :math:`10^{-6}` is what gensim uses.
A sum lets one large cosine outweigh the others, a product does not.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from wordgrad.vectors import selection
from wordgrad.vectors.search import PAIRS_AT_ONCE, ExactIndex
from wordgrad.vectors.selection import Neighbours, best_rows

EPSILON = 1e-6


def search_products(
    index: ExactIndex,
    units: NDArray[np.float64],
    positive: NDArray[np.int64],
    negative: NDArray[np.int64],
    topn: int,
    *,
    excluded: NDArray[np.int64] | None = None,
    limit: int | None = None,
) -> Neighbours:
    """The ``topn`` rows that score highest by 3CosMul, for each of B questions.

    Parameters
    ----------
    index : ExactIndex
    units : ndarray of float64, shape (U, D)
        What the questions name, each once: vectors of length 1, or zero.
    positive : ndarray of int64, shape (B, P)
        Rows of ``units``.
    negative : ndarray of int64, shape (B, N)
        Rows of ``units``.
    topn : int
    excluded, limit
        As in :meth:`ExactIndex.search`.

    Returns
    -------
    Neighbours
        Its scores are those above: not negative, and up to a million where a negative word points
        the opposite way.
    """
    limit = index.shape[0] if limit is None else min(limit, index.shape[0])
    scorer = _ProductScorer(index, units, positive, negative)
    return best_rows(scorer, len(positive), topn, limit=limit, excluded=excluded)


class _ProductScorer:
    """3CosMul of some questions with the rows of an index, in float64 throughout.

    In float32 a denominator near epsilon would have no correct digit.
    """

    def __init__(
        self,
        index: ExactIndex,
        units: NDArray[np.float64],
        positive: NDArray[np.int64],
        negative: NDArray[np.int64],
    ) -> None:
        self._index, self._units = index, units
        self._members = np.concatenate([positive, negative], axis=1)
        self._n_positive = positive.shape[1]
        # Each cosine is off by at most D 2^-53; a factor passes its error on to the quotient
        # divided by at least epsilon.
        factors = self._members.shape[1]
        self.margin = factors * (index.shape[1] + 4) * 2.0**-52 / EPSILON

    def blocks(self, queries: slice, limit: int) -> Iterator[tuple[int, NDArray[np.float64]]]:
        members = self._members[queries]
        named, places = np.unique(members, return_inverse=True)
        places = places.reshape(members.shape)
        # A word comes in many questions: its cosines are computed once a block.
        step = max(selection.SCORES_HELD // (2 * len(members)), 1)
        for start in range(0, limit, step):
            rows = self._index.unit_rows(slice(start, min(start + step, limit)))
            yield start, self._scores(_shifted(self._units[named] @ rows.T)[places.T])

    def exact(self, query: NDArray[np.int64], row: NDArray[np.int64]) -> NDArray[np.float64]:
        scores = np.empty(row.size)
        for start in range(0, row.size, PAIRS_AT_ONCE):
            pairs = slice(start, start + PAIRS_AT_ONCE)
            rows = self._index.unit_rows(row[pairs])
            factors = [
                _shifted((rows * self._units[member]).sum(axis=1))
                for member in self._members[query[pairs]].T
            ]
            scores[pairs] = self._scores(np.array(factors))
        return scores

    def _scores(self, shifted: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scores from the shifted cosines of all members, the members along the first axis."""
        above = shifted[: self._n_positive].prod(axis=0)
        above /= shifted[self._n_positive :].prod(axis=0) + EPSILON
        scores: NDArray[np.float64] = above
        return scores


def _shifted(cosines: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cosines moved to [0, 1], in place."""
    cosines += 1.0
    cosines *= 0.5
    return np.clip(cosines, 0.0, 1.0, out=cosines)
