"""How alike words, lists of words and documents are."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wordgrad.errors import ParameterError, SkippedWordsWarning, check_choice
from wordgrad.vectors.documents import document_words
from wordgrad.vectors.queries import ON_UNKNOWN, combined
from wordgrad.vectors.rankings import MeanVector, Ranking
from wordgrad.vectors.search import unit
from wordgrad.vectors.word_matrix import WordMatrix


class Comparing(WordMatrix):
    """The questions of :class:`wordgrad.WordVectors` that are about given words."""

    def similarity(self, a: str, b: str) -> float:
        """Cosine of two words' vectors, in [-1, 1]; 0 if one of them is a zero vector.

        >>> from wordgrad import WordVectors
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
        first, second = unit(self._rows(pairs[:, 0])), unit(self._rows(pairs[:, 1]))
        cosines: NDArray[np.float64] = np.clip((first * second).sum(axis=1), -1.0, 1.0)
        return cosines

    def distance(self, a: str, b: str) -> float:
        """One less the cosine of two words' vectors, in [0, 2]; see :meth:`similarity`."""
        return 1.0 - self.similarity(a, b)

    def distances(
        self, query: str | NDArray[np.floating], words: Iterable[str] | None = None
    ) -> NDArray[np.float64]:
        """Cosine distances of a word or a vector from others.

        Parameters
        ----------
        query : str or array of shape (D,)
        words : iterable of str, optional
            All words of the vocabulary, by falling frequency, if not given.

        Returns
        -------
        ndarray of float64, shape (words,)
            In [0, 2].

        Raises
        ------
        UnknownWordError
            If a word is not in the vocabulary.

        >>> from wordgrad import WordVectors
        >>> WordVectors(["a", "b", "c"], [[1, 0], [0, 1], [-2, 0]]).distances("a")
        array([0., 1., 2.])
        """
        rows = None if words is None else np.array([self.rank(w) for w in words], dtype=np.int64)
        return 1.0 - self._cosines(query, rows)

    def n_similarity(
        self, a: str | Iterable[str], b: str | Iterable[str], *, on_unknown: str = "error"
    ) -> float:
        """Cosine of the sums of two lists of words' vectors, in [-1, 1].

        The vectors are summed as they are, not at length 1: long ones weigh more, as in gensim.
        A text is cut into words as in :meth:`mean_vector`.

        Parameters
        ----------
        a, b : str or iterable of str
        on_unknown : {"error", "skip"}
            With "skip", words that are not in the vocabulary are left out, and counted in a
            :class:`~wordgrad.errors.SkippedWordsWarning`; if none is left, the cosine is 0.

        Raises
        ------
        UnknownWordError, ParameterError
            If a word is not in the vocabulary; if a list is empty.
        """
        first = self.mean_vector(a, normalise=False, on_unknown=on_unknown)
        second = self.mean_vector(b, normalise=False, on_unknown=on_unknown)
        _warn_of(first.skipped + second.skipped, first.used + second.used)
        return float(np.clip(unit(first.vector) @ unit(second.vector), -1.0, 1.0))

    def doesnt_match(self, words: Sequence[str], *, on_unknown: str = "error") -> str:
        """The odd one out: the word farthest, by cosine, from the mean of all.

        Every word's vector weighs the same in the mean.  Among words equally far it is the first.

        Parameters
        ----------
        words : sequence of str
            At least two.
        on_unknown : {"error", "skip"}
            With "skip", words that are not in the vocabulary are left out, and counted in a
            :class:`~wordgrad.errors.SkippedWordsWarning`.

        Raises
        ------
        UnknownWordError, ParameterError
            If a word is not in the vocabulary; if fewer than two are left.

        >>> from wordgrad import WordVectors
        >>> vectors = WordVectors(["breakfast", "lunch", "car"], [[1, 0.1], [1, 0.2], [0.1, 1]])
        >>> vectors.doesnt_match(["breakfast", "car", "lunch"])
        'car'
        """
        given = document_words(words, self._metadata)
        mean = self.mean_vector(given, on_unknown=on_unknown)
        known = [word for word in given if word in self]
        if len(known) < 2:
            raise ParameterError(
                f"words must name at least two words of the vocabulary, got {len(known)}; there is "
                "no odd one out among fewer."
            )
        _warn_of(mean.skipped, mean.used)
        rows = np.array([self.rank(word) for word in known], dtype=np.int64)
        return known[int(np.argmin(self._cosines(mean.vector, rows)))]

    def mean_vector(
        self,
        document: str | Iterable[str],
        *,
        weights: ArrayLike | None = None,
        normalise: bool = True,
        on_unknown: str = "error",
    ) -> MeanVector:
        r"""The mean of a document's word vectors.

        Parameters
        ----------
        document : str or iterable of str
            A text, which is cut into words as the training text was (the vectors' metadata tells
            how; at white space if they do not), or its words.
        weights : array_like of float, shape (words,), optional
            The mean is then :math:`\sum_i w_i v_i / \sum_i |w_i|`.
        normalise : bool
            Whether every word's vector is brought to length 1 before.
        on_unknown : {"error", "skip"}
            With "skip", words that are not in the vocabulary are left out, and told of in the
            result; if none is left, the mean is zero.

        Returns
        -------
        MeanVector
            ``vector``, ``used`` (how many words took part) and ``skipped`` (the others).

        Raises
        ------
        UnknownWordError
            If a word is not in the vocabulary.
        ParameterError
            If there are no words, or not as many weights.

        >>> from wordgrad import WordVectors
        >>> vectors = WordVectors(["red", "tea"], [[3, 0], [0, 2]])
        >>> mean = vectors.mean_vector("red tea please", on_unknown="skip")
        >>> mean.vector, mean.used, mean.skipped
        (array([0.5, 0.5]), 2, ('please',))
        """
        check_choice("on_unknown", on_unknown, ON_UNKNOWN)
        words = document_words(document, self._metadata)
        if not words and on_unknown == "error":
            raise ParameterError("document must hold at least one word, got none.")
        given = _checked_weights(weights, len(words))
        kept, rows, skipped = [], [], []
        for place, word in enumerate(words):
            if on_unknown == "skip" and word not in self:
                skipped.append(word)
                continue
            rows.append(self.rank(word))
            kept.append(place)
        found = self._rows(np.array(rows, dtype=np.int64))
        used = given[kept]
        total = np.abs(used).sum()
        vector = used @ (unit(found) if normalise else found) / (total if total > 0 else 1.0)
        return MeanVector(vector, len(rows), tuple(skipped))

    def closer_than(self, word: str, other: str) -> Ranking:
        """The words that are closer to ``word`` than ``other`` is, the closest first.

        Raises
        ------
        UnknownWordError
            If one of the two is not in the vocabulary.
        """
        row = self.rank(word)
        cosines = self._cosines(word)
        closer = cosines > cosines[self.rank(other)]
        closer[row] = False
        rows = np.flatnonzero(closer)
        order = rows[np.argsort(-cosines[rows], kind="stable")]
        return Ranking((self._table.word(int(r)), float(cosines[r])) for r in order)

    def neighbour_rank(self, word: str, other: str) -> int:
        """Place of ``other`` among the neighbours of ``word``: 1 for the nearest.

        One more than the words that are closer (see :meth:`closer_than`).

        >>> from wordgrad import WordVectors
        >>> WordVectors(["a", "b", "c"], [[1, 0], [0, 1], [1, 1]]).neighbour_rank("a", "b")
        2
        """
        return len(self.closer_than(word, other)) + 1

    def _cosines(self, query: Any, rows: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
        """Cosines of a word or vector with some rows, or all: float64, each summed alike."""
        vectors = combined(self, [(query, None)], "error").vectors
        chosen = np.arange(len(self)) if rows is None else rows
        return self._index.pair_cosines(vectors, np.zeros_like(chosen), chosen)


def _checked_weights(weights: ArrayLike | None, words: int) -> NDArray[np.float64]:
    if weights is None:
        return np.ones(words)
    given = np.asarray(weights)
    if given.shape != (words,) or given.dtype.kind not in "fiu" or not np.isfinite(given).all():
        raise ParameterError(
            f"weights must be {words} finite numbers, one a word, got shape {given.shape} and "
            f"dtype {given.dtype}."
        )
    return given.astype(np.float64)


def _warn_of(skipped: Sequence[str], used: int) -> None:
    if skipped:
        warnings.warn(SkippedWordsWarning(skipped, used + len(skipped)), stacklevel=3)
