"""Words with a matrix of one row each: what there is, and looking it up."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wordgrad.errors import FormatError, ParameterError, UnknownWordError
from wordgrad.vectors.search import ExactIndex, row_norms
from wordgrad.vectors.suggestions import close_spellings
from wordgrad.vectors.words import WordTable


class WordMatrix:
    """What :class:`wordgrad.WordVectors` is, before anything is asked; not made by itself."""

    _table: WordTable
    _matrix: NDArray[np.float32]
    _counts: NDArray[np.int64] | None
    _metadata: dict[str, Any]
    _origin: str | None

    @property
    def words(self) -> tuple[str, ...]:
        """The words, most frequent first."""
        return self._table.words

    @property
    def matrix(self) -> NDArray[np.float32]:
        """All vectors, float32 of shape (V, D), read-only."""
        return self._matrix

    @property
    def counts(self) -> NDArray[np.int64] | None:
        """How often each word was seen, int64 of shape (V,), read-only; ``None`` if not known."""
        return self._counts

    @property
    def metadata(self) -> dict[str, Any]:
        """How the vectors were made; a copy."""
        return copy.deepcopy(self._metadata)

    @property
    def vector_size(self) -> int:
        """D, the length of a vector."""
        return int(self._matrix.shape[1])

    def __len__(self) -> int:
        return len(self._table)

    def __iter__(self) -> Iterator[str]:
        return iter(self.words)

    def __contains__(self, word: object) -> bool:
        return isinstance(word, str) and self._table.row(word) is not None

    def __getitem__(self, word: str) -> NDArray[np.float32]:
        """Vector of ``word``, float32 of shape (D,), read-only.

        Raises UnknownWordError, whose message names words spelt alike, if it is not there.
        """
        row = self.rank(word)
        vector: NDArray[np.float32] = self._matrix[row]
        if "_norms" not in self.__dict__ and not np.isfinite(vector).all():
            raise FormatError(
                f"{self._origin} holds a value that is not finite in row {row} ({word!r}); "
                "train again, or load an undamaged copy."
            )
        return vector

    def __repr__(self) -> str:
        return f"<WordVectors: {len(self):,} words, {self.vector_size} dimensions>"

    def rank(self, word: str) -> int:
        """Row of ``word``: 0 for the most frequent.

        Raises
        ------
        UnknownWordError
            If ``word`` is not in the vocabulary; the message names words spelt alike.
        """
        if not isinstance(word, str):
            raise ParameterError(f"A word must be a string, got {word!r}.")
        row = self._table.row(word)
        if row is None:
            raise UnknownWordError(self._unknown(word))
        return row

    def _unknown(self, word: str) -> str:
        close = close_spellings(word, self.words)
        shown = repr(word if len(word) <= 200 else word[:200] + "...")
        if close:
            return (
                f"{shown} is not in the vocabulary; did you mean {' or '.join(map(repr, close))}?"
            )
        return (
            f"{shown} is not among the {len(self):,} words of the vocabulary, and none is spelt "
            "like it; use a word of the text the vectors were trained on."
        )

    def _rows(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Some vectors, float64 of shape (n, D), without a pass over all of a mapped file.

        Raises
        ------
        FormatError
            If a value is not finite.
        """
        found = self._matrix[rows].astype(np.float64)
        if not np.isfinite(found).all():
            _ = self._norms  # measures every row, and names the place
        return found

    @cached_property
    def _norms(self) -> NDArray[np.float64]:
        return row_norms(self._matrix, self._origin)

    @cached_property
    def _index(self) -> ExactIndex:
        return ExactIndex(self._matrix, self._norms)

    def search_index(self) -> ExactIndex:
        """The index that answers queries by row, many at a time."""
        return self._index

    def table(self) -> WordTable:
        """The words by row, decoded when needed."""
        return self._table
