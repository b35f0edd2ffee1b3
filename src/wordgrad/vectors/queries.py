"""From words and vectors to one query vector."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from wordgrad.errors import ParameterError
from wordgrad.vectors.search import unit

if TYPE_CHECKING:
    from wordgrad.vectors.word_vectors import WordVectors

Query: TypeAlias = "str | NDArray[np.floating] | Sequence[str | NDArray[np.floating]]"


def combined_query(
    vectors: WordVectors, positive: Query, negative: Query | None
) -> tuple[NDArray[np.float64], list[int]]:
    """Unit sum of the unit vectors of ``positive`` less those of ``negative``.

    Returns
    -------
    query : ndarray of float64, shape (D,)
        Of length 1, or zero if the sum is.
    rows : list of int
        Rows of the words that were named.

    Raises
    ------
    UnknownWordError
        If a word is not in the vocabulary.
    ParameterError
        If nothing is named, or a vector has the wrong shape or is not finite.
    """
    added = _members(vectors, positive, "positive")
    subtracted = [] if negative is None else _members(vectors, negative, "negative")
    members = added + subtracted
    if not members:
        raise ParameterError("positive must name at least one word or vector, got none.")
    signs = np.repeat([1.0, -1.0], [len(added), len(subtracted)])
    units = [unit(vectors.matrix[m] if isinstance(m, int) else m) for m in members]
    return unit(signs @ np.stack(units)), [m for m in members if isinstance(m, int)]


def _members(vectors: WordVectors, query: Query, name: str) -> list[int | NDArray[np.float64]]:
    """Rows of the words, and the vectors as they are."""
    if isinstance(query, str) or (isinstance(query, np.ndarray) and query.ndim == 1):
        query = [query]
    if not isinstance(query, Iterable):
        raise ParameterError(f"{name} must be a word, a vector or several, got {query!r}.")
    members: list[int | NDArray[np.float64]] = []
    for member in query:
        if isinstance(member, str):
            members.append(vectors.rank(member))
            continue
        vector = np.asarray(member)
        if vector.shape != (vectors.vector_size,) or vector.dtype.kind not in "fiu":
            raise ParameterError(
                f"{name} must hold words or vectors of {vectors.vector_size} numbers, got "
                f"an array of shape {vector.shape} and dtype {vector.dtype}."
            )
        if not np.isfinite(vector).all():
            raise ParameterError(f"{name} must hold finite vectors, got NaN or infinity.")
        members.append(vector.astype(np.float64))
    return members
