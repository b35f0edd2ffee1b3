"""Words with their vectors: immutable, and ready to be asked."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wordgrad.errors import ParameterError
from wordgrad.vectors.asking import Asking
from wordgrad.vectors.checks import checked_counts, checked_matrix, plain_metadata
from wordgrad.vectors.comparing import Comparing
from wordgrad.vectors.words import WordTable


class WordVectors(Asking, Comparing):
    """Words, most frequent first, and one vector for each.

    The object never changes.  A writeable ``matrix`` is copied; a read-only float32 matrix in C
    order (one that is mapped from a file, say) is shared.

    Parameters
    ----------
    words : sequence of str, length V
        Each once, most frequent first: "the first n rows" then means "the n most frequent words".
    matrix : array_like of float, shape (V, D)
        Row ``i`` is the vector of ``words[i]``; kept as float32.
    counts : array_like of int, shape (V,), optional
        How often each word was seen.
    metadata : mapping of str to JSON values, optional
        How the vectors were made (settings, history); saved with them.

    Raises
    ------
    ParameterError
        If a word comes twice, the shapes disagree, or a value is NaN or infinite.

    Examples
    --------
    >>> vectors = WordVectors(["the", "king", "queen"], [[1, 0], [0, 2], [0.6, 0.8]])
    >>> len(vectors), "king" in vectors, vectors["king"]
    (3, True, array([0., 2.], dtype=float32))
    >>> vectors.most_similar("king", topn=1)
    [('queen', 0.79999...)]
    """

    def __init__(
        self,
        words: Sequence[str],
        matrix: ArrayLike,
        counts: ArrayLike | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        if isinstance(words, str):
            raise ParameterError("words must be a sequence of strings, got one string.")
        self._table = WordTable.from_words(words)
        self._matrix = checked_matrix(matrix, len(self._table))
        self._counts = checked_counts(counts, len(self._table))
        self._metadata = plain_metadata(metadata)
        self._origin: str | None = None
        _ = self._norms  # a value that is not finite is an error now, not at the first query

    @classmethod
    def from_checked(
        cls,
        table: WordTable,
        matrix: NDArray[np.float32],
        counts: NDArray[np.int64] | None,
        metadata: dict[str, Any],
        origin: str,
    ) -> WordVectors:
        """Vectors read from the file ``origin``, whose reader has checked all shapes.

        What is left (that values are finite, that no word comes twice) is checked at first use, so
        that opening a file does not read it.
        """
        vectors = cls.__new__(cls)
        matrix.flags.writeable = False
        vectors._table, vectors._matrix, vectors._counts = table, matrix, counts
        vectors._metadata, vectors._origin = metadata, origin
        return vectors

    def __reduce__(self) -> tuple[Any, ...]:
        counts = None if self._counts is None else np.array(self._counts)
        return WordVectors, (self.words, np.array(self._matrix), counts, self._metadata)

    # ---------------------------------------------------------------- storing

    def with_metadata(self, entries: Mapping[str, Any]) -> WordVectors:
        """Return the same vectors, their memory shared, with more metadata."""
        twin = WordVectors.__new__(WordVectors)
        twin.__dict__.update(self.__dict__)
        twin._metadata = {**self._metadata, **plain_metadata(entries)}
        return twin

    def select(self, words: Iterable[str]) -> WordVectors:
        """Vectors of ``words`` alone, in the order of the whole: most frequent first.

        ``vectors.select(vectors.words[:100_000])`` keeps the most frequent 100,000.

        Parameters
        ----------
        words : iterable of str
            Each may come more than once.

        Raises
        ------
        UnknownWordError
            If a word is not in the vocabulary.
        ParameterError
            If there are none.

        >>> vectors = WordVectors(["the", "king", "queen"], [[1, 0], [0, 2], [0.6, 0.8]])
        >>> vectors.select(["queen", "the"]).words
        ('the', 'queen')
        """
        if isinstance(words, str):
            raise ParameterError(f"words must be a sequence of strings, got {words!r}.")
        rows = sorted({self.rank(word) for word in words})
        if not rows:
            raise ParameterError("words must name at least one word, got none.")
        counts = None if self._counts is None else self._counts[rows]
        chosen = [self._table.word(row) for row in rows]
        return WordVectors(chosen, self._matrix[rows], counts, self._metadata)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write to a file; the name's ending tells the format: see :func:`wordgrad.vectors.save`.

        Raises
        ------
        OutputError
            If the file exists and ``overwrite`` is false, or it cannot be written.
        """
        from wordgrad.vectors.formats import save

        save(self, path, overwrite=overwrite)
