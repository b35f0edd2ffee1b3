"""From words and vectors to query vectors, many at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from wordgrad.errors import ParameterError, check_choice
from wordgrad.vectors.search import unit

if TYPE_CHECKING:
    from wordgrad.vectors.word_matrix import WordMatrix

Query: TypeAlias = "str | NDArray[np.floating] | Sequence[str | NDArray[np.floating]]"

ON_UNKNOWN = ("error", "skip")


@dataclass(frozen=True)
class Members:
    """What one query names.

    Attributes
    ----------
    rows : tuple of int
        Rows of its words.
    vectors : ndarray of float64, shape (n, D)
        A vector of length 1 (or zero) for each word and each vector, in the order given.
    skipped : tuple of str
        Words that are not in the vocabulary, in the order given.
    """

    rows: tuple[int, ...]
    vectors: NDArray[np.float64]
    skipped: tuple[str, ...]


@dataclass(frozen=True)
class Queries:
    """Query vectors, ready for a search.

    Attributes
    ----------
    vectors : ndarray of float64, shape (B, D)
        Of length 1 each, or zero.
    excluded : ndarray of int64, shape (B, E)
        Rows of the words that each query names; ``-1`` where it names fewer than others.
    skipped : list of tuple of str, length B
    empty : list of bool, length B
        Whether nothing is left of a query because all its words were skipped.
    """

    vectors: NDArray[np.float64]
    excluded: NDArray[np.int64]
    skipped: list[tuple[str, ...]]
    empty: list[bool]


def combined(
    words: WordMatrix,
    queries: Iterable[tuple[Query, Query | None]],
    on_unknown: str,
) -> Queries:
    """For each (positive, negative): the unit vectors of the first less those of the second.

    Raises
    ------
    UnknownWordError
        If a word is not in the vocabulary and ``on_unknown`` is "error".
    ParameterError
        If a query names nothing, or a vector has the wrong shape or is not finite.
    """
    sums, rows, skipped, empty = [], [], [], []
    for positive, negative in queries:
        added = members(words, positive, "positive", on_unknown)
        sums.append(added.vectors.sum(axis=0))
        rows.append(added.rows)
        skipped.append(added.skipped)
        count = len(added.vectors)
        if negative is not None:
            taken = members(words, negative, "negative", on_unknown)
            sums[-1] -= taken.vectors.sum(axis=0)
            rows[-1] += taken.rows
            skipped[-1] += taken.skipped
            count += len(taken.vectors)
        empty.append(count == 0)
        if count == 0 and not skipped[-1]:
            raise ParameterError("positive must name at least one word or vector, got none.")
    vectors = np.array(sums, dtype=np.float64).reshape(-1, words.vector_size)
    return Queries(unit(vectors), padded(rows), skipped, empty)


def members(words: WordMatrix, query: Query, name: str, on_unknown: str) -> Members:
    """What ``query``, called ``name`` in messages, names; raises what :func:`combined` raises."""
    check_choice("on_unknown", on_unknown, ON_UNKNOWN)
    if isinstance(query, str) or (isinstance(query, np.ndarray) and query.ndim == 1):
        query = [query]
    if not isinstance(query, Iterable):
        raise ParameterError(f"{name} must be a word, a vector or several, got {query!r}.")
    rows: list[int] = []
    given: list[NDArray[np.float64]] = []
    skipped: list[str] = []
    places: list[int] = []  # row of a word, or -1 - its place among the given vectors
    for member in query:
        if not isinstance(member, str):
            places.append(-1 - len(given))
            given.append(_checked_vector(words, member, name))
        elif on_unknown == "skip" and member not in words:
            skipped.append(member)
        else:
            rows.append(words.rank(member))
            places.append(rows[-1])
    vectors = words.search_index().unit_rows(np.array(places, dtype=np.int64).clip(0))
    for place, row in enumerate(places):
        if row < 0:
            vectors[place] = unit(given[-1 - row])
    return Members(tuple(rows), vectors, tuple(skipped))


def padded(rows: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    """Lists of rows as one array, shorter ones filled up with ``-1``.

    >>> padded([[4], [], [7, 2]])
    array([[ 4, -1],
           [-1, -1],
           [ 7,  2]])
    """
    table = np.full((len(rows), max(map(len, rows), default=0)), -1, dtype=np.int64)
    for line, entries in zip(table, rows, strict=True):
        line[: len(entries)] = entries
    return table


def _checked_vector(words: WordMatrix, member: object, name: str) -> NDArray[np.float64]:
    vector = np.asarray(member)
    if vector.shape != (words.vector_size,) or vector.dtype.kind not in "fiu":
        raise ParameterError(
            f"{name} must hold words or vectors of {words.vector_size} numbers, got "
            f"an array of shape {vector.shape} and dtype {vector.dtype}."
        )
    if not np.isfinite(vector).all():
        raise ParameterError(f"{name} must hold finite vectors, got NaN or infinity.")
    return vector.astype(np.float64)
