r"""Exact search for the nearest rows of a matrix, by cosine or by 3CosMul, in bounded memory.

The cosines of a block of queries with a block of rows are one matrix product in float32 (BLAS, all
cores), scaled by the rows' lengths: the matrix is never copied.  3CosMul, the multiplicative
combination of cosines, is

.. math:: \frac{\prod_p s(w, p)}{\prod_n s(w, n) + \varepsilon}, \qquad
          s(w, x) = \frac{1 + \cos(w, x)}{2}, \quad \varepsilon = 10^{-6}

over the positive words p and the negative ones n: Levy and Goldberg 2014, "Linguistic regularities
in sparse and explicit word representations", equation (4), with cosines shifted to [0, 1] as its
footnote 7 says.  The paper has :math:`\varepsilon = 0.001`; :math:`10^{-6}` is what gensim uses.
A sum lets one large cosine outweigh the others, a product does not.

Design
------
A. Scores come in blocks: some queries by some rows.  No more than ``SCORES_HELD`` of them exist at
   any time, whatever V and B are.
B. Sorting, and even partitioning, all scores would cost more than computing them.  Instead each
   query holds a floor: a value that at least ``topn`` scores reach.  The columns of a block are cut
   into sets, and the maxima of the sets are taken in one pass.  They belong to different rows, so
   the ``topn``-th largest of them is a floor; and only the few sets whose maximum reaches it are
   looked into.
C. The candidates are scored again in float64, each by the same order of operations, so that equal
   rows get equal scores whatever the number of threads, and ties go to the more frequent word.
   Candidates within the rounding error below the floor are kept for that second look: the result
   is the exact one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from wordgrad.errors import FormatError, ParameterError

QUERIES_AT_ONCE = 512
SCORES_HELD = 1 << 22
SET_SIZE = 32  # columns whose maximum is taken together
FEWEST_SETS = 64  # below so many (and below 4 topn), looking at every score is as fast
PAIRS_AT_ONCE = 1 << 14
ROWS_AT_ONCE = 1 << 14
SAFE_NORMS = (1e-15, 1e15)  # between these no product or square leaves float32
EPSILON = 1e-6


@dataclass(frozen=True)
class Neighbours:
    """The nearest rows of each query, best first.

    Attributes
    ----------
    rows : ndarray of int64, shape (B, topn)
        ``-1`` where fewer than ``topn`` rows were allowed.
    scores : ndarray of float64, shape (B, topn)
        Cosines, in [-1, 1], unless the search says otherwise; NaN where ``rows`` is ``-1``.
    """

    rows: NDArray[np.int64]
    scores: NDArray[np.float64]


class Scorer(Protocol):
    """Scores of rows for a number of queries.

    Attributes
    ----------
    margin : float
        How far a score of :meth:`blocks` may be from that of :meth:`exact`, for scores up to 1;
        for larger ones it grows in proportion.
    """

    @property
    def margin(self) -> float:
        """See the class."""
        ...

    def blocks(
        self, queries: slice, limit: int
    ) -> Iterator[tuple[int, NDArray[np.float32] | NDArray[np.float64]]]:
        """First row and scores, of shape (queries, rows), of each block of rows below ``limit``."""
        ...

    def exact(self, query: NDArray[np.int64], row: NDArray[np.int64]) -> NDArray[np.float64]:
        """Scores of pairs of a query and a row, each summed in the same order."""
        ...


def top_k(
    scorer: Scorer,
    queries: int,
    topn: int,
    *,
    limit: int,
    excluded: NDArray[np.int64] | None = None,
) -> Neighbours:
    """The ``topn`` rows below ``limit`` that score highest, for each of a number of queries.

    Parameters
    ----------
    scorer : Scorer
    queries : int
    topn : int
    limit : int
        At least 1.
    excluded : ndarray of int64, shape (queries, E), optional
        Rows that may not be answers, query by query; negative entries are ignored.

    Returns
    -------
    Neighbours
        Equal scores by rising row.
    """
    topn = min(topn, limit)
    found_rows = np.full((queries, topn), -1, dtype=np.int64)
    found_scores = np.full((queries, topn), np.nan)
    for first in range(0, queries, QUERIES_AT_ONCE):
        part = slice(first, min(first + QUERIES_AT_ONCE, queries))
        floor = np.full(part.stop - part.start, -np.inf)
        # The best so far, parallel arrays: queries in order, best first.
        query = row = rank = np.empty(0, dtype=np.int64)
        score = np.empty(0)
        for start, scores in scorer.blocks(part, limit):
            if excluded is not None:
                columns = excluded[part] - start
                banned, entry = np.nonzero((columns >= 0) & (columns < scores.shape[1]))
                scores[banned, columns[banned, entry]] = -np.inf
            new_query, column = _candidates(scores, topn, floor, scorer.margin)
            new_query += first
            new_row = column + start
            query, row = np.concatenate([query, new_query]), np.concatenate([row, new_row])
            score = np.concatenate([score, scorer.exact(new_query, new_row)])
            order = np.lexsort((row, -score, query))
            query, row, score = query[order], row[order], score[order]
            # The rank of each within its run of equal queries.
            runs = np.flatnonzero(np.diff(query, prepend=-1))
            rank = np.arange(query.size) - np.repeat(runs, np.diff(runs, append=query.size))
            kept = rank < topn
            query, row, score, rank = query[kept], row[kept], score[kept], rank[kept]
            last = rank == topn - 1
            known = query[last] - first
            floor[known] = np.maximum(floor[known], score[last])
        found_rows[query, rank] = row
        found_scores[query, rank] = score
    return Neighbours(found_rows, found_scores)


def _candidates(
    scores: NDArray[np.floating], topn: int, floor: NDArray[np.float64], margin: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Query and column of every score that may be one of the ``topn`` best.

    ``floor``, of shape (B,), is raised in place where this block gives a higher one.
    """
    queries, columns = scores.shape
    sets = columns // SET_SIZE
    if sets < max(FEWEST_SETS, 4 * topn):
        sets = 0  # every score is looked at
    whole = sets * SET_SIZE
    # Splitting an axis of a strided array is a view, and the maximum runs along whole rows.
    maxima = scores[:, :whole].reshape(queries, SET_SIZE, sets).max(axis=1) if sets else scores
    place = maxima.shape[1] - topn
    if place >= 0:
        np.maximum(floor, np.partition(maxima, place, axis=1)[:, place], out=floor)
    # What a score must reach for its exact value to be able to reach the floor.
    bound = floor - margin * (1 + np.abs(floor))
    rest_query, rest = _reaching(scores[:, whole:], bound)
    if not sets:
        return rest_query, rest
    query, member = _reaching(maxima, bound)
    query = np.repeat(query, SET_SIZE)
    column = (member[:, None] + np.arange(SET_SIZE) * sets).ravel()
    near = scores[query, column]
    kept = (near >= bound[query]) & (near > -np.inf)
    return np.concatenate([query[kept], rest_query]), np.concatenate([column[kept], rest + whole])


