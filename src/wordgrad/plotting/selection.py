"""Selection of the words that a map shows, and of their groups."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wordgrad.errors import ParameterError, check_int
from wordgrad.plotting.picture import visible
from wordgrad.search.exact import unit
from wordgrad.word_vectors import WordVectors

LEAST_WORDS = 3
NAMED = 5  # words that a description names


@dataclass(frozen=True)
class Selection:
    """Rows of the words to show.

    Attributes
    ----------
    rows : ndarray of int64, shape (n,)
        In falling order of importance: the first are labelled first.
    groups : ndarray of int64, shape (n,), or None
        The group of each word, if the selection makes groups; they are numbered from 0.
    centres : tuple of str
        The words that the groups stand around, group by group; empty without groups.
    zero_vectors : int
        Words left out because their vector is zero and so has no direction.
    description : str
        What was selected, for a reader.
    """

    rows: NDArray[np.int64]
    groups: NDArray[np.int64] | None
    centres: tuple[str, ...]
    zero_vectors: int
    description: str


def most_frequent(vectors: WordVectors, number: int) -> Selection:
    """The ``number`` most frequent words, or all if there are fewer.

    Words whose vector is zero are left out and counted.

    >>> vectors = WordVectors(["a", "b", "c", "d"], [[1, 0], [0, 1], [0, 0], [1, 1]])
    >>> selection = most_frequent(vectors, 10)
    >>> selection.rows, selection.zero_vectors, selection.description
    (array([0, 1, 3]), 1, 'The 3 most frequent words')
    """
    number = check_int("most_frequent", number, minimum=LEAST_WORDS)
    rows = np.arange(min(number, len(vectors)), dtype=np.int64)
    kept = rows[_nonzero(vectors, rows)]
    _check_enough(kept.size)
    described = f"The {kept.size:,} most frequent words"
    return Selection(kept, None, (), rows.size - kept.size, described)


def named(vectors: WordVectors, words: Iterable[str]) -> Selection:
    """The given words, each once, in their order.

    Raises
    ------
    UnknownWordError
        If one is not in the vocabulary.
    ParameterError
        If there are fewer than three, or one has a zero vector.
    """
    rows = _rows(vectors, words)
    _check_enough(rows.size)
    return Selection(rows, None, (), 0, f"{rows.size:,} chosen words")


def around(
    vectors: WordVectors, words: Iterable[str], neighbours: int, limit: int | None
) -> Selection:
    """Words and the ``neighbours`` nearest to each; each neighbour belongs to the nearest of them.

    Parameters
    ----------
    vectors : WordVectors
    words : iterable of str
        The centres.
    neighbours : int
        How many words to show around each.
    limit : int or None
        Only the most frequent ``limit`` words are neighbours.

    Raises
    ------
    UnknownWordError
        If one is not in the vocabulary.
    ParameterError
        If a centre has a zero vector, or there are fewer than three words in all.
    """
    neighbours = check_int("neighbours", neighbours, minimum=1)
    centres = _rows(vectors, words)
    units = unit(vectors.matrix[centres])
    found = vectors.search_index().search(units, neighbours, excluded=centres[:, None], limit=limit)
    near = np.setdiff1d(found.rows[found.rows >= 0], centres)
    kept = near[_nonzero(vectors, near)]
    rows = np.concatenate([centres, kept])
    _check_enough(rows.size)
    cosines = unit(vectors.matrix[kept]) @ units.T
    groups = np.concatenate([np.arange(centres.size), cosines.argmax(axis=1)])
    names = tuple(vectors.vocabulary.word(int(row)) for row in centres)
    described = f"{_listed(names)} and the {neighbours:,} words nearest to each"
    return Selection(rows, groups, names, near.size - kept.size, described)


def _rows(vectors: WordVectors, words: Iterable[str]) -> NDArray[np.int64]:
    words = [words] if isinstance(words, str) else words
    rows = np.array([vectors.rank(word) for word in dict.fromkeys(words)], dtype=np.int64)
    if not rows.size:
        raise ParameterError("words must name at least one word, got none.")
    zero = rows[~_nonzero(vectors, rows)]
    if zero.size:
        word = vectors.vocabulary.word(int(zero[0]))
        raise ParameterError(
            f"words must have a direction, got {word!r}, whose vector is zero; leave it out."
        )
    return rows


def _nonzero(vectors: WordVectors, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    nonzero: NDArray[np.bool_] = np.any(vectors.matrix[rows], axis=1)
    return nonzero


def _listed(words: tuple[str, ...]) -> str:
    shown = [visible(word) for word in words[:NAMED]]
    more = len(words) - len(shown)
    return ", ".join([*shown, f"{more:,} more"] if more else shown)


def _check_enough(number: int) -> None:
    if number < LEAST_WORDS:
        raise ParameterError(
            f"A map needs at least {LEAST_WORDS} words whose vectors are not zero, got {number}; "
            "name more words."
        )
