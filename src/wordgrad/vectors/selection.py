"""The best rows of each query, found exactly and in bounded memory, whatever scores them.

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

QUERIES_AT_ONCE = 512
SCORES_HELD = 1 << 22
SET_SIZE = 32  # columns whose maximum is taken together
FEWEST_SETS = 64  # below so many (and below 4 topn), looking at every score is as fast


@dataclass(frozen=True)
class Neighbours:
    """The best rows of each query, best first.

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
    """What scores rows for a number of queries.

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


def best_rows(
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
    """
    topn = min(topn, limit)
    rows = np.full((queries, topn), -1, dtype=np.int64)
    scores = np.full((queries, topn), np.nan)
    for start in range(0, queries, QUERIES_AT_ONCE):
        part = slice(start, min(start + QUERIES_AT_ONCE, queries))
        banned = None if excluded is None else excluded[part]
        best = _best_of_part(scorer, part, topn, limit, banned)
        rank = _rank_within(best.query)
        rows[best.query, rank] = best.row
        scores[best.query, rank] = best.score
    return Neighbours(rows, scores)


def _best_of_part(
    scorer: Scorer, part: slice, topn: int, limit: int, excluded: NDArray[np.int64] | None
) -> _Pairs:
    floor = np.full(part.stop - part.start, -np.inf)
    best = _Pairs.none()
    for start, scores in scorer.blocks(part, limit):
        if excluded is not None:
            _exclude(scores, excluded - start)
        query, column = _candidates(scores, topn, floor, scorer.margin)
        query += part.start
        row = column + start
        best = best.merged(_Pairs(query, row, scorer.exact(query, row))).best(topn)
        full = _rank_within(best.query) == topn - 1
        known = best.query[full] - part.start
        floor[known] = np.maximum(floor[known], best.score[full])
    return best


def _candidates(
    scores: NDArray[np.floating], topn: int, floor: NDArray[np.float64], margin: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Query and column of every score that may be one of the ``topn`` best.

    ``floor``, of shape (B,), is raised in place where this block gives a higher one.
    """
    queries, columns = scores.shape
    sets = columns // SET_SIZE
    if sets < max(FEWEST_SETS, 4 * topn):
        _raise_floor(floor, scores, topn)
        return _reaching(scores, _bound(floor, margin))
    # Splitting an axis of a strided array is a view, and the maximum runs along whole rows.
    maxima = scores[:, : sets * SET_SIZE].reshape(queries, SET_SIZE, sets).max(axis=1)
    _raise_floor(floor, maxima, topn)
    bound = _bound(floor, margin)
    query, member = _reaching(maxima, bound)
    query = np.repeat(query, SET_SIZE)
    column = (member[:, None] + np.arange(SET_SIZE) * sets).ravel()
    near = scores[query, column]
    kept = (near >= bound[query]) & (near > -np.inf)
    rest_query, rest = _reaching(scores[:, sets * SET_SIZE :], bound)
    return (
        np.concatenate([query[kept], rest_query]),
        np.concatenate([column[kept], rest + sets * SET_SIZE]),
    )


def _raise_floor(floor: NDArray[np.float64], scores: NDArray[np.floating], topn: int) -> None:
    """Raise each query's ``floor``, in place, to the ``topn``-th largest of its ``scores``."""
    place = scores.shape[1] - topn
    if place >= 0:
        np.maximum(floor, np.partition(scores, place, axis=1)[:, place], out=floor)


def _bound(floor: NDArray[np.float64], margin: float) -> NDArray[np.float64]:
    """What a score must reach for its exact value to be able to reach ``floor``."""
    return floor - margin * (1 + np.abs(floor))


def _reaching(
    scores: NDArray[np.floating], bound: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Query and column of the scores that reach their query's bound and are not excluded."""
    rounded = bound.astype(scores.dtype)
    near = (scores >= rounded[:, None]) & (scores > -np.inf)
    # A flat search is five times as fast as one for both indices.
    query, column = np.divmod(np.flatnonzero(near), max(scores.shape[1], 1))
    return query, column


def _exclude(scores: NDArray[np.floating], columns: NDArray[np.int64]) -> None:
    """Set the score of excluded columns to -inf, in place; columns outside the block are left."""
    query, entry = np.nonzero((columns >= 0) & (columns < scores.shape[1]))
    scores[query, columns[query, entry]] = -np.inf


@dataclass(frozen=True)
class _Pairs:
    """Candidates: parallel arrays of query, row and score."""

    query: NDArray[np.int64]
    row: NDArray[np.int64]
    score: NDArray[np.float64]

    @classmethod
    def none(cls) -> _Pairs:
        empty = np.empty(0, dtype=np.int64)
        return cls(empty, empty, np.empty(0))

    def merged(self, other: _Pairs) -> _Pairs:
        return _Pairs(
            np.concatenate([self.query, other.query]),
            np.concatenate([self.row, other.row]),
            np.concatenate([self.score, other.score]),
        )

    def best(self, topn: int) -> _Pairs:
        """The ``topn`` best of each query, queries in order, best first, ties by row."""
        order = np.lexsort((self.row, -self.score, self.query))
        kept = order[_rank_within(self.query[order]) < topn]
        return _Pairs(self.query[kept], self.row[kept], self.score[kept])


def _rank_within(groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """Position of each entry within its run of equal values; ``groups`` is sorted."""
    places = np.arange(groups.size)
    starts = np.flatnonzero(np.diff(groups, prepend=-1))
    return places - np.repeat(starts, np.diff(starts, append=groups.size))
