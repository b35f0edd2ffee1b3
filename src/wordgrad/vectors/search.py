"""Exact search for the rows with the largest cosines, in bounded memory.

Design
------
A. The cosines of a block of queries with a block of rows are one matrix product in float32 (BLAS,
   all cores).  No more than ``SCORES_HELD`` of them exist at any time, whatever V and B are.
B. Sorting, and even partitioning, all scores would cost more than computing them.  Instead each
   query holds a floor: a value that at least ``topn`` scores reach.  The maxima over disjoint sets
   of columns give one (they belong to different rows, so the ``topn``-th largest of them is
   reached ``topn`` times); one comparison then leaves a handful of candidates.
C. The candidates are scored again in float64, each by the same order of operations, so that equal
   rows get equal cosines whatever the number of threads, and ties go to the more frequent word.
   Candidates within the rounding error of float32 below the floor are kept for that second look:
   the result is the exact one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wordgrad.errors import FormatError, ParameterError

QUERIES_AT_ONCE = 512
SCORES_HELD = 1 << 22  # float32: 16 MiB
PAIRS_AT_ONCE = 1 << 14
ROWS_AT_ONCE = 1 << 14
SAFE_NORMS = (1e-15, 1e15)  # between these no product or square leaves float32


@dataclass(frozen=True)
class Neighbours:
    """The nearest rows of each query, best first.

    Attributes
    ----------
    rows : ndarray of int64, shape (B, topn)
        ``-1`` where fewer than ``topn`` rows were allowed.
    cosines : ndarray of float64, shape (B, topn)
        In [-1, 1]; NaN where ``rows`` is ``-1``.
    """

    rows: NDArray[np.int64]
    cosines: NDArray[np.float64]


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


class ExactIndex:
    """Exact nearest neighbours by cosine among the rows of a matrix.

    A zero row, or a zero query, has cosine 0 with everything.

    Parameters
    ----------
    matrix : ndarray of float32, shape (V, D)
    norms : ndarray of float64, shape (V,)
        From :func:`row_norms`.
    """

    def __init__(self, matrix: NDArray[np.float32], norms: NDArray[np.float64]) -> None:
        self._matrix = matrix
        self._inverse = np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0)
        positive = norms[norms > 0]
        low, high = SAFE_NORMS
        self._extreme = bool(positive.size) and bool(positive.min() < low or positive.max() > high)

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
        limit = self._matrix.shape[0] if limit is None else min(limit, self._matrix.shape[0])
        topn = min(topn, limit)
        rows = np.full((queries.shape[0], topn), -1, dtype=np.int64)
        cosines = np.full((queries.shape[0], topn), np.nan)
        for start in range(0, queries.shape[0], QUERIES_AT_ONCE):
            part = slice(start, start + QUERIES_AT_ONCE)
            banned = None if excluded is None else excluded[part]
            best = self._search(queries[part], topn, banned, limit)
            rank = _rank_within(best.query)
            rows[start + best.query, rank] = best.row
            cosines[start + best.query, rank] = best.cosine
        return Neighbours(rows, cosines)

    def _search(
        self,
        queries: NDArray[np.float64],
        topn: int,
        excluded: NDArray[np.int64] | None,
        limit: int,
    ) -> _Pairs:
        # A dot product of two unit vectors in float32 is off by at most D 2^-24 (Higham, Accuracy
        # and Stability of Numerical Algorithms, 2002, section 3.1): twice that between two of them.
        margin = (self._matrix.shape[1] + 4) * 2.0**-23
        floor = np.full(queries.shape[0], -np.inf)
        best = _Pairs.none()
        for start, scores in self._blocks(queries.astype(np.float32), limit):
            if excluded is not None:
                _exclude(scores, excluded - start)
            floor = np.maximum(floor, _reached_by(scores, topn))
            near = scores >= (floor - margin).astype(np.float32)[:, None]
            query, column = np.nonzero(near)
            allowed = scores[query, column] > -np.inf
            query, row = query[allowed], column[allowed] + start
            found = _Pairs(query, row, self._cosines(queries, query, row))
            best = best.merged(found).best(topn)
        return best

    def _blocks(
        self, queries: NDArray[np.float32], limit: int
    ) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """First row and cosines, float32 of shape (B, rows), of each block of rows."""
        step = max(SCORES_HELD // queries.shape[0], 1)
        if self._extreme:
            step = min(step, ROWS_AT_ONCE)
        for start in range(0, limit, step):
            rows = slice(start, min(start + step, limit))
            if self._extreme:
                unit_rows = self._matrix[rows] * self._inverse[rows, None]
                yield start, queries @ unit_rows.astype(np.float32).T
            else:
                scores = queries @ self._matrix[rows].T
                scores *= self._inverse[rows].astype(np.float32)
                yield start, scores

    def _cosines(
        self, queries: NDArray[np.float64], query: NDArray[np.int64], row: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Cosines of (query, row) pairs in float64, each summed in the same order."""
        cosines = np.empty(row.size)
        for start in range(0, row.size, PAIRS_AT_ONCE):
            pairs = slice(start, start + PAIRS_AT_ONCE)
            unit_rows = self._matrix[row[pairs]] * self._inverse[row[pairs], None]
            cosines[pairs] = (unit_rows * queries[query[pairs]]).sum(axis=1)
        np.clip(cosines, -1.0, 1.0, out=cosines)  # rounding may leave the interval by an ulp
        return cosines


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


@dataclass(frozen=True)
class _Pairs:
    """Candidates: parallel arrays of query, row and cosine."""

    query: NDArray[np.int64]
    row: NDArray[np.int64]
    cosine: NDArray[np.float64]

    @classmethod
    def none(cls) -> _Pairs:
        empty = np.empty(0, dtype=np.int64)
        return cls(empty, empty, np.empty(0))

    def merged(self, other: _Pairs) -> _Pairs:
        return _Pairs(
            np.concatenate([self.query, other.query]),
            np.concatenate([self.row, other.row]),
            np.concatenate([self.cosine, other.cosine]),
        )

    def best(self, topn: int) -> _Pairs:
        """The ``topn`` best of each query, queries in order, best first, ties by row."""
        order = np.lexsort((self.row, -self.cosine, self.query))
        kept = order[_rank_within(self.query[order]) < topn]
        return _Pairs(self.query[kept], self.row[kept], self.cosine[kept])


def _rank_within(groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """Position of each entry within its run of equal values; ``groups`` is sorted."""
    places = np.arange(groups.size)
    starts = np.flatnonzero(np.diff(groups, prepend=-1))
    return places - np.repeat(starts, np.diff(starts, append=groups.size))


def _reached_by(scores: NDArray[np.float32], topn: int) -> NDArray[np.float64]:
    """A value per query that at least ``topn`` of its scores reach; -inf if there are too few."""
    queries, columns = scores.shape
    if columns < topn:
        return np.full(queries, -np.inf)
    sets = max(64, 4 * topn)
    if columns >= 4 * sets:
        # Splitting an axis of a strided array is a view, and the maximum runs along whole rows.
        scores = scores[:, : columns // sets * sets].reshape(queries, -1, sets).max(axis=1)
        columns = sets
    place = columns - topn
    return np.partition(scores, place, axis=1)[:, place].astype(np.float64)


def _exclude(scores: NDArray[np.float32], columns: NDArray[np.int64]) -> None:
    """Set the score of excluded columns to -inf, in place; columns outside the block are left."""
    query, entry = np.nonzero((columns >= 0) & (columns < scores.shape[1]))
    scores[query, columns[query, entry]] = -np.inf
