"""Exact search for the rows with the largest cosines.

The cosines of a block of queries with a block of rows are one matrix product in float32 (BLAS, all
cores), scaled by the rows' lengths: the matrix is never copied.  How the best are found among them
is told in :mod:`wordgrad.vectors.selection`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from wordgrad.errors import FormatError, ParameterError
from wordgrad.vectors import selection
from wordgrad.vectors.selection import Neighbours, best_rows

PAIRS_AT_ONCE = 1 << 14
ROWS_AT_ONCE = 1 << 14
SAFE_NORMS = (1e-15, 1e15)  # between these no product or square leaves float32


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

    @property
    def shape(self) -> tuple[int, int]:
        """(V, D)."""
        return self._matrix.shape[0], self._matrix.shape[1]

    def unit_rows(self, rows: slice | NDArray[np.int64]) -> NDArray[np.float64]:
        """Some rows, scaled to length 1 in float64; a zero row stays zero."""
        return np.multiply(self._matrix[rows], self._inverse[rows, None], dtype=np.float64)

    def products(self, queries: NDArray[np.float32], rows: slice) -> NDArray[np.float32]:
        """Cosines, float32 of shape (B, rows), of unit ``queries`` and a block of rows."""
        if self._extreme:
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

    def block_rows(self, queries: int) -> int:
        """How many rows to score at once for so many queries."""
        rows = max(selection.SCORES_HELD // queries, 1)
        return min(rows, ROWS_AT_ONCE) if self._extreme else rows

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
        limit = self.shape[0] if limit is None else min(limit, self.shape[0])
        scorer = _CosineScorer(self, queries)
        return best_rows(scorer, len(queries), topn, limit=limit, excluded=excluded)


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
        step = self._index.block_rows(len(rounded))
        for start in range(0, limit, step):
            yield start, self._index.products(rounded, slice(start, min(start + step, limit)))

    def exact(self, query: NDArray[np.int64], row: NDArray[np.int64]) -> NDArray[np.float64]:
        return self._index.pair_cosines(self._queries, query, row)


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
