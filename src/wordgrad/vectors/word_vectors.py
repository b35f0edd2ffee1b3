"""Words with their vectors: immutable, and ready to be asked."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wordgrad.errors import FormatError, ParameterError, UnknownWordError, check_int
from wordgrad.vectors.checks import checked_counts, checked_matrix, plain_metadata
from wordgrad.vectors.queries import Query, combined_query
from wordgrad.vectors.search import ExactIndex, row_norms, unit
from wordgrad.vectors.suggestions import close_spellings
from wordgrad.vectors.words import WordTable


class WordVectors:
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

    # ---------------------------------------------------------------- what there is

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

    def __reduce__(self) -> tuple[Any, ...]:
        counts = None if self._counts is None else np.array(self._counts)
        return WordVectors, (self.words, np.array(self._matrix), counts, self._metadata)

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
        if close:
            return (
                f"{word!r} is not in the vocabulary; did you mean {' or '.join(map(repr, close))}?"
            )
        return (
            f"{word!r} is not among the {len(self):,} words of the vocabulary, and none is spelt "
            "like it; use a word of the text the vectors were trained on."
        )

    # ---------------------------------------------------------------- asking

    def most_similar(
        self,
        positive: Query,
        topn: int = 10,
        negative: Query | None = None,
        restrict_vocab: int | None = None,
    ) -> list[tuple[str, float]]:
        r"""The words nearest to a word, to several, or to a vector.

        The query is the sum of the unit vectors of ``positive`` less those of ``negative``, and
        words are ranked by their cosine with it.  Words of the query are no answers.

        Parameters
        ----------
        positive : str, array of shape (D,), or a sequence of both
        topn : int
            How many words; fewer come back only if the vocabulary has no more.
        negative : like positive, optional
        restrict_vocab : int, optional
            Only the most frequent ``restrict_vocab`` words may be answers.

        Returns
        -------
        list of (str, float)
            Words and cosines, best first; equal cosines by falling frequency.

        Raises
        ------
        UnknownWordError
            If a word is not in the vocabulary.
        ParameterError
            If a vector has the wrong shape or is not finite, or a number is out of range.
        """
        topn = check_int("topn", topn, minimum=1)
        if restrict_vocab is not None:
            restrict_vocab = check_int("restrict_vocab", restrict_vocab, minimum=1)
        query, rows = combined_query(self, positive, negative)
        excluded = np.array([rows], dtype=np.int64) if rows else None
        found = self._index.search(query[None], topn, excluded=excluded, limit=restrict_vocab)
        return [
            (self._table.word(int(row)), float(cosine))
            for row, cosine in zip(found.rows[0], found.scores[0], strict=True)
            if row >= 0
        ]

    def analogy(
        self,
        positive: Query,
        negative: Query,
        topn: int = 10,
        restrict_vocab: int | None = None,
    ) -> list[tuple[str, float]]:
        r"""Answer "man is to king as woman is to ...": 3CosAdd.

        The answer maximises :math:`\cos(w, b - a + c)` over unit vectors, with ``positive=[b, c]``
        and ``negative=[a]`` (Mikolov et al. 2013, "Linguistic regularities in continuous space
        word representations"; named 3CosAdd by Levy and Goldberg 2014).  As in word2vec and gensim
        the words of the question are no answers.

        Parameters, Returns and Raises are those of :meth:`most_similar`.

        >>> words = ["man", "woman", "king", "queen", "apple"]
        >>> matrix = [[1, 0, 0], [0, 1, 0], [1, 0, 1], [0, 1, 1], [0.3, -1, 0.2]]
        >>> vectors = WordVectors(words, matrix)
        >>> vectors.analogy(positive=["king", "woman"], negative=["man"], topn=1)
        [('queen', 0.95...)]
        """
        return self.most_similar(positive, topn, negative, restrict_vocab)

    def similarity(self, a: str, b: str) -> float:
        """Cosine of two words' vectors, in [-1, 1]; 0 if one of them is a zero vector.

        >>> WordVectors(["a", "b"], [[1, 0], [1, 1]]).similarity("a", "b")
        0.70710...

        Raises
        ------
        UnknownWordError
            If a word is not in the vocabulary.
        """
        return float(self.similarities([(self.rank(a), self.rank(b))])[0])

    def similarities(self, ranks: ArrayLike) -> NDArray[np.float64]:
        """Cosines of pairs of rows: ``ranks`` of shape (n, 2) to float64 of shape (n,)."""
        pairs = np.asarray(ranks, dtype=np.int64).reshape(-1, 2)
        first, second = unit(self._matrix[pairs[:, 0]]), unit(self._matrix[pairs[:, 1]])
        cosines: NDArray[np.float64] = np.clip((first * second).sum(axis=1), -1.0, 1.0)
        return cosines

    # ---------------------------------------------------------------- storing

    def with_metadata(self, entries: Mapping[str, Any]) -> WordVectors:
        """Return the same vectors, their memory shared, with more metadata."""
        twin = WordVectors.__new__(WordVectors)
        twin.__dict__.update(self.__dict__)
        twin._metadata = {**self._metadata, **plain_metadata(entries)}
        return twin

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write to a file; the name's ending tells the format (``.safetensors``).

        Raises
        ------
        OutputError
            If the file exists and ``overwrite`` is false, or it cannot be written.
        """
        from wordgrad.vectors.formats import save

        save(self, path, overwrite=overwrite)

    # ---------------------------------------------------------------- inside

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