def _reaching(
    scores: NDArray[np.floating], bound: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Query and column of the scores that reach their query's bound and are not excluded."""
    near = (scores >= bound.astype(scores.dtype)[:, None]) & (scores > -np.inf)
    # A flat search is five times as fast as one for both indices.
    query, column = np.divmod(np.flatnonzero(near), max(scores.shape[1], 1))
    return query, column


def row_norms(matrix: NDArray[np.float32], origin: str | None = None) -> NDArray[np.float64]:
    """Euclidean length of every row, float64 of shape (V,), summed in float64.

    Finite rows have finite lengths, so this is also the check that the values are finite.

    Raises
    ------
    FormatError, ParameterError
        If a value is NaN or infinite; the first if ``origin`` names the file it came from.

    >>> row_norms(np.array([[3, 4], [0, 0]], dtype=np.float32))
    array([5., 0.])
    """
    norms = np.empty(matrix.shape[0])
    for start in range(0, matrix.shape[0], ROWS_AT_ONCE):
        with np.errstate(invalid="ignore"):  # a signalling NaN; it is found below like any other
            rows = matrix[start : start + ROWS_AT_ONCE].astype(np.float64)
        norms[start : start + ROWS_AT_ONCE] = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    bad = np.flatnonzero(~np.isfinite(norms))
    if bad.size:
        row = int(bad[0])
        column = int(np.flatnonzero(~np.isfinite(matrix[row]))[0])
        place = f"{matrix[row, column]} in row {row}, column {column}"
        if origin is not None:
            raise FormatError(f"{origin} holds {place}; every value must be finite: train again.")
        raise ParameterError(f"matrix must hold finite values, got {place}; repair that row.")
    return norms


def unit(vectors: NDArray[np.floating]) -> NDArray[np.float64]:
    """Rows scaled to length 1, in float64; a zero row stays zero.

    >>> unit(np.array([[3.0, 4.0], [0.0, 0.0]]))
    array([[0.6, 0.8],
           [0. , 0. ]])
    """
    rows = np.asarray(vectors, dtype=np.float64)
    largest = np.abs(rows).max(axis=-1, keepdims=True, initial=0.0)
    # Dividing by the largest entry first keeps the squares inside float64.
    rows = np.divide(rows, largest, out=np.zeros_like(rows), where=largest > 0)
    length = np.linalg.norm(rows, axis=-1, keepdims=True)
    scaled: NDArray[np.float64] = np.divide(rows, length, out=np.zeros_like(rows), where=length > 0)
    return scaled


class ExactIndex:
    """Exact nearest neighbours by cosine among the rows of a matrix.

    A zero row, or a zero query, has cosine 0 with everything.

    Parameters
    ----------
    matrix : ndarray of float32, shape (V, D)
    norms : ndarray of float64, shape (V,)
        From :func:`row_norms`.

    Attributes
    ----------
    extreme : bool
        Whether rows are so long or short that float32 products need rows scaled before.
    """

    def __init__(self, matrix: NDArray[np.float32], norms: NDArray[np.float64]) -> None:
        self._matrix = matrix
        self._inverse = np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0)
        positive = norms[norms > 0]
        low, high = SAFE_NORMS
        self.extreme = bool(positive.size) and bool(positive.min() < low or positive.max() > high)

    @property
    def shape(self) -> tuple[int, int]:
        """(V, D)."""
        return self._matrix.shape[0], self._matrix.shape[1]

    def unit_rows(self, rows: slice | NDArray[np.int64]) -> NDArray[np.float64]:
        """Some rows, scaled to length 1 in float64; a zero row stays zero."""
        return np.multiply(self._matrix[rows], self._inverse[rows, None], dtype=np.float64)

    def products(self, queries: NDArray[np.float32], rows: slice) -> NDArray[np.float32]:
        """Cosines, float32 of shape (B, rows), of unit ``queries`` and a block of rows."""
        if self.extreme:
            return queries @ self.unit_rows(rows).astype(np.float32).T
        # One query is a product of matrix and vector, which BLAS does at the speed of memory.
        block = self._matrix[rows]
        scores: NDArray[np.float32]
        if len(queries) == 1:
            scores = np.matmul(block, queries[0])[None]
        else:
            scores = np.matmul(queries, block.T)
        scores *= self._inverse[rows].astype(np.float32)
        return scores

    def pair_cosines(
        self,
        queries: NDArray[np.float64],
        query: NDArray[np.int64],
        row: NDArray[np.int64],
    ) -> NDArray[np.float64]:
        """Cosines of pairs of a unit query and a row in float64, each summed in the same order."""
        cosines = np.empty(row.size)
        for start in range(0, row.size, PAIRS_AT_ONCE):
            pairs = slice(start, start + PAIRS_AT_ONCE)
            cosines[pairs] = (self.unit_rows(row[pairs]) * queries[query[pairs]]).sum(axis=1)
        np.clip(cosines, -1.0, 1.0, out=cosines)  # rounding may leave the interval by an ulp
        return cosines

    def search(
        self,
        queries: NDArray[np.float64],
        topn: int,
        *,
        excluded: NDArray[np.int64] | None = None,
        limit: int | None = None,
    ) -> Neighbours:
        """The ``topn`` nearest rows of each query.

        Parameters
        ----------
        queries : ndarray of float64, shape (B, D)
            Of length 1 each, or zero (see :func:`unit`).
        topn : int
        excluded : ndarray of int64, shape (B, E), optional
            Rows that may not be answers, query by query; negative entries are ignored.
        limit : int, optional
            Only rows below this one are searched.
        """
        limit = len(self._matrix) if limit is None else min(limit, len(self._matrix))
        scorer = _CosineScorer(self, queries)
        return top_k(scorer, len(queries), topn, limit=limit, excluded=excluded)

    def search_3cosmul(
        self,
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
        units : ndarray of float64, shape (U, D)
            What the questions name, each once: vectors of length 1, or zero.
        positive : ndarray of int64, shape (B, P)
            Rows of ``units``.
        negative : ndarray of int64, shape (B, N)
            Rows of ``units``.
        topn : int
        excluded, limit
            As in :meth:`search`.

        Returns
        -------
        Neighbours
            Its scores are those of the module's formula: not negative, and up to a million where a
            negative word points the opposite way.
        """
        limit = len(self._matrix) if limit is None else min(limit, len(self._matrix))
        scorer = _ProductScorer(self, units, positive, negative)
        return top_k(scorer, len(positive), topn, limit=limit, excluded=excluded)


class _CosineScorer:
    """Cosines of some queries with the rows of an index."""

    def __init__(self, index: ExactIndex, queries: NDArray[np.float64]) -> None:
        self._index = index
        self._queries = queries
        self._rounded = queries.astype(np.float32)
        # A dot product of two unit vectors in float32 is off by at most D 2^-24 (Higham, Accuracy
        # and Stability of Numerical Algorithms, 2002, section 3.1): twice that between two of them.
        self.margin = (index.shape[1] + 4) * 2.0**-23

    def blocks(self, queries: slice, limit: int) -> Iterator[tuple[int, NDArray[np.float32]]]:
        rounded = self._rounded[queries]
        step = max(SCORES_HELD // len(rounded), 1)
        if self._index.extreme:  # a block of rows is copied
            step = min(step, ROWS_AT_ONCE)
        for start in range(0, limit, step):
            yield start, self._index.products(rounded, slice(start, min(start + step, limit)))

    def exact(self, query: NDArray[np.int64], row: NDArray[np.int64]) -> NDArray[np.float64]:
        return self._index.pair_cosines(self._queries, query, row)


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
        step = max(SCORES_HELD // (2 * len(members)), 1)
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
