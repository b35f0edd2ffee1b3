"""Words and their counts, most frequent first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wordgrad.errors import InputError, ParameterError, UnknownWordError


class Vocabulary:
    """The words of a corpus: word ``i`` is the ``i``-th most frequent one.

    Words with equal counts follow in the order of their Unicode code points, so the same text
    always gives the same ids, whatever the number of threads that read it.

    Parameters
    ----------
    words : sequence of str, length V
        Distinct words, most frequent first.
    counts : array_like of int, shape (V,)
        How often each word occurs in the text: positive, never rising.

    Attributes
    ----------
    words : list of str
    counts : int64 array, shape (V,), read-only

    Raises
    ------
    ParameterError
        If lengths differ, a word comes twice, or the counts are not positive and falling.

    Examples
    --------
    >>> vocabulary = Vocabulary.from_counts(["sat", "the", "cat"], [2, 5, 2])
    >>> vocabulary.words, vocabulary.counts.tolist()
    (['the', 'cat', 'sat'], [5, 2, 2])
    >>> vocabulary.index("cat"), "dog" in vocabulary, len(vocabulary), vocabulary.total
    (1, False, 3, 9)
    """

    words: list[str]
    counts: NDArray[np.int64]

    def __init__(self, words: Sequence[str], counts: ArrayLike) -> None:
        self.words = list(words)
        self.counts = np.array(counts, dtype=np.int64)
        self.counts.flags.writeable = False
        if self.counts.shape != (len(self.words),):
            raise ParameterError(
                f"counts must hold one number a word ({len(self.words)}), "
                f"got shape {self.counts.shape}."
            )
        if len(self.words) and (self.counts[-1] < 1 or np.any(np.diff(self.counts) > 0)):
            raise ParameterError(
                "counts must be positive and fall from word to word; "
                "Vocabulary.from_counts puts words in that order."
            )

    @classmethod
    def from_counts(cls, words: Sequence[str], counts: ArrayLike) -> Vocabulary:
        """Sort words of any order by falling count, then by code point.

        Parameters
        ----------
        words : sequence of str, length V
        counts : array_like of int, shape (V,)
        """
        numbers = np.asarray(counts, dtype=np.int64).tolist()
        if len(numbers) != len(words):
            raise ParameterError(
                f"counts must hold one number a word ({len(words)}), got {len(numbers)}."
            )
        pairs = sorted(zip(words, numbers, strict=True), key=lambda pair: (-pair[1], pair[0]))
        return cls([word for word, _ in pairs], [number for _, number in pairs])

    @cached_property
    def _index(self) -> dict[str, int]:
        table = {word: position for position, word in enumerate(self.words)}
        if len(table) != len(self.words):
            twice = next(word for i, word in enumerate(self.words) if table[word] != i)
            raise InputError(f"A vocabulary holds each word once, but {twice!r} comes twice.")
        return table

    @property
    def total(self) -> int:
        """Tokens of the corpus that are in the vocabulary: the sum of ``counts``."""
        return int(self.counts.sum())

    def index(self, word: str) -> int:
        """Id of ``word``, from 0 (the most frequent) to V - 1.

        Raises
        ------
        UnknownWordError
            If the word is not in the vocabulary.
        """
        try:
            return self._index[word]
        except KeyError:
            raise UnknownWordError(
                f"{word!r} is not among the {len(self)} words of the vocabulary; it may be rarer "
                "than min_count, or written differently in the text."
            ) from None

    def __len__(self) -> int:
        return len(self.words)

    def __iter__(self) -> Iterator[str]:
        return iter(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self._index

    def __eq__(self, other: object) -> Any:
        if not isinstance(other, Vocabulary):
            return NotImplemented
        return self.words == other.words and np.array_equal(self.counts, other.counts)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        first = ", ".join(repr(word) for word in self.words[:3])
        more = ", ..." if len(self) > 3 else ""
        return f"Vocabulary({len(self)} words: {first}{more})"
